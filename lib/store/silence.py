"""A PostgreSQL that gives no answer at all: noticed in seconds, and not waited for by everybody in turn.

A server that was stopped refuses, and one that works can end a query itself. One that is frozen, or whose machine
is, does neither: without this each request would wait for it as long as it stays so, on all threads of the server.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg2 import OperationalError
from psycopg2.extensions import (
    POLL_OK,
    POLL_READ,
    POLL_WRITE,
    STATUS_BEGIN,
    STATUS_PREPARED,
    STATUS_READY,
    connection,
    get_wait_callback,
    set_wait_callback,
)

from lib import deadlines

CONNECT_SECONDS = 5.0
QUIET_SECONDS = 1.0  # so long an answer may take before the server is asked whether it is there
PROBE_SECONDS = 3.0  # ample for a busy machine; a frozen one takes the call and says nothing
LATE_SECONDS = 2.0  # beyond its time a query is given so much to be ended by the server itself
PAUSE_SECONDS = 5.0
_CONNECTED = (STATUS_READY, STATUS_BEGIN, STATUS_PREPARED)
# The first thing that a client may say, before it has a name: "do you speak TLS?", which every server answers.
_SPEAKS_TLS = struct.pack("!ii", 8, 80877103)
_NO_ANSWER = "the database gives no answer"


class Silence:
    """Who may ask one database: everyone, or for a while after it gave no answer nobody, and then one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: float | None = None
        self._tries: int | None = None  # the thread that asks for all

    def enter(self) -> None:
        """Passes whoever may ask now; OperationalError at once for the others."""
        if self._until is None:
            return
        trial = CONNECT_SECONDS + QUIET_SECONDS + PROBE_SECONDS
        me = threading.get_ident()
        with self._lock:
            if self._until is None or self._tries == me:
                return
            now = time.monotonic()
            # A clock that jumped after the machine slept must not keep everyone out.
            if 0 < self._until - now <= max(trial, PAUSE_SECONDS):
                raise OperationalError(_NO_ANSWER)
            self._until, self._tries = now + trial, me

    def begin(self) -> None:
        """It gave no answer."""
        with self._lock:
            self._until, self._tries = time.monotonic() + PAUSE_SECONDS, None

    def end(self) -> None:
        """It answered, be it with an error."""
        if self._until is not None:
            with self._lock:
                self._until = self._tries = None


class Watched(connection):  # type: ignore[misc]
    """A connection that is not waited for when its server is silent."""

    def __init__(self, silence: Silence, *given: Any, **named: Any) -> None:
        self.silence = silence  # before the driver's own, which connects
        super().__init__(*given, **named)


def watched_by(silence: Silence) -> Callable[..., Watched]:
    """The `connection_factory` of connections that tell `silence` what they meet."""
    set_wait_callback(_wait)

    def connect(*given: Any, **named: Any) -> Watched:
        silence.enter()  # an idle connection may just have told that it is of no use to try
        return Watched(silence, *given, **named)

    return connect


@contextmanager
def blocking() -> Iterator[None]:
    """The driver waits by itself within, for as long as it takes, in the whole process: COPY knows no other way."""
    before = get_wait_callback()
    set_wait_callback(None)
    try:
        yield
    finally:
        set_wait_callback(before)


def _wait(conn: Any) -> None:
    """The driver's waiting for the server, wherever it waits; what is raised here closes the connection.

    Of every connection of the process, once there is one that is watched.
    """
    silence: Silence | None = getattr(conn, "silence", None)
    began = time.monotonic()
    while (state := conn.poll()) != POLL_OK:
        if state not in (POLL_READ, POLL_WRITE):
            raise OperationalError(f"unknown state of a connection: {state}")
        # poll rather than select, which takes no file numbers beyond 1023: a busy server has more clients.
        line = select.poll()
        line.register(conn.fileno(), select.POLLIN if state == POLL_READ else select.POLLOUT)
        while not line.poll(QUIET_SECONDS * 1000):
            _check(silence, conn, began)
    if silence is not None:
        silence.end()


def _check(silence: Silence | None, conn: Any, began: float) -> None:
    """Nothing came for a while: raises when it is not worth waiting any longer."""
    if conn.status not in _CONNECTED:
        # The driver's own `connect_timeout` is not heeded where somebody else waits.
        lost = time.monotonic() - began >= CONNECT_SECONDS
    else:
        lost = not _answers(conn.info.host, conn.info.port)
    if lost:
        if silence is not None:
            silence.begin()
        raise OperationalError(_NO_ANSWER)
    if deadlines.left() < -LATE_SECONDS:  # the server lives, and this query is not ended
        raise OperationalError("a query is not ended by the database")


def _answers(host: str, port: int) -> bool:
    """Whether the server says anything to a new caller; a host with a slash is the folder of its socket."""
    with suppress(OSError):
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(PROBE_SECONDS)
                line.connect(f"{host}/.s.PGSQL.{port}")
                line.sendall(_SPEAKS_TLS)
                return bool(line.recv(1))
        with socket.create_connection((host, port), PROBE_SECONDS) as line:
            line.sendall(_SPEAKS_TLS)
            return bool(line.recv(1))
    return False
