"""GET /species: the table of species as the API has them, its orders, filters and pages, and its empty states."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from lib.store.database import DatabaseStore
from lib.store.records import DayRow, ProcessingRow
from tests.functions.browsing import Browser, sign_in
from tests.functions.conftest import Client, Server

MARKUP = '<script>alert("weed")</script> & co'
RIGHT_TO_LEFT = "حشيش الحقل"
MANY = [f"Plantago number{number:03}" for number in range(120)]


def listed(page: str) -> list[str]:
    """The names in the table, in its order."""
    return [
        html.unescape(name)
        for name in re.findall(r'role="rowheader">\s*<a[^>]*><i lang="la">([^<]*)</i>', page)
    ]


def cells(page: str, species: str) -> dict[str, str]:
    """What the row of a species says, by the heads of the columns."""
    row = next(
        row for row in page.split("<tr ") if f'<i lang="la">{species}</i>' in row and "rowheader" in row
    )
    found = re.findall(r'data-name="([^"]+)">([^<]*)', row)
    return {html.unescape(name): value.strip() for name, value in found}


def save_days(server: Server, user: Client, *days: tuple[str, dict[str, int]]) -> int:
    """Days of a new session, as an analysis would leave them; the session's number."""
    session: int = user.post("/api/sessions", json={"session_name": "Field"}).json()["id"]
    assert server.database_url is not None
    store = DatabaseStore(server.database_url)
    with store.connection():
        mine = store.for_user(user.user_id)
        for day, counts in days:
            when = date.fromisoformat(day)
            row = DayRow(when, session, sum(counts.values()), species_counts=counts)
            mine.save_day(row, ProcessingRow(when, session))
    store.close()
    return session


@pytest.fixture
def botanist(server: Server) -> Client:
    """A person with 123 species over three years."""
    user = server.user()
    save_days(
        server,
        user,
        ("2023-06-01", {"Zea mays": 2, "Stellaria media": 40}),
        ("2024-06-01", {"Stellaria media": 30}),
        ("2025-06-01", {"Stellaria media": 50, "Zea mays": 1, "Poa annua": 3} | dict.fromkeys(MANY, 1)),
    )
    return user


def test_the_sample_is_that_of_the_api(visitor: Client) -> None:
    page = visitor.get("/species").text
    body = visitor.get("/api/species-dashboard").json()
    assert "<strong>Sample data</strong>" in page
    assert listed(page) == [each["species"] for each in body["species_distribution"]]
    for each in body["species_distribution"]:
        row = cells(page, each["species"])
        assert row["Plants"] == f"{each['count']:,}"
        assert row["Share"] == f"{each['percentage']:.1f}%"
        assert row["Confidence"] == f"{100 * each['mean_confidence']:.0f}%"
        for name in ("first_seen", "last_seen"):
            day = date.fromisoformat(each[name])
            assert row[name.replace("_", " ").capitalize()] == f"{day.day} {day:%B} {day.year}"
    assert f"<dt>Species</dt><dd>{body['total_species']}</dd>" in page
    assert f"<dt>Plants counted</dt><dd>{body['total_observations']:,}</dd>" in page
    months = page.split('<caption class="unseen">Species by month</caption>')[1]
    assert re.findall(r'<tr><th scope="row">\w+ \d{4}</th><td class="number">(\d+)<', months) == [
        str(month["species"]) for month in body["trend"]
    ]
    new = page.split('id="new"')[1].split("</section>")[0]
    assert re.findall(r'<i lang="la">([^<]+)<', new) == [each["species"] for each in body["new_species"]]


def test_names_lead_to_their_pages_and_have_both_names(visitor: Client) -> None:
    page = visitor.get("/species").text
    assert '<a class="taxon" href="/species/Stellaria%20media"><i lang="la">Stellaria media</i></a>' in page
    assert '<span class="common">Common chickweed</span>' in page
    japanese = visitor.get("/species?lang=ja").text
    assert '<span class="common">コハコベ</span>' in japanese
    assert '<i lang="la">Stellaria media</i>' in japanese


@pytest.mark.parametrize("sort", ["name", "count", "days", "first_seen", "last_seen", "confidence"])
def test_each_order_can_be_turned_round(visitor: Client, sort: str) -> None:
    usual = visitor.get(f"/species?sort={sort}").text
    order = "ascending" if sort == "name" else "descending"
    assert usual.count("aria-sort=") == usual.count(f'aria-sort="{order}"') == 1
    assert f'<option value="{sort}" selected>' in usual
    (head,) = re.findall(r'aria-sort="\w+"><a href="([^"]+)"', usual)
    turned = visitor.get(html.unescape(head)).text
    assert turned.count(f'aria-sort="{"descending" if sort == "name" else "ascending"}"') == 1
    assert set(listed(turned)) == set(listed(usual))
    assert listed(turned) != listed(usual)
    (back,) = re.findall(r'aria-sort="\w+"><a href="([^"]+)"', turned)
    assert listed(visitor.get(html.unescape(back)).text) == listed(usual)


