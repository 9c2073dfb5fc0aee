"""POST /sign-out: the browser forgets, and only its own form can make it."""

from __future__ import annotations

import re

import requests

from tests.functions.conftest import Client, Server


def signed_in(server: Server, user: Client) -> requests.Session:
    browser = requests.Session()
    page = browser.get(f"{server.base}/sign-in").text
    browser.post(f"{server.base}/sign-in", data={"csrf_token": token_of(page), "key": user.secret})
    return browser


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


def test_it_forgets_the_browser(server: Server, user: Client) -> None:
    browser = signed_in(server, user)
    page = browser.get(f"{server.base}/calendar").text
    reply = browser.post(
        f"{server.base}/sign-out", data={"csrf_token": token_of(page)}, allow_redirects=False
    )
    assert reply.status_code == 303
    assert reply.headers["Location"] == "/?done=signed-out"
    assert "weeds" not in browser.cookies
    assert "Sample data" in browser.get(f"{server.base}/").text


def test_the_key_still_works_elsewhere(server: Server, user: Client) -> None:
    browser = signed_in(server, user)
    browser.post(
        f"{server.base}/sign-out", data={"csrf_token": token_of(browser.get(f"{server.base}/").text)}
    )
    assert user.get("/api/sessions").status_code == 200


def test_another_site_cannot_sign_anyone_out(server: Server, user: Client) -> None:
    browser = signed_in(server, user)
    for form in ({}, {"csrf_token": "0" * 64}):
        reply = browser.post(f"{server.base}/sign-out", data=form, allow_redirects=False)
        assert reply.status_code == 403
    assert "Sign out" in browser.get(f"{server.base}/").text


def test_a_link_cannot_either(server: Server, user: Client) -> None:
    browser = signed_in(server, user)
    assert browser.get(f"{server.base}/sign-out").status_code == 405
    assert "Sign out" in browser.get(f"{server.base}/").text
