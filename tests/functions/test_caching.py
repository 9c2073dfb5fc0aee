"""Reads that have not changed are not sent again, and nobody else's cache keeps them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functions.conftest import Client, Server
from tests.functions.test_upload_page import Browser

READS = (
    "/api/calendar/shannon_diversity?year=2025",
    "/api/daily/2025-06-01",
    "/api/images",
)


@pytest.fixture
def someone(user: Client, photo: Callable[..., bytes]) -> Client:
    user.upload(("a.jpg", photo(1)), date="2025-06-01")
    return user


@pytest.mark.parametrize("path", READS)
def test_a_read_is_sent_once_until_it_changes(
    someone: Client, photo: Callable[..., bytes], path: str
) -> None:
    first = someone.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie", "Accept-Encoding"} <= set(first.headers["Vary"].split(", "))
    for encoding in ("gzip", "identity"):
        again = someone.get(path, headers={"If-None-Match": tag, "Accept-Encoding": encoding})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Cache-Control"] == "private, no-cache"
    someone.upload(("b.jpg", photo(2)), date="2025-06-01")
    changed = someone.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize("path", ["/calendar", "/api/calendar/shannon_diversity", "/docs"])
def test_a_visitor_s_page_too(visitor: Client, path: str) -> None:
    tag = visitor.get(path).headers["ETag"]
    assert visitor.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_the_page_of_somebody_is_kept_nowhere(server: Server, someone: Client) -> None:
    reply = Browser(server, someone).session.get(server.base + "/calendar")
    assert reply.headers["Cache-Control"] == "no-store"
    assert "ETag" not in reply.headers


def test_another_person_s_tag_is_worth_nothing(server: Server, someone: Client) -> None:
    tag = someone.get("/api/images").headers["ETag"]
    assert server.user().get("/api/images", headers={"If-None-Match": tag}).status_code == 200
