"""What goes on paper: the report, a day and the calendar without what only a screen is good for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCREEN_ONLY = "header.top, footer, main nav, main form, main button, main .button, .skip, .screen-only"
LEADS_ELSEWHERE = 'main a[rel="prev"], main a[rel="next"], main a[download], main a[href^="#"]'
PAPER_WIDTH = 680  # CSS pixels between the margins of A4
FOOT = 45  # points below the text of a sheet
DESTINATION = re.compile(rb"/Title \(([^)]*)\)\n/Dest \[(\d+) 0 R /XYZ \S+ (\S+) 0\]")


def headings(page: Page) -> dict[str, tuple[int, float]]:
    """Where the headings of a page come to stand on paper: on which sheet, and how many points above its edge."""
    made = page.pdf(prefer_css_page_size=True, tagged=True, outline=True)
    sheets = [int(number) for number in re.findall(rb"\n(\d+) 0 obj\n<</Type /Page\n", made)]
    return {
        title.decode(): (sheets.index(int(sheet)), float(height))
        for title, sheet, height in DESTINATION.findall(made)
    }


@pytest.mark.parametrize(
    "path", ["/report?year=2025", "/days/2025-06-11", "/calendar?year=2025", "/time-series?period=all"]
)
def test_paper_has_the_content_and_nothing_to_click(visiting: Callable[..., Person], path: str) -> None:
    page = visiting(color_scheme="dark").open(path)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_WIDTH, "height": 1000})
    shown = [each for each in page.locator(f"{SCREEN_ONLY}, {LEADS_ELSEWHERE}").all() if each.is_visible()]
    assert [each.inner_text() for each in shown] == []
    assert page.locator("h1").is_visible()
    assert page.get_by_text("Sample data").first.is_visible()
    assert page.locator("main table:visible").count() > 0
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


@pytest.mark.parametrize(
    ("title", "room"),
    [
        pytest.param("Effort per month", 120, id="a short table is whole"),
        pytest.param("Species found", 75, id="a long one has more than its head and a row"),
    ],
)
def test_no_table_begins_at_the_foot_of_a_sheet(
    visiting: Callable[..., Person], title: str, room: float
) -> None:
    page = visiting().open("/report?year=2025")
    sheet, height = headings(page)[title]
    # Push the heading down to where it would still fit, with so many points below its upper edge.
    page.get_by_role("heading", name=title).evaluate(
        "(heading, down) => heading.previousElementSibling.style.paddingBottom = `${down}pt`",
        height - FOOT - room,
    )
    moved, above = headings(page)[title]
    assert moved == sheet + 1
    assert above > height


def test_the_report_says_whose_it_is(signed_in: Callable[..., Person], photo: Callable[..., bytes]) -> None:
    person = signed_in()
    person.client.upload(("a.jpg", photo(1)), date="2025-06-10").raise_for_status()
    page = person.open("/report?year=2025")
    page.emulate_media(media="print")
    name = person.client.get("/api/sessions").json()["sessions"][0]["session_name"]
    assert page.get_by_text(name, exact=True).is_visible()
    username = page.locator(".who").text_content() or ""
    assert page.get_by_text(f"Data of {username}.").is_visible()


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
