"""GET /static/{name}: only what is on the list, kept by browsers for as long as it is true."""

from __future__ import annotations

import pytest

from lib.web import static_files
from tests.functions.conftest import Client


@pytest.mark.parametrize("name", static_files.MEDIA_TYPES)
def test_it_answers_each_file_for_good_under_its_version(visitor: Client, name: str) -> None:
    reply = visitor.get(static_files.address(name), headers={"Accept-Encoding": "identity"})
    assert reply.status_code == 200
    assert reply.content == static_files.load(name).data
    assert reply.headers["Content-Type"] == static_files.MEDIA_TYPES[name]
    assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in reply.headers


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789ab"])
def test_it_is_asked_again_without_the_right_version(visitor: Client, query: str) -> None:
    reply = visitor.get(f"/static/style.css{query}")
    assert reply.headers["Cache-Control"] == "public, no-cache"
    again = visitor.get("/static/style.css", headers={"If-None-Match": reply.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_it_compresses_for_those_who_can_read_it(visitor: Client) -> None:
    packed = visitor.get("/static/style.css", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == static_files.load("style.css").data  # requests unpacks it
    assert int(packed.headers["Content-Length"]) == len(static_files.load("style.css").compressed)
    plain = visitor.get("/static/style.css", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    refused = visitor.get("/static/style.css", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize(
    "path",
    [
        "nothing.css",
        "..%2f__init__.py",
        "%2e%2e%2f%2e%2e%2fconfig.py",
        "..%5cpage.py",
        "style.css%00",
        "style.css%00.js",
        "%2fetc%2fpasswd",
        "STYLE.CSS",
    ],
)
def test_it_opens_nothing_else(visitor: Client, path: str) -> None:
    reply = visitor.get(f"/static/{path}")
    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_it_takes_no_other_method(visitor: Client) -> None:
    assert visitor.post("/static/style.css").status_code == 405
    assert visitor.request("HEAD", "/static/style.css").content == b""
