"""GET /species/{name}: its history, photos and lookalikes, every way to write its name, and names of nothing."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest

from lib.store.database import DatabaseStore
from lib.store.records import DayRow, ProcessingRow
from tests.functions.browsing import Browser, sign_in
from tests.functions.conftest import Client, Server

RIGHT_TO_LEFT = "حشيش"


def section(page: str, name: str) -> str:
    """A part of the page by the id of its heading."""
    return page.split(f'<section aria-labelledby="{name}"')[1].split("</section>")[0]


def figures(page: str) -> dict[str, str]:
    found = re.findall(r"<div><dt>([^<]+)</dt><dd[^>]*>(.*?)</dd></div>", page)
    return {name: re.sub("<[^>]+>", "", value) for name, value in found}


def upload(user: Client, *photos: bytes, label: str | None = None, **form: Any) -> list[int]:
    """The numbers of the photos, all with this label."""
    results = user.upload(*((f"{n}.jpg", each) for n, each in enumerate(photos)), **form).json()["results"]
    numbers = [result["image"]["id"] for result in results]
    for number in numbers:
        if label:
            user.patch(f"/api/images/{number}", json={"label": label}).raise_for_status()
    return numbers


def test_the_sample_is_that_of_the_api(visitor: Client) -> None:
    page = visitor.get("/species/Stellaria%20media").text
    body = visitor.get("/api/species-dashboard").json()
    (known,) = (each for each in body["species_distribution"] if each["species"] == "Stellaria media")
    assert "<strong>Sample data</strong>" in page
    assert (
        '<h1><bdi><i lang="la">Stellaria media</i></bdi> <span class="common">Common chickweed</span>' in page
    )
    told = figures(page)
    first, last = (date.fromisoformat(known[name]) for name in ("first_seen", "last_seen"))
    assert told["First seen"] == f"{first.day} {first:%B} {first.year}"
    assert told["Last seen"] == f"{last.day} {last:%B} {last.year}"
    assert f'href="/days/{first}"' in page
    assert told["Plants counted"] == f"{known['count']:,}"
    assert told["Share of all plants"] == f"{known['percentage']:.1f}%"
    assert told["Mean confidence"] == f"{100 * known['mean_confidence']:.0f}%"


def test_its_history_adds_up(visitor: Client) -> None:
    page = section(visitor.get("/species/Poa%20annua").text, "history")
    year, month = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    plants = [
        [int(count) for count in re.findall(r'</(?:td|th)><td class="number">(\d+)</td>', each)]
        for each in (year, month)
    ]
    assert sum(plants[0]) == sum(plants[1]) > 0
    assert re.findall(r'scope="row"[^>]*>(\d{4})<', year) == ["2025", "2024"]
    bars = re.findall(r'<rect class="bar"[^>]*><title>([^<]+)</title>', page)
    assert [int(bar.split(": ")[1]) for bar in bars] == plants[1][::-1]
    assert "January 2025: no survey" in page
    days = re.findall(r'<li><a href="/days/([\d-]+)">', page)
    assert days == sorted(days, reverse=True)
    assert len(days) == 12


def test_a_visitor_is_told_that_the_sample_has_no_photos(visitor: Client, file_server: Server) -> None:
    page = section(visitor.get("/species/Stellaria%20media").text, "photos")
    assert "The sample season has numbers only and no photos." in page
    assert 'href="/sign-in?next=/species/Stellaria%2520media"' in page
    files = section(file_server.visitor().get("/species/Stellaria%20media").text, "photos")
    assert "it keeps no photos" in files
    assert "/sign-in" not in files


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("stellaria media", "Stellaria media"),
        ("Stellaria_media", "Stellaria media"),
        ("Stellaria media (L.) Vill.", "Stellaria media"),
        ("common chickweed", "Stellaria media"),
        ("コハコベ", "Stellaria media"),
        ("こはこべ", "Stellaria media"),
        (" Stellaria  media ", "Stellaria media"),
        ("Matricaria perforata", "Tripleurospermum inodorum"),
        ("mentha x piperita", "Mentha × piperita"),
    ],
)
def test_every_way_to_write_a_name_leads_to_the_one_address(visitor: Client, written: str, name: str) -> None:
    reply = visitor.get(f"/species/{quote(written)}?lang=ja&session=")
    assert reply.status_code == 302
    assert reply.headers["Location"] == f"/species/{quote(name)}?lang=ja&session="
    assert visitor.get(f"/species/{quote(name)}").status_code == 200


def test_a_species_that_was_not_found_here_says_so(visitor: Client) -> None:
    page = visitor.get("/species/Zea%20mays").text
    assert "This species has not been found here yet." in page
    assert "The model knows it" in page
    assert "First seen" not in page
    assert figures(page)["EPPO code"]
    unknown_to_model = visitor.get("/species/Trigonotis%20peduncularis").text
    assert "The model does not know it" in unknown_to_model
    assert figures(unknown_to_model)["The model"] == "cannot name it; people can"


def test_what_is_known_of_the_plant_is_told(visitor: Client) -> None:
    told = figures(section(visitor.get("/species/Tripleurospermum%20inodorum").text, "about"))
    assert told["Family"] == "Asteraceae"
    assert told["Genus"] == "Tripleurospermum"
    assert told["Japanese name"] == "イヌカミツレ"
    assert told["English name"] == "Scentless mayweed"
    assert told["EPPO code"] == "MATIN"
    assert (
        "Matricaria perforata" in told["Other scientific names"]
        or "inodora" in told["Other scientific names"]
    )
    assert re.fullmatch(
        r"named 9\d% of 66 test photos of it rightly \(95% interval: 9\d% to &gt;99%\)", told["The model"]
    )


def test_lookalikes_of_the_models_test_are_links(visitor: Client) -> None:
    part = section(visitor.get("/species/Apera%20spica-venti").text, "lookalikes")
    assert "In the test of the model" in part
    assert re.findall(r'<th scope="col" class="number">([^<]+)</th>', part) == [
        "photos of this species named as the other",
        "photos of the other named as this species",
    ]
    row = part.split('<i lang="la">Alopecurus myosuroides</i>')[1].split("</tr>")[0]
    assert re.findall(r'class="number">(\d+)<', row) == ["3", "7"]
    assert 'href="/species/Alopecurus%20myosuroides"' in part


def test_relatives_that_were_found_here_are_named(visitor: Client) -> None:
    part = section(visitor.get("/species/Persicaria%20lapathifolia").text, "lookalikes")
    assert 'href="/species/Persicaria%20longiseta"' in part
    assert "found here" in part
    none = section(visitor.get("/species/Trigonotis%20peduncularis").text, "lookalikes")
    assert "None is known" in none


def test_the_links_out_lead_away_quietly_and_nothing_is_loaded(visitor: Client) -> None:
    page = visitor.get("/species/Stellaria%20media").text
    out = re.findall(r'<a href="(https://[^"]+)" rel="([^"]+)"', page)
    assert [address for address, _ in out] == [
        "https://www.gbif.org/species/search?q=Stellaria%20media",
        "https://gd.eppo.int/taxon/STEME",
        "https://en.wikipedia.org/wiki/Special:Search?search=Stellaria%20media&amp;go=Go",
    ]
    assert all({"noreferrer", "noopener"} <= set(rel.split()) for _, rel in out)
    assert len(re.findall("https?://", page)) == len(out)
    japanese = visitor.get("/species/Stellaria%20media?lang=ja").text
    assert f"https://ja.wikipedia.org/wiki/Special:Search?search={quote('コハコベ')}&amp;go=Go" in japanese


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Stelaria media", "Stellaria media"),
        ("chikweed", "Stellaria media"),
        ("Veronica", "Veronica arvensis"),
        ("Qqqq qqqqq", None),
        ("<script>qqqq(1)<!-- x", None),
        (RIGHT_TO_LEFT, None),
        ("x" * 3000, None),
        ("%2e%2e", None),
    ],
)
def test_a_name_that_nobody_knows_is_a_page_of_suggestions(
    server: Server, written: str, meant: str | None
) -> None:
    reply = Browser(server.base).get(f"/species/{quote(written, safe='')}")
    assert reply.status_code == 404
    page = reply.text
    assert "No plant is known by this name." in page
    assert "<script>qqqq" not in page
    assert f"<bdi>{html.escape(written[:200], quote=False)}</bdi>" in page
    assert ("Perhaps one of these is meant" in page) == (meant is not None)
    if meant:
        assert f'href="/species/{quote(meant)}"' in page
    assert 'action="/species"' in page
    assert 'name="q"' in page


def test_a_program_gets_the_same_as_a_problem(visitor: Client) -> None:
    reply = visitor.get("/species/Stelaria%20media")
    assert reply.status_code == 404
    body = reply.json()
    assert body["type"] == "/docs/problems#unknown-species"
    assert (body["name"], body["species"]) == ("Stelaria media", ["Stellaria media"])


def test_photos_are_shown_newest_first_and_paged(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    older = upload(user, *(photo(n) for n in range(20)), label="Poa annua", date="2025-06-01")
    newer = upload(user, *(photo(n) for n in range(20, 30)), label="Poa annua", date="2025-06-02")
    upload(user, photo(40), label="Zea mays", date="2025-06-02")
    browser = sign_in(server, user)
    page = section(browser.get("/species/Poa%20annua").text, "photos")
    shown = [int(number) for number in re.findall(r'<a href="/photos/(\d+)">', page)]
    assert shown == [*newer[::-1], *older[::-1][:14]]
    assert f'src="/api/images/{shown[0]}/file?width=320"' in page
    assert "2 June 2025" in page
    (following,) = re.findall(r'rel="next" href="([^"]+)"', page)
    page = section(browser.get(html.unescape(following)).text, "photos")
    assert [int(number) for number in re.findall(r'<a href="/photos/(\d+)">', page)] == older[::-1][14:]
    assert 'rel="next"' not in page
    assert "Newest photos" in page


def test_a_cursor_that_is_none_is_refused(server: Server, user: Client) -> None:
    reply = sign_in(server, user).get("/species/Poa%20annua?cursor=nonsense")
    assert reply.status_code == 400


def test_corrections_make_lookalikes(server: Server, user: Client, photo: Callable[..., bytes]) -> None:
    numbers = upload(user, photo(1), photo(2), label="Rumex obtusifolius", date="2025-06-01")
    said = [user.get(f"/api/images/{number}").json()["predictions"][0]["species"] for number in numbers]
    browser = sign_in(server, user)
    part = section(browser.get("/species/Rumex%20obtusifolius").text, "lookalikes")
    assert "On your photos" in part
    for other in set(said):
        row = part.split(f'<i lang="la">{other}</i>')[1].split("</tr>")[0]
        assert re.findall(r'class="number">(\d+)<', row) == [str(said.count(other)), "0"]
        mirrored = section(browser.get(f"/species/{quote(other)}").text, "lookalikes")
        row = mirrored.split('<i lang="la">Rumex obtusifolius</i>')[1].split("</tr>")[0]
        assert re.findall(r'class="number">(\d+)<', row) == ["0", str(said.count(other))]


def test_sessions_can_be_told_apart_and_are_ones_own(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    north, south = (
        user.post("/api/sessions", json={"session_name": name}).json()["id"]
        for name in ("North <1>", RIGHT_TO_LEFT)
    )
    (here,) = upload(user, photo(1), label="Poa annua", date="2025-06-01", session_id=north)
    upload(user, photo(2), label="Poa annua", date="2025-06-02", session_id=south)
    browser = sign_in(server, user)
    page = browser.get(f"/species/Poa%20annua?session={north}").text
    assert re.findall(r'<a href="/photos/(\d+)">', page) == [str(here)]
    assert figures(page)["Plants counted"] == "1"
    assert f'href="/days/2025-06-01?session={north}"' in page
    assert 'action="/species/Poa%20annua"' in page
    assert "North &lt;1&gt;" in page
    assert figures(browser.get("/species/Poa%20annua").text)["Plants counted"] == "2"
    other = sign_in(server, server.user())
    assert other.get(f"/species/Poa%20annua?session={north}").status_code == 404
    empty = other.get("/species/Poa%20annua").text
    assert "There are no survey days yet." in empty
    assert 'href="/upload">Upload photos</a>' in empty
    assert "No photo has this name now." in empty


def test_what_a_person_alone_knows_has_a_page(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    (number,) = upload(user, photo(1), label="Unknownia nova", date="2025-06-01")
    session = user.post("/api/sessions", json={"session_name": "Empty"}).json()["id"]
    page = user.get("/species/Unknownia%20nova").text
    assert f'<a href="/photos/{number}">' in page
    assert "not in the table of plants" in page
    assert user.get("/species/unknownia%20NOVA").headers["Location"] == "/species/Unknownia%20nova"
    assert "This session has no photos yet." in user.get(f"/species/Unknownia%20nova?session={session}").text
    assert server.visitor().get("/species/Unknownia%20nova").status_code == 404


def test_days_under_an_older_name_are_counted_with_it(server: Server, user: Client) -> None:
    session = user.post("/api/sessions", json={"session_name": "Field"}).json()["id"]
    assert server.database_url is not None
    store = DatabaseStore(server.database_url)
    with store.connection():
        mine = store.for_user(user.user_id)
        for day, name in ((1, "Matricaria perforata"), (2, "Tripleurospermum inodorum")):
            when = date(2025, 6, day)
            mine.save_day(DayRow(when, session, 3, species_counts={name: 3}), ProcessingRow(when, session))
    store.close()
    told = figures(user.get("/species/Tripleurospermum%20inodorum").text)
    assert (told["Plants counted"], told["First seen"], told["Days"]) == ("6", "1 June 2025", "2 of 2")


def test_a_key_that_may_not_read_sees_nothing(server: Server) -> None:
    assert server.user("write").get("/species/Poa%20annua").status_code == 403


@pytest.mark.parametrize(("query", "field"), [("session=x", "session"), ("cursor=" + "a" * 101, "cursor")])
def test_a_malformed_address_is_told_which_part(visitor: Client, query: str, field: str) -> None:
    reply = visitor.get(f"/species/Poa%20annua?{query}")
    assert reply.status_code == 400
    assert [error["field"] for error in reply.json()["errors"]] == [field]


def test_nothing_else_than_reading_is_taken(visitor: Client) -> None:
    assert visitor.post("/species/Poa%20annua").status_code == 405
