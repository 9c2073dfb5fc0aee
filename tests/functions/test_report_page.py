"""GET /report: a season to print, for visitors, users and files; its numbers are those of the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from lib.store.records import METRICS
from tests.functions.browsing import Browser
from tests.functions.conftest import Client, Server


def table(page: str, caption: str) -> list[list[str]]:
    """The rows of a table's body and foot, cell by cell, as text."""
    found = page.split(f'<caption class="unseen">{caption}</caption>')[1].split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", found.split("</thead>")[1], re.DOTALL)
    return [
        [
            " ".join(unescape(re.sub(r"<[^>]+>", "", cell)).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def test_a_visitor_sees_the_report_of_the_sample(visitor: Client) -> None:
    page = visitor.get("/report").text
    assert "<h1>Season report 2025</h1>" in page
    assert "<strong>Sample data</strong>" in page
    assert "Surveys from 3 May 2025 to 31 October 2025." in page
    for heading in (
        "The season as a whole",
        "Effort per month",
        "Metrics per month",
        "Species found",
        "The survey days",
        "How the numbers are made",
    ):
        assert f"<h2>{heading}</h2>" in page


def test_its_days_and_sums_are_those_of_the_api(visitor: Client) -> None:
    page = visitor.get("/report?year=2025").text
    data = visitor.get("/api/calendar/shannon_diversity?year=2025").json()["data"]
    rows = table(page, "The survey days")
    assert len(rows) == len(data)
    for row, cell in zip(rows, data.values(), strict=True):
        assert row[1:3] == [str(cell["total_images"]), str(cell["species_richness"])]
        if cell["effort"] == "ok":
            assert row[3] == f"{cell['value']:.2f}"
            assert row[4] == f"{cell['low']:.2f}–{cell['high']:.2f}"
        else:
            marks = {"low": "too few photos to compare", "none": "surveyed, no species named"}
            assert row[3:] == [marks[cell["effort"]]]
    photos = sum(cell["total_images"] for cell in data.values())
    season = table(page, "Effort per month")[-1]
    assert season[:2] == ["Season", str(len(data))]
    assert season[3] == f"{photos:,}"
    assert f"<dt>Photos</dt><dd>{photos:,}</dd>" in page


def test_its_species_are_those_of_the_season_and_lead_to_their_pages(visitor: Client) -> None:
    page = visitor.get("/report?year=2025").text
    rows = table(page, "Species found")
    counts = [int(row[1]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == int(table(page, "Effort per month")[-1][4].replace(",", ""))
    assert 'href="/species/Stellaria%20media"' in page
    assert rows[0][0] == "Stellaria media Common chickweed"


def test_totals_stand_with_their_intervals(visitor: Client) -> None:
    rows = table(visitor.get("/report?year=2025").text, "The season as a whole")
    assert [row[0] for row in rows] == [
        "Species richness",
        "Shannon diversity",
        "Simpson diversity",
        "Hill number q = 1",
        "Hill number q = 2",
    ]
    for _, value, interval in rows:
        low, high = map(float, interval.split("–"))
        assert low <= float(value) <= high


@pytest.mark.photos
def test_the_number_of_names_and_the_estimate_beside_it_are_told_apart(
    user: Client, visitor: Client, photos_dir: Path
) -> None:
    folders = [folder for folder in sorted(photos_dir.iterdir()) if folder.is_dir()]
    sent = [
        (f"{folder.name}{number}.jpg", sorted(folder.glob("*.jpg"))[number].read_bytes())
        for folder in folders
        for number in range(2)
    ]
    user.upload(*sent, date="2025-08-24").raise_for_status()
    page = user.get("/report").text
    named = len(table(page, "Species found"))
    assert float(table(page, "The season as a whole")[0][1]) != named
    told = "The names that the plants bear are of {} species; species richness is an estimate"
    assert told.format(named) in page
    page = visitor.get("/report?year=2025").text
    named = len(table(page, "Species found"))
    assert float(table(page, "The season as a whole")[0][1]) == named
    assert told.format(named) not in page


def test_its_formulas_are_in_no_language(visitor: Client) -> None:
    page = visitor.get("/report", headers={"Accept-Language": "ja"}).text
    formulas = [
        unescape(each) for each in re.findall(r'<span class="formula" translate="no">([^<]*)</span>', page)
    ]
    assert "(Σ p^q)^(1/(1−q)), q = 0" in formulas
    assert [each for each in formulas if re.search(r"(?<![a-z])(?!exp|ln)[a-z]{2,}", each)] == []


def test_months_without_a_survey_are_left_out(visitor: Client) -> None:
    names = [row[0] for row in table(visitor.get("/report?year=2025").text, "Metrics per month")]
    assert names == ["May", "June", "July", "August", "September", "October"]


@pytest.mark.parametrize("metric", METRICS)
def test_the_heat_map_shows_the_metric_that_is_asked_for(visitor: Client, metric: str) -> None:
    page = visitor.get(f"/report?metric={metric}").text
    assert f'<option value="{metric}" selected>' in page
    assert "<svg" in page
    assert '<ul class="legend">' in page


def test_a_year_without_a_survey_leads_to_one_that_has(visitor: Client) -> None:
    page = visitor.get("/report?year=1999&metric=hill_q1").text
    assert "1999: no survey." in page
    assert "<table" not in page
    assert 'href="/report?year=2025&amp;metric=hill_q1"' in page


def test_a_new_user_is_asked_for_photos(user: Client) -> None:
    page = user.get("/report").text
    assert "Sample data" not in page
    assert '<a class="button" href="/upload">' in page
    assert "data-print" not in page


def test_a_session_has_a_report_of_its_own(user: Client, photo: Callable[..., bytes]) -> None:
    north, south = (
        user.post("/api/sessions", json={"session_name": name, "description": "By <the> river"}).json()["id"]
        for name in ("North <1>", "South")
    )
    user.upload(("a.jpg", photo(1)), session_id=north, date="2025-08-24")
    user.upload(("b.jpg", photo(2)), session_id=south, date="2024-08-25")
    page = user.get(f"/report?session={north}").text
    assert "<bdi>North &lt;1&gt;</bdi>" in page
    assert "<bdi>By &lt;the&gt; river</bdi>" in page
    assert f'href="/days/2025-08-24?session={north}"' in page
    assert [row[0] for row in table(page, "The survey days")] == ["24 August"]
    assert "Too few plants were named to say how diverse the season was." in page
    empty = user.get(f"/report?session={south}&year=2025").text
    assert f'href="/report?year=2024&amp;metric=shannon_diversity&amp;session={south}"' in empty


def test_all_sessions_together_are_named_those_of_other_years_not(
    user: Client, photo: Callable[..., bytes]
) -> None:
    for number in range(7):
        session = user.post("/api/sessions", json={"session_name": f"Field <{number}>"}).json()["id"]
        day = "2024-08-24" if number == 3 else "2025-08-24"
        user.upload((f"{number}.jpg", photo(number)), session_id=session, date=day).raise_for_status()
    user.post("/api/sessions", json={"session_name": "Without photos"})
    page = user.get("/report?year=2025").text
    head = unescape(re.sub(r"<[^>]+>", "", page.split("<h1>")[1].split("<form")[0]))
    assert "Field <6>, Field <5>, Field <4>, Field <2> and 2 more" in head
    only = unescape(user.get("/report?year=2024").text)
    assert '<p class="of"><bdi>Field <3></bdi></p>' in only


def test_it_names_the_model_that_named_the_photos(user: Client, photo: Callable[..., bytes]) -> None:
    user.upload(("a.jpg", photo(1)), date="2025-08-24")
    model = user.get("/api/status").json()["model"]
    assert f"Photos named by the model: {model['name']}" in user.get("/report").text


def test_another_users_session_is_not_there(server: Server, user: Client) -> None:
    session = server.user().post("/api/sessions", json={"session_name": "North"}).json()["id"]
    assert user.get(f"/report?session={session}").status_code == 404


@pytest.mark.parametrize(("query", "status"), [("metric=beauty", 404), ("year=abc", 400), ("session=0", 400)])
def test_what_cannot_be_is_told(visitor: Client, query: str, status: int) -> None:
    reply = visitor.get(f"/report?{query}")
    assert reply.status_code == status
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_an_unknown_metric_leads_to_reports_of_the_known_ones(server: Server) -> None:
    page = Browser(server.base).get("/report?metric=beauty&year=2025").text
    assert '<a href="/report?year=2025&amp;metric=hill_q1">' in page


def test_a_key_that_may_not_read_is_refused(server: Server) -> None:
    assert server.user("write").get("/report").status_code == 403


def test_it_is_printed_by_a_script_only(visitor: Client) -> None:
    page = visitor.get("/report").text
    assert '<button type="button" data-print hidden>' in page  # shown by print.js
    assert re.search(r'<script type="module" src="/static/print\.js\?v=\w+"></script>', page)


def test_file_mode_has_a_report_of_its_files(file_server: Server) -> None:
    page = file_server.visitor().get("/report")
    assert page.status_code == 200
    assert "Season report" in page.text
