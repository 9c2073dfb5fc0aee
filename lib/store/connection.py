"""One database behind a small pool: connections, transactions, and failures as problems."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import peewee as pw
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase, PooledSqliteDatabase

from lib import deadlines
from lib.problems import Problem, unavailable
from lib.store.fields import SQLITE_TYPES

BUSY_SECONDS = 10  # how long a SQLite writer waits for another one
POOL_SECONDS = 5  # how long a request waits for a free connection
SQLITE_CONNECTIONS = 16
POSTGRES_CONNECTIONS = 8  # a small server allows some 25 in all, and deploys overlap
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 15
# A database whose machine is gone, or went while this one slept, says nothing: noticed within half a minute.
GONE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
STEPS = 100_000  # of SQLite's machine between two looks at the clock; some milliseconds
LONGEST_SHOWN = 2000  # characters of a slow query
_UNDEFINED_TABLE = "42P01"
_CANCELLED = "57014"
_DISK_FULL = "53100"
_log = logging.getLogger(__name__)

LARGEST_ID = 2**63 - 1

Row = tuple[Any, ...]


class PostgresAdapter(pw.Psycopg2Adapter):
    """Sets up each new connection once, not at every check-out from the pool."""

    # SET rather than start-up options, which connection poolers in front of the server refuse.
    session = (
        f"SET TIME ZONE 'UTC'; SET statement_timeout = '{STATEMENT_SECONDS}s';"
        f" SET lock_timeout = '{BUSY_SECONDS}s'; SET idle_in_transaction_session_timeout = '60s'"
    )

    def connect(self, db: Any, **params: Any) -> Any:
        from psycopg2.extras import register_default_jsonb

        conn = super().connect(db, **params)  # type: ignore[no-untyped-call]
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(self.session)
        # jsonb comes as text, as from SQLite: rows are decoded only where somebody looks.
        register_default_jsonb(conn, loads=_text)
        return conn


def _text(value: str) -> str:
    return value


class _Postgres(PooledPostgresqlDatabase):  # type: ignore[misc]
    psycopg2_adapter = PostgresAdapter

    def __init__(self, url: str, **options: Any) -> None:
        from lib.store.silence import Silence, watched_by

        self.silence = Silence()
        super().__init__(url, connection_factory=watched_by(self.silence), **options)

    def connect(self, reuse_if_open: bool = False) -> Any:
        """Refuses at once while the server is silent: before the lock, at which one may be trying for all."""
        with pw.__exception_wrapper__:  # type: ignore[attr-defined]
            self.silence.enter()
        return super().connect(reuse_if_open)

    def _connect(self) -> Any:
        self.silence.enter()  # it may have fallen silent while this thread waited at the lock
        return super()._connect()

    def _is_closed(self, conn: Any) -> bool:
        """The pool asks each idle connection whether it still works, in turn and under its lock: one is enough."""
        self.silence.enter()
        return bool(super()._is_closed(conn))


class _Sqlite(PooledSqliteDatabase):  # type: ignore[misc]
    def _connect(self) -> Any:
        conn = super()._connect()
        # Asked in the thread that runs the query, whose time it is.
        conn.set_progress_handler(lambda: deadlines.left() <= 0, STEPS)
        return conn


def fits(number: int) -> bool:
    """False for what cannot be the number of a row; SQLite's driver raises OverflowError beyond 64 bits."""
    return 0 < number <= LARGEST_ID


def sqlite_path(url: str) -> str:
    """The file of a `sqlite:///` URL."""
    return url.removeprefix("sqlite:///")


def is_postgres(url: str) -> bool:
    """True for PostgreSQL, False for SQLite."""
    return url.startswith("postgresql://")


def open_database(url: str) -> Any:
    """The pooled Peewee database of a URL; connects on first use."""
    if is_postgres(url):
        return _Postgres(
            url,
            max_connections=POSTGRES_CONNECTIONS,
            timeout=POOL_SECONDS,
            stale_timeout=600,
            connect_timeout=CONNECT_SECONDS,
            application_name="weed-diversity",
            **GONE,
        )
    return _Sqlite(
        sqlite_path(url),
        max_connections=SQLITE_CONNECTIONS,
        timeout=POOL_SECONDS,  # the pool's; how long a writer waits is a pragma
        field_types=SQLITE_TYPES,
        # A write transaction takes the write lock when it begins: one that read first and then wrote could
        # fail at once, without waiting, when another had written in between.
        lock_type="IMMEDIATE",
        # A photo is acknowledged when its row is committed, so a commit must survive a power cut: FULL.
        pragmas=(
            ("busy_timeout", BUSY_SECONDS * 1000),
            ("journal_mode", "wal"),
            ("foreign_keys", 1),
            ("synchronous", "full"),
        ),
        # The pool hands a connection to one thread at a time.
        check_same_thread=False,
    )