def test_names_are_in_the_order_of_the_alphabet(visitor: Client) -> None:
    assert listed(visitor.get("/species?sort=name").text) == sorted(listed(visitor.get("/species").text))


@pytest.mark.parametrize("query", ["stellaria media", "ste med", "chickweed", "はこべ", "caryophyllaceae"])
def test_a_name_in_any_language_finds_its_species(visitor: Client, query: str) -> None:
    page = visitor.get("/species", params={"q": query}).text
    assert "Stellaria media" in listed(page)
    assert len(listed(page)) < 4
    assert f'value="{query}"' in page
    assert 'href="/species">Show all species</a>' in page


def test_what_is_not_among_them_is_said_with_what_is_known(visitor: Client) -> None:
    page = visitor.get("/species?q=trigonotis peduncularis").text
    assert listed(page) == []
    assert "No species of these days is called like “<bdi>trigonotis peduncularis</bdi>”" in page
    assert "Known, but not found in these days" in page
    assert 'href="/species/Trigonotis%20peduncularis"' in page
    nothing = visitor.get("/species?q=qqqqqq").text
    assert "Known, but" not in nothing


@pytest.mark.parametrize("query", ["<script>alert(1)</script>", RIGHT_TO_LEFT, "%(num)s", "'\"--"])
def test_a_query_of_any_signs_is_only_text(visitor: Client, query: str) -> None:
    reply = visitor.get("/species", params={"q": query})
    assert reply.status_code == 200
    assert "<script>alert" not in reply.text
    assert html.escape(query, quote=False).replace('"', "&#34;").replace("'", "&#39;") in reply.text


def test_new_and_returning_ones_can_be_looked_at_alone(botanist: Client) -> None:
    page = botanist.get("/species?show=returning").text
    assert listed(page) == ["Zea mays"]
    assert "1 of 123 species." in page
    new = botanist.get("/species?show=new&sort=name").text
    assert listed(new) == MANY[:50]
    assert "Page 1 of 3" in new
    front = botanist.get("/species").text
    assert listed(front)[0] == "Stellaria media", front
    assert "New in 2025" in front
    assert 'href="/species?show=new">All 121 of them</a>' in front


def test_the_pages_hold_every_species_once(botanist: Client) -> None:
    found, address = [], "/species?sort=name"
    while address:
        page = botanist.get(address).text
        found += listed(page)
        address = html.unescape(next(iter(re.findall(r'rel="next" href="([^"]+)"', page)), ""))
    assert found == sorted(["Stellaria media", "Zea mays", "Poa annua", *MANY])
    assert 'rel="prev" href="/species?sort=name&amp;page=2"' in page


def test_a_page_too_far_leads_back(botanist: Client) -> None:
    reply = botanist.get("/species?page=9")
    assert reply.status_code == 404
    assert "There is no page 9; the last one is page 3." in reply.text
    assert 'href="/species?page=3">Show the last page</a>' in reply.text


def test_share_and_days_are_of_all_species(botanist: Client) -> None:
    row = cells(botanist.get("/species?q=stellaria").text, "Stellaria media")
    assert (row["Plants"], row["Days"]) == ("120", "3")
    assert row["Share"] == f"{100 * 120 / 246:.1f}%"
    assert row["Confidence"] == "–"


def test_a_period_is_that_of_the_api(visitor: Client) -> None:
    period = "start_date=2025-05-01&end_date=2025-06-30"
    body = visitor.get(f"/api/species-dashboard?{period}").json()
    page = visitor.get(f"/species?{period}").text
    assert listed(page) == [each["species"] for each in body["species_distribution"]]
    assert 'value="2025-05-01"' in page
    assert '<details class="further" open>' in page
    assert "New in the last two weeks" in page
    assert "start_date=2025-05-01&amp;end_date=2025-06-30&amp;sort=name" in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start_date=yesterday", "This is no date"),
        ("end_date=2025-02-30", "This is no date"),
        ("start_date=2025-06-02&end_date=2025-06-01", "The last day lies before the first."),
    ],
)
def test_days_that_cannot_be_are_refused_beside_their_field(visitor: Client, query: str, words: str) -> None:
    reply = visitor.get(f"/species?{query}")
    assert reply.status_code == 400
    assert words in reply.text
    assert 'aria-invalid="true"' in reply.text
    assert listed(reply.text) == []


