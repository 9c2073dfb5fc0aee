"""Reads that have not changed: a tag, and 304 to whoever holds the same."""

from __future__ import annotations

import pytest
from flask import Flask, Response

from lib.revalidation import revalidate

TEXT = '{"value": 1}'


def asked(response: Response, method: str = "GET", **headers: str) -> Response:
    app = Flask("test")
    with app.test_request_context("/", method=method, headers=headers) as context:
        revalidate(response, context.request)
        return response


def json(text: str = TEXT, **options: object) -> Response:
    return Response(text, mimetype="application/json", **options)  # type: ignore[arg-type]


def test_the_same_has_the_same_tag_and_another_another() -> None:
    tags = [asked(json(text)).headers["ETag"] for text in (TEXT, TEXT, TEXT + " ")]
    assert tags[0] == tags[1] != tags[2]
    assert all(tag.startswith('W/"') for tag in tags)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_holds_the_same_is_told_so(method: str) -> None:
    tag = asked(json()).headers["ETag"]
    response = asked(json(), method, **{"If-None-Match": f'"other", {tag}'})
    assert (response.status_code, response.headers["ETag"]) == (304, tag)


def test_who_holds_another_gets_it_all() -> None:
    response = asked(json(), **{"If-None-Match": 'W/"other"'})
    assert (response.status_code, response.get_data(as_text=True)) == (200, TEXT)


@pytest.mark.parametrize(
    "response",
    [
        json(status=404),
        json(status=201),
        json(headers={"Cache-Control": "no-store"}),
        Response(iter([b"a"]), mimetype="text/csv"),
        Response(b"a", mimetype="image/png"),
    ],
    ids=["a problem", "something new", "what nobody may keep", "a stream", "a photo"],
)
def test_it_leaves_alone(response: Response) -> None:
    assert "ETag" not in asked(response).headers


def test_what_a_function_says_stands() -> None:
    response = json()
    response.set_etag("mine")
    assert asked(response).headers["ETag"] == '"mine"'


def test_a_write_is_never_left_out() -> None:
    response = asked(json(), "POST", **{"If-None-Match": "*"})
    assert (response.status_code, "ETag" in response.headers) == (200, False)