@contextmanager
def as_problems() -> Iterator[None]:
    """Turns "the database cannot be reached, or not now" into 503; other errors are bugs and pass."""
    try:
        yield
    except MaxConnectionsExceeded as error:
        raise unavailable("The database is busy; try again shortly.", kind="database-busy") from error
    except (pw.DatabaseError, pw.InterfaceError, sqlite3.DatabaseError) as error:
        problem = _problem(error)
        if problem is None:
            raise
        # The first line alone: the driver may quote the query in the next ones, with its values.
        _log.warning("database: %s", str(error).partition("\n")[0])
        raise problem from error


def _problem(error: Exception) -> Problem | None:
    """What a driver's error means to the person who asked, or None when it is a bug of ours."""
    cause = getattr(error, "orig", None) or error  # the driver's own, which Peewee wraps
    code = getattr(cause, "pgcode", None)
    if code == _UNDEFINED_TABLE or str(cause).startswith("no such table"):
        return unavailable(
            "The database has not been migrated.", retry_after=30, kind="database-not-migrated"
        )
    if code == _DISK_FULL or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return Problem(507, detail="The database's disk is full.", kind="disk-full")
    if code == _CANCELLED or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return deadlines.over()
    # The bare class is what SQLite raises for a damaged file; its other children are errors in the query.
    if isinstance(error, (pw.OperationalError, pw.InterfaceError, sqlite3.OperationalError)) or type(
        error
    ) in (
        pw.DatabaseError,
        sqlite3.DatabaseError,
    ):
        return unavailable("The database does not answer; try again shortly.", kind="database-unavailable")
    return None


class Connection:
    """Runs queries on the calling thread's own connection, which is opened by its first query."""

    def __init__(self, url: str, slow_ms: int = 0) -> None:
        """Queries that take `slow_ms` milliseconds or longer are logged; 0: none are."""
        self.url = url
        self.slow_ms = slow_ms
        self.database = open_database(url)
        self.postgres = is_postgres(url)
        self._local = threading.local()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps one connection for everything within; the outermost gives it back to the pool."""
        depth = getattr(self._local, "depth", 0)
        self._local.depth = depth + 1
        try:
            yield
        finally:
            self._local.depth = depth
            if depth == 0 and not self.database.is_closed():
                if getattr(self._local, "hurried", False):
                    self._local.hurried = False
                    self.database.manual_close()  # the next request is to have its whole time
                else:
                    self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one within another is a savepoint. On SQLite it holds the write lock."""
        with self.held(), as_problems(), self.database.atomic():
            yield

    def fetch(self, query: pw.Node) -> list[Row]:
        """The raw rows of a query (or of a write with RETURNING)."""
        with self.held(), as_problems():
            rows: list[Row] = self._execute(query, lambda cursor: cursor.fetchall())
            return rows

    def first(self, query: pw.Node) -> Row | None:
        """The first raw row, or None."""
        rows = self.fetch(query)
        return rows[0] if rows else None

    def run(self, query: pw.Node) -> int:
        """Runs a write; the number of rows it touched."""
        with self.held(), as_problems():
            return int(self._execute(query, lambda cursor: cursor.rowcount))

    def locked(self, query: pw.ModelSelect[Any]) -> Any:
        """The select with its rows locked until the transaction ends.

        SQLite needs none: its transactions are the only writer. NO KEY, so that inserting rows that point
        to the locked one goes on.
        """
        return query.for_update("FOR NO KEY UPDATE") if self.postgres else query  # type: ignore[arg-type]

    def close(self) -> None:
        """Closes the idle connections; the store can be used again afterwards."""
        with as_problems():
            if not self.database.is_closed():
                self.database.close()
            self.database.close_idle()

    def _execute(self, query: pw.Node, result: Callable[[Any], Any]) -> Any:
        """`result` is asked within the time that is measured: SQLite does the work while rows are fetched."""
        sql, params = self.database.get_sql_context().sql(query).query()
        self._hurry()
        started = time.monotonic()
        try:
            return result(self.database.execute_sql(sql, params))
        finally:
            took = (time.monotonic() - started) * 1000
            if self.slow_ms and took >= self.slow_ms:
                # With placeholders, never the values: they are people's.
                shown = {"sql": sql[:LONGEST_SHOWN], "milliseconds": round(took, 1)}
                _log.warning("slow query", extra=shown)

    def _hurry(self) -> None:
        """Let no query run beyond the time of its request; requests that are quick pay nothing for it."""
        left = deadlines.left()
        if left <= 0:
            raise deadlines.over()
        # Once more after a hurried one, whose short time would cut what has time again.
        if self.postgres and (left < STATEMENT_SECONDS or getattr(self._local, "hurried", False)):
            self._local.hurried = True
            seconds = min(left, STATEMENT_SECONDS)
            self.database.execute_sql(f"SET statement_timeout = {max(1, int(seconds * 1000))}")
