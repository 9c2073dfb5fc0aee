"""GET and POST /sessions/{id}: what a session holds, changing it, and deleting it in two steps."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.browsing import Browser, fields_of, sign_in, token_of
from tests.functions.conftest import Client, Server

RIGHT_TO_LEFT = "حقل الشمال"


@pytest.fixture
def browser(server: Server, user: Client) -> Browser:
    return sign_in(server, user)


@pytest.fixture
def session(user: Client) -> int:
    """A session with every field filled in."""
    made = user.post(
        "/api/sessions",
        json={
            "session_name": "Nordfeld",
            "description": "no till",
            "start_date": "2025-05-01",
            "timezone": "Asia/Tokyo",
            "latitude": 43.0618,
            "longitude": -141.35,
            "region_species": "hokkaido",
        },
    )
    number: int = made.json()["id"]
    return number


def read(user: Client, number: int) -> dict[str, Any]:
    found: dict[str, Any] = user.get(f"/api/sessions/{number}").json()
    return found


def test_it_shows_what_the_session_holds(
    browser: Browser, user: Client, session: int, photo: Callable[..., bytes]
) -> None:
    for seed, day in ((1, "2025-06-01"), (2, "2025-06-09"), (3, "2025-06-09")):
        user.upload((f"{seed}.jpg", photo(seed)), session_id=session, date=day)
    page = browser.get(f"/sessions/{session}").text
    assert "<h1><bdi>Nordfeld</bdi></h1>" in page
    assert "<dt>Photos</dt><dd>3</dd>" in page
    assert "<dt>Survey days</dt><dd>2</dd>" in page
    assert "First day: 1 June 2025. Newest day: 9 June 2025." in page
    assert f'href="/photos?session={session}"' in page
    assert "3 photos, 2 survey days" in page
    assert "最初の調査日：2025年6月1日" in browser.get(f"/sessions/{session}?lang=ja").text


def test_saving_what_is_shown_changes_nothing(browser: Browser, user: Client, session: int) -> None:
    before = read(user, session)
    reply = browser.send(f"/sessions/{session}", {})
    assert reply.status_code == 303
    assert reply.headers["Location"] == f"/sessions/{session}?done=session-saved"
    assert read(user, session) == before
    assert 'role="status">The session is saved.' in browser.get(reply.headers["Location"]).text


def test_a_change_is_kept(browser: Browser, user: Client, session: int) -> None:
    change = {
        "session_name": RIGHT_TO_LEFT,
        "timezone": "UTC",
        "latitude": "",
        "longitude": "",
        "region": "site",
    }
    assert browser.send(f"/sessions/{session}", change).status_code == 303
    found = read(user, session)
    assert (found["session_name"], found["timezone"]) == (RIGHT_TO_LEFT, "UTC")
    assert (found["latitude"], found["longitude"], found["region_species"]) == (None, None, None)
    assert (found["description"], found["start_date"]) == ("no till", "2025-05-01")
    page = browser.get(f"/sessions/{session}").text
    assert f"<h1><bdi>{RIGHT_TO_LEFT}</bdi></h1>" in page


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"session_name": "x" * 300}, "session_name", "At most 100 characters; these are 300."),
        ({"session_name": "</h1><script>alert(1)</script>" * 10}, "session_name", "At most 100 characters"),
        ({"end_date": "2025-04-30"}, "end_date", "The last day lies before the first."),
        ({"latitude": ""}, "latitude", "belong together"),
        ({"timezone": "Mars/Olympus"}, "timezone", "This time zone is not known here"),
    ],
)
def test_a_refused_change_stands_in_the_form_and_not_in_the_database(
    browser: Browser, user: Client, session: int, change: dict[str, str], field: str, words: str
) -> None:
    before = read(user, session)
    reply = browser.send(f"/sessions/{session}", change)
    assert reply.status_code == 422
    beside = re.search(rf'<p class="wrong" id="{field}-error">(.*?)</p>', reply.text)
    assert beside, reply.text
    assert words in html.unescape(beside[1])
    assert fields_of(reply.text)[field] == change[field]
    assert '<div class="error" role="alert" tabindex="-1" autofocus>' in reply.text
    assert "<script>alert" not in reply.text
    # The page is still headed by what the session is called, not by what was typed.
    assert "<h1><bdi>Nordfeld</bdi></h1>" in reply.text
    assert read(user, session) == before


def test_a_name_full_of_markup_is_text(browser: Browser, session: int) -> None:
    name = "</title><img src=x onerror=alert(1)>"
    browser.send(f"/sessions/{session}", {"session_name": name})
    page = browser.get(f"/sessions/{session}").text
    assert "<img" not in page
    assert html.escape(name) in page
    assert html.escape(name) in browser.get(f"/sessions/{session}?delete=true").text


def test_a_stale_form_keeps_what_was_typed(browser: Browser, user: Client, session: int) -> None:
    form = fields_of(browser.get(f"/sessions/{session}").text)
    form |= {"session_name": "South", "csrf_token": "0" * 64}
    reply = browser.post(f"/sessions/{session}", data=form)
    assert reply.status_code == 403
    assert "send it once more" in reply.text
    assert read(user, session)["session_name"] == "Nordfeld"
    assert browser.post(f"/sessions/{session}", data=fields_of(reply.text)).status_code == 303
    assert read(user, session)["session_name"] == "South"


def test_who_was_signed_out_keeps_what_they_typed_and_sees_nothing_of_the_session(
    browser: Browser, user: Client, session: int
) -> None:
    form = fields_of(browser.get(f"/sessions/{session}").text)
    form |= {"session_name": "South"}
    browser.cookies.clear()
    reply = browser.post(f"/sessions/{session}", data=form)
    assert reply.status_code == 403
    assert "You are signed out, so nothing was changed." in reply.text
    assert fields_of(reply.text)["session_name"] == "South"
    assert "Nordfeld" not in reply.text
    browser.sign_in(user)
    reply = browser.post(f"/sessions/{session}", data=fields_of(reply.text))
    assert reply.status_code == 403  # the token of the sign-in before; the page brings the new one
    assert browser.post(f"/sessions/{session}", data=fields_of(reply.text)).status_code == 303
    assert read(user, session)["session_name"] == "South"


def test_deleting_asks_first_and_says_what_goes(
    browser: Browser, user: Client, session: int, photo: Callable[..., bytes]
) -> None:
    kept = user.post("/api/sessions", json={"session_name": "South"}).json()["id"]
    image = user.upload(("a.jpg", photo(1)), session_id=session, date="2025-06-01").json()
    asked = browser.get(f"/sessions/{session}?delete=true")
    assert "<bdi><strong>Nordfeld</strong></bdi>" in asked.text
    assert "<dt>Photos</dt><dd>1</dd>" in asked.text
    assert "this cannot be undone" in asked.text
    assert read(user, session)["session_name"] == "Nordfeld"
    form = fields_of(asked.text)
    reply = browser.post(f"/sessions/{session}", data=form)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sessions?done=session-deleted")
    assert user.get(f"/api/sessions/{session}").status_code == 404
    number = image["results"][0]["image"]["id"]
    assert user.get(f"/api/images/{number}").status_code == 404
    assert read(user, kept)["session_name"] == "South"
    # Pressed twice: said, and not an error.
    reply = browser.post(f"/sessions/{session}", data=form)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/sessions?done=session-gone")
    assert "not there any more" in browser.get(reply.headers["Location"]).text


def test_photos_that_came_meanwhile_are_not_deleted_unseen(
    browser: Browser, user: Client, session: int, photo: Callable[..., bytes]
) -> None:
    form = fields_of(browser.get(f"/sessions/{session}?delete=true").text)
    user.upload(("a.jpg", photo(1)), session_id=session, date="2025-06-01")
    reply = browser.post(f"/sessions/{session}", data=form)
    assert reply.status_code == 409
    assert "The number of photos has changed meanwhile." in reply.text
    assert "<dt>Photos</dt><dd>1</dd>" in reply.text
    assert read(user, session)["photos"] == 1
    assert browser.post(f"/sessions/{session}", data=fields_of(reply.text)).status_code == 303


def test_a_stale_or_foreign_form_deletes_nothing(browser: Browser, user: Client, session: int) -> None:
    form = fields_of(browser.get(f"/sessions/{session}?delete=true").text)
    for token in ("", "0" * 64):
        reply = browser.post(f"/sessions/{session}", data=form | {"csrf_token": token})
        assert reply.status_code == 403
        assert "Delete for good" in reply.text
    browser.cookies.clear()
    reply = browser.post(f"/sessions/{session}", data=form)
    assert reply.status_code == 403
    assert "/sign-in?next=/sessions/" in reply.text
    assert "Nordfeld" not in reply.text
    assert read(user, session)["session_name"] == "Nordfeld"


def test_a_key_that_may_only_read_changes_nothing(server: Server, user: Client, session: int) -> None:
    reader = user.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()["secret"]
    browser = Browser(server.base)
    browser.sign_in_with(reader)
    page = browser.get(f"/sessions/{session}").text
    assert "may only read" in page
    assert "43.0618° N 141.35° W" in page
    assert "session_name" not in page
    assert browser.get(f"/sessions/{session}?delete=true").status_code == 403
    for action in ({"session_name": "South"}, {"action": "delete", "photos": "0"}):
        form = action | {"csrf_token": token_of(page)}
        assert browser.post(f"/sessions/{session}", data=form).status_code == 403
    assert read(user, session)["session_name"] == "Nordfeld"


@pytest.mark.parametrize("number", ["0", "999999999", "99999999999999999999", "-1", "north", "1e3"])
def test_unknown_numbers_are_a_page_that_says_so(browser: Browser, number: str) -> None:
    reply = browser.get(f"/sessions/{number}")
    assert reply.status_code in (400, 404)
    assert "<h1>" in reply.text
    assert reply.headers["Content-Type"].startswith("text/html")


def test_another_person_s_session_is_not_there(server: Server, session: int) -> None:
    browser = sign_in(server, server.user())
    assert browser.get(f"/sessions/{session}").status_code == 404
    assert browser.get(f"/sessions/{session}?delete=true").status_code == 404
    form = {"csrf_token": token_of(browser.get("/sessions").text), "session_name": "Mine"}
    reply = browser.post(f"/sessions/{session}", data=form)
    assert reply.status_code == 404
    assert "Nordfeld" not in reply.text
    # Deleting it tells no more than deleting one that never was.
    form = {"csrf_token": form["csrf_token"], "action": "delete", "photos": "0"}
    for number in (session, 999_999_999):
        assert (
            browser.post(f"/sessions/{number}", data=form).headers["Location"]
            == "/sessions?done=session-gone"
        )


def test_the_session_of_another_is_still_there(server: Server, user: Client, session: int) -> None:
    browser = sign_in(server, server.user())
    token = token_of(browser.get("/sessions").text)
    browser.post(f"/sessions/{session}", data={"csrf_token": token, "action": "delete", "photos": "0"})
    assert read(user, session)["session_name"] == "Nordfeld"


def test_a_visitor_is_told_what_is_here(visitor: Client, session: int) -> None:
    page = visitor.get(f"/sessions/{session}")
    assert page.status_code == 200
    assert f"/sign-in?next=/sessions/{session}" in page.text
    assert "Nordfeld" not in page.text


def test_file_mode_has_no_sessions(file_server: Server) -> None:
    assert "DATABASE_URL" in file_server.visitor().get("/sessions/1").text
    reply = file_server.visitor().post("/sessions/1", data={"session_name": "x"})
    assert (reply.status_code, reply.json()["type"]) == (503, "/docs/problems#file-mode")
