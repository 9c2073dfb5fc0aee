"""How things stand on a narrow screen: nothing touches what it should not, and words and tables stay whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from lib.web import static_files
from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.pages import Grower

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

APART = 6  # CSS pixels at least between two buttons
TABLES = """() => {
    for (const each of document.querySelectorAll('main details')) each.open = true;
    return [...document.querySelectorAll('.scroll')]
        .map((each) => [each.scrollWidth - each.clientWidth, each.querySelector('caption').textContent]);
}"""
LINES = """(text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
}"""


@pytest.fixture
def phone(readers: Callable[[str], Person], grower: Grower) -> Callable[..., Page]:
    """A page of the grower or a visitor on a telephone; {names} of its path as in the route table."""

    def opened(reader: str, path: str, color_scheme: str = "light") -> Page:
        page = readers(reader).page
        page.set_viewport_size(PHONE["viewport"])
        page.emulate_media(color_scheme=color_scheme)  # type: ignore[arg-type]
        return readers(reader).open(grower.address(path))

    return opened


def too_near(buttons: Locator) -> list[tuple[str, str]]:
    """Pairs of neighbours that touch, overlap or nearly do, above each other or side by side."""
    boxes = buttons.evaluate_all(
        """(all) => all.map((each) => {
            const box = each.getBoundingClientRect();
            return [each.textContent.trim(), box.left, box.top, box.right, box.bottom];
        })"""
    )
    assert len(boxes) > 1
    return [
        (one[0], other[0])
        for one, other in pairwise(boxes)
        if other[1] - one[3] < APART and other[2] - one[4] < APART
    ]


def test_the_style_means_what_is_written(phone: Callable[..., Page]) -> None:
    """It goes out without remarks and spaces; to the browser both are the same."""
    page = phone("visitor en", "/")
    rules = "(sheet) => [...sheet.cssRules].map((rule) => rule.cssText)"
    sent = page.evaluate(f"({rules})(document.styleSheets[0])")
    written = page.evaluate(
        f"(text) => {{ const sheet = new CSSStyleSheet(); sheet.replaceSync(text); return ({rules})(sheet); }}",
        (static_files.FOLDER / "style.css").read_text("utf-8"),
    )
    assert len(sent) > 300
    # Of what has a variable in it, the browser repeats the text.
    assert [re.sub(r",\s+", ",", rule) for rule in sent] == [re.sub(r",\s+", ",", rule) for rule in written]


@pytest.mark.parametrize(
    ("reader", "path"),
    [
        ("visitor en", "/nothing-here"),
        ("visitor ja", "/nothing-here"),
        ("visitor en", "/review"),
        ("newcomer en", "/review?reason=new"),
        ("grower en", "/days/{date}"),
        ("grower en", "/sessions/{session}?delete=true"),
        ("grower ja", "/photos/{id}"),
    ],
)
def test_buttons_stay_apart(phone: Callable[..., Page], reader: str, path: str) -> None:
    page = phone(reader, path)
    for width in (390, 320, 240):  # the narrower, the more of them wrap
        page.set_viewport_size({"width": width, "height": 800})
        buttons = page.locator("main :is(button, .button):visible")
        if buttons.count() > 1:
            assert too_near(buttons) == [], width


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", ["/", "/days/2025-06-11", "/species/{name}"])
def test_tables_that_nearly_fit_do(phone: Callable[..., Page], language: str, path: str) -> None:
    tables = phone(f"grower {language}", path).evaluate(TABLES)
    assert tables
    assert [caption for beyond, caption in tables if beyond > 0] == []


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_shade_tells_that_a_table_goes_on(phone: Callable[..., Page], color_scheme: str) -> None:
    page = phone("visitor en", "/time-series?period=all", color_scheme)
    box = page.locator(".scroll.tall")
    assert edges(box) == (False, True)
    box.evaluate("(box) => box.scrollTo(60, 0)")
    assert edges(box) == (True, True)
    box.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
    assert edges(box) == (True, False)
    page.set_viewport_size(DESKTOP["viewport"])
    assert edges(box) == (False, False)


def edges(box: Locator) -> tuple[bool, bool]:
    """Whether the left and the right edge of a box are shaded, seen beside the text of its second line."""
    picture = Image.open(BytesIO(box.screenshot())).convert("L")
    column = [
        [int(picture.getpixel((x, y))) for y in range(picture.height // 2, picture.height - 4)]  # type: ignore[arg-type]
        for x in (0, picture.width - 1, picture.width // 2)
    ]
    left, right, ground = (sorted(values)[len(values) // 2] for values in column)
    return abs(left - ground) > 20, abs(right - ground) > 20


def test_words_of_japanese_tables_stay_whole(phone: Callable[..., Page]) -> None:
    page = phone("grower ja", "/days/2025-06-11")
    heads = page.locator("thead th")
    words = {head.inner_text(): head.evaluate(LINES) for head in heads.all()}
    assert {text: words[text] for text in ("株数", "割合", "平均確信度", "95%区間")} == {
        "株数": 1,
        "割合": 1,
        "平均確信度": 1,
        "95%区間": 1,
    }
    names = page.locator("tbody th", has_text="多様度")
    assert {name.evaluate(LINES) for name in names.all()} == {1}


def test_japanese_lines_are_filled_in_texts_and_break_between_words_in_headings(
    phone: Callable[..., Page],
) -> None:
    page = phone("grower ja", "/")
    breaks = "(each) => getComputedStyle(each).wordBreak"
    assert page.locator("h1").evaluate(breaks) == "auto-phrase"
    assert page.locator("main p").first.evaluate(breaks) == "normal"


def test_a_common_name_on_its_own_line_stands_below_the_latin_one(phone: Callable[..., Page]) -> None:
    page = phone("grower ja", "/days/2025-06-11")
    places = page.locator("tbody th:has(.common)").evaluate_all(
        """(all) => all.map((each) => {
            const [latin, common] =
                ['a', '.common'].map((name) => each.querySelector(name).getBoundingClientRect());
            return [common.top >= latin.bottom - 6, common.left - latin.left, common.left - latin.right];
        })"""
    )
    below = [indented for wrapped, indented, _ in places if wrapped]
    behind = [gap for wrapped, _, gap in places if not wrapped]
    assert below
    assert max(map(abs, below)) < 1
    assert behind
    assert min(behind) > 2


def test_headings_keep_their_distance_from_what_is_above(phone: Callable[..., Page]) -> None:
    page = phone("grower en", "/photos/{id}")
    helped = page.locator("#label-help").bounding_box()
    heading = page.locator("#guesses").bounding_box()
    assert helped
    assert heading
    assert heading["y"] - (helped["y"] + helped["height"]) >= 24


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_last_days_say_in_full_why_one_has_no_number(
    signed_in: Callable[..., Person], photo: Callable[..., bytes], language: str
) -> None:
    person = signed_in(locale=language, device=PHONE)
    person.client.upload(("a.jpg", photo(1)), date="2025-06-10").raise_for_status()
    person.page.set_viewport_size({"width": 320, "height": 800})
    tables = person.open("/").evaluate(TABLES)
    assert len(tables) == 1
    assert tables[0][0] <= 0
