"""What goes on paper: the report, a day and the calendar without what only a screen is good for."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.browser.conftest import Person

SCREEN_ONLY = "header.top, footer, main nav, main form, main button, main .button, .skip, .screen-only"
PAPER_WIDTH = 680  # CSS pixels between the margins of A4


@pytest.mark.parametrize("path", ["/report?year=2025", "/days/2025-06-11", "/calendar?year=2025"])
def test_paper_has_the_content_and_nothing_to_click(visiting: Callable[..., Person], path: str) -> None:
    page = visiting(color_scheme="dark").open(path)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_WIDTH, "height": 1000})
    shown = [each for each in page.locator(SCREEN_ONLY).all() if each.is_visible()]
    assert [each.inner_text() for each in shown] == []
    assert page.locator("h1").is_visible()
    assert page.get_by_text("Sample data").first.is_visible()
    assert page.locator("main table").first.is_visible()
    # Dark is a matter of screens, and nothing lies beyond the edge of the sheet.
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_WIDTH


def test_rows_stay_whole_and_the_head_of_a_table_comes_again(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/report?year=2025")
    page.emulate_media(media="print")
    assert set(
        page.eval_on_selector_all("tr", "rows => rows.map(row => getComputedStyle(row).breakInside)")
    ) == {"avoid"}
    assert page.eval_on_selector("thead", "head => getComputedStyle(head).display") == "table-header-group"
    assert page.eval_on_selector("h2", "head => getComputedStyle(head).breakAfter") == "avoid"
    # The report of a season takes several sheets.
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) > 2


def test_addresses_of_other_sites_are_printed(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/species/Stellaria%20media")
    page.emulate_media(media="print")
    links = page.locator('main a[href^="https://"]')
    assert links.count() > 0
    for link in links.all():
        after = link.evaluate("link => getComputedStyle(link, '::after').content")
        assert link.get_attribute("href") in after.replace("\\", "")


def test_a_button_prints_where_there_are_scripts(visiting: Callable[..., Person]) -> None:
    page = visiting().open("/report?year=2025")
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_role("button", name="Print or save as PDF").click()
    assert page.evaluate("window.printed") is True
    page = visiting(javascript=False).open("/report?year=2025")
    assert page.get_by_role("button", name="Print or save as PDF").count() == 0
