"""GET and POST /keys: the list without secrets, a secret that is shown once, and revoking in two steps."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.functions.browsing import Browser, fields_of, sign_in, token_of
from tests.functions.conftest import Client, Server

MakeServer = Callable[..., Server]


@pytest.fixture
def user(server: Server) -> Client:
    """A person with a key that may do everything."""
    return server.user("read", "write", "jobs")


@pytest.fixture
def browser(server: Server, user: Client) -> Browser:
    return sign_in(server, user)


def keys_of(user: Client) -> list[dict[str, Any]]:
    """The user's keys that open something, newest first."""
    found: list[dict[str, Any]] = user.get("/api/keys").json()["keys"]
    return [each for each in found if each["revoked_at"] is None]


def secret_in(page: str) -> str:
    found = re.search(r'<code id="secret">([\w-]{43})</code>', page)
    assert found, page
    return found[1]


def make(browser: Browser, name: str, *scopes: str) -> str:
    """The page that answers the form with this name, and these scopes ticked."""
    form = fields_of(browser.get("/keys").text) | {"name": name}
    reply = browser.post("/keys", form | {"scope": list(scopes)})
    assert reply.status_code == 201
    return reply.text


def revoke(browser: Browser, number: int) -> Any:
    return browser.send("/keys", {}, page=f"/keys?revoke={number}")


def test_a_visitor_is_told_what_is_here(visitor: Client, file_server: Server) -> None:
    page = visitor.get("/keys")
    assert page.status_code == 200
    assert "/sign-in?next=/keys" in page.text
    assert "<form class" not in page.text
    assert "DATABASE_URL" in file_server.visitor().get("/keys").text


def test_keys_are_listed_without_what_opens_anything(browser: Browser, user: Client) -> None:
    user.post("/api/keys", json={"name": "気象台", "scopes": ["read"]})
    page = browser.get("/keys").text
    assert page.index("<bdi>気象台</bdi>") < page.index("<bdi>first key</bdi>")
    assert f"{user.secret[:8]}…" in page
    assert user.secret not in page
    assert len(re.findall(r"\b[0-9a-f]{64}\b", page)) == page.count('name="csrf_token"')
    used = re.findall(r"<dt>Last used</dt><dd>(.*?)</dd>", page)
    assert used[0] == "not yet"
    assert re.fullmatch(r"\d+ \w+ \d{4}, \d\d:\d\d", used[1])
    assert re.findall(r"<dt>What it may do</dt><dd>(.*?)</dd>", page) == ["Look", "Look, Change, Jobs"]


def test_the_key_of_this_browser_is_marked(browser: Browser, user: Client) -> None:
    user.post("/api/keys", json={"name": "other"})
    own = re.search(r'<li id="key-(\d+)">(?:(?!</li>).)*signed in with it', browser.get("/keys").text, re.S)
    assert own
    assert int(own[1]) == user.key_id


def test_a_new_key_is_shown_this_once_and_works(server: Server, browser: Browser, user: Client) -> None:
    page = make(browser, "phone <b>", "read")
    assert "The new key: <bdi>phone &lt;b&gt;</bdi>" in page
    secret = secret_in(page)
    assert Client(server.base, {"X-API-Key": secret}).get("/api/sessions").ok
    assert (keys_of(user)[0]["name"], keys_of(user)[0]["scopes"]) == ("phone <b>", ["read"])
    assert secret not in browser.get("/keys").text


def test_the_page_with_the_secret_is_kept_by_no_cache(browser: Browser) -> None:
    form = fields_of(browser.get("/keys").text) | {"name": "phone", "scope": "read"}
    assert browser.post("/keys", form).headers["Cache-Control"] == "no-store"


def test_looking_and_changing_are_ticked_at_first(browser: Browser, user: Client) -> None:
    page = browser.get("/keys").text
    ticked = re.findall(r'<input type="checkbox"[^>]*value="(\w+)"[^>]*>', page)
    assert ticked == ["read", "write", "jobs"]
    assert re.findall(r'value="(\w+)"[^>]* checked>', page) == ["read", "write"]
    secret_in(make(browser, "both", "write", "read", "read"))
    assert keys_of(user)[0]["scopes"] == ["read", "write"]


