"""Tab walks through every page in the order of reading: all of it, visibly, and out again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.pages import MISSING, Grower, addresses

# What Tab should come to, in the order of the document: made of what stands on the page, not of what Tab does.
EXPECTED = """() => {
    const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]');
    const reached = (each) =>
        each.tabIndex >= 0 && !each.disabled && each.type !== 'hidden'
        && each.checkVisibility({ visibilityProperty: true });
    // Of radio buttons with one name, Tab comes to the chosen one, else to the first.
    const stops = (each) =>
        each.type !== 'radio' || each === (document.querySelector(`input[name="${CSS.escape(each.name)}"]:checked`)
            ?? document.querySelector(`input[name="${CSS.escape(each.name)}"]`));
    window.stops = [...all].filter((each) => reached(each) && stops(each));
    return window.stops.map((each) => each.outerHTML.slice(0, 160));
}"""
# Where the focus is, and whether one sees it: a line around the element, its label, or what holds it.
FOCUS = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const line = (each) => {
        const style = getComputedStyle(each);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
            && !/, 0\\)|transparent/.test(style.outlineColor);
    };
    const box = at.getBoundingClientRect();
    // What lies at the middle of each of its lines: a link that wraps need not reach the middle of its box.
    const tops = [...at.getClientRects()].filter((each) => each.width && each.height).map((each) => {
        const x = Math.min(Math.max((each.left + each.right) / 2, 0), innerWidth - 1);
        const y = Math.min(Math.max((each.top + each.bottom) / 2, 0), innerHeight - 1);
        return document.elementFromPoint(x, y);
    });
    // A field that is only there for programs lies under its label, which shows in its place.
    const faces = [at, ...(at.labels ?? [])];
    // Where it lies on the page, were nothing scrolled.
    let [left, down] = [0, 0];
    for (let each = at.parentElement; each; each = each.parentElement) {
        left += each.scrollLeft;
        down += each.scrollTop;
    }
    return {
        place: window.stops.indexOf(at),
        html: at.outerHTML.slice(0, 160),
        visible: faces.some(line),
        inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
        uncovered: tops.every((top) => !top || faces.some((each) => each.contains(top) || top.contains(each))),
        box: [box.left + left, box.top + down, box.right + left, box.bottom + down],
    };
}"""
READERS = ("grower en", "visitor ja")
CASES = [
    pytest.param(reader, path, id=f"{reader} {path}")
    for reader in READERS
    for path in addresses(reader.split()[0])
]
PARTS = 5  # a field for a date has its year, month, day and calendar, each with a stop of its own
SLACK = 4  # pixels by which boxes of one line may differ


def walk(page: Page, key: str, most: int) -> list[dict[str, Any]]:
    """Presses a key until the focus leaves the page; what it came to."""
    met: list[dict[str, Any]] = []
    inside = 0
    while len(met) <= most and inside < PARTS:
        page.keyboard.press(key)
        focus = page.evaluate(FOCUS)
        if focus is None or (len(met) > 1 and focus["place"] == met[0]["place"]):
            return met
        if met and focus["place"] == met[-1]["place"]:
            inside += 1
        else:
            met.append(focus)
            inside = 0
    raise AssertionError(f"the focus does not leave the page: {met[-3:]}")


def goes_back(one: list[float], other: list[float]) -> bool:
    """Whether the eye must go back from a box to the next one: up in the same column, or left on the same line."""
    left, top, right, bottom = other
    above = bottom <= one[1] + SLACK
    same_line = top < one[3] - SLACK and bottom > one[1] + SLACK
    return (above and left < one[2] - SLACK) or (same_line and right <= one[0] + SLACK)


@pytest.mark.parametrize(("reader", "path"), CASES)
def test_tab_walks_through_a_page(
    reader: str, path: str, readers: Callable[[str], Person], grower: Grower
) -> None:
    person = readers(reader)
    page = person.page
    page.set_viewport_size((DESKTOP if reader.endswith("en") else PHONE)["viewport"])
    person.open(grower.address(path))
    assert person.status == (404 if path in MISSING else 200)
    expected = page.evaluate(EXPECTED)
    met = walk(page, "Tab", len(expected))
    if met[0]["place"] != 0:
        # The page puts the focus where one goes on after a form; from the top it is walked all the same.
        page.evaluate("document.activeElement.blur(); getSelection().collapse(document.body, 0)")
        met = walk(page, "Tab", len(expected))
    assert [each["html"] for each in met] == expected
    assert 'class="skip"' in met[0]["html"]
    assert [each["html"] for each in met if not each["visible"]] == [], "no line shows the focus"
    assert [each["html"] for each in met if not each["inView"]] == [], "the focus is out of view"
    assert [each["html"] for each in met if not each["uncovered"]] == [], "the focus is covered"
    backwards = [
        (one["html"], other["html"])
        for one, other in pairwise(met[1:])  # the skip link lies above all
        if goes_back(one["box"], other["box"])
    ]
    assert backwards == [], "reading goes back"
    there_and_back = walk(page, "Shift+Tab", len(expected))
    assert [each["place"] for each in there_and_back] == [each["place"] for each in reversed(met)]


@pytest.mark.parametrize("path", ["/calendar", "/photos", "/sign-in"])
def test_the_first_stop_skips_to_the_content(path: str, readers: Callable[[str], Person]) -> None:
    person = readers("grower en")
    page = person.open(path)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main, footer') !== null")


def test_the_year_is_one_stop(readers: Callable[[str], Person]) -> None:
    page = readers("grower en").open("/calendar?year=2025")
    page.wait_for_selector("table.year[role=grid]")
    page.evaluate(EXPECTED)
    days = page.locator("table.year a").count()
    assert days > 50
    assert page.evaluate("window.stops.filter((each) => each.closest('table.year')).length") == 1


def test_without_a_script_every_day_is_one(visiting: Callable[..., Person]) -> None:
    page = visiting(javascript=False).open("/calendar?year=2025")
    links = page.locator("table.year a")
    assert links.count() > 50
    links.nth(0).focus()
    page.keyboard.press("Tab")
    assert page.locator("table.year a:focus").get_attribute("href") == links.nth(1).get_attribute("href")


def test_the_menu_opens_and_closes_by_the_keyboard(readers: Callable[[str], Person]) -> None:
    page = readers("visitor en").open("/")
    menu = page.locator("details.more")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/compare"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert menu.get_attribute("open") is None
