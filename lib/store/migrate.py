"""Runs the migrations under a lock, and tells what is left to run.

peewee-migrate finds and reads the files and does the work of one migration. What it lacks is here: a lock, so
that several machines may start at once, and a history that is read again under it. Its replay of earlier
migrations is not used, because it mocks `Database.execute_sql` for the whole process; therefore a migration
speaks of tables by name (`migrator.sql`), never of models that an earlier one made.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import peewee as pw

from lib.config import ROOT
from lib.store.connection import Connection, PostgresAdapter, as_problems, is_postgres, sqlite_path
from lib.store.fields import SQLITE_TYPES, Text, Utc

FOLDER = ROOT / "migrations"
HISTORY = "migratehistory"
ZERO = "zero"  # `down` to before the first migration
WAIT_SECONDS = 60  # how long a run waits for another one to end
_LOCK = 0x7765_6564  # "weed": the advisory lock's number, the same in every process
_FILE = re.compile(r"\d{3}_[a-z0-9_]+\.py")
_log = logging.getLogger(__name__)


class UnknownMigration(Exception):
    """There is no migration of that name."""


class BrokenReferences(Exception):
    """A migration left rows that point to nothing; it was rolled back."""


class History(pw.Model):
    """Which migrations have been applied, in order; the unique name is the last guard against two."""

    id = pw.AutoField()
    name = Text(255, unique=True)
    migrated_at = Utc(default=lambda: datetime.now(UTC))

    class Meta:
        table_name = HISTORY


def names(folder: Path = FOLDER) -> list[str]:
    """The migrations there are, in order."""
    return sorted(path.stem for path in folder.iterdir() if _FILE.fullmatch(path.name))


def pending(url: str, folder: Path = FOLDER) -> list[str]:
    """Migrations that the database has not seen; 503 when it does not answer. One query, for `/ready`."""
    if not is_postgres(url) and not Path(sqlite_path(url)).exists():
        return names(folder)  # asking would make the file
    db = Connection(url)
    try:
        return pending_on(db, folder)
    finally:
        db.close()


def pending_on(db: Connection, folder: Path = FOLDER) -> list[str]:
    """As `pending`, over the connections of a store that is already there."""
    with db.held(), as_problems():
        done = (
            {row[0] for row in db.fetch(History.select(History.name))} if _has_history(db.database) else set()
        )
    return [name for name in names(folder) if name not in done]


def up(url: str, to: str | None = None, folder: Path = FOLDER) -> list[str]:
    """Applies what is missing (up to `to`), and returns what this call applied.

    Any number of processes may call it at once: each migration is applied by one of them, in one
    transaction with its row of history, and all return normally.
    """
    if not is_postgres(url):
        Path(sqlite_path(url)).absolute().parent.mkdir(parents=True, exist_ok=True)
    with _runner(url, folder) as run:
        _must_exist(to, run.todo)
        wanted = run.todo if to is None else run.todo[: run.todo.index(to) + 1]
        applied: list[str] = []
        while True:
            with run.locked():
                done = set(run.done)
                missing = [name for name in wanted if name not in done]
                if not missing:
                    return applied
                run.apply(missing[0], downgrade=False)
            applied.append(missing[0])


def down(url: str, to: str | None = None, folder: Path = FOLDER) -> list[str]:
    """Rolls back the last migration, or everything after `to` (`zero`: everything); returns what was."""
    with _runner(url, folder) as run:
        _must_exist(None if to == ZERO else to, run.todo)
        undone: list[str] = []
        while True:
            with run.locked():
                done = run.done
                if not done or done[-1] == to or (to is None and undone):
                    return undone
                _must_exist(done[-1], run.todo)
                run.apply(done[-1], downgrade=True)
            undone.append(done[-1])


def status(url: str, folder: Path = FOLDER) -> list[tuple[str, datetime | None]]:
    """Every migration with the time it was applied, or None; also applied ones whose file is missing."""
    db = Connection(url)
    with db.held(), as_problems():
        rows = (
            db.fetch(History.select(History.name, History.migrated_at)) if _has_history(db.database) else []
        )
    db.close()
    applied = {name: Utc().python_value(moment) for name, moment in rows}
    return [(name, applied.get(name)) for name in sorted({*names(folder), *applied})]


def is_missing_file(name: str, folder: Path = FOLDER) -> bool:
    """True for a migration that a newer version of the program applied."""
    return name not in names(folder)


def plain_database(url: str) -> Any:
    """A database for schema work: no pool, no time limit on statements, foreign keys off while tables change."""
    if is_postgres(url):
        return _Postgres(url, connect_timeout=5)
    return pw.SqliteDatabase(
        sqlite_path(url),
        pragmas=(("journal_mode", "wal"), ("foreign_keys", 0), ("synchronous", "full")),
        timeout=WAIT_SECONDS,
        field_types=SQLITE_TYPES,
    )


class _SchemaAdapter(PostgresAdapter):
    session = "SET TIME ZONE 'UTC'"


class _Postgres(pw.PostgresqlDatabase):
    psycopg2_adapter = _SchemaAdapter


class _Runner:
    """One connection that applies and rolls back."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = plain_database(url)
        self.postgres = is_postgres(url)
        self.folder = folder
        self.todo = names(folder)

    @cached_property
    def history(self) -> type[History]:
        class Bound(History):
            class Meta:
                database = self.database
                table_name = HISTORY

        return Bound

    @property
    def done(self) -> list[str]:
        """What has been applied, in order. Call it under the lock."""
        self.history.create_table(safe=True)
        rows: Any = self.history.select(self.history.name).order_by(self.history.id).tuples()
        return [name for (name,) in rows]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A transaction that no other runner can be in at the same time."""
        with as_problems():
            if not self.postgres:
                with self.database.transaction("EXCLUSIVE"):
                    yield
                    broken = self.database.execute_sql("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        raise BrokenReferences(", ".join(sorted({f"{row[0]} → {row[2]}" for row in broken})))
                return
            with self.database.atomic():
                self.database.execute_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
                self.database.execute_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                # A change of a table waits behind the longest query on it, and everything else behind the
                # change: better to fail, change nothing and be run again.
                self.database.execute_sql("SET LOCAL lock_timeout = '10s'")
                yield

    def apply(self, name: str, *, downgrade: bool) -> None:
        """One migration, or its rollback, with its row of history; call it under the lock."""
        from peewee_migrate import Router
        from peewee_migrate.migrator import Migrator

        router = Router(self.database, migrate_dir=self.folder, migrate_table=HISTORY, logger=_log)
        router.__dict__["model"] = self.history  # its own would write times that SQLite's driver deprecates
        router.run_one(name, Migrator(self.database), fake=False, downgrade=downgrade)


@contextmanager
def _runner(url: str, folder: Path) -> Iterator[_Runner]:
    run = _Runner(url, folder)
    try:
        with as_problems():
            run.database.connect()
        yield run
    finally:
        run.database.close()


def _must_exist(name: str | None, todo: list[str]) -> None:
    if name is not None and name not in todo:
        raise UnknownMigration(name)


def _has_history(database: Any) -> bool:
    return HISTORY in database.get_tables()
