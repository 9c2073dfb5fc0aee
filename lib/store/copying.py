"""Copies a database into another one, of the same kind or of the other: SQLite when one machine is outgrown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import peewee as pw

from lib.store import migrate
from lib.store.connection import Row, is_postgres
from lib.store.contents import (
    Content,
    Snapshot,
    connected,
    different,
    driver_failures_as_problems,
    moment_text,
    quoted,
    snapshot,
)
from lib.store.models import TABLES
from lib.store.silence import blocking

# What separates and ends in PostgreSQL's text format of COPY.
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class CopyRefused(Exception):
    """Nothing was copied; the text says why to whoever runs the command."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What each table holds now, in both databases."""

    tables: dict[str, Content]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())


def row_counts(url: str) -> dict[str, int]:
    """The rows of each table, parents first; CopyRefused unless the schema is this version's."""
    with snapshot(url) as moment:
        _must_be_current(moment, "source")
        return {name: moment.all(f"SELECT count(*) FROM {quoted(name)}")[0][0] for name in _names()}


def copy_database(source: str, target: str, progress: Callable[[int], object] = lambda rows: None) -> Copied:
    """Copies all rows, with their numbers, in one transaction; the next numbers go on where the source's would.

    Both must be migrated to this version's schema, and the target's tables be empty; nobody should write to the
    source meanwhile. `progress` is told how many rows came. CopyRefused when any of this is not so, when the tables
    of the two differ in the end, or when the source has changed: then the target is as before. 503 when either does
    not answer.
    """
    with snapshot(source) as old, _writing(target) as new:
        _must_be_current(old, "source")
        _must_be_current(new, "target")
        full = [name for name in _names() if new.all(f"SELECT 1 FROM {quoted(name)} LIMIT 1")]
        if full:
            raise CopyRefused(f"the target is not empty: there are rows in {', '.join(full)}")
        should: dict[str, Content] = {}
        for name in _names():
            columns = old.columns(name)
            if new.columns(name) != columns:
                raise CopyRefused(f"{name}: the two have different columns")
            put = _putter(new, name, columns)

            def seen(rows: list[Row], put: Callable[[list[Row]], None] = put) -> None:
                put(rows)
                progress(len(rows))

            should[name] = old.content(name, seen=seen)
            _continue_numbers(new, name, _last_number(old, name))
        _no_broken_references(new)
        differences = different(should, _contents(new))
        if differences:
            raise CopyRefused("the copy differs from the source: " + "; ".join(differences))
        with snapshot(source) as now:
            changed = different(should, _contents(now))
        if changed:
            raise CopyRefused(
                "the source changed while it was copied: stop the server, so that nothing is left behind, and run "
                "this again (" + "; ".join(changed) + ")"
            )
    return Copied(should)


def _names() -> list[str]:
    return [str(model._meta.table_name) for model in TABLES]


def _contents(moment: Snapshot) -> dict[str, Content]:
    return {name: moment.content(name) for name in _names()}


def _must_be_current(moment: Snapshot, which: str) -> None:
    if moment.migrations() != migrate.names():
        raise CopyRefused(
            f"the {which} is not of this version's schema: bring it there with scripts/migrate.py"
        )


@contextmanager
def _writing(url: str) -> Iterator[Snapshot]:
    """A database in one transaction that keeps others from writing, and that is undone when anything fails."""
    with connected(url) as connection:
        postgres = is_postgres(url)
        with driver_failures_as_problems():
            if postgres:
                connection.set_session(autocommit=False)
                with closing(connection.cursor()) as cursor:
                    tables = ", ".join(map(quoted, _names()))
                    cursor.execute("SET LOCAL lock_timeout = '10s'")
                    # A target that was never migrated has nothing to lock, and is refused in words.
                    cursor.execute("SELECT to_regclass(%s)", (quoted(_names()[-1]),))
                    if cursor.fetchone()[0]:
                        cursor.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")
            else:
                connection.execute("BEGIN IMMEDIATE")
        try:
            yield Snapshot(connection, postgres)
            with driver_failures_as_problems():
                connection.commit()
        except BaseException:
            if postgres or connection.in_transaction:
                connection.rollback()
            raise


def _putter(new: Snapshot, table: str, columns: dict[str, str]) -> Callable[[list[Row]], None]:
    """What puts raw rows of a source into a table of the target."""
    kinds = list(columns.values())
    names = ", ".join(map(quoted, columns))

    def values(row: Row) -> Iterator[Any]:
        for kind, value in zip(kinds, row, strict=True):
            yield None if value is None else _READ.get(kind, _as_it_is)(value)

    def copy(rows: list[Row]) -> None:
        lines = StringIO("".join("\t".join(map(_field, values(row))) + "\n" for row in rows))
        with driver_failures_as_problems(), closing(new.connection.cursor()) as cursor, blocking():
            cursor.copy_expert(f"COPY {quoted(table)} ({names}) FROM STDIN", lines)

    def insert(rows: list[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        with driver_failures_as_problems():
            new.connection.executemany(
                f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})",
                [tuple(values(row)) for row in rows],
            )

    def put(rows: list[Row]) -> None:
        try:
            (copy if new.postgres else insert)(rows)
        except (pw.DataError, pw.IntegrityError) as error:
            why = str(error).splitlines()[0]
            raise CopyRefused(f"{table}: the target does not take a value of the source: {why}") from None

    return put


def _field(value: Any) -> str:
    """A value in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    # repr: no digit of a float is lost.
    return repr(value) if isinstance(value, (int, float)) else str(value).translate(_ESCAPED)


def _last_number(old: Snapshot, table: str) -> int:
    """The highest number that a row ever had; numbers of deleted rows are not given again."""
    if old.postgres:
        sequence = old.all("SELECT pg_get_serial_sequence(%s, 'id')", (quoted(table),))[0][0]
        last, used = old.all(f"SELECT last_value, is_called FROM {sequence}")[0]
        return int(last) if used else 0
    found = old.all("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
    return int(found[0][0]) if found else 0


def _continue_numbers(new: Snapshot, table: str, last: int) -> None:
    """Lets new rows be numbered after `last`."""
    if last == 0:
        return
    if new.postgres:
        new.all("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", (quoted(table), last))
        return
    with driver_failures_as_problems():
        changed = new.connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table))
        if changed.rowcount == 0:
            new.connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))


def _no_broken_references(new: Snapshot) -> None:
    """SQLite's foreign keys are off in a connection that does not ask for them; PostgreSQL has looked by itself."""
    broken = [] if new.postgres else new.all("PRAGMA foreign_key_check")
    if broken:
        tables = sorted({f"{row[0]} → {row[2]}" for row in broken})
        raise CopyRefused(f"rows of the source point to nothing: {', '.join(tables)}")


def _as_it_is(value: Any) -> Any:
    return value


# How a raw value of either database becomes one that both take.
_READ: dict[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "number": float,
    "integer": int,
    "moment": moment_text,
    "day": str,
    "text": str,
    "json": str,
}
