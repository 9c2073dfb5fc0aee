"""GET /downloads: every export with what it holds, for the chosen session and days, and hints to visitors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from lib.outputs.exports import KINDS
from tests.functions.conftest import ROOT, Client, Server


def exports(page: str) -> list[str]:
    """The addresses of the files, without those that describe columns."""
    found = [unescape(each) for each in re.findall(r'href="(/api/export/[^"]+)"', page)]
    return [each for each in found if "metadata" not in each]


def described(page: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'href="(/api/export/[^"]*metadata=true[^"]*)"', page)]


def survey(
    user: Client, photo: Callable[..., bytes], day: str, session: int | None = None, seed: int = 0
) -> int:
    """Two photos of a day; the session they lie in."""
    form = {"date": day} | ({"session_id": session} if session else {})
    return int(user.upload(("a.jpg", photo(seed)), ("b.jpg", photo(seed + 1)), **form).json()["session_id"])


def test_every_export_is_there_and_each_link_gives_its_file(
    user: Client, photo: Callable[..., bytes]
) -> None:
    survey(user, photo, "2025-06-01")
    survey(user, photo, "2025-07-01", seed=20)
    page = user.get("/downloads").text
    addresses = exports(page)
    assert sorted(re.split(r"[/?]", each)[3] for each in addresses) == sorted(KINDS)
    formats = re.findall(r'<span class="format">(\w+)</span>', page)
    for address, written in zip(addresses, formats, strict=True):
        reply = user.get(address)
        assert reply.status_code == 200, address
        assert written.lower() in reply.headers["Content-Type"]
    for address in described(page):
        assert user.get(address).headers["Content-Type"].startswith("application/csvm+json")
    assert len(described(page)) == formats.count("CSV")
    # Without a choice the files of one day are those of the newest.
    assert sum("date=2025-07-01" in each for each in addresses) == 3


def test_links_carry_the_chosen_session_days_and_metric(user: Client, photo: Callable[..., bytes]) -> None:
    first = survey(user, photo, "2025-06-01")
    other = user.post("/api/sessions", json={"session_name": "Other"}).json()["id"]
    survey(user, photo, "2025-06-02", session=other, seed=20)
    survey(user, photo, "2025-07-02", session=other, seed=40)
    chosen = f"session={other}&start_date=2025-06-01&end_date=2025-06-30&metric=hill_q1"
    page = user.get(f"/downloads?{chosen}").text
    assert "Survey days: 1, from 2 June 2025 to 2 June 2025." in page
    assert "<button>Show</button>" in page
    for address in exports(page):
        assert f"session={other}" in address
        if "date=2025-06-02" not in address:
            assert "start_date=2025-06-01&end_date=2025-06-30" in address
        assert ("metric=hill_q1" in address) == ("/calendar?" in address)
    lines = user.get(next(each for each in exports(page) if "aggregated" in each)).text
    assert "2025-06-02" in lines
    assert "2025-06-01" not in lines
    assert "2025-07-02" not in lines
    assert f'<option value="{other}" selected>' in page
    assert f"session={first}" not in page


def test_one_day_can_be_chosen(user: Client, photo: Callable[..., bytes]) -> None:
    survey(user, photo, "2025-06-01")
    survey(user, photo, "2025-07-01", seed=20)
    page = user.get("/downloads?date=2025-06-01").text
    assert sum("date=2025-06-01" in each for each in exports(page)) == 3
    assert re.search(r'<details class="further" open>', page)


@pytest.mark.parametrize(
    ("query", "field", "why"),
    [
        ("start_date=2025-02-30", "start_date", "This is no date"),
        ("end_date=x", "end_date", "This is no date"),
        ("start_date=2025-06-02&end_date=2025-06-01", "end_date", "The last day lies before the first."),
        ("date=2025-06-09", "date", "No survey on this day."),
        ("date=2025-06-99", "date", "This is no date"),
    ],
)
def test_bad_days_are_refused_beside_their_field_and_kept(
    user: Client, photo: Callable[..., bytes], query: str, field: str, why: str
) -> None:
    survey(user, photo, "2025-06-01")
    reply = user.get(f"/downloads?{query}")
    assert reply.status_code == 400
    wrong = re.search(rf'<p class="wrong" id="{field}-error">([^<]+)</p>', reply.text)
    assert wrong
    assert why in wrong[1]
    for each in query.split("&"):
        name, value = each.split("=")
        assert re.search(rf'name="{name}" type="(text|date)" value="{value}"', reply.text)
    assert not exports(reply.text)


def test_a_period_without_a_survey_says_when_there_was_one(user: Client, photo: Callable[..., bytes]) -> None:
    survey(user, photo, "2025-06-01")
    reply = user.get("/downloads?end_date=2024-12-31")
    assert reply.status_code == 200
    assert "The surveys run from 1 June 2025 to 1 June 2025." in reply.text
    assert not exports(reply.text)


def test_an_empty_session_with_markup_in_its_name(user: Client, photo: Callable[..., bytes]) -> None:
    survey(user, photo, "2025-06-01")
    name = "<script>alert(1)</script>"
    session = user.post("/api/sessions", json={"session_name": name}).json()["id"]
    page = user.get(f"/downloads?session={session}").text
    assert name not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert f'href="/upload?session={session}"' in page
    assert not exports(page)


def test_who_has_no_photos_is_led_to_the_upload(user: Client) -> None:
    page = user.get("/downloads").text
    assert 'href="/upload"' in page[page.index("<main") :]
    assert not exports(page)


@pytest.mark.parametrize(
    ("query", "status"), [("metric=no_such", 404), ("session=x", 400), ("session=999999", 404)]
)
def test_what_there_is_not_is_an_error(user: Client, query: str, status: int) -> None:
    assert user.get(f"/downloads?{query}").status_code == status


def test_somebody_elses_session_does_not_exist(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    session = survey(user, photo, "2025-06-01")
    assert user.get(f"/downloads?session={session}").status_code == 200
    assert server.user().get(f"/downloads?session={session}").status_code == 404


def test_a_key_that_may_not_read_is_refused(server: Server) -> None:
    assert server.user("write").get("/downloads").status_code == 403


def test_visitors_are_told_what_there_is_and_get_the_sample(visitor: Client) -> None:
    page = visitor.get("/downloads").text
    assert not exports(page)
    assert 'href="/sign-in?next=/downloads"' in page
    assert "Darwin Core Archive" in page
    main = page[page.index("<main") :]
    samples = [unescape(each) for each in re.findall(r'href="(/(?:api|time-series)[^"]*)"', main)]
    assert len(samples) == 3
    for address in samples:
        reply = visitor.get(address)
        assert reply.status_code == 200, address
        assert reply.headers["Content-Type"].split(";")[0] in ("text/csv", "application/json")


def test_it_is_written_in_japanese_too(user: Client, photo: Callable[..., bytes]) -> None:
    survey(user, photo, "2025-06-01")
    page = user.get("/downloads?lang=ja").text
    assert '<html lang="ja">' in page
    assert "列の説明" in page
    assert "What the columns mean" not in page


def test_file_mode_offers_what_an_analysis_left(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    place = tmp_path / "photos" / "2025-06-01"
    place.mkdir(parents=True)
    (place / "a.jpg").write_bytes(photo(1))
    running = make_server(database=False)
    nothing = running.visitor().get("/downloads").text
    assert "The output folder of this server holds no day yet" in nothing
    assert "/sign-in" not in nothing
    assert not exports(nothing)
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "analyze_folder.py"), str(tmp_path / "photos")],
        env={"PATH": "/usr/bin:/bin", "OUTPUT_DIR": str(running.folder / "output")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    addresses = exports(running.visitor().get("/downloads").text)
    assert len(addresses) == len(KINDS)
    for address in addresses:
        assert running.visitor().get(address).status_code == 200, address
