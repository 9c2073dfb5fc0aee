"""Answers compressed on their way: text only, only for who takes it, and the same once unpacked."""

from __future__ import annotations

import gzip

import pytest
from flask import Flask, Response, request
from hypothesis import given
from hypothesis import strategies as st

from lib.compression import LEAST, compress

APP = Flask(__name__)


def sent(response: Response, accept: str = "gzip", method: str = "GET") -> Response:
    with APP.test_request_context("/", method=method, headers={"Accept-Encoding": accept}):
        compress(response, request)
    return response


@given(st.binary(min_size=LEAST, max_size=5 * LEAST))
def test_it_is_the_same_once_unpacked(data: bytes) -> None:
    response = sent(Response(data, content_type="text/html; charset=utf-8"))
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.get_data()) == data
    assert response.content_length == len(response.get_data())


@pytest.mark.parametrize("accept", ["gzip", "br, gzip;q=0.5", "*"])
def test_who_takes_it_gets_it(accept: str) -> None:
    assert "Content-Encoding" in sent(Response("a" * 5000, mimetype="text/csv"), accept).headers


@pytest.mark.parametrize("accept", ["", "br", "gzip;q=0", "identity"])
def test_who_does_not_take_it_gets_the_plain_text(accept: str) -> None:
    response = sent(Response("a" * 5000, mimetype="text/csv"), accept)
    assert response.get_data() == b"a" * 5000
    assert "Content-Encoding" not in response.headers
    assert "Accept-Encoding" in response.headers["Vary"]


@pytest.mark.parametrize(
    "response",
    [
        Response("a" * (LEAST - 1), mimetype="text/html"),
        Response(b"\xff\xd8" * 5000, mimetype="image/jpeg"),
        Response((b"a" * 5000 for _ in range(3)), mimetype="text/csv"),
        Response("a" * 5000, mimetype="text/html", headers={"Content-Encoding": "br"}),
    ],
    ids=["short", "photo", "stream", "already"],
)
def test_what_gains_nothing_or_is_not_all_there_stays_as_it_is(response: Response) -> None:
    before = response.headers.get("Content-Encoding")
    assert sent(response).headers.get("Content-Encoding") == before


def test_the_answer_to_head_stays_as_it_is() -> None:
    assert "Content-Encoding" not in sent(Response("a" * 5000, mimetype="text/html"), method="HEAD").headers
