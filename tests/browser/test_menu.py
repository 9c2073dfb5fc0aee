"""The menu of further pages: it gives way on Escape, a press elsewhere or the next Tab, and shows where one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DESKTOP, PHONE, Person
from tests.browser.pages import Grower

if TYPE_CHECKING:
    from playwright.sync_api import Page

MENU = "details.more"


def opened(person: Person, path: str = "/") -> Page:
    page = person.open(path)
    page.locator(f"{MENU} summary").click()
    assert is_open(page)
    return page


def is_open(page: Page) -> bool:
    return page.locator(MENU).get_attribute("open") is not None


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_press_elsewhere_closes_it(visiting: Callable[..., Person], device: dict[str, object]) -> None:
    page = opened(visiting(device=device))
    page.locator(f"{MENU} ul").click(position={"x": 2, "y": 2})  # beside the links, but within
    assert is_open(page)
    page.locator("h1").click(position={"x": 2, "y": 2})
    assert not is_open(page)


def test_escape_closes_it_and_gives_the_focus_back(visiting: Callable[..., Person]) -> None:
    page = opened(visiting())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('ul ul') !== null")
    page.keyboard.press("Escape")
    assert not is_open(page)
    assert page.evaluate("document.activeElement.localName") == "summary"
    page.keyboard.press("Enter")
    assert is_open(page)


def test_escape_elsewhere_leaves_the_focus_where_it_is(visiting: Callable[..., Person]) -> None:
    page = opened(visiting())
    page.locator("#main").focus()
    page.keyboard.press("Escape")
    assert not is_open(page)
    assert page.evaluate("document.activeElement.id") == "main"


def test_it_closes_behind_whoever_tabs_on(visiting: Callable[..., Person]) -> None:
    page = opened(visiting())
    for _ in range(page.locator(f"{MENU} a").count()):
        page.keyboard.press("Tab")
        assert is_open(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    assert not is_open(page)


def test_a_press_on_a_link_follows_it(visiting: Callable[..., Person]) -> None:
    person = visiting()
    opened(person).locator(f'{MENU} a[href="/report"]').click()
    person.page.wait_for_url("**/report")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("path", "current"), [("/keys", True), ("/sessions/{session}", True), ("/review", False), ("/", False)]
)
def test_it_is_marked_on_its_pages(
    readers: Callable[[str], Person], grower: Grower, color_scheme: str, path: str, current: bool
) -> None:
    person = readers("grower en")
    person.page.emulate_media(color_scheme=color_scheme)  # type: ignore[arg-type]
    page = person.open(path.format(session=grower.session))
    summary = page.locator(f"{MENU} summary")
    assert (summary.get_attribute("aria-current") == "true") is current
    assert (summary.evaluate("(each) => getComputedStyle(each).boxShadow") != "none") is current
    found = Axe().run(page, context="header", options={"resultTypes": ["violations"]}).response["violations"]
    assert [each["id"] for each in found] == []


def test_without_a_script_its_own_button_closes_it(visiting: Callable[..., Person]) -> None:
    page = opened(visiting(javascript=False), "/report")
    page.locator(f"{MENU} summary").click()
    assert not is_open(page)
