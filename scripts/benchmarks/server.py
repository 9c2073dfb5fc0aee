"""A real server on loopback, in a folder of its own: started, asked, weighed and stopped."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60  # a machine that takes longer is not worth measuring
ANSWER_SECONDS = 600
BOUNDARY = "weeds-bench-boundary"
POLL_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of all processes of one server: proportional set size, and plain resident size."""

    pss: int
    rss: int


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to callers.

    Asking again and again for a port that is not open yet would else reach itself, sooner or later: a caller may
    be given the very port it calls.
    """
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise RuntimeError("no free port between 20000 and 30000")


class Server:
    """`gunicorn` with the project's own configuration, or with `command` and `cwd` in its place."""

    def __init__(self, folder: Path, command: Sequence[str] | None = None, cwd: Path = ROOT) -> None:
        self.folder = folder
        self.port = free_port()
        self.command = list(command or [sys.executable, "-m", "gunicorn"])
        self.cwd = cwd
        self.key = ""
        self.process: subprocess.Popen[bytes] | None = None
        shown = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
        self.environment = {
            # Empty means the default: the measured server is nobody's, whatever .env says.
            **{line.partition("=")[0]: "" for line in shown if line and not line.startswith("#")},
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            # As in the image, so that memory is measured as it is deployed.
            "MALLOC_ARENA_MAX": "2",
            "PORT": str(self.port),
            "SECRET_KEY": secrets.token_urlsafe(32),
            "DATABASE_URL": f"sqlite:///{folder / 'weeds.db'}",
            "DATA_DIR": str(folder / "photos"),
            "OUTPUT_DIR": str(folder / "output"),
        }

    def prepare(self) -> Self:
        """A migrated database with one user, whose key the uploads carry."""
        self._script("migrate.py", "up")
        made = self._script("create_user.py", "--username", "bench", "--email", "bench@example.org")
        self.key = made.strip().splitlines()[-1]
        return self

    def start(self) -> float:
        """Seconds from the start of the process to its first 200 on /health."""
        with (self.folder / "server.log").open("ab") as log:
            started = time.perf_counter()
            # A group of its own, so that `kill` takes the master and its workers at one instant.
            self.process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._first_answer(started + START_SECONDS)
        return time.perf_counter() - started

    def stop(self) -> None:
        """SIGTERM, and the wait for the end."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def kill(self) -> None:
        """SIGKILL to the master and its workers: no time to finish anything."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def job(self, name: str, *arguments: str) -> dict[str, Any]:
        """Runs a job as cron would; its last line and its exit code. RuntimeError when it has no such line."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / name), *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode not in (0, 3):
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1])) | {"exit": done.returncode}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def processes(self) -> list[int]:
        """The master and its workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def memory(self) -> Memory:
        """What the server holds now (Linux only)."""
        total = {"Pss": 0, "Rss": 0}
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in total:
                    total[name] += int(rest.split()[0]) * 1024
        return Memory(total["Pss"], total["Rss"])

    def mapped(self) -> set[str]:
        """Packages whose compiled code the workers have mapped."""
        names: set[str] = set()
        for pid in self.processes()[1:]:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                _, found, inside = line.partition("/site-packages/")
                if found:
                    names.add(inside.split("/")[0].split(".")[0])
        return names

    def upload(self, photos: Sequence[Path], **fields: str) -> tuple[float, dict[str, Any]]:
        """Seconds from the first byte sent to the whole answer read, and it. RuntimeError unless all were named.

        `fields` are those of the form beside the photos.
        """
        parts = [
            (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode(),
                value.encode(),
            )
            for name, value in fields.items()
        ]
        for photo in photos:
            head = (
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{photo.name}"\r\n'
                "Content-Type: image/jpeg\r\n\r\n"
            )
            parts.append((head.encode(), photo.read_bytes()))
        tail = f"--{BOUNDARY}--\r\n".encode()
        length = sum(len(head) + len(data) + 2 for head, data in parts) + len(tail)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        started = time.perf_counter()
        connection.putrequest("POST", "/api/upload")
        connection.putheader("Authorization", f"Bearer {self.key}")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        for head, data in parts:
            connection.send(head)
            connection.send(data)
            connection.send(b"\r\n")
        connection.send(tail)
        response = connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
        connection.close()
        if response.status != 201:
            raise RuntimeError(f"upload answered {response.status}: {body[:500]!r}")
        answer: dict[str, Any] = json.loads(body)
        unnamed = sum(not (result["image"] or {}).get("predictions") for result in answer["results"])
        if unnamed:
            raise RuntimeError(f"{unnamed} of {len(photos)} photos were not classified: {body[:500]!r}")
        return seconds, answer

    def _script(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / name), *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout

    def _first_answer(self, deadline: float) -> None:
        assert self.process is not None
        request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self._last_words()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=START_SECONDS) as connection:
                    connection.sendall(request)
                    if connection.recv(64).startswith(b"HTTP/1.1 200"):
                        return
            except ConnectionError:
                pass
            time.sleep(POLL_SECONDS)
        self.stop()
        raise RuntimeError(f"no 200 on /health in time: {self._last_words()}")

    def _last_words(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")[-2000:]


class Peak:
    """Watches a server's memory on a thread of its own while the block runs."""

    def __init__(self, server: Server, every: float = 0.02) -> None:
        self.server = server
        self.every = every
        self.highest = Memory(0, 0)
        self.samples = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.is_set():
            now = self.server.memory()
            self.highest = Memory(max(self.highest.pss, now.pss), max(self.highest.rss, now.rss))
            self.samples += 1
            self._done.wait(self.every)
