"""Reads that have not changed are not sent again: a tag over what they say, and 304 to who has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib.compression import TYPES

if TYPE_CHECKING:
    from flask import Request, Response


def revalidate(response: Response, request: Request) -> None:
    """Tag a whole answer to a read, and leave its body out where the client holds the same.

    Weak, because the plain and the compressed bytes share it. Answers that nobody may keep have none, and functions
    may set their own.
    """
    if (
        request.method not in ("GET", "HEAD")
        or response.status_code != 200
        or response.mimetype not in TYPES
        or response.is_streamed
        or response.cache_control.no_store
        or "ETag" in response.headers
    ):
        return
    response.add_etag(weak=True)
    response.make_conditional(request)
