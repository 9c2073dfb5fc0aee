"""What the worker takes for granted of gunicorn's own: read again whenever that changes.

How slow clients and an ending server are met is shown in tests/functions: test_slow_clients.py, test_stopping.py.
"""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from gunicorn.http.wsgi import Response
from gunicorn.workers import gthread
from gunicorn.workers.gthread import TConn, ThreadWorker

from lib.serving import Worker

ROOT = Path(__file__).resolve().parent.parent.parent
# What lib/serving.py replaces or relies on, as it was when the two were last compared: the first letters of the
# digests of gunicorn's source. When one differs, read lib/serving.py beside the new text before it is renewed here.
COMPARED = {
    "load_wsgi": "18b02fc35e96",
    "handle_exit": "b4e7decd4f92",
    "set_accept_enabled": "140150ebfd3c",
    "enqueue_req": "c9f428953d24",
    "handle": "ca85c9be3df7",
    "finish_request": "616e7bb15a00",
    "_cap_keepalive": "745c8ac37108",
    "_keepalive_after": "4ebdbbc8bf5a",
    "on_pending_socket_readable": "2475f7087832",
    "handle_request": "6d0de5b91910",
    "murder_pending": "7bf11f464542",
    "run": "f92c7394d857",
    "TConn": "e3a2878ba952",
    "force_close": "656092cce3c3",
}


def digest(thing: object) -> str:
    return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:12]  # type: ignore[arg-type]


def replaced() -> list[str]:
    return [name for name, value in vars(Worker).items() if inspect.isfunction(value)]


def found() -> dict[str, str]:
    relied = ["on_pending_socket_readable", "handle_request", "murder_pending", "run"]
    methods = {name: getattr(ThreadWorker, name, None) for name in [*replaced(), *relied]}
    whole = {name: digest(method) for name, method in methods.items() if method is not None}
    return whole | {"TConn": digest(TConn), "force_close": digest(Response.force_close)}


def test_it_is_the_version_that_is_pinned() -> None:
    pinned = [line for line in (ROOT / "requirements.in").read_text().splitlines() if "gunicorn" in line]
    assert pinned == [f"gunicorn=={version('gunicorn')}"]


@pytest.mark.parametrize("name", replaced())
def test_everything_that_is_replaced_is_there_and_is_called_in_the_same_way(name: str) -> None:
    theirs, ours = getattr(ThreadWorker, name), getattr(Worker, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_what_was_compared_has_not_changed() -> None:
    assert found() == COMPARED


def test_the_marks_that_it_shares_with_gunicorn_are_there() -> None:
    assert gthread._DEFER is not None
    assert gthread.STOP_KEEPALIVE_LINGER > 0
