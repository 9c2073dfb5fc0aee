"""GET /: what this is, and the season, newest day and totals of whoever looks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import functions
from lib.web.page import MORE, NAVIGATION
from tests.functions.conftest import Client, Server

# What every page promises, whatever it shows: all of the route table, and one of each kind that takes a name.
PAGES = (
    *(
        path
        for function in functions.FUNCTIONS
        if function.page and "GET" in function.methods
        for path in function.paths
        if "{" not in path
    ),
    "/days/2025-06-11",
    "/species/Stellaria%20media",
)
IN_MENU = {"/", *(path for path, _ in (*NAVIGATION, *MORE))}


def test_a_visitor_sees_the_sample_season(visitor: Client) -> None:
    page = visitor.get("/")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<strong>Sample data</strong>" in page.text
    assert '<a class="button" href="/sign-in">' in page.text
    drawn = re.findall(r'<(?:rect|path|circle) class="(\w+)"', page.text)
    assert {"level1", "level2", "level3", "low", "zero", "absent"} <= set(drawn)
    assert "Newest day: 31 October 2025" in page.text


def test_a_visitor_is_told_what_to_do_next(visitor: Client) -> None:
    page = visitor.get("/").text
    own = page.split("For your own field")[1]
    assert [re.sub("<[^>]+>", "", step) for step in re.findall("<h3>(.*?)</h3>", own)] == [
        "Get a key",
        "Sign in with it",
        "Photograph the plants",
    ]
    for address in ("/calendar?year=2025", "/time-series", "/species", "/report?year=2025", "/compare"):
        assert f'href="{address}"' in page
    assert 'class="button" href="/upload"' not in page  # which would only lead to the sign-in


def test_its_figures_are_those_of_the_api(visitor: Client) -> None:
    page = visitor.get("/").text
    counts = visitor.get("/api/status").json()["counts"]
    for name, number in (("Photos", counts["photos"]), ("Days", counts["days"])):
        assert f"<dt>{name}</dt><dd>{number:,}</dd>" in page


def test_the_last_days_are_those_of_the_api_newest_first(visitor: Client) -> None:
    page = visitor.get("/").text
    data = visitor.get("/api/calendar/shannon_diversity").json()["data"]
    days = list(data)[:-6:-1]
    table = page.split('<caption class="unseen">Last days</caption>')[1].split("</table>")[0]
    assert re.findall(r'href="/days/([\d-]+)"', table) == days
    for row, day in zip(table.split("<tr>")[2:], days, strict=True):
        cell = data[day]
        assert f'<td class="number">{cell["total_images"]}</td>' in row
        if cell["effort"] == "ok":
            assert f"{cell['value']:.2f}" in row
            assert f"({cell['low']:.2f}–{cell['high']:.2f})" in row
        else:
            assert 'class="mark' in row
    newest = visitor.get(f"/api/daily/{days[0]}").json()["top_species"]
    named = re.findall(r'<i lang="la">([^<]+)</i>', page.split('id="newest"')[1])
    assert named == [each["species_name"] for each in newest[:5]]


def test_a_new_user_is_told_the_first_steps_and_sees_no_sample(user: Client) -> None:
    page = user.get("/").text
    assert "First steps" in page
    assert page.count('class="button" href="/upload"') == 1
    assert 'href="/sessions"' in page.split("<main")[1]
    assert "Sample data" not in page
    assert "<svg" not in page
    assert "For your own field" not in page


def test_a_key_that_only_reads_is_offered_no_upload(server: Server) -> None:
    page = server.user("read").get("/").text
    assert "may only read" in page
    assert 'class="button" href="/upload"' not in page


def test_a_user_sees_the_last_days_and_what_waits_for_them(user: Client, photo: Callable[..., bytes]) -> None:
    user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date="2024-08-23")
    user.upload(("c.jpg", photo(3)), date="2025-08-24")
    page = user.get("/").text
    assert "<h1>Your season</h1>" in page
    assert "Newest day: 24 August 2025" in page
    assert '<a href="/days/2025-08-24">24 Aug</a>' in page
    assert '<a href="/days/2024-08-23">23 August 2024</a>' in page  # another year than the newest
    assert "<dt>Photos</dt><dd>3</dd>" in page
    assert "<dt>Days</dt><dd>2</dd>" in page
    assert '<a class="button" href="/upload">' in page


def test_names_to_look_at_are_counted_until_none_is_left(user: Client, photo: Callable[..., bytes]) -> None:
    # Noise is no seedling: the model is unsure of all of it.
    taken = user.upload(*((f"{seed}.jpg", photo(seed)) for seed in (1, 2)), date="2025-08-24").json()
    images = [result["image"]["id"] for result in taken["results"]]
    assert "Look at 2 names" in user.get("/").text
    user.patch(f"/api/images/{images[0]}", json={"label": "not_a_plant"})
    page = user.get("/").text
    assert '<a class="button second" href="/review">Look at 1 name</a>' in page
    user.patch(f"/api/images/{images[1]}", json={"label": "Stellaria media"})
    page = user.get("/").text
    assert "No name waits for you" in page
    assert 'href="/review">Look' not in page


def test_photos_that_the_model_has_not_seen_are_told(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    user = make_server(MODEL_DIR=str(tmp_path / "none")).user()
    user.upload(("a.jpg", photo(1)), date="2025-08-24")
    page = user.get("/").text
    assert "1 photo is kept and waits for its name" in page
    assert "No name waits for you" not in page


def test_a_key_that_may_not_read_is_refused(server: Server) -> None:
    reply = server.user("write").get("/")
    assert reply.status_code == 403
    assert reply.json()["type"] == "/docs/problems#forbidden"


def test_a_wrong_key_is_not_a_visitor(visitor: Client) -> None:
    assert visitor.get("/", headers={"X-API-Key": "wrong"}).status_code == 401


def test_file_mode_says_so_and_offers_no_sign_in(file_server: Server) -> None:
    page = file_server.visitor().get("/").text
    assert "output folder" in page
    assert 'href="/sign-in"' not in page
    assert "Sample data" in page  # nothing has been analysed into the folder yet


def test_file_mode_shows_what_another_tool_wrote(make_server: Callable[..., Server]) -> None:
    server = make_server(database=False)
    summary = {
        "date": "2023-07-01",
        "diversity_metrics": {"species_richness": 2, "shannon_diversity": 0.64, "coverage_estimate": 0.95},
        "species_counts": {"Stellaria media": 8, "<b>Poa annua": 4},
        "top_species": [
            {"species_name": "Stellaria media", "count": 8, "frequency": 0.667},
            {"species_name": "<b>Poa annua", "count": 4},
        ],
        "metadata": {"total_images_processed": 12},
    }
    folder = server.folder / "output" / "json"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "daily_summary_2023-07-01.json").write_text(json.dumps(summary), "utf-8")
    page = server.visitor().get("/").text
    assert "Newest day: 1 July 2023" in page
    assert "Common chickweed" in page
    assert "&lt;b&gt;Poa annua" in page
    assert "<b>Poa" not in page
    assert "Sample data" not in page
    assert 'href="/sign-in"' not in page


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_frame(visitor: Client, path: str) -> None:
    page = visitor.get(path).text
    assert page.startswith("<!doctype html>")
    assert '<html lang="en">' in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert page.index('<a class="skip" href="#main">') < page.index("<header") < page.index('<main id="main"')
    assert page.count("<h1") == 1
    assert re.search(r"<footer>\s*<p>Weed Diversity Analyzer \d+\.\d+\.\d+", page)
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'<label for="([^"]+)"', page)) <= set(names)
    current = re.findall(r'<a href="([^"]+)" aria-current="page"', page.split("</header>")[0])
    assert current == ([path] if path in IN_MENU else [])


@pytest.mark.parametrize("path", PAGES)
def test_every_page_loads_only_from_this_site(visitor: Client, path: str) -> None:
    reply = visitor.get(path)
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # A link leads where it says when somebody follows it; everything else would be fetched or sent by itself.
    assert not re.search(r'<(?!a\s)[^>]*\s(?:src|href|action)="(?:https?:)?//', reply.text)
    assert not re.search(r"<style|\sstyle=|\son\w+=\"", reply.text)
    assert all('src="/static/' in script for script in re.findall(r"<script[^>]*>", reply.text))
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', reply.text):
        assert "immutable" in visitor.get(address).headers["Cache-Control"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_both_languages_and_keeps_the_choice(visitor: Client, path: str) -> None:
    japanese = visitor.get(path, headers={"Accept-Language": "ja-JP,ja;q=0.9,en;q=0.5"})
    assert '<html lang="ja">' in japanese.text
    assert f'<a href="{path}?lang=en" hreflang="en" lang="en">English</a>' in japanese.text
    chosen = visitor.get(f"{path}?lang=ja")
    assert '<html lang="ja">' in chosen.text
    assert chosen.headers["Content-Language"] == "ja"
    assert "lang=ja; Path=/; Max-Age=31536000; SameSite=Lax" in chosen.headers["Set-Cookie"]
    kept = visitor.get(path, headers={"Cookie": "lang=ja", "Accept-Language": "en"})
    assert '<html lang="ja">' in kept.text
    assert '<html lang="en">' in visitor.get(f"{path}?lang=xx").text
    assert "Accept-Language" in kept.headers["Vary"]
    assert "Cookie" in kept.headers["Vary"]


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(visitor: Client, path: str) -> None:
    page = visitor.get(path).text
    links = {
        link.replace("&amp;", "&").split("#")[0] for link in re.findall(r'<a[^>]* href="(/[^"]*)"', page)
    }
    # A calendar has a link a day and a list one a species, all alike: one of them will do.
    alike = [sorted(link for link in links if link.startswith(start)) for start in ("/days/", "/species/")]
    for link in sorted(links.difference(*alike) | {each[0] for each in alike if each}):
        assert visitor.get(link).status_code == 200, link


def test_reading_sets_no_cookie(visitor: Client) -> None:
    for path in PAGES:
        if path != "/sign-in":  # whose form needs one
            assert "Set-Cookie" not in visitor.get(path).headers, path
