"""How gunicorn's threads meet clients: slow ones keep no thread from the others, and an ending server says so."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import _DEFER, STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from lib import stopping
from lib.client import SlowClient

# Bytes a second that a client must come to in the long run: a quarter of what a poor mobile line carries.
LEAST_RATE = 4096
LONGEST_HEAD = 16 * 1024  # bytes; what is longer the parser may judge
TO_HANG_UP = 0.5  # seconds
_TCP = (socket.AF_INET, socket.AF_INET6)  # where the system can be told how much must come before it reports


class PatientSocket(socket.socket):
    """A connection that waits for its client so many seconds in all, and what moves earns new ones, up to as many.

    What counts is the time spent waiting, so that a slow answer of ours is nobody's fault.
    """

    def __init__(self, accepted: socket.socket, seconds: float) -> None:
        timeout = accepted.gettimeout()
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self.settimeout(timeout)
        self._seconds = seconds
        self._seen = 0  # bytes of the next request's head that were there at the last look
        self._since: float | None = None  # when the first of them were seen
        self.renew()

    def renew(self) -> None:
        """Another request begins."""
        self._left = self._seconds

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Raises SlowClient."""
        data: bytes = self._patiently(super().recv, bufsize, flags)
        self._moved(len(data))
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Raises SlowClient. In pieces: Python's own time for a whole one does not grow with what was taken."""
        rest = memoryview(data).cast("B")
        while rest:
            sent: int = self._patiently(super().send, rest, flags)
            self._moved(sent)
            rest = rest[sent:]

    def _moved(self, count: int) -> None:
        # Up to as many: who was quick at first must not be waited for the longer afterwards.
        self._left = min(self._seconds, self._left + count / LEAST_RATE)

    def _patiently(self, act: Callable[..., Any], *given: Any) -> Any:
        bound = self.gettimeout()  # gunicorn's own for this act
        if bound is not None and bound <= self._left:
            return act(*given)
        started = time.monotonic()
        try:
            self.settimeout(max(self._left, 0.001))
            return act(*given)
        except TimeoutError:
            raise SlowClient(errno.ECONNRESET, "the client is too slow") from None
        finally:
            self._left -= max(0.0, time.monotonic() - started)
            self.settimeout(bound)

    def lacks_head(self) -> bool:
        """Whether more of the next request's head must come; the system reports the connection when there is more.

        False as well where nothing more will come, and when it has taken too long: that is no request then.
        """
        if self.family not in _TCP:
            return False
        try:
            head = super().recv(LONGEST_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        late = now - self._since > self._seconds
        # As much as at the last look, though something new was reported: that was the end.
        if late or b"\r\n\r\n" in head or len(head) in (self._seen, LONGEST_HEAD):
            self._wake_at(1)
            self._seen, self._since = 0, None
            if late:
                self.shutdown(socket.SHUT_RD)
            return False
        self._wake_at(len(head) + 1)
        self._seen = len(head)
        return True

    def _wake_at(self, count: int) -> None:
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def hang_up(self) -> None:
        """End the connection so that the answer arrives: once the client has stopped sending, if it soon does."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_WR)
            ends = time.monotonic() + TO_HANG_UP
            while (left := ends - time.monotonic()) > 0:
                self.settimeout(left)
                if not super().recv(LONGEST_HEAD):
                    break
        with suppress(OSError):
            self.shutdown(socket.SHUT_RD)


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads, given to requests of which the head has arrived, and to nothing before.

    `patience`: seconds that a client may keep a thread waiting.
    """

    patience = 20.0

    def load_wsgi(self) -> None:
        """The application, whose answers can end a connection: gunicorn passes over their Connection header."""
        super().load_wsgi()
        application: Any = self.wsgi

        def closing(environ: dict[str, Any], start_response: Any) -> Any:
            def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
                if ("Connection", "close") in headers:
                    start_response.__self__.force_close()
                return start_response(status, headers, *more)

            return application(environ, start)

        self.wsgi: Any = closing

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: what has begun is finished, nothing new is begun."""
        stopping.ask()
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that ends accepts while it finishes, and the dispatcher tells the new ones to come back.

        gunicorn would leave them unanswered, and reset them at the end.
        """
        super().set_accept_enabled(enabled or not self.alive)

    def enqueue_req(self, conn: TConn) -> None:
        """Every connection passes here, in the thread that accepts."""
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = PatientSocket(conn.sock, self.patience)
        super().enqueue_req(conn)

    def handle(self, conn: TConn) -> Any:
        """Put back while the head is incomplete, so that it is the poller that waits and no thread."""
        line: PatientSocket = conn.sock
        line.renew()
        ahead = conn.initialized and conn.parser.unreader.buf.getvalue()
        if not ahead and line.lacks_head():
            return _DEFER
        conn.data_ready = True
        kept = super().handle(conn)
        if not kept:
            # gunicorn does it in the thread that accepts, where one client that stays holds up all others.
            line.hang_up()
        return kept

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """As gunicorn does it, but a worker that ends drops no connection that has yet to say what it wants."""
        if self.alive or fs.cancelled() or fs.exception() is not None or fs.result() is not _DEFER:
            super().finish_request(conn, fs)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + STOP_KEEPALIVE_LINGER
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _cap_keepalive(self, deadline: float) -> None:
        """Called when the worker begins to end: whoever has said nothing yet is not waited for any longer."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Nobody waits long for the rest of a body that was refused."""
        return bool(keepalive and conn.parser.finish_body(deadline=time.monotonic() + TO_HANG_UP))
