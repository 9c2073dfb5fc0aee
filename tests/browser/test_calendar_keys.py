"""The calendar in a real browser: one stop for Tab, days by the arrow keys, links without a script, thumbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import PHONE, Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

LEAST_TARGET = 24  # CSS pixels a side: WCAG 2.2, 2.5.8
NARROW: dict[str, Any] = PHONE | {"viewport": {"width": 320, "height": 640}}
STOPS = 'table.year [tabindex="0"]'


def focused(page: Page) -> str:
    """The day that has the focus, as it is read out, without what is said of it; else where the focus is."""
    found = page.evaluate("[document.activeElement.ariaLabel, document.activeElement.tagName]")
    return str(found[0] or found[1]).split(":")[0].split("：")[0]


def opened(person: Person, address: str) -> Page:
    """The calendar, with the focus on the day that Tab would come to."""
    page = person.open(address)
    page.locator('table.year[role="grid"]').wait_for()  # the script has run
    page.locator(STOPS).focus()
    return page


def pressed(page: Page, *keys: str) -> str:
    for key in keys:
        page.keyboard.press(key)
    return focused(page)


def test_the_arrows_go_by_day_and_week(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(), "/calendar?year=2025&day=2025-06-11")
    assert focused(page) == "11 June"  # the day of the address is the one that Tab comes to
    assert pressed(page, "ArrowRight") == "12 June"
    assert pressed(page, "ArrowDown") == "19 June"
    assert pressed(page, "ArrowLeft", "ArrowLeft") == "17 June"
    assert pressed(page, "ArrowUp") == "10 June"
    # Over the end of a month as over that of a week.
    assert pressed(page, *["ArrowUp"] * 2) == "27 May"
    assert pressed(page, *["ArrowRight"] * 5) == "1 June"


@pytest.mark.parametrize(
    ("locale", "first", "last"), [("en", "9 June", "15 June"), ("ja", "6月8日", "6月14日")]
)
def test_home_and_end_go_to_the_ends_of_the_week_and_of_the_month(
    visiting: Callable[..., Person], locale: str, first: str, last: str
) -> None:
    page = opened(visiting(locale=locale), "/calendar?year=2025&day=2025-06-11")
    assert pressed(page, "Home") == first
    assert pressed(page, "End") == last
    month = ("1 June", "30 June") if locale == "en" else ("6月1日", "6月30日")
    assert pressed(page, "Control+Home") == month[0]
    assert pressed(page, "Control+End") == month[1]


def test_page_keys_go_by_month_to_the_same_day_or_the_last(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(), "/calendar?year=2025&day=2025-07-31")
    assert pressed(page, "PageUp") == "30 June"
    assert pressed(page, "PageDown", "PageDown") == "30 August"
    assert pressed(page, *["PageUp"] * 6) == "28 February"


def test_the_year_ends_at_its_ends(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(), "/calendar?year=2025&day=2025-01-03")
    assert pressed(page, "ArrowUp") == "3 January"
    assert pressed(page, "PageUp") == "3 January"
    assert pressed(page, *["ArrowLeft"] * 5) == "1 January"
    assert pressed(page, "Home") == "1 January"
    assert pressed(page, *["PageDown"] * 13, "Control+End", "ArrowRight") == "31 December"


def test_the_table_is_one_stop_for_tab_wherever_the_arrows_went(visiting: Callable[..., Person]) -> None:
    person = visiting()
    page = opened(person, "/calendar?year=2025&day=2025-06-11")
    assert page.locator(STOPS).count() == 1
    assert pressed(page, "ArrowRight", "ArrowDown") == "19 June"
    assert page.locator(STOPS).count() == 1
    page.keyboard.press("Tab")
    assert not page.evaluate("!!document.activeElement.closest('table.year')")
    page.keyboard.press("Shift+Tab")
    assert focused(page) == "19 June"
    page.keyboard.press("Shift+Tab")
    assert not page.evaluate("!!document.activeElement.closest('table.year')")


def test_without_a_day_in_the_address_tab_comes_to_the_newest_survey(visiting: Callable[..., Person]) -> None:
    person = visiting()
    page = opened(person, "/calendar?year=2025")
    newest = max(person.client.get("/api/calendar/shannon_diversity?year=2025").json()["data"])
    assert page.evaluate("document.activeElement.pathname") == f"/days/{newest}"


def test_enter_opens_the_day(visiting: Callable[..., Person]) -> None:
    person = visiting()
    page = opened(person, "/calendar?year=2025&metric=hill_q1")
    day = page.evaluate("document.activeElement.pathname")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert person.at == day


def test_enter_keeps_the_session(signed_in: Callable[..., Person], photo: Callable[..., bytes]) -> None:
    person = signed_in()
    taken = person.client.upload(("a.jpg", photo(1)), date="2025-08-24").json()
    page = opened(person, f"/calendar?session={taken['session_id']}")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert person.at == f"/days/2025-08-24?session={taken['session_id']}"


def test_other_keys_are_the_browsers(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(), "/calendar?year=2025&day=2025-06-11")
    assert pressed(page, "Shift+ArrowRight", "Alt+ArrowUp", "a", "Control+ArrowRight") == "11 June"


def test_a_day_that_is_read_out_is_shown_as_well(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(), "/calendar?year=2025&day=2025-06-11")
    shown = page.evaluate("getComputedStyle(document.activeElement, '::after').content")
    assert shown.strip('"') == page.evaluate("document.activeElement.ariaLabel")


def test_the_day_of_the_address_has_a_line_around_it(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/calendar?year=2025&day=2025-06-11#day")
    style = "day => [getComputedStyle(day).outlineStyle, getComputedStyle(day).outlineWidth]"
    assert page.locator("#day").evaluate(style) == ["solid", "3px"]
    assert page.locator("table.year a").first.evaluate(style)[0] == "none"


def test_without_a_script_every_survey_is_a_link_in_the_order_of_the_days(
    visiting: Callable[..., Person],
) -> None:
    person = visiting(javascript=False)
    page = person.open("/calendar?year=2025")
    data = person.client.get("/api/calendar/shannon_diversity?year=2025").json()["data"]
    links = page.locator("table.year a")
    assert [link.get_attribute("href") for link in links.all()] == [f"/days/{day}" for day in sorted(data)]
    assert page.locator("table.year [tabindex]").count() == 0
    assert not page.locator("#keys").is_visible()
    links.nth(0).focus()
    page.keyboard.press("Tab")  # a stop of its own
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/days/{sorted(data)[1]}")


@pytest.mark.parametrize("device", [PHONE, NARROW], ids=["phone", "narrow"])
def test_a_thumb_finds_every_day_and_no_page_slides_sideways(
    visiting: Callable[..., Person], device: dict[str, Any]
) -> None:
    page = visiting(device=device).open("/calendar?year=2025")
    boxes = page.evaluate(
        """[...document.querySelectorAll('table.year a, .jump a, .years a')].map((link) => {
            const { width, height } = link.getBoundingClientRect();
            return [link.textContent, width, height];
        })"""
    )
    assert len(boxes) > 80
    assert [box for box in boxes if min(box[1:]) < LEAST_TARGET] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]


def test_a_phone_shows_the_months_of_the_season_and_the_keys_stay_in_them(
    visiting: Callable[..., Person],
) -> None:
    page = opened(visiting(device=PHONE), "/calendar?year=2025")
    shown = [body.get_attribute("id") for body in page.locator("tbody").all() if body.is_visible()]
    assert shown == ["m5", "m6", "m7", "m8", "m9", "m10"]
    assert pressed(page, *["PageUp"] * 8, "Control+Home", "ArrowLeft") == "1 May"


def test_the_stop_moves_where_it_can_be_seen_when_the_window_narrows(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(), "/calendar?year=2025")
    assert pressed(page, *["PageUp"] * 8).endswith("February")
    page.set_viewport_size(PHONE["viewport"])
    page.wait_for_function(f"document.querySelector('{STOPS}').offsetParent !== null")
    assert page.locator(STOPS).count() == 1