def test_a_key_gives_no_more_than_it_may_itself(server: Server, user: Client) -> None:
    secret = user.post("/api/keys", json={"name": "no jobs"}).json()["secret"]
    browser = Browser(server.base)
    browser.sign_in_with(secret)
    page = browser.get("/keys").text
    assert 'value="jobs"' not in page
    reply = browser.post("/keys", fields_of(page) | {"name": "more", "scope": ["read", "jobs"]})
    assert reply.status_code == 422
    assert "A key can give no more than the key of this browser may itself." in reply.text
    assert len(keys_of(user)) == 2


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "Fill this in."),
        ({"name": "x" * 101}, "name", "At most 100 characters; these are 101."),
        ({"name": "\u202eenohp"}, "name", "Only visible characters, on one line."),
        ({"scope": []}, "scope", "Choose at least one thing that the key may do."),
        ({"scope": ["admin"]}, "scope", "A key can give no more than the key of this browser may itself."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    browser: Browser, user: Client, change: dict[str, Any], field: str, words: str
) -> None:
    typed = {"name": "phone", "scope": ["read"]} | change
    reply = browser.post("/keys", fields_of(browser.get("/keys").text) | typed)
    assert reply.status_code == 422
    assert f'<p class="wrong" id="{field}-error">{words}</p>' in html.unescape(reply.text)
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true" aria-describedby="{field}-error', reply.text)
    assert f'<a href="#{field}">' in reply.text
    assert fields_of(reply.text)["name"] == typed["name"]
    ticked = re.findall(r'value="(\w+)"[^>]* checked>', reply.text)
    assert ticked == [each for each in typed["scope"] if each == "read"]
    assert len(keys_of(user)) == 1


def test_sent_twice_makes_one_and_shows_its_secret_once(browser: Browser, user: Client) -> None:
    form = fields_of(browser.get("/keys").text) | {"name": "phone", "scope": ["read"]}
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: browser.copy().post("/keys", form), range(4)))
    assert [reply.status_code for reply in replies] == [201] * 4
    assert [key["name"] for key in keys_of(user)] == ["phone", "first key"]
    assert sum('<code id="secret">' in reply.text for reply in replies) == 1
    again = browser.post("/keys", form).text
    assert "The key “<bdi>phone</bdi>” was made when this form was sent the first time" in again
    # Another name is another key, and so is a form that was opened anew.
    secret_in(browser.post("/keys", form | {"name": "tablet"}).text)
    secret_in(make(browser, "phone", "read"))
    assert len(keys_of(user)) == 4


def test_revoking_asks_once_more_and_then_the_key_opens_nothing(
    server: Server, browser: Browser, user: Client
) -> None:
    made = user.post("/api/keys", json={"name": "lost phone"}).json()
    assert f'href="/keys?revoke={made["id"]}"' in browser.get("/keys").text
    asked = browser.get(f"/keys?revoke={made['id']}").text
    assert "<bdi><strong>lost phone</strong></bdi>" in asked
    assert "signed out here" not in asked
    assert "your only key" not in asked
    reply = revoke(browser, made["id"])
    assert (reply.status_code, reply.headers["Location"]) == (303, "/keys?done=key-revoked")
    assert Client(server.base, {"X-API-Key": made["secret"]}).get("/api/sessions").status_code == 401
    page = browser.get("/keys?done=key-revoked").text
    assert "The key is revoked: it opens nothing any more." in page
    assert re.search(r"<summary>1 revoked key</summary>.*<bdi>lost phone</bdi>", page, re.S)
    assert f"?revoke={made['id']}" not in page


def test_revoking_the_key_of_this_browser_signs_it_out(
    server: Server, browser: Browser, user: Client
) -> None:
    other = user.post("/api/keys", json={"name": "other"}).json()["secret"]
    assert "you will be signed out here" in browser.get(f"/keys?revoke={user.key_id}").text
    reply = revoke(browser, user.key_id)
    assert (reply.status_code, reply.headers["Location"]) == (303, "/?done=own-key-revoked")
    assert reply.headers["Clear-Site-Data"] == '"cache"'
    assert "weeds" not in browser.cookies
    page = browser.get(reply.headers["Location"]).text
    assert "The key of this browser is revoked, so you are signed out." in page
    assert "Sample data" in page
    assert Client(server.base, {"X-API-Key": other}).get("/api/sessions").ok


def test_the_last_key_that_opens_pages_is_told(browser: Browser, user: Client) -> None:
    user.post("/api/keys", json={"name": "cron", "scopes": ["jobs"]})
    assert "It is your only key that opens these pages." in browser.get(f"/keys?revoke={user.key_id}").text


def test_revoking_twice_is_what_was_wanted(browser: Browser, user: Client) -> None:
    number = user.post("/api/keys", json={"name": "other"}).json()["id"]
    form = fields_of(browser.get(f"/keys?revoke={number}").text)
    for _ in range(2):
        reply = browser.post("/keys", form)
        assert (reply.status_code, reply.headers["Location"]) == (303, "/keys?done=key-revoked")
    page = browser.get(f"/keys?revoke={number}").text
    assert "This key was revoked before." in page
    assert 'value="revoke"' not in page


