"""Problems as pages: for people in their language, for programs the document that it always was."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import requests

from lib.web.error_page import reason_words
from lib.web.words import Words
from tests.functions.browsing import sign_in, token_of
from tests.functions.conftest import Client, Server

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def as_person(client: Client, path: str, language: str = "en", method: str = "GET") -> requests.Response:
    return client.request(method, path, headers={"Accept": BROWSER, "Accept-Language": language})


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", ["/nothing-here", "/calendar?metric=beauty", "/calendar?session=99"])
def test_a_browser_gets_a_page_with_a_way_on(visitor: Client, path: str, language: str) -> None:
    reply = as_person(visitor, path, language)
    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Accept" in [each.strip() for each in reply.headers["Vary"].split(",")]
    assert f'<html lang="{language}">' in reply.text
    assert ("There is nothing here" in reply.text) == (language == "en")
    assert 'href="/calendar"' in reply.text
    assert reply.text.count("<h1") == 1


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/problem+json, text/html", "image/png", ""]
)
@pytest.mark.parametrize("path", ["/nothing-here", "/calendar?metric=beauty"])
def test_a_program_gets_the_document(visitor: Client, path: str, accept: str) -> None:
    reply = visitor.get(path, headers={"Accept": accept})
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["status"] == 404


@pytest.mark.parametrize("path", ["/api/nothing", "/api/calendar/beauty", "/api/images/1", "/static/none.js"])
def test_the_api_answers_documents_to_browsers_too(visitor: Client, path: str) -> None:
    reply = as_person(visitor, path)
    if path.startswith("/api/"):
        assert reply.headers["Content-Type"] == "application/problem+json"


def test_an_unknown_metric_leads_to_the_known_ones(visitor: Client) -> None:
    page = as_person(visitor, "/calendar?metric=beauty").text
    assert '<a href="/calendar?metric=hill_q1">' in page


def test_the_other_choices_of_an_address_are_kept(visitor: Client) -> None:
    page = as_person(visitor, "/calendar?metric=beauty&year=2024&lang=ja").text
    assert '<a href="/calendar?year=2024&amp;metric=hill_q1">' in page
    for address, way_on in (
        ("/calendar?session=99&year=2024&metric=hill_q1", "/calendar?year=2024&amp;metric=hill_q1"),
        ("/calendar?day=tomorrow&session=x&year=2024", "/calendar?year=2024"),
        ("/report?year=0", "/report"),
    ):
        assert f'<a class="button" href="{way_on}">Go on without it</a>' in as_person(visitor, address).text


def test_a_bad_field_is_named_and_its_reason_is_no_exception(visitor: Client) -> None:
    reply = as_person(visitor, "/calendar?year=<b>")
    assert reply.status_code == 400
    assert "<code>year</code>" in reply.text
    assert "<b>" not in reply.text
    assert "Traceback" not in reply.text


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("/calendar?metric=beauty&year=2024", "/calendar?year=2024&amp;metric=hill_q1"),
        ("/report?metric=beauty", "/report?metric=hill_q1"),
        ("/downloads?metric=beauty", "/downloads?metric=hill_q1"),
        ("/time-series?metrics=beauty&period=all", "/time-series?period=all&amp;metrics=hill_q1"),
        (
            "/compare?metric=beauty&a_end=2024-12-31&b_start=2025-01-01",
            "/compare?a_end=2024-12-31&amp;b_start=2025-01-01&amp;metric=hill_q1",
        ),
    ],
)
def test_a_metric_that_is_none_is_said_and_those_there_are(visitor: Client, address: str, other: str) -> None:
    page = as_person(visitor, address).text
    assert "There is no metric of this name." in page
    assert "moved or deleted" not in page
    assert f'<a href="{other}">Hill number q = 1</a>' in page
    assert as_person(visitor, other.replace("&amp;", "&")).status_code == 200


def test_programs_are_told_the_metrics_too(visitor: Client) -> None:
    body = visitor.get("/api/calendar/beauty").json()
    assert body["type"] == "/docs/problems#unknown-metric"
    assert "hill_q1" in body["metrics"]
    assert "hill_q1" in visitor.get("/api/time-series?metrics=beauty").json()["metrics"]


def test_at_an_unknown_address_nobody_seems_to_be_signed_out(server: Server, user: Client) -> None:
    browser = sign_in(server, user)
    page = browser.get("/nothing-here")
    assert page.status_code == 404
    assert "Sign out" in page.text
    assert "/sign-in" not in page.text
    gone = browser.post("/sign-out", {"csrf_token": token_of(page.text)})
    assert gone.headers["Location"] == "/?done=signed-out"
    assert "Sign in" in browser.get("/nothing-here").text


def test_without_a_database_an_unknown_address_is_just_unknown(file_server: Server) -> None:
    page = as_person(file_server.visitor(), "/nothing-here")
    assert page.status_code == 404
    assert "/sign-in" not in page.text


@pytest.mark.parametrize(
    ("query", "english", "japanese"),
    [
        ("year=x", "This is no whole number.", "整数ではありません。"),
        ("year=0", "It must be 1900 or more.", "1900以上にしてください。"),
        ("year=99999", "It must be 2200 or less.", "2200以下にしてください。"),
        ("year=2024&year=2025", "It is given more than once.", "2回以上指定されています。"),
        ("day=tomorrow", "This is no date; write it as in 2025-05-12.", "日付として読めません。"),
        ("session=99999", "There is no such value here.", "その値はここにはありません。"),
    ],
)
def test_a_bad_value_is_explained_in_the_language_of_the_reader(
    visitor: Client, query: str, english: str, japanese: str
) -> None:
    field = query.split("=")[0]
    for language, words in (("en", english), ("ja", japanese)):
        page = as_person(visitor, f"/calendar?{query}", language).text
        colon = "：" if language == "ja" else ": "
        assert f"<li><code>{field}</code>{colon}{words}" in page


@pytest.mark.parametrize(
    ("path", "field", "japanese"),
    [
        ("/species?sort=beauty", "sort", "その値はここにはありません。"),
        ("/species?q=" + "a" * 201, "q", "200文字を超えています。"),
        ("/species?q=%00", "q", "目に見える文字だけを使ってください。"),
        ("/review?at=" + "1" * 41, "at", "40文字を超えています。"),
    ],
)
def test_each_kind_of_bad_value_has_its_words(user: Client, path: str, field: str, japanese: str) -> None:
    assert f"<li><code>{field}</code>：{japanese}</li>" in as_person(user, path, "ja").text


def test_what_nobody_foresaw_is_said_all_the_same() -> None:
    assert reason_words("is not quite right", Words("en")) == "is not quite right"
    assert reason_words("is not quite right", Words("ja")) == "この値は使えません。"
    assert reason_words("日付として読めません。", Words("ja")) == "日付として読めません。"


def test_a_method_that_is_not_taken_is_said(visitor: Client) -> None:
    reply = as_person(visitor, "/calendar", method="POST")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, HEAD"
    assert "<h1>" in reply.text


def test_a_stale_form_leads_back_to_its_page(visitor: Client) -> None:
    reply = as_person(visitor, "/sign-in", method="POST")
    assert reply.status_code == 403
    assert '<a class="button" href="/sign-in">Load the page again</a>' in reply.text


def test_a_wrong_key_is_told_to_a_person_as_to_a_program(visitor: Client) -> None:
    reply = visitor.get("/calendar", headers={"Accept": BROWSER, "X-API-Key": "wrong"})
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert 'href="/sign-in' in reply.text


def test_the_sample_is_not_announced_where_none_is_shown(visitor: Client) -> None:
    assert "Sample data" in visitor.get("/calendar").text
    assert "Sample data" not in as_person(visitor, "/calendar?metric=beauty").text


def test_a_passing_trouble_says_when_to_come_again(make_server: Callable[..., Server]) -> None:
    client = make_server(RATE_LIMIT="2/minute").visitor()
    replies = [as_person(client, "/calendar") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert int(replies[2].headers["Retry-After"]) <= 60
    assert re.search(r'id="again" role="status" data-seconds="\d+"', replies[2].text)
    assert "again.js" in replies[2].text


def test_an_unexpected_failure_is_a_page_without_the_cause(
    make_server: Callable[..., Server],
) -> None:
    server = make_server()
    client = server.visitor()
    assert as_person(client, "/calendar").ok
    for path in server.folder.glob("weeds.db*"):
        path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    user = Client(server.base, {"Accept": BROWSER, "X-API-Key": "k" * 43})
    reply = user.get("/calendar")
    assert reply.status_code >= 500
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["X-Request-Id"] in reply.text
    assert "sqlite" not in reply.text.lower()
    assert "database at all" not in reply.text
