"""GET /calendar: a year of a metric as a table of links, its marks and its legend."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser

import pytest

from lib.store.records import METRICS
from tests.functions.conftest import Client, Server

LARGEST = 15 * 1024  # bytes, compressed


class Cells(HTMLParser):
    """The cells of the year: class, what they say, where they lead and their text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[dict[str, str]] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "td" and given.get("role") == "cell":
            self._inside = True
            self.cells.append(given | {"text": ""})
        elif tag == "a" and self._inside:
            self.cells[-1] |= given

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.cells[-1]["text"] += data.strip()


def cells(page: str) -> list[dict[str, str]]:
    return [cell for cell in Cells(page).cells if cell["text"]]


def test_it_has_one_cell_a_day_and_a_link_for_each_surveyed_one(visitor: Client) -> None:
    page = visitor.get("/calendar?metric=shannon_diversity&year=2025").text
    found = cells(page)
    assert len(found) == 365
    surveyed = visitor.get("/api/calendar/shannon_diversity?year=2025").json()["data"]
    linked = {
        match[1]
        for cell in found
        if "href" in cell and (match := re.fullmatch(r"/days/([\d-]+)", cell["href"]))
    }
    assert linked == set(surveyed)
    assert all(cell["aria-label"] for cell in found)


def test_levels_and_marks_are_those_of_the_api(visitor: Client) -> None:
    found = {
        match[1]: cell["class"]
        for cell in cells(visitor.get("/calendar?year=2025").text)
        if (match := re.fullmatch(r"/days/([\d-]+)", cell.get("href", "")))
    }
    for day, cell in visitor.get("/api/calendar/shannon_diversity?year=2025").json()["data"].items():
        expected = {"ok": f"level{cell['level']}", "low": "low", "none": "zero"}[cell["effort"]]
        assert found[day] == expected
    assert {"level0", "level1", "level2", "level3", "level4", "low", "zero"} == set(found.values())


def test_a_label_says_the_day_in_words(visitor: Client) -> None:
    data = visitor.get("/api/calendar/shannon_diversity?year=2025").json()["data"]
    day, cell = next((day, cell) for day, cell in data.items() if cell["effort"] == "ok")
    when = date.fromisoformat(day)
    page = visitor.get("/calendar?year=2025").text
    expected = (
        f"{when.day} {when:%B}: {cell['species_richness']} species, {cell['total_images']} photos, "
        f"Shannon {cell['value']:.2f}"
    )
    assert f'aria-label="{expected}' in page
    japanese = visitor.get("/calendar?year=2025&lang=ja").text
    assert f'aria-label="{when.month}月{when.day}日：{cell["species_richness"]}種、写真' in japanese


@pytest.mark.parametrize("metric", METRICS)
def test_the_legend_prints_the_thresholds_of_each_metric(visitor: Client, metric: str) -> None:
    page = visitor.get(f"/calendar?metric={metric}").text
    legend = page[page.index('<ul class="legend">') :]
    legend = legend[: legend.index("</ul>")]
    fixed = visitor.get(f"/api/calendar/{metric}").json()["scale"]["method"] == "fixed"
    # Quarters of a year begin at its least value: nothing lies under it.
    levels = [0, 1, 2, 3, 4] if fixed else [1, 2, 3, 4]
    assert re.findall(r'class="mark level(\d)"', legend) == [str(level) for level in levels]
    assert "no survey" in legend
    for words in ("too few photos to compare", "surveyed, no species named"):
        # The number of photos is the effort itself: it is shown however small it is.
        assert (words in legend) == (metric != "total_images")
    assert ("under " in legend) == fixed
    assert " or more" in legend
    assert f'<option value="{metric}" selected>' in page
    assert len(re.findall("<option ", page)) == len(METRICS)


def test_a_day_of_the_address_is_marked_and_decides_on_the_year(visitor: Client) -> None:
    surveyed, day = "2024-06-12", re.compile(r'id="day" aria-current="date"')
    page = visitor.get(f"/calendar?day={surveyed}").text
    assert "Shannon diversity, 2024" in page
    (marked,) = (cell for cell in cells(page) if cell.get("id") == "day")
    assert marked["href"] == f"/days/{surveyed}"
    assert len(day.findall(page)) == 1
    # A day without a survey is no link, and of another year than the shown one no day at all.
    page = visitor.get("/calendar?day=2025-01-15").text
    (marked,) = (cell for cell in cells(page) if cell.get("id") == "day")
    assert (marked["text"], "href" in marked) == ("15", False)
    assert '<tbody role="rowgroup" id="m1">' in page  # shown on a phone, though no survey was made in it
    assert not day.findall(visitor.get(f"/calendar?year=2025&day={surveyed}").text)


