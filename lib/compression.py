"""Answers made smaller on their way: text that a page, a chart or a table holds goes out as gzip."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Request, Response

LEAST = 1024  # bytes; below, the header costs what is saved
LEVEL = 9  # a page of 44 kB takes half a millisecond; level 6 half of that, for a fiftieth more to carry
TYPES = ("text/html", "text/csv", "application/json", "application/problem+json")


def compress(response: Response, request: Request) -> None:
    """Compress the body when the client takes gzip, it is text and all of it is here; streams pass as they are.

    The answer varies by Accept-Encoding either way, so that no cache hands one client the other's form.
    """
    if response.mimetype not in TYPES or "Content-Encoding" in response.headers:
        return
    response.vary.add("Accept-Encoding")
    if response.is_streamed or request.method == "HEAD" or response.status_code in (204, 206, 304):
        return
    if request.accept_encodings["gzip"] <= 0:
        return
    data = response.get_data()
    if len(data) < LEAST:
        return
    response.set_data(gzip.compress(data, LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
