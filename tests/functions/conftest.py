"""A running gunicorn for the tests of the HTTP surface, with users made on demand."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from lib import keys
from lib.store.database import DatabaseStore

ROOT = Path(__file__).resolve().parent.parent.parent
STARTED_WITHIN = 60  # seconds; machines that run tests side by side are slow


@dataclass
class Client:
    """One person at one server: every request carries the headers of this person."""

    base: str
    headers: dict[str, str] = field(default_factory=dict)
    user_id: int = 0
    key_id: int = 0
    secret: str = ""

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = self.headers | options.pop("headers", {})
        return requests.request(
            method, self.base + path, headers=headers, timeout=120, allow_redirects=False, **options
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.request("POST", path, **options)

    def patch(self, path: str, **options: Any) -> requests.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.request("DELETE", path, **options)

    def upload(
        self, *photos: tuple[str, bytes], headers: Mapping[str, str] | None = None, **form: Any
    ) -> Any:
        """POST /api/upload with these (name, bytes)."""
        files = [("files", (name, data)) for name, data in photos]
        return self.post("/api/upload", files=files, data=form, headers=dict(headers or {}))


@dataclass
class Server:
    """A gunicorn process, the folder it keeps photos in and the database it serves."""

    base: str
    folder: Path
    database_url: str | None
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def visitor(self) -> Client:
        return Client(self.base)

    def user(self, *scopes: str) -> Client:
        """A new person with a key of these scopes (default: read and write)."""
        assert self.database_url is not None
        secret, digest, prefix = keys.new_key()
        name = f"u{uuid.uuid4().hex[:12]}"
        store = DatabaseStore(self.database_url)
        with store.connection():
            user = store.create_user(name, f"{name}@example.org", digest, prefix, scopes or ("read", "write"))
            key = store.keys(user.id)[0]
        store.close()
        return Client(self.base, {"Authorization": f"Bearer {secret}"}, user.id, key.id, secret)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_server(folder: Path, database_url: str | None, **environ: str) -> Server:
    """Migrate `database_url` and serve it; returns when /health answers."""
    folder.mkdir(parents=True, exist_ok=True)
    # The socket listens before the server starts, so that the first request waits instead of being refused.
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    variables = {
        **os.environ,
        "PORT": str(port),
        "SECRET_KEY": "a secret that is only for tests, 32+",
        "DATA_DIR": str(folder / "data"),
        "OUTPUT_DIR": str(folder / "output"),
        "LOG_LEVEL": "INFO",
        # Tests send more wrong keys in a minute than people do.
        "WRONG_KEY_LIMIT": "100000/minute",
        # Empty rather than absent: a developer's .env would fill what is absent.
        "DATABASE_URL": database_url or "",
        **environ,
    }
    if database_url:
        migrate = [sys.executable, str(ROOT / "scripts" / "migrate.py"), "up"]
        subprocess.run(migrate, env=variables, cwd=ROOT, check=True, capture_output=True)
    log = folder / "server.log"
    with log.open("wb") as out, listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"],
            env=variables,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
        )
    server = Server(f"http://127.0.0.1:{port}", folder, database_url, process, log)
    try:
        requests.get(f"{server.base}/health", timeout=STARTED_WITHIN).raise_for_status()
    except requests.RequestException as error:
        server.stop()
        raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')}") from error
    return server


def process_backlog(server: Server, **environ: str) -> dict[str, Any]:
    """Run the script beside or after a server; its summary line."""
    variables = os.environ | {
        "DATABASE_URL": str(server.database_url),
        "DATA_DIR": str(server.data_dir),
        "SECRET_KEY": "a secret that is only for tests, 32+",
        **environ,
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "process_backlog.py")],
        env=variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 3), done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1])) | {"exit": done.returncode}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server on SQLite for the whole test process; tests are kept apart by having users of their own."""
    folder = tmp_path_factory.mktemp("server")
    running = start_server(folder, f"sqlite:///{folder}/weeds.db")
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace"), running.log.read_text(errors="replace")


@pytest.fixture(scope="session")
def file_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in file mode with nothing to serve yet."""
    running = start_server(tmp_path_factory.mktemp("file-server"), None)
    yield running
    running.stop()


@pytest.fixture
def user(server: Server) -> Client:
    """A person with a read-and-write key and no photos."""
    return server.user()


@pytest.fixture
def visitor(server: Server) -> Client:
    """Nobody: no key, no cookie."""
    return server.visitor()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers with settings of their own; they end with the test."""
    started: list[Server] = []

    def make(database: bool = True, **environ: str) -> Server:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(start_server(folder, f"sqlite:///{folder}/weeds.db" if database else None, **environ))
        return started[-1]

    yield make
    for each in started:
        each.stop()


def make_photo(
    seed: int = 0, size: tuple[int, int] = (320, 240), taken: str | None = None, offset: str | None = None
) -> bytes:
    """A small JPEG, for each seed another picture; `taken` and `offset` go into its EXIF."""
    noise = Image.frombytes("L", (16, 12), random.Random(seed).randbytes(192))
    picture = Image.merge("RGB", (noise, noise.rotate(180), noise)).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    if taken:
        details = exif.get_ifd(0x8769)
        details[0x9003] = taken
        if offset:
            details[0x9011] = offset
    out = BytesIO()
    picture.save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


@pytest.fixture
def photo() -> Callable[..., bytes]:
    """Makes small JPEGs: see `make_photo`."""
    return make_photo


def numbers(node: Any) -> Iterator[float]:
    """Every float in decoded JSON."""
    if isinstance(node, dict):
        for each in node.values():
            yield from numbers(each)
    elif isinstance(node, list):
        for each in node:
            yield from numbers(each)
    elif isinstance(node, float):
        yield node
