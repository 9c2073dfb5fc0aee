"""The review by thumb: what is asked and all answers in one view, on small telephones too; or several at once."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.test_tab_order import EXPECTED, FOCUS

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAY = "2025-06-10"
SMALL: dict[str, Any] = PHONE | {"viewport": {"width": 360, "height": 640}}
SMALLEST: dict[str, Any] = PHONE | {"viewport": {"width": 320, "height": 568}}
LYING: dict[str, Any] = PHONE | {"viewport": {"width": 844, "height": 390}}
THUMB = 44  # CSS pixels a side
ACTIONS = ".decide :is(button, .button)"
# Whether each action lies in view with nothing above it, and how large it is.
REACHED = """(all) => all.map((each) => {
    const box = each.getBoundingClientRect();
    const corners = [[box.left + 3, box.top + 3], [box.right - 3, box.bottom - 3]];
    return [
        corners.every(([x, y]) => each.contains(document.elementFromPoint(x, y))), Math.min(box.width, box.height),
    ];
})"""


@pytest.fixture
def grower(
    signed_in: Callable[..., Person], photos_dir: Path, photo: Callable[..., bytes]
) -> Callable[..., Person]:
    """Somebody with seven species to confirm and two photos of nothing, at a browser with the given options."""

    def made(**options: Any) -> Person:
        person = signed_in(**options)
        folders = sorted(path for path in photos_dir.iterdir() if path.is_dir())[:7]
        real = [(f"{folder.name}.jpg", sorted(folder.glob("*.jpg"))[0].read_bytes()) for folder in folders]
        drawn = [(f"{seed}.jpg", photo(seed)) for seed in (1, 2)]
        person.client.upload(*real, *drawn, date=DAY).raise_for_status()
        return person

    return made


def within_reach(page: Page, actions: int) -> None:
    found = page.locator(ACTIONS).evaluate_all(REACHED)
    assert len(found) == actions
    assert [reached for reached, _ in found] == [True] * actions
    assert min(side for _, side in found) >= THUMB


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
@pytest.mark.parametrize("locale", ["en", "ja"])
@pytest.mark.parametrize("device", [PHONE, SMALL, SMALLEST], ids=["phone", "small", "smallest"])
def test_the_answers_are_at_the_thumb_first_and_after_each(
    grower: Callable[..., Person], device: dict[str, Any], locale: str, javascript: bool
) -> None:
    page = grower(device=device, locale=locale, javascript=javascript).open("/review?reason=new")
    height = device["viewport"]["height"]
    for action in ("confirm", "not_a_plant", "unknown"):
        within_reach(page, 4)
        assert page.evaluate("scrollY") == 0
        bar = page.locator(".decide").bounding_box()
        name = page.locator(".asked > h2").bounding_box()
        assert bar
        assert name
        assert bar["height"] < height / 4
        if device is not SMALLEST or action == "confirm":
            # What is asked stands above, and of its photo enough to see what it is.
            shot = page.locator(".shot img").bounding_box()
            assert shot
            assert name["y"] + name["height"] <= shot["y"]
            assert min(bar["y"], shot["y"] + shot["height"]) - shot["y"] > 100
            if device is PHONE or (device is SMALL and action == "confirm"):
                assert shot["y"] + shot["height"] <= bar["y"]
        with page.expect_navigation():
            page.locator(f'.decide [value="{action}"]').tap()
        assert page.locator(".outcome .done").is_visible()
        assert page.locator(".become").is_visible()
    within_reach(page, 4)


def test_nothing_that_has_the_focus_lies_below_the_bar(grower: Callable[..., Person]) -> None:
    page = grower(device=SMALL).open("/review")
    page.evaluate(EXPECTED)
    stops: int = page.evaluate("window.stops.length")
    met = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        met.append(page.evaluate(FOCUS))
        hidden = page.evaluate(
            """() => {
                const [at, bar] = [document.activeElement, document.querySelector('.decide')];
                const [box, edge] = [at.getBoundingClientRect(), bar.getBoundingClientRect()];
                return !bar.contains(at) && box.bottom > edge.top + 1 && box.top < edge.bottom;
            }"""
        )
        assert not hidden, met[-1]["html"]
    assert [each["place"] for each in met] == list(range(stops))
    assert [each["html"] for each in met if not (each["inView"] and each["uncovered"])] == []


def test_the_end_of_the_page_can_be_seen(grower: Callable[..., Person]) -> None:
    page = grower(device=SMALL).open("/review")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    foot = page.locator("footer").bounding_box()
    bar = page.locator(".decide").bounding_box()
    assert foot
    assert bar
    assert foot["y"] + foot["height"] <= bar["y"]


def test_lying_on_its_side_a_telephone_keeps_its_height_for_the_photo(grower: Callable[..., Person]) -> None:
    page = grower(device=LYING).open("/review")
    assert page.locator(".decide").evaluate("(each) => getComputedStyle(each).position") == "static"


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_several_are_named_from_beside_them_and_counted(
    grower: Callable[..., Person], javascript: bool
) -> None:
    person = grower(device=PHONE, javascript=javascript)
    page = person.open("/review")
    assert page.locator(".ticked").inner_text() == ""
    boxes = page.locator(".picks.wide input")
    for number in (0, 2):
        boxes.nth(number).check()
    assert page.evaluate("scrollY") > 0
    within_reach(page, page.locator(ACTIONS).count())
    assert page.locator(".ticked").inner_text() == ("For 3 photos:" if javascript else "")
    with page.expect_navigation():
        page.locator('.decide [value="not_a_plant"]').tap()
    assert page.locator('.outcome [role="status"]').inner_text() == "Saved as no plant. 3 photos"
    assert page.locator('.outcome a[href^="/photos/"]').count() == 3
    images = person.client.get("/api/images").json()["images"]
    assert [image["label"] for image in images].count("not_a_plant") == 3
    with page.expect_navigation():
        page.locator(".undo button").tap()
    assert page.locator('.outcome [role="status"]').inner_text() == "Undone: here it is again. 3 photos"


def test_the_count_follows_the_ticks(grower: Callable[..., Person]) -> None:
    page = grower(locale="ja").open("/review")
    boxes = page.locator(".picks.wide input")
    said = []
    for number in (0, 1, 1, 0):
        boxes.nth(number).click()
        said.append(page.locator(".ticked").inner_text())
    assert said == ["2枚の写真に：", "3枚の写真に：", "2枚の写真に：", ""]


@pytest.mark.parametrize("reason", ["unsure", "new"])
def test_on_a_desk_the_actions_come_to_what_is_ticked(grower: Callable[..., Person], reason: str) -> None:
    page = grower(device=DESKTOP).open(f"/review?reason={reason}")
    bar = page.locator(".decide")
    place = bar.bounding_box()
    assert place
    assert place["y"] < 450
    box = page.locator(".picks.wide input").last
    box.scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    where = "(box) => box.getBoundingClientRect().top + scrollY"
    before = box.evaluate(where)
    box.check()
    within_reach(page, page.locator(ACTIONS).count())
    assert abs(box.evaluate(where) - before) < 40  # what one ticks stays under the hand
    box.uncheck()
    page.evaluate("scrollTo(0, 0)")
    assert bar.bounding_box() == place


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_bar_and_what_was_done_have_no_barrier(grower: Callable[..., Person], color_scheme: str) -> None:
    page = grower(device=PHONE, color_scheme=color_scheme).open("/review")
    boxes = page.locator(".picks.wide input")
    boxes.nth(0).check()
    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    for _ in range(2):
        found = Axe().run(page, options=options).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
        with page.expect_navigation():
            page.locator('.decide [value="unknown"]').tap()


@pytest.mark.parametrize("grey", [0, 40, 59, 120, 200, 255])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_what_can_be_ticked_is_seen_on_any_photo(
    grower: Callable[..., Person], color_scheme: str, grey: int
) -> None:
    page = grower(device=DESKTOP, color_scheme=color_scheme).open("/review")
    item = page.locator(".picks.wide li").first
    item.scroll_into_view_if_needed()
    picture = item.locator("img")
    picture.evaluate(
        """(img, grey) => {
            img.style.objectPosition = '-999px';
            img.style.background = `rgb(${grey} ${grey} ${grey})`;
        }""",
        grey,
    )
    tick, shown = item.locator("input").bounding_box(), picture.bounding_box()
    assert tick
    assert shown
    # A line through the middle of the box, and on into the photo.
    line = {"x": shown["x"], "y": tick["y"] + tick["height"] / 2, "width": shown["width"], "height": 1}
    pixels = Image.open(BytesIO(page.screenshot(clip=line))).convert("RGB")  # type: ignore[arg-type]
    right = round(tick["x"] + tick["width"] - shown["x"])
    around = [luminance(pixels.getpixel((right + step, 0))) for step in range(4)]
    beyond = sorted(luminance(pixels.getpixel((right + step, 0))) for step in range(6, 46))
    ground = beyond[len(beyond) // 2]
    assert max(contrast(each, ground) for each in around) >= 3
    assert contrast(min(around), max(around)) >= 3


def luminance(pixel: Any) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in pixel[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
