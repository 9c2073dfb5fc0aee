"""GET /days/{date}: the species, metrics, effort and photos of one day, and the way to the days beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any

import pytest

from lib.web.words import Words
from tests.functions.browsing import sign_in
from tests.functions.conftest import Client, Server

MARKUP = '<b onclick="x()">North</b>'
RIGHT_TO_LEFT = "حقل الشمال"


def sample_days(visitor: Client) -> dict[str, Any]:
    found: dict[str, Any] = visitor.get("/api/calendar/shannon_diversity?year=2025").json()["data"]
    return found


def said(when: str) -> str:
    day = date.fromisoformat(when)
    return f"{day.day} {day:%B} {day.year}"


def test_a_visitor_sees_a_day_of_the_sample_season(visitor: Client) -> None:
    days = sample_days(visitor)
    day = next(day for day, cell in days.items() if cell["effort"] == "ok")
    summary = visitor.get(f"/api/daily/{day}").json()
    page = visitor.get(f"/days/{day}").text
    assert "Sample data" in page
    assert f"<h1>{said(day)}" in page
    assert len(summary["top_species"]) > 3
    for each in summary["top_species"]:
        name = each["species_name"]
        assert f'<i lang="la">{name}</i>' in page
        assert f'href="/species/{name.replace(" ", "%20")}"' in page
    metrics = summary["diversity_metrics"]
    low, high = (summary["confidence_intervals"]["shannon_diversity"][end] for end in ("low", "high"))
    assert f"{metrics['shannon_diversity']:.2f}" in page
    assert f"{low:.2f}–{high:.2f}" in page
    assert "At equal coverage" in page
    assert "Families" in page
    assert "The sample season has numbers only and no photos." in page
    assert "/upload?" not in page


def test_coverage_is_written_in_one_way_and_the_estimated_species_as_such(visitor: Client) -> None:
    day = next(day for day, cell in sample_days(visitor).items() if cell["effort"] == "ok")
    summary = visitor.get(f"/api/daily/{day}").json()
    share = summary["diversity_metrics"]["coverage_estimate"]
    low, high = (summary["confidence_intervals"]["coverage_estimate"][end] for end in ("low", "high"))
    say = Words("en")
    page = visitor.get(f"/days/{day}").text
    written = re.findall(r"Sample coverage</(?:dt|th)>\s*<(?:dd|td)[^>]*>([^<]+)<", page)
    assert written == [say.percent(share)] * 3  # at its head, among its metrics, and below its effort
    assert f">{say.percent(low)}–{escape(say.percent(high))}<" in page
    assert f"<dt>Species (estimate)</dt><dd>{summary['diversity_metrics']['species_richness']}</dd>" in page


def test_the_days_beside_it_are_the_surveyed_ones(visitor: Client) -> None:
    days = sorted(sample_days(visitor))
    page = visitor.get(f"/days/{days[5]}").text
    assert f'rel="prev" href="/days/{days[4]}"' in page
    assert f'rel="next" href="/days/{days[6]}"' in page
    assert 'href="/calendar?year=2025"' in page
    first = "2024-05-03"
    assert 'rel="prev"' not in visitor.get(f"/days/{first}").text


@pytest.mark.parametrize("effort", ["low", "none"])
def test_a_day_with_little_effort_says_so_instead_of_a_number(visitor: Client, effort: str) -> None:
    day = next(day for day, cell in sample_days(visitor).items() if cell["effort"] == effort)
    page = visitor.get(f"/days/{day}").text
    assert f'<p class="note"><span class="mark {"low" if effort == "low" else "zero"}"' in page
    assert "Metrics of the day" not in page
    assert "Shannon" not in page
    if effort == "low":
        assert "Too few photos to compare this day with others" in page
        assert re.search(r"a day needs at least (5|50%) to be compared", page)
    else:
        assert "no plant could be named to its species" in page


def test_a_day_without_a_survey_leads_to_the_nearest_ones(visitor: Client) -> None:
    days = sorted(sample_days(visitor))
    gap = next(
        (before, after)
        for before, after in pairwise(days)
        if date.fromisoformat(after) - date.fromisoformat(before) > timedelta(days=1)
    )
    between = date.fromisoformat(gap[0]) + timedelta(days=1)
    page = visitor.get(f"/days/{between}").text
    assert "No survey on this day." in page
    section = page[page.index('<section class="empty">') :]
    for day in gap:
        assert f'href="/days/{day}"' in section
    assert "<table" not in page


def test_a_day_that_is_still_to_come_says_so(visitor: Client) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=3)).date()
    assert "This day is still to come." in visitor.get(f"/days/{tomorrow}").text


@pytest.mark.parametrize(
    "day",
    [
        "2025-02-30",
        "yesterday",
        "2025-5-1",
        "20250501",
        "２０２５-０５-０１",
        "0000-01-01",
        "2025-05-01T00:00",
    ],
)
def test_what_is_no_date_is_refused_in_words(visitor: Client, day: str) -> None:
    reply = visitor.get(f"/days/{day}", headers={"Accept": "text/html"})
    assert reply.status_code == 400
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "This is no date. A date is written as in 2025-05-12." in reply.text
    assert visitor.get(f"/days/{day}").json()["type"] == "/docs/problems#no-date"


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_time_can_be_looked_at(visitor: Client, day: str) -> None:
    page = visitor.get(f"/days/{day}").text
    assert ("No survey on this day." in page) or ("This day is still to come." in page)


def test_a_new_user_sees_no_sample(server: Server, user: Client) -> None:
    page = sign_in(server, user).get("/days/2025-06-10").text
    assert "There are no survey days yet." in page
    assert "Sample data" not in page
    assert 'href="/upload?day=2025-06-10"' in page


def test_a_day_of_ones_own_has_its_photos(user: Client, photo: Callable[..., bytes]) -> None:
    taken = [photo(seed, taken=f"2025:06:10 {time}") for seed, time in ((1, "09:05:00"), (2, "09:47:20"))]
    sent = user.upload(("a.jpg", taken[0]), ("b.jpg", taken[1])).json()
    first, second = (each["image"]["id"] for each in sent["results"])
    user.patch(f"/api/images/{first}", json={"label": "Stellaria media"}).raise_for_status()
    page = user.get("/days/2025-06-10").text
    for number in (first, second):
        assert f'href="/photos/{number}"' in page
        assert f'src="/api/images/{number}/file?width=320"' in page
    card = page[page.index(f'href="/photos/{first}"') :].split("</figure>")[0]
    assert '<i lang="la">Stellaria media</i>' in card
    assert "named by a person" in card
    assert "By the camera’s clock the first photo is of 09:05, the last of 09:47." in page
    assert "<dt>Minutes</dt><dd>42</dd>" in page
    assert "a day needs at least 5" in page
    assert "Only 1 plants" not in page


def test_it_leads_to_the_review_of_the_day(user: Client, photo: Callable[..., bytes]) -> None:
    user.upload(("a.jpg", photo(1)), date="2025-06-10")
    queue = user.get("/api/images?unsure=true").json()["images"]
    assert queue, "a drawn photo is of no species"
    page = user.get("/days/2025-06-10").text
    assert 'href="/review?start_date=2025-06-10&amp;end_date=2025-06-10"' in page
    assert "Look at 1 unsure name<" in page
    user.patch(f"/api/images/{queue[0]['id']}", json={"label": "not_a_plant"}).raise_for_status()
    assert "unsure name" not in user.get("/days/2025-06-10").text


def test_more_photos_than_fit_lead_to_the_list(user: Client, photo: Callable[..., bytes]) -> None:
    sent = [(f"{seed}.jpg", photo(seed, size=(128, 128))) for seed in range(61)]
    user.upload(*sent[:50], date="2025-06-10").raise_for_status()
    page = user.get("/days/2025-06-10").text
    assert "All photos of this day" not in page
    user.upload(*sent[50:], date="2025-06-10").raise_for_status()
    page = user.get("/days/2025-06-10").text
    assert page.count("<figure") == 60
    assert 'href="/photos?start_date=2025-06-10&amp;end_date=2025-06-10"' in page


def test_sessions_of_the_same_day_lead_to_each_other(user: Client, photo: Callable[..., bytes]) -> None:
    north, south, empty = (
        user.post("/api/sessions", json={"session_name": name}).json()["id"]
        for name in (MARKUP, RIGHT_TO_LEFT, "Empty")
    )
    user.upload(("a.jpg", photo(1)), session_id=north, date="2025-06-10")
    user.upload(("b.jpg", photo(2)), session_id=south, date="2025-06-10")
    user.upload(("c.jpg", photo(3)), session_id=south, date="2025-06-12")
    whole = user.get("/days/2025-06-10").text
    assert whole.count("<figure") == 2
    for number in (north, south):
        assert f'href="/days/2025-06-10?session={number}"' in whole
    assert f"session={empty}" not in whole
    assert MARKUP not in whole
    assert "<bdi>&lt;b onclick=" in whole
    assert f"<bdi>{RIGHT_TO_LEFT}</bdi>" in whole
    one = user.get(f"/days/2025-06-10?session={north}").text
    assert one.count("<figure") == 1
    assert f'href="/days/2025-06-10?session={south}"' in one
    assert f'href="/upload?day=2025-06-10&amp;session={north}"' in one
    assert f'href="/calendar?year=2025&amp;session={north}"' in one
    assert 'rel="next"' not in one, "the next survey is of the other session"
    assert f'rel="next" href="/days/2025-06-12?session={south}"' in (
        user.get(f"/days/2025-06-10?session={south}").text
    )
    assert "No survey on this day in this session." in user.get(f"/days/2025-06-12?session={north}").text


def test_nobody_sees_the_day_of_another(server: Server, user: Client, photo: Callable[..., bytes]) -> None:
    session = user.post("/api/sessions", json={"session_name": "North"}).json()["id"]
    sent = user.upload(("a.jpg", photo(1)), session_id=session, date="2025-06-10").json()
    other = server.user()
    page = other.get("/days/2025-06-10").text
    assert f"/photos/{sent['results'][0]['image']['id']}" not in page
    assert "There are no survey days yet." in page
    assert other.get(f"/days/2025-06-10?session={session}").status_code == 404
    assert server.visitor().get(f"/days/2025-06-10?session={session}").status_code == 404


def test_a_reader_is_offered_nothing_to_change(server: Server, photo: Callable[..., bytes]) -> None:
    owner = server.user()
    owner.upload(("a.jpg", photo(1)), date="2025-06-10")
    made = owner.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()
    reader = Client(server.base, {"X-API-Key": made["secret"]})
    page = reader.get("/days/2025-06-10").text
    assert "<figure" in page
    assert "/upload?" not in page
    writer = owner.post("/api/keys", json={"name": "writer", "scopes": ["write"]}).json()
    assert Client(server.base, {"X-API-Key": writer["secret"]}).get("/days/2025-06-10").status_code == 403


def test_it_speaks_japanese(visitor: Client) -> None:
    day = next(day for day, cell in sample_days(visitor).items() if cell["effort"] == "ok")
    when = date.fromisoformat(day)
    page = visitor.get(f"/days/{day}?lang=ja").text
    assert f"<h1>{when.year}年{when.month}月{when.day}日" in page
    assert "Metrics of the day" not in page
