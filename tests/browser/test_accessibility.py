"""Every page of the route table through axe-core: both languages, light and dark, on a desk and at 320 pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, Person
from tests.browser.pages import MISSING, Grower, addresses

NARROW = {"width": 320, "height": 800}
OPTIONS = {
    "resultTypes": ["violations"],
    # Off unless asked for: a finger needs 24 pixels.
    "rules": {"target-size": {"enabled": True}},
}
READERS = ("grower en", "grower ja", "visitor en", "visitor ja", "newcomer ja")
CASES = [
    pytest.param(reader, path, id=f"{reader} {path}")
    for reader in READERS
    for path in addresses(reader.split()[0])
]


def violations(page: Page) -> list[str]:
    """What axe-core finds, a line for each element."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]} | {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("reader", "path"), CASES)
def test_a_page_has_no_barrier(
    reader: str, path: str, readers: Callable[[str], Person], grower: Grower
) -> None:
    person = readers(reader)
    page = person.page
    person.watch.wrong.clear()
    page.set_viewport_size(DESKTOP["viewport"])
    page.emulate_media(color_scheme="light")
    person.open(grower.address(path))
    assert person.status == (404 if path in MISSING else 200)
    assert page.locator("html").get_attribute("lang") == reader[-2:]
    # What is folded in is a part of the page; the menu would cover others.
    page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], "it scrolls sideways"
    assert person.watch.unforeseen() == []


@pytest.mark.parametrize("size", [DESKTOP["viewport"], NARROW], ids=["desk", "phone"])
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_the_open_menu_has_none_either(
    size: dict[str, int], color_scheme: str, readers: Callable[[str], Person]
) -> None:
    person = readers("grower en")
    person.page.set_viewport_size(size)  # type: ignore[arg-type]
    person.page.emulate_media(color_scheme=color_scheme)  # type: ignore[arg-type]
    page = person.open("/sessions")
    page.locator("details.more summary").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], "it scrolls sideways"


def test_a_barrier_is_found(readers: Callable[[str], Person]) -> None:
    page = readers("visitor en").open("/calendar")
    page.evaluate(
        """() => {
            document.querySelector('#metric').labels[0].remove();
            document.querySelector('main').insertAdjacentHTML('beforeend', '<img src="/static/icon.svg">');
            document.querySelector('h1').remove();
        }"""
    )
    found = "\n".join(violations(page))
    for rule in ("select-name", "image-alt", "page-has-heading-one"):
        assert rule in found, rule
