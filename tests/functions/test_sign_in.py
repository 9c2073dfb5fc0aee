"""GET and POST /sign-in: a key opens the pages, a wrong one does not, and no form of another site works."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests

from lib.store.database import DatabaseStore
from tests.functions.conftest import Client, Server


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


def send(browser: requests.Session, base: str, key: str, **form: str) -> requests.Response:
    page = browser.get(f"{base}/sign-in").text
    fields = {"csrf_token": token_of(page), "key": key} | form
    return browser.post(f"{base}/sign-in", data=fields, allow_redirects=False)


def test_a_key_signs_the_browser_in(server: Server, user: Client) -> None:
    browser = requests.Session()
    reply = send(browser, server.base, user.secret)
    assert reply.status_code == 303
    assert reply.headers["Location"] == "/"
    page = browser.get(f"{server.base}/").text
    assert "Sign out" in page
    assert "Sample data" not in page


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server, user: Client) -> None:
    cookie = send(requests.Session(), server.base, user.secret).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert user.secret not in cookie


def test_signing_in_leads_back_to_where_the_person_was(server: Server, user: Client) -> None:
    browser = requests.Session()
    page = browser.get(f"{server.base}/sign-in?next=/upload").text
    assert '<input type="hidden" name="next" value="/upload">' in page
    reply = send(browser, server.base, user.secret, next="/upload")
    assert reply.headers["Location"] == "/upload"


@pytest.mark.parametrize(
    "following", ["//evil.example", "https://evil.example/", "/\\evil.example", "/\r\nX: y", "javascript:x"]
)
def test_it_never_leads_to_another_site(server: Server, user: Client, following: str) -> None:
    reply = send(requests.Session(), server.base, user.secret, next=following)
    assert reply.status_code == 303
    assert reply.headers["Location"] == "/"
    page = requests.get(f"{server.base}/sign-in", params={"next": following}, timeout=60).text
    assert '<input type="hidden" name="next" value="/">' in page


@pytest.mark.parametrize("key", ["", "wrong", "x" * 5000, "<script>alert(1)</script>", "鍵"])
def test_a_wrong_key_is_told_so_on_the_same_page(server: Server, key: str) -> None:
    reply = send(requests.Session(), server.base, key, next="/upload")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert 'role="alert">This key is not known, or has been revoked.' in reply.text
    assert 'aria-invalid="true" aria-describedby="key-error" autofocus' in reply.text
    assert 'name="next" value="/upload"' in reply.text
    assert "<script>alert" not in reply.text
    assert 'type="password" required autocomplete="current-password"' in reply.text


def test_a_revoked_key_opens_nothing_and_ends_the_session(server: Server, user: Client) -> None:
    browser = requests.Session()
    send(browser, server.base, user.secret)
    assert server.database_url
    store = DatabaseStore(server.database_url)
    with store.connection():
        store.revoke_key(user.user_id, user.key_id, datetime.now(UTC))
    store.close()
    assert "Sample data" in browser.get(f"{server.base}/").text
    assert send(browser, server.base, user.secret).status_code == 401


def test_a_key_that_may_not_read_opens_no_page(server: Server) -> None:
    reply = send(requests.Session(), server.base, server.user("jobs").secret)
    assert reply.status_code == 403
    assert "This key may not read" in reply.text


def test_a_form_of_another_site_is_refused(server: Server, user: Client) -> None:
    browser = requests.Session()
    browser.get(f"{server.base}/sign-in")
    other = token_of(requests.get(f"{server.base}/sign-in", timeout=60).text)
    for token in ("", "0" * 64, other):
        reply = browser.post(
            f"{server.base}/sign-in", data={"csrf_token": token, "key": user.secret}, allow_redirects=False
        )
        assert reply.status_code == 403
        assert reply.json()["type"] == "/docs/problems#stale-form"
    assert "Sample data" in browser.get(f"{server.base}/").text


def test_signing_in_renews_the_form_token(server: Server, user: Client) -> None:
    browser = requests.Session()
    before = token_of(browser.get(f"{server.base}/sign-in").text)
    send(browser, server.base, user.secret)
    assert token_of(browser.get(f"{server.base}/").text) != before


def test_a_tampered_cookie_is_a_visitor(server: Server, user: Client) -> None:
    browser = requests.Session()
    send(browser, server.base, user.secret)
    cookie = browser.cookies["weeds"]
    other = (
        "A" if cookie[-10] != "A" else "B"
    )  # in the signature; its last letter holds bits that do not count
    for changed in (cookie[:-10] + other + cookie[-9:], "x" + cookie[1:], "nonsense", ""):
        page = requests.get(f"{server.base}/", headers={"Cookie": f"weeds={changed}"}, timeout=60)
        assert page.status_code == 200
        assert "Sample data" in page.text


def test_file_mode_explains_itself(file_server: Server) -> None:
    page = file_server.visitor().get("/sign-in")
    assert page.status_code == 200
    assert "DATABASE_URL" in page.text
    assert "<form" not in page.text
    refused = file_server.visitor().post("/sign-in", data={"key": "x"})
    assert refused.status_code == 503
    assert refused.json()["type"] == "/docs/problems#file-mode"


def test_it_speaks_japanese(server: Server) -> None:
    browser = requests.Session()
    browser.headers["Accept-Language"] = "ja"
    reply = send(browser, server.base, "wrong")
    assert "このキーは登録されていないか、無効になっています。" in reply.text


def test_production_cookies_are_secure(make_server: Callable[..., Server]) -> None:
    server = make_server(PRODUCTION="true")
    cookies = requests.get(f"{server.base}/sign-in?lang=ja", timeout=60).headers["Set-Cookie"]
    assert "__Host-weeds=" in cookies
    assert "lang=ja; Path=/; Max-Age=31536000; SameSite=Lax; Secure" in cookies
    assert cookies.count("Secure") == 2
