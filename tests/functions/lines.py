"""Bare connections to a running server: requests in pieces, answers as they come."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.functions.conftest import Server

PATIENCE = 60  # seconds; a test that waits so long has failed


@dataclass(frozen=True)
class Answer:
    """One HTTP answer that ended with its connection, or as long as it said."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One connection."""

    def __init__(self, server: Server, small: bool = False) -> None:
        address = urlsplit(server.base)
        self.host = address.netloc
        self._socket = socket.socket()
        if small:  # so that the server soon cannot send any more while nobody reads
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((str(address.hostname), int(address.port or 0)))
        self._stream = self._socket.makefile("rb")

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def head(self, method: str, path: str, **headers: str) -> bytes:
        """The head of a request, with the empty line at its end."""
        given = {"Host": self.host} | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def answer(self) -> Answer:
        """The next answer, read to its end."""
        status = int(self._stream.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self._stream.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        if status < 200:  # another answer follows
            return Answer(status, headers, b"")
        length = headers.get("content-length")
        body = self._stream.read() if length is None else self._stream.read(int(length))
        return Answer(status, headers, body)

    def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        found = b""
        try:
            while block := self._stream.read1(65536):
                found += block
        except ConnectionError:
            pass
        return found

    def end(self) -> None:
        """Send nothing more; answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def answered(lines: Sequence[Line], count: int) -> list[Line]:
    """The first `count` of the lines on which something came."""
    found: list[Line] = []
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ, line)
        while len(found) < count:
            events = selector.select(PATIENCE)
            assert events, "no answer comes"
            for key, _ in events:
                selector.unregister(key.fileobj)
                found.append(key.data)
    return found
