"""GET /health: the process answers. Never asks the database or the model."""

from __future__ import annotations

from typing import TypedDict

from lib import __version__
from lib.dispatcher import Call
from lib.operations import operation


class Health(TypedDict):
    """`status` is always ok: a process that is not ok does not answer."""

    status: str
    version: str


@operation("Liveness of the process")
def get(call: Call) -> Health:
    return {"status": "ok", "version": __version__}
