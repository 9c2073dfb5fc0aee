"""A database that cannot answer now is 503, never 500, and the next request finds it again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee as pw
import psycopg2
import pytest

from lib.problems import Problem
from lib.store import connection
from lib.store.connection import as_problems
from lib.store.database import DatabaseStore


def _refused(call: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        call()
    assert refused.value.headers.get("Retry-After") or refused.value.status == 507
    return refused.value


def test_it_answers(store: DatabaseStore) -> None:
    store.ping()
    store.close()
    store.ping()
    with store.connection():
        store.ping()
        store.close()  # also the one that this thread holds
        assert store.db.database.is_closed()
        store.ping()


def test_one_connection_serves_a_request_and_goes_back(store: DatabaseStore) -> None:
    assert store.db.database.is_closed()
    with store.connection():
        assert store.db.database.is_closed()  # nothing was asked yet
        store.ping()
        used = store.db.database.connection()
        with store.connection():
            store.users()
        assert store.db.database.connection() is used
    assert store.db.database.is_closed()
    store.ping()  # without a request around it, too
    assert store.db.database.is_closed()
    with store.connection():
        store.ping()
        assert store.db.database.connection() is used


def test_sqlite_is_set_up_to_survive_a_power_cut(sqlite_url: str) -> None:
    store = DatabaseStore(sqlite_url)
    with store.connection():
        pragma = store.db.database.pragma
        store.ping()
        assert pragma("journal_mode") == "wal"
        assert pragma("foreign_keys") == 1
        assert pragma("synchronous") == 2
        assert pragma("busy_timeout") == 10_000
    store.close()


def test_postgres_is_set_up_to_answer_or_fail(postgres_url: str) -> None:
    store = DatabaseStore(postgres_url)
    shown = [
        store.db.first(pw.SQL(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout", "timezone")
    ]
    assert shown == [("15s",), ("10s",), ("UTC",)]
    store.close()


def test_all_connections_in_use_is_503(store: DatabaseStore) -> None:
    store.db.database._max_connections = 1
    store.db.database._wait_timeout = 0.01
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.connection():
            store.ping()
            holding.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    try:
        assert _refused(store.ping).kind == "database-busy"
    finally:
        done.set()
        thread.join()
    store.ping()


def test_sqlite_held_by_a_writer_is_503(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0)
    store = DatabaseStore(sqlite_url)
    writer = sqlite3.connect(connection.sqlite_path(sqlite_url), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert store.users() == []  # readers do not wait for a writer
    problem = _refused(lambda: store.create_user("a", "a@b.example", "d" * 64, "p", ["read"]))
    assert (problem.status, problem.kind) == (503, "database-unavailable")
    writer.execute("ROLLBACK")
    writer.close()
    assert store.create_user("a", "a@b.example", "d" * 64, "p", ["read"]).username == "a"
    store.close()


def test_a_database_without_tables_says_so(empty_database_url: str) -> None:
    store = DatabaseStore(empty_database_url)
    problem = _refused(store.users)
    assert (problem.status, problem.kind) == (503, "database-not-migrated")
    store.close()


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody@127.0.0.1:1/weeds", "sqlite:////nonexistent/folder/weeds.db"],
)
def test_a_database_that_is_not_there_is_503(url: str) -> None:
    problem = _refused(DatabaseStore(url).ping)
    assert (problem.status, problem.kind) == (503, "database-unavailable")
    assert "127.0.0.1" not in problem.detail
    assert "nonexistent" not in problem.detail


def test_a_damaged_file_is_503(sqlite_url: str) -> None:
    path = Path(connection.sqlite_path(sqlite_url))
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    problem = _refused(DatabaseStore(sqlite_url).users)
    assert problem.kind == "database-unavailable"


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[DatabaseStore]:
    store = DatabaseStore(postgres_url)
    yield store
    store.close()


def _kill_all_connections(url: str) -> None:
    admin = psycopg2.connect(url)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    admin.close()


def test_a_connection_killed_while_idle_is_replaced(postgres_store: DatabaseStore) -> None:
    postgres_store.ping()
    _kill_all_connections(postgres_store.url)
    postgres_store.ping()


def test_a_connection_killed_in_use_is_503_and_the_next_request_works(postgres_store: DatabaseStore) -> None:
    def request() -> None:
        with postgres_store.connection():
            postgres_store.ping()
            _kill_all_connections(postgres_store.url)
            postgres_store.ping()

    assert _refused(request).kind == "database-unavailable"
    postgres_store.ping()


def test_a_connection_killed_in_a_transaction_is_503_and_writes_nothing(
    postgres_store: DatabaseStore,
) -> None:
    def request() -> None:
        with postgres_store.db.transaction():
            postgres_store.create_user("a", "a@b.example", "d" * 64, "p", ["read"])
            _kill_all_connections(postgres_store.url)
            postgres_store.users()

    assert _refused(request).kind == "database-unavailable"
    assert postgres_store.users() == []


def test_a_query_that_takes_too_long_is_503(postgres_store: DatabaseStore) -> None:
    def request() -> None:
        with postgres_store.connection():
            postgres_store.db.run(pw.SQL("SET statement_timeout = '5ms'"))
            postgres_store.db.fetch(pw.SQL("SELECT pg_sleep(5)"))

    assert _refused(request).kind == "took-too-long"


def test_a_full_disk_is_507(sqlite_url: str) -> None:
    store = DatabaseStore(sqlite_url)
    with store.connection():
        pages = store.db.database.pragma("page_count")
        store.db.database.pragma("max_page_count", pages)
        user = store.create_user("a", "a@b.example", "d" * 64, "p", ["read"])
        rows = store.for_user(user.id)
        problem = _refused(lambda: rows.create_session("x", timezone="UTC", description="x" * 1_000_000))
        assert (problem.status, problem.kind) == (507, "disk-full")
        assert rows.sessions() == []
    store.close()


def test_postgres_that_has_no_disk_left_is_507() -> None:
    full = psycopg2.errors.DiskFull("could not extend file")
    full.__setstate__({"pgcode": "53100"})
    with pytest.raises(Problem) as refused, as_problems():
        raise pw.OperationalError(full, "could not extend file")
    assert refused.value.status == 507


def test_errors_in_our_own_queries_stay_errors(store: DatabaseStore) -> None:
    with pytest.raises(pw.DatabaseError):  # a ProgrammingError on PostgreSQL
        store.db.fetch(pw.SQL("SELECT nothing FROM users")) if store.db.postgres else _integrity(store)
    store.ping()


def _integrity(store: DatabaseStore) -> None:
    with store.db.transaction():
        store.db.run(pw.SQL("INSERT INTO users (username) VALUES ('a')"))
