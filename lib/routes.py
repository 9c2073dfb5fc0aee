"""One line of the route table: the endpoint, the loading of its module, how many requests it takes at once."""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from lib import observe
from lib.problems import Problem

Auth = Literal["public", "optional", "required", "private"]
SMALL_BODY = 64 * 1024  # bytes; ample for every JSON body and form without photos
READ_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Function:
    """One line of the route table.

    `paths` are alternatives for the same endpoint, parameters in braces. `auth`: public, optional (visitors see
    sample data), required, or private (a key, or the private metrics port). `body_limit` in bytes;
    `concurrency` is how many reads of this function one process answers at once, and how many other requests.
    `deadline`: seconds that the work on one request may take, from when all of it has arrived.
    `page` marks HTML. `files`: file mode, which has no users and so no keys, answers it from its files although
    it is `required`.
    """

    name: str
    module: str
    paths: tuple[str, ...]
    methods: tuple[str, ...] = ("GET",)
    auth: Auth = "required"
    body_limit: int = SMALL_BODY
    concurrency: int = 8
    deadline: float = 20.0
    page: bool = False
    scope: str | None = None
    files: bool = False

    def demanded_scope(self, method: str) -> str:
        """The scope a key needs: the table's, else read for reads and write for the rest."""
        return self.scope or ("read" if method in READ_METHODS else "write")


class Gate:
    """How many requests of one kind are inside a function; refuses at once rather than queueing threads."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)

    def __enter__(self) -> None:
        if not self._slots.acquire(blocking=False):
            raise Problem(
                503,
                "Busy",
                "The server is answering as many requests of this kind as it can; try again shortly.",
                kind="busy",
                # Perhaps with a body that nobody is going to read.
                headers={"Retry-After": "2", "Connection": "close"},
            )

    def __exit__(self, *_: object) -> None:
        self._slots.release()


_imports = threading.Lock()
_imported: dict[str, ModuleType] = {}


def import_function(function: Function) -> ModuleType:
    """The function's module, imported under a lock on its first request; 503 problem when it cannot be.

    A failed import is tried anew by the next request, so that a mended module needs no restart.
    """
    # Without the lock: /health must not wait while another function loads what it needs for a second.
    known = _imported.get(function.module)
    if known is not None:
        return known
    try:
        with _imports:
            found = importlib.import_module(function.module)
    except Exception as error:
        importlib.invalidate_caches()  # a file that was missing is looked for again
        observe.LOG.exception("function cannot be imported", extra={"function": function.name})
        raise Problem(
            503,
            "Function unavailable",
            f"The function '{function.name}' cannot be loaded on this server; the others work.",
            kind="function-unavailable",
            headers={"Retry-After": "60"},
            function=function.name,
        ) from error
    _imported[function.module] = found
    return found