def test_keys_are_their_owner_s(server: Server, browser: Browser, user: Client) -> None:
    stranger = server.user()
    assert browser.get(f"/keys?revoke={stranger.key_id}").status_code == 404
    form = {"csrf_token": token_of(browser.get("/keys").text), "action": "revoke"}
    for number in (str(stranger.key_id), "", "x", "٣", "9" * 30, "-1"):
        assert browser.post("/keys", form | {"id": number}).status_code == 404
    assert stranger.get("/api/sessions").ok
    assert stranger.secret[:8] not in browser.get("/keys").text


def test_a_stale_form_comes_back_and_goes_through_then(browser: Browser, user: Client) -> None:
    old = {"csrf_token": "0" * 64, "once": "mark"}
    reply = browser.post("/keys", old | {"name": "phone", "scope": ["read"]})
    assert reply.status_code == 403
    assert "send it once more" in reply.text
    assert len(keys_of(user)) == 1
    again = fields_of(reply.text)
    assert (again["name"], again["once"]) == ("phone", "mark")
    assert browser.post("/keys", again | {"scope": ["read"]}).status_code == 201
    number = keys_of(user)[0]["id"]
    reply = browser.post("/keys", old | {"action": "revoke", "id": str(number)})
    assert reply.status_code == 403
    assert "send it once more" in reply.text
    assert browser.post("/keys", fields_of(reply.text)).status_code == 303
    assert len(keys_of(user)) == 1


def test_who_was_signed_out_meanwhile_keeps_what_they_typed(server: Server, user: Client) -> None:
    browser = sign_in(server, user)
    form = fields_of(browser.get("/keys").text) | {"name": "phone", "scope": ["read", "jobs"]}
    ask = fields_of(browser.get(f"/keys?revoke={user.key_id}").text)
    browser.cookies.clear()
    reply = browser.post("/keys", form)
    assert reply.status_code == 403
    assert "You are signed out, so nothing was changed." in reply.text
    assert fields_of(reply.text)["name"] == "phone"
    assert re.findall(r'value="(\w+)"[^>]* checked>', reply.text) == ["read", "jobs"]
    assert "first key" not in reply.text
    reply = browser.post("/keys", ask)
    assert reply.status_code == 403
    assert "first key" not in reply.text
    assert len(keys_of(user)) == 1


def test_a_form_without_the_browser_s_token_changes_nothing(user: Client) -> None:
    assert user.post("/keys").json()["type"] == "/docs/problems#stale-form"
    assert user.post("/keys", data={"name": "phone", "scope": "read"}).status_code == 403
    assert user.post("/keys", data={"action": "revoke", "id": user.key_id}).status_code == 403
    assert len(keys_of(user)) == 1


def test_a_key_that_may_only_read_sees_the_list_and_no_form(server: Server, user: Client) -> None:
    reader = user.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()["secret"]
    browser = Browser(server.base)
    browser.sign_in_with(reader)
    page = browser.get("/keys").text
    assert "<bdi>first key</bdi>" in page
    assert "may only read" in page
    assert 'name="scope"' not in page
    assert "?revoke=" not in page
    assert browser.get(f"/keys?revoke={user.key_id}").status_code == 403
    token = {"csrf_token": token_of(page)}
    assert browser.post("/keys", token | {"name": "x", "scope": "read"}).status_code == 403
    assert browser.post("/keys", token | {"action": "revoke", "id": user.key_id}).status_code == 403
    assert len(keys_of(user)) == 2


def test_it_is_said_in_japanese(browser: Browser) -> None:
    page = make(browser, "畑の電話", "read", "write")
    assert "Keep it now" in page
    browser.get("/?lang=ja")
    page = make(browser, "畑の電話", "read", "write")
    assert "今すぐ保管してください。表示されるのは今回だけです。" in page
    assert "閲覧、変更" in page


def test_without_sign_in_there_need_be_no_key(make_server: MakeServer) -> None:
    server = make_server(AUTH_ENABLED="false")
    user = server.user()
    browser = Browser(server.base)
    page = browser.get("/keys").text
    assert "<bdi>first key</bdi>" in page
    assert "signed in with it" not in page
    assert 'value="jobs"' not in page  # what nobody had to show a key for gives no more than it may
    assert revoke(browser, user.key_id).headers["Location"] == "/keys?done=key-revoked"
    page = browser.get("/keys").text
    assert "There is no key yet." in page
    secret_in(make(browser, "program", "read"))


def test_file_mode_has_no_keys(file_server: Server) -> None:
    reply = file_server.visitor().post("/keys", data={"name": "x"})
    assert (reply.status_code, reply.json()["type"]) == (503, "/docs/problems#file-mode")
