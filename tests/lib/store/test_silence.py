"""A PostgreSQL that gives no answer: who waits for it, how long, and who is refused at once."""

from __future__ import annotations

import os
import resource
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peewee as pw
import psycopg2
import pytest

from lib.problems import Problem
from lib.store import job_lock, silence
from lib.store.connection import Connection, as_problems
from lib.store.database import DatabaseStore
from lib.store.models import Users
from lib.store.silence import Silence


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the monotonic clock says, in its only element."""
    now = [1000.0]
    monkeypatch.setattr(silence.time, "monotonic", lambda: now[0])
    return now


class TestPause:
    def test_everyone_may_ask_until_it_falls_silent(self, clock: list[float]) -> None:
        database = Silence()
        database.enter()
        database.begin()
        with pytest.raises(psycopg2.OperationalError):
            database.enter()

    def test_afterwards_one_tries_for_all(self, clock: list[float]) -> None:
        database = Silence()
        database.begin()
        clock[0] += silence.PAUSE_SECONDS
        database.enter()
        database.enter()  # the same thread asks again on its way
        with ThreadPoolExecutor(1) as other:
            with pytest.raises(psycopg2.OperationalError):
                other.submit(database.enter).result()
            database.end()
            other.submit(database.enter).result()

    def test_a_trial_that_never_ends_keeps_nobody_out_for_good(self, clock: list[float]) -> None:
        database = Silence()
        database.begin()
        clock[0] += silence.PAUSE_SECONDS
        database.enter()
        clock[0] += 60
        with ThreadPoolExecutor(1) as other:
            other.submit(database.enter).result()

    @pytest.mark.parametrize("jump", [-3600.0, 3600.0])
    def test_a_clock_that_jumped_keeps_nobody_out(self, clock: list[float], jump: float) -> None:
        database = Silence()
        database.begin()
        clock[0] += jump
        database.enter()


@dataclass
class Mute:
    """A server that takes every call and says nothing."""

    folder: Path
    line: socket.socket

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def calls(self) -> int:
        """How many called since it was last asked."""
        self.line.setblocking(False)
        count = 0
        with suppress(BlockingIOError):
            while True:
                self.line.accept()[0].close()
                count += 1
        return count


@pytest.fixture
def mute() -> Iterator[Mute]:
    # In a short path, because a socket's may not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="weed-pg-") as folder, socket.socket(socket.AF_UNIX) as line:
        line.bind(f"{folder}/.s.PGSQL.5432")
        line.listen(64)
        yield Mute(Path(folder), line)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks up at once, but waits for an answer however busy this machine is."""
    monkeypatch.setattr(silence, "QUIET_SECONDS", 0.05)
    for name in ("CONNECT_SECONDS", "PROBE_SECONDS"):
        monkeypatch.setattr(silence, name, 60)


@pytest.mark.usefixtures("hasty")
class TestMuteServer:
    def test_one_waits_for_a_connection_and_the_others_are_refused(
        self, mute: Mute, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(silence, "CONNECT_SECONDS", 0.05)
        database = Connection(mute.url)
        begun = threading.Barrier(4)

        def ask() -> str:
            begun.wait()
            with pytest.raises(Problem) as refused, database.held():
                database.fetch(Users.select(Users.id))
            return refused.value.kind

        with ThreadPoolExecutor(4) as people:
            assert list(people.map(lambda _: ask(), range(4))) == ["database-unavailable"] * 4
        assert mute.calls() == 1

    def test_a_connection_beside_the_pool_is_not_waited_for_either(
        self, mute: Mute, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(silence, "CONNECT_SECONDS", 0.05)
        Connection(mute.url)  # from now on the driver's waiting is ours
        with pytest.raises(Problem) as refused, job_lock.held(mute.url, "recompute"):
            pass
        assert refused.value.kind == "database-unavailable"

    def test_a_query_is_given_up_when_the_server_says_nothing_to_new_callers(
        self, postgres_url: str, mute: Mute, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = DatabaseStore(postgres_url)
        with store.connection():
            store.ping()
            really = silence._answers
            with monkeypatch.context() as patched:
                patched.setattr(silence, "PROBE_SECONDS", 0.05)
                patched.setattr(silence, "_answers", lambda host, port: really(str(mute.folder), port))
                with pytest.raises(Problem) as refused:
                    slow(store)
            assert refused.value.kind == "database-unavailable"
        with pytest.raises(Problem), store.connection():  # nobody asks it for a while
            store.ping()
        store.close()

    @pytest.mark.parametrize("idle", [1, 3])
    def test_one_idle_connection_tells_of_all_and_of_new_ones(self, postgres_url: str, idle: int) -> None:
        """The pool would ask one after the other, and then try a new one, and wait for each."""
        database = Connection(postgres_url)
        together = threading.Barrier(idle)

        def ask() -> None:
            with database.held():
                database.fetch(Users.select(Users.id))
                together.wait()

        with ThreadPoolExecutor(idle) as people:
            list(people.map(lambda _: ask(), range(idle)))
        asked = []
        really = silence._wait

        def frozen(conn: Any) -> None:
            asked.append(conn)
            conn.silence.begin()
            raise psycopg2.OperationalError("as after a probe")

        silence.set_wait_callback(frozen)
        try:
            with pytest.raises(Problem), database.held():
                database.fetch(Users.select(Users.id))
        finally:
            silence.set_wait_callback(really)
        assert len(asked) == 1
        database.close()

    def test_a_slow_query_of_a_server_that_lives_is_waited_for(self, postgres_url: str) -> None:
        store = DatabaseStore(postgres_url)
        with store.connection():
            slow(store)
            store.ping()
        store.close()

    def test_a_query_that_is_not_ended_in_time_is_given_up(
        self, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = DatabaseStore(postgres_url)
        with store.connection():
            store.ping()
            with monkeypatch.context() as patched:
                patched.setattr(silence.deadlines, "left", lambda: -silence.LATE_SECONDS - 1)
                with pytest.raises(pw.OperationalError, match="not ended"):
                    store.db.database.execute_sql("SELECT pg_sleep(30)")
        store.close()


def test_a_server_with_many_clients_can_still_ask(postgres_url: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    clients = [os.dup(0) for _ in range(1100)]
    try:
        store = DatabaseStore(postgres_url)
        with store.connection():
            store.ping()
            assert store.db.database.connection().fileno() > 1023
        store.close()
    finally:
        for client in clients:
            os.close(client)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_asks_over_tcp_as_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as other:
        host, port = server.getsockname()
        asked = other.submit(silence._answers, host, port)
        line, _ = server.accept()
        with line:
            assert line.recv(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
            line.sendall(b"N")
        assert asked.result() is True
    assert silence._answers(host, port) is False


def slow(store: DatabaseStore) -> None:
    """A query that takes a few times as long as an impatient client would wait."""
    with as_problems():
        store.db.database.execute_sql("SELECT pg_sleep(0.4)")