def test_a_period_without_a_survey_says_when_there_were_some(visitor: Client) -> None:
    page = visitor.get("/species?start_date=1999-01-01&end_date=1999-12-31&sort=days").text
    assert "No survey in this period. The surveys run from 3 May 2024 to 31 October 2025." in page
    assert 'href="/species?sort=days">Show all days</a>' in page


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=beauty", "sort"),
        ("order=up", "order"),
        ("show=weeds", "show"),
        ("page=0", "page"),
        ("page=two", "page"),
        ("session=x", "session"),
        ("q=" + "a" * 201, "q"),
        ("sort=name&sort=count", "sort"),
    ],
)
def test_a_malformed_address_is_told_which_part(visitor: Client, query: str, field: str) -> None:
    reply = visitor.get(f"/species?{query}")
    assert reply.status_code == 400
    assert [error["field"] for error in reply.json()["errors"]] == [field]


def test_sessions_can_be_told_apart_and_are_ones_own(server: Server, user: Client) -> None:
    north = save_days(server, user, ("2025-06-01", {"Poa annua": 1}))
    save_days(server, user, ("2025-06-02", {"Zea mays": 1}))
    assert listed(user.get("/species?sort=name").text) == ["Poa annua", "Zea mays"]
    page = user.get(f"/species?session={north}").text
    assert listed(page) == ["Poa annua"]
    assert f'<option value="{north}" selected>' in page
    assert f'href="/species?session={north}&amp;sort=name"' in page
    assert server.user().get(f"/species?session={north}").status_code == 404


def test_a_new_person_is_asked_for_photos(user: Client) -> None:
    page = user.get("/species").text
    assert "No photos yet. Every species that is found in them gets its line here." in page
    assert 'href="/upload">Upload photos</a>' in page
    assert "Sample data" not in page
    session = user.post("/api/sessions", json={"session_name": "Empty"}).json()["id"]
    assert "This session has no photos yet." in user.get(f"/species?session={session}").text


def test_photos_that_nobody_could_name_lead_to_the_review(user: Client, photo: Callable[..., bytes]) -> None:
    uploaded = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()
    user.patch(f"/api/images/{uploaded['results'][0]['image']['id']}", json={"label": "unknown"})
    page = user.get("/species").text
    assert "none could be named to its species yet" in page
    assert 'href="/review">Review</a>' in page


def test_a_corrected_photo_shows_at_once(server: Server, user: Client, photo: Callable[..., bytes]) -> None:
    image = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()["results"][0]["image"]["id"]
    user.patch(f"/api/images/{image}", json={"label": "コハコベ"})
    page = sign_in(server, user).get("/species").text
    assert listed(page) == ["Stellaria media"]
    assert cells(page, "Stellaria media")["Confidence"] == "100%"


def test_a_key_that_may_not_read_sees_nothing(server: Server) -> None:
    assert server.user("write").get("/species").status_code == 403


class TestFileMode:
    @pytest.fixture
    def files(self, make_server: Callable[..., Server]) -> Server:
        server = make_server(database=False)
        folder = Path(server.folder) / "output" / "json"
        folder.mkdir(parents=True)
        top = [
            {"species_name": name, "count": count, "frequency": 0.5, "average_confidence": 0.8}
            for name, count in ((MARKUP, 3), (RIGHT_TO_LEFT, 2), ("Stellaria media", 1))
        ]
        summary = {
            "date": "2025-06-01",
            "diversity_metrics": {"species_richness": 3},
            "top_species": top,
            "metadata": {"total_images_processed": 6},
        }
        (folder / "daily_summary_2025-06-01.json").write_text(json.dumps(summary), encoding="utf-8")
        return server

    def test_names_of_any_signs_are_text_and_lead_to_a_page(self, files: Server) -> None:
        browser = Browser(files.base)
        page = browser.get("/species").text
        assert listed(page) == [MARKUP, RIGHT_TO_LEFT, "Stellaria media"]
        assert "<script>alert" not in page
        for address in re.findall(r'rowheader">\s*<a class="taxon" href="([^"]+)"', page):
            reply = browser.get(html.unescape(address))
            assert reply.status_code == 200, address
            assert "<script>alert" not in reply.text

    def test_an_empty_folder_shows_the_sample(self, file_server: Server, visitor: Client) -> None:
        page = Browser(file_server.base).get("/species").text
        assert listed(page) == listed(visitor.get("/species").text)
        assert "<strong>Sample data</strong>" in page
