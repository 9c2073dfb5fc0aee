"""What a database holds at one moment, table by table: rows, and a digest that both kinds of database share."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import peewee as pw

from lib.problems import unavailable
from lib.store.connection import BUSY_SECONDS, Row, as_problems, is_postgres, sqlite_path
from lib.store.fields import Day, Json, Number, Utc
from lib.store.migrate import HISTORY, History, plain_database
from lib.store.models import TABLES

ROWS_AT_ONCE = 1000
OTHER = "other"  # a column that no model of this version knows
_KINDS: tuple[tuple[type[pw.Field], str], ...] = (
    (Json, "json"),
    (Utc, "moment"),
    (Day, "day"),
    (Number, "number"),
    (pw.BooleanField, "boolean"),
    (pw.IntegerField, "integer"),
    (pw.ForeignKeyField, "integer"),
    (pw.CharField, "text"),
    (pw.TextField, "text"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """A table's number of rows, the SHA-256 of their values, and its columns with the kind of each, in order."""

    rows: int
    digest: str
    columns: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo as its row names it: path, bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


class Snapshot:
    """A database as it was when this was opened, whatever others write meanwhile."""

    def __init__(self, connection: Any, postgres: bool) -> None:
        self.connection = connection
        self.postgres = postgres

    def tables(self) -> list[str]:
        """The tables there are, sorted, without those of the database's own machinery."""
        return sorted(name for (name,) in self.all(_POSTGRES_TABLES if self.postgres else _SQLITE_TABLES))

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table, sorted, each with the kind that it has in the models."""
        if self.postgres:
            found = self.all(_POSTGRES_COLUMNS, (table,))
        else:
            found = self.all("SELECT name FROM pragma_table_info(?)", (table,))
        kinds = _kinds().get(table, {})
        return {name: kinds.get(name, OTHER) for (name,) in sorted(found)}

    def rows(self, table: str, columns: Iterable[str]) -> Iterator[list[Row]]:
        """Raw rows in a fixed order, so many at a time that memory does not grow with the table."""
        names = list(columns)
        order = "id" if "id" in names else ", ".join(map(quoted, names))
        sql = f"SELECT {', '.join(map(quoted, names))} FROM {quoted(table)} ORDER BY {order}"
        # A cursor with a name stays on the server; any other fetches the whole table first.
        cursor = self.connection.cursor("rows") if self.postgres else self.connection.cursor()
        with driver_failures_as_problems(), closing(cursor):
            cursor.execute(sql)
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows

    def content(
        self,
        table: str,
        columns: Mapping[str, str] | None = None,
        seen: Callable[[list[Row]], None] = lambda rows: None,
    ) -> Content:
        """What a table holds; `columns` as an earlier version knew them (default: as the models say).

        Rows are given to `seen` on the way, raw.
        """
        columns = dict(self.columns(table) if columns is None else columns)
        plain = [_PLAIN[kind] for kind in columns.values()]
        digest = hashlib.sha256()
        encode = msgspec.json.Encoder(order="deterministic").encode
        count = 0
        for rows in self.rows(table, columns):
            seen(rows)
            count += len(rows)
            for row in rows:
                values = [
                    None if value is None else make(value) for make, value in zip(plain, row, strict=True)
                ]
                digest.update(encode(values))
                digest.update(b"\n")
        return Content(count, digest.hexdigest(), columns)

    def contents(self) -> dict[str, Content]:
        """What every table holds."""
        return {table: self.content(table) for table in self.tables()}

    def migrations(self) -> list[str]:
        """The names of the migrations that were applied, sorted; 503 for a database without any."""
        if HISTORY not in self.tables():
            raise unavailable("The database has not been migrated.", kind="database-not-migrated")
        return sorted(name for (name,) in self.all(f"SELECT name FROM {HISTORY}"))

    def photos(self) -> Iterator[StoredPhoto]:
        """The photos that rows name, in the order they came."""
        for rows in self.rows("image_data", ("path", "file_size_bytes", "sha256", "id")):
            yield from (StoredPhoto(path, size, sha256) for path, size, sha256, _ in rows)

    def all(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
        """All rows of a query, raw."""
        with driver_failures_as_problems(), closing(self.connection.cursor()) as cursor:
            cursor.execute(sql, parameters)
            rows: list[Row] = cursor.fetchall()
            return rows


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """The database of a URL, read only; 503 when it does not answer or is not there."""
    with connected(url) as connection:
        postgres = is_postgres(url)
        with driver_failures_as_problems():
            if postgres:
                connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
            else:
                connection.execute("BEGIN")
        taken = Snapshot(connection, postgres)
        taken.all(
            "SELECT 1" if postgres else "SELECT 1 FROM sqlite_master"
        )  # the moment is that of the first read
        yield taken


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """The driver's own connection, in no transaction; 503 when the database does not answer or is not there."""
    if is_postgres(url):
        database = plain_database(url)
        with as_problems():
            database.connect()
        try:
            yield database.connection()
        finally:
            database.close()
        return
    path = Path(sqlite_path(url)).absolute()
    with driver_failures_as_problems():
        # rw: opening a database that is not there must not make one.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
    with closing(connection):
        yield connection


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def different(should: Mapping[str, Content], has: Mapping[str, Content]) -> list[str]:
    """One line for every table in which two databases differ, sorted; empty when there is none."""
    lines = []
    for table in sorted(should.keys() | has.keys()):
        if table not in has:
            lines.append(f"{table}: the table is missing")
        elif table not in should:
            lines.append(f"{table}: there should be no such table")
        elif should[table].rows != has[table].rows:
            lines.append(f"{table}: {has[table].rows} rows, should be {should[table].rows}")
        elif should[table].digest != has[table].digest:
            lines.append(f"{table}: its rows hold other values")
    return lines


@contextmanager
def driver_failures_as_problems() -> Iterator[None]:
    """What the drivers raise by themselves, as Peewee would wrap it and the store would report it."""
    with as_problems(), pw.__exception_wrapper__:  # type: ignore[attr-defined]
        yield


def _kinds() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    models: tuple[Any, ...] = (*TABLES, History)
    for model in models:
        found[model._meta.table_name] = {
            field.column_name: next((kind for cls, kind in _KINDS if isinstance(field, cls)), OTHER)
            for field in model._meta.sorted_fields
        }
    return found


def _number(value: Any) -> float | str:
    """One and 1.0 are the same in JSON and in one of the databases; so are 0.0 and -0.0."""
    try:
        number = float(value)
    except OverflowError:
        return str(value)
    # Whole numbers beyond what a float can tell apart stay what they are.
    return str(value) if isinstance(value, int) and int(number) != value else number + 0.0


def _json(text: str) -> Any:
    """One of the databases keeps neither the order of keys nor how numbers were written."""
    return json.loads(
        text, parse_int=lambda digits: _number(int(digits)), parse_float=lambda text: _number(float(text))
    )


def moment_text(value: Any) -> str | None:
    """A raw moment of either database as UTC text of one width."""
    moment = Utc()
    return moment.db_value(moment.python_value(value))


def _other(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _day(value: date | str) -> str:
    return str(value)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "json": _json,
    "moment": moment_text,
    "day": _day,
    "number": _number,
    "boolean": bool,
    "integer": int,
    "text": str,
    OTHER: _other,
}
_SQLITE_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
_POSTGRES_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
_POSTGRES_COLUMNS = (
    "SELECT column_name::text FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = %s"
)
