"""A browser without a screen: it keeps its cookies, signs in, and sends the forms of pages as they stand."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import requests

from tests.functions.conftest import Client, Server


class _Fields(HTMLParser):
    """What the last form of a page within <main> would send as it stands, by name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.given: dict[str, str] = {}
        self._main = False
        self._select = ""
        self._area = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self._main = self._main or tag == "main"
        if not self._main:
            return
        if tag == "form":
            self.given = {}
        elif tag == "input" and has.get("name"):
            if has.get("type") not in ("checkbox", "radio") or "checked" in has:
                self.given[has["name"]] = has.get("value", "")
        elif tag == "select":
            self._select = has["name"]
        elif tag == "option" and self._select:
            if "selected" in has or self._select not in self.given:
                self.given[self._select] = has.get("value", "")
        elif tag == "textarea":
            self._area = has["name"]
            self.given[self._area] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            # As browsers do: the first line break is the markup's.
            self.given[self._area] = self.given[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.given[self._area] += data


def fields_of(page: str) -> dict[str, str]:
    """What the last form in the main part of a page would send as it stands."""
    return _Fields(page).given


def token_of(page: str) -> str:
    """The form token of this browser, from any form of a page."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


class Browser:
    """One browser at one server; it asks for HTML, as they do."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = requests.Session()
        self._session.headers["Accept"] = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

    @property
    def cookies(self) -> Any:
        return self._session.cookies

    def copy(self) -> Browser:
        """Another tab, with the same cookies."""
        other = Browser(self.base)
        other.cookies.update(self.cookies)
        return other

    def get(self, path: str) -> requests.Response:
        return self._session.get(self.base + path, timeout=120, allow_redirects=False)

    def post(self, path: str, data: Any) -> requests.Response:
        return self._session.post(self.base + path, data=data, timeout=120, allow_redirects=False)

    def send(self, path: str, typed: dict[str, Any], page: str | None = None) -> requests.Response:
        """Open the page and send its last form with these fields filled in."""
        return self.post(path, fields_of(self.get(page or path).text) | typed)

    def sign_in_with(self, secret: str) -> requests.Response:
        return self.send("/sign-in", {"key": secret})

    def sign_in(self, user: Client) -> Browser:
        assert self.sign_in_with(user.secret).status_code == 303
        return self


def sign_in(server: Server, user: Client) -> Browser:
    """The browser of a person who has just signed in."""
    return Browser(server.base).sign_in(user)
