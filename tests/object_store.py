"""An S3-compatible server on loopback, its buckets, and a door in front of it that can refuse, hang or hang up."""

from __future__ import annotations

import http.client
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY_ID, SECRET, REGION = "AKIDOFTESTS", "a-secret-access-key-of-tests", "us-east-1"
PREFIX = "field/photos"


@dataclass(frozen=True)
class Bucket:
    """One bucket of the server at `endpoint`, and what is needed to use it."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{PREFIX}"

    def environ(self, endpoint: str | None = None) -> dict[str, str]:
        """The settings that make this bucket the place of photos."""
        return {
            "PHOTO_STORE": self.url,
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def names(self) -> list[str]:
        """Where all objects lie, below the prefix; sorted."""
        return sorted(key.removeprefix(f"{PREFIX}/") for key in self._keys())

    def add(self, path: str, data: bytes) -> None:
        _inside().put_object(self.name, f"{PREFIX}/{path}", data)

    def read(self, path: str) -> bytes:
        return bytes(self._keys()[f"{PREFIX}/{path}"].value)

    def remove(self, path: str) -> None:
        _inside().delete_object(self.name, f"{PREFIX}/{path}")

    def age(self, path: str, hours: float) -> None:
        """Make an object look older than it is."""
        self._keys()[f"{PREFIX}/{path}"].last_modified -= timedelta(hours=hours)

    def _keys(self) -> Any:
        return _inside().buckets[self.name].keys


@contextmanager
def running_server() -> Iterator[str]:
    """The endpoint of a server that runs in this process."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def new_bucket(endpoint: str) -> Bucket:
    name = f"weeds-{uuid.uuid4().hex[:12]}"
    _inside().create_bucket(name, REGION)
    return Bucket(endpoint, name)


def _inside() -> Any:
    """What the server holds, without asking it."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


@dataclass(frozen=True)
class Asked:
    """A request that came to the door, and how many bytes of a body went back."""

    method: str
    path: str
    headers: dict[str, str]
    sent: int


@dataclass
class Door:
    """Stands before the server: lets requests pass, or does what `does` says to those that `only` matches.

    `does`: `pass`; a pair of status and S3 code; `hang` (no answer until the door closes); `hang up` (the
    connection ends without an answer); `cut` (half of the true answer); `lose` (the server does it and nobody is
    told).
    """

    behind: str
    does: str | tuple[int, str] = "pass"
    only: str = ""  # a pattern of "METHOD /path"
    times: int = 1_000_000
    passing: int = 0  # so many of those that `only` matches pass first
    asked: list[Asked] = field(default_factory=list)
    endpoint: str = ""
    closing: threading.Event = field(default_factory=threading.Event)
    hanging: threading.Event = field(default_factory=threading.Event)  # somebody waits at it

    def refuse(self, does: str | tuple[int, str], only: str = "", times: int = 1_000_000) -> None:
        self.does, self.only, self.times = does, only, times

    def count(self, method: str) -> int:
        return sum(each.method == method for each in self.asked)

    def what_happens(self, request: str) -> str | tuple[int, str]:
        if self.does == "pass" or not re.search(self.only, request) or self.times <= 0:
            return "pass"
        if self.passing > 0:
            self.passing -= 1
            return "pass"
        self.times -= 1
        return self.does


@contextmanager
def opened_door(bucket: Bucket) -> Iterator[Door]:
    door = Door(bucket.endpoint)

    class Handler(_Porter):
        pass

    Handler.door = door
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    door.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield door
    door.closing.set()
    server.shutdown()
    server.server_close()


class _Porter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    door: Door

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        does = self.door.what_happens(f"{self.command} {self.path}")
        if does in ("hang", "hang up"):
            self._note(0)
            if does == "hang":
                self.door.hanging.set()
                self.door.closing.wait()
            self.close_connection = True
            return
        if isinstance(does, tuple):
            status, code = does
            # As S3 does, it repeats who asked.
            text = f"<Error><Code>{code}</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>".encode()
            self._answer(status, {}, text)
            return
        status, headers, data = self._ask_behind(body)
        if does == "lose":
            self._note(0)
            self.close_connection = True
        elif does == "cut":
            self._answer(status, headers, data[: len(data) // 2], len(data))
            self.close_connection = True
        else:
            self._answer(status, headers, data)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    def _ask_behind(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.door.behind)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        skipped = ("content-length", "connection", "transfer-encoding", "date", "server")
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in skipped}
        if self.command == "HEAD":
            headers["Content-Length"] = answer.headers["Content-Length"]
        connection.close()
        return answer.status, headers, data

    def _answer(self, status: int, headers: dict[str, str], data: bytes, length: int | None = None) -> None:
        self._note(len(data))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _note(self, sent: int) -> None:
        self.door.asked.append(Asked(self.command, self.path, dict(self.headers), sent))