def test_years_lead_to_each_other_and_no_further_than_there_is_something(visitor: Client) -> None:
    page = visitor.get("/calendar?metric=hill_q1&year=2025").text
    assert 'rel="prev" href="/calendar?metric=hill_q1&amp;year=2024"' in page
    assert 'rel="prev"' not in visitor.get("/calendar?year=2024").text
    assert (
        'rel="next" href="/calendar?metric=shannon_diversity&amp;year=1951"'
        in visitor.get("/calendar?year=1950").text
    )


def test_a_year_without_a_survey_is_shown_empty(visitor: Client) -> None:
    page = visitor.get("/calendar?year=1999").text
    assert "1999: no survey." in page
    assert "<table" not in page


def test_the_language_switch_keeps_the_view(visitor: Client) -> None:
    page = visitor.get("/calendar?metric=hill_q1&year=2024").text
    assert 'href="/calendar?metric=hill_q1&amp;year=2024&amp;lang=ja"' in page


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("metric", METRICS)
def test_a_year_is_light(visitor: Client, language: str, metric: str) -> None:
    page = visitor.get(f"/calendar?metric={metric}&year=2025&lang={language}")
    assert len(gzip.compress(page.content)) < LARGEST


def test_an_unknown_metric_lists_the_known_ones(visitor: Client) -> None:
    reply = visitor.get("/calendar?metric=beauty")
    assert reply.status_code == 404
    assert reply.json()["metrics"] == list(METRICS)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("year=abc", "year"),
        ("year=0", "year"),
        ("year=99999", "year"),
        ("day=2025-02-30", "day"),
        ("day=yesterday", "day"),
        ("session=0", "session"),
        ("session=x", "session"),
        ("metric=hill_q1&metric=hill_q2", "metric"),
    ],
)
def test_a_malformed_address_is_told_which_part(visitor: Client, query: str, field: str) -> None:
    reply = visitor.get(f"/calendar?{query}")
    assert reply.status_code == 400
    assert [error["field"] for error in reply.json()["errors"]] == [field]


@pytest.mark.parametrize("year", [1900, 2200])
def test_the_ends_of_time_can_be_looked_at(visitor: Client, year: int) -> None:
    assert visitor.get(f"/calendar?year={year}").status_code == 200


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_days_beyond_the_calendars_years_are_passed_over(visitor: Client, day: str) -> None:
    page = visitor.get(f"/calendar?day={day}")
    assert page.status_code == 200
    assert "Shannon diversity, 2025" in page.text


def test_another_users_session_is_not_there(server: Server, user: Client) -> None:
    other = server.user()
    session = other.post("/api/sessions", json={"session_name": "North"}).json()["id"]
    assert user.get(f"/calendar?session={session}").status_code == 404
    assert other.get(f"/calendar?session={session}").status_code == 200


def test_sessions_can_be_told_apart(user: Client, photo: Callable[..., bytes]) -> None:
    north, south = (
        user.post("/api/sessions", json={"session_name": name}).json()["id"]
        for name in ("North <1>", "South")
    )
    user.upload(("a.jpg", photo(1)), session_id=north, date="2025-08-24")
    user.upload(("b.jpg", photo(2)), session_id=south, date="2025-08-25")
    page = user.get("/calendar").text
    assert "North &lt;1&gt;" in page
    assert len([cell for cell in cells(page) if "href" in cell]) == 2
    one = user.get(f"/calendar?session={north}").text
    assert f'<option value="{north}" selected>' in one
    days = [cell["href"] for cell in cells(one) if "href" in cell]
    assert days == [f"/days/2025-08-24?session={north}"]


def test_a_new_user_is_asked_for_photos(user: Client) -> None:
    page = user.get("/calendar").text
    assert "No photos yet" in page
    assert '<a class="button" href="/upload">' in page
    assert "Sample data" not in page


def test_a_key_that_only_reads_is_not_asked_for_any(server: Server) -> None:
    for path in ("/calendar", "/report"):
        page = server.user("read").get(path).text
        assert "No photos yet" in page
        assert 'class="button" href="/upload"' not in page
