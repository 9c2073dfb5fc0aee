"""Compares a migrated database with the models: what differs, one line each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peewee as pw

from lib.store.connection import as_problems, is_postgres
from lib.store.fields import SQLITE_TYPES
from lib.store.migrate import HISTORY, plain_database
from lib.store.models import TABLES

# Tables of the machinery, which no model describes.
_OURS = {HISTORY, "sqlite_sequence"}


@dataclass(frozen=True)
class Description:
    """One table, as lines that can be compared: kind and name → what it is."""

    parts: Mapping[str, str]


def check(url: str) -> list[str]:
    """Every difference between the database and the models, sorted; empty when there is none.

    The models are built in a scratch place of the same kind of database, and both are described by the
    same code: types, lengths, nulls, keys, defaults, indexes, uniques, foreign keys and CHECKs.
    """
    database = plain_database(url)
    with as_problems():
        database.connect()
        try:
            actual = describe(database)
            with _scratch(url, database) as scratch:
                wanted = describe(scratch)
        finally:
            database.close()
    return sorted(_differences(wanted, actual))


def _differences(wanted: Mapping[str, Description], actual: Mapping[str, Description]) -> Iterator[str]:
    for table in wanted.keys() | actual.keys():
        if table not in actual:
            yield f"{table}: table is missing"
        elif table not in wanted:
            yield f"{table}: table is not in the models"
        else:
            should, has = wanted[table].parts, actual[table].parts
            for part in should.keys() | has.keys():
                if part not in has:
                    yield f"{table}: {part} is missing, should be {should[part]}"
                elif part not in should:
                    yield f"{table}: {part} is not in the models: {has[part]}"
                elif should[part] != has[part]:
                    yield f"{table}: {part} is {has[part]}, should be {should[part]}"


@contextmanager
def _scratch(url: str, database: Any) -> Iterator[Any]:
    """The models' tables where they disturb nobody: in memory, or in a schema that is rolled back."""
    if not is_postgres(url):
        memory = pw.SqliteDatabase(":memory:", field_types=SQLITE_TYPES)
        memory.connect()
        try:
            _create(memory)
            yield memory
        finally:
            memory.close()
        return
    with database.atomic() as transaction:
        name = f"weed_check_{os.getpid()}"
        database.execute_sql(f"CREATE SCHEMA {name}")
        database.execute_sql(f"SET LOCAL search_path TO {name}")
        try:
            _create(database)
            yield database
        finally:
            transaction.rollback()


def _create(database: Any) -> None:
    for model in TABLES:
        manager = pw.SchemaManager(model, database)
        manager.create_table(safe=False)
        manager.create_indexes(safe=False)


def describe(database: Any) -> dict[str, Description]:
    """What every table of a connected database is made of, in the same words on both engines."""
    checks = _postgres_checks if isinstance(database, pw.PostgresqlDatabase) else _sqlite_checks
    tables: dict[str, Description] = {}
    for table in database.get_tables():
        if table in _OURS:
            continue
        parts: dict[str, str] = {}
        for column in database.get_columns(table):
            # A generated number's default names a sequence, which is called otherwise in another schema.
            default = "generated" if column.identity else column.default
            null = "NULL" if column.null else "NOT NULL"
            key = " PRIMARY KEY" if column.primary_key else ""
            parts[f"column {column.name}"] = f"{column.full_type.upper()} {null}{key} DEFAULT {default}"
        for index in database.get_indexes(table):
            kind = "UNIQUE" if index.unique else "plain"
            partial = re.search(r"\bWHERE\b.*", index.sql or "", re.IGNORECASE | re.DOTALL)
            where = f" {partial[0]}" if partial else ""
            parts[f"index {index.name}"] = f"{kind} ({', '.join(index.columns)}){where}"
        for foreign in database.get_foreign_keys(table):
            target = f"{foreign.dest_table} ({foreign.dest_column}) ON DELETE {foreign.on_delete}"
            parts[f"foreign key {foreign.column}"] = target
        for name, expression in checks(database, table):
            parts[f"check {name}"] = expression
        tables[table] = Description(parts)
    return tables


def _postgres_checks(database: Any, table: str) -> list[tuple[str, str]]:
    query = (
        "SELECT c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE c.contype = 'c' AND t.relname = %s AND n.nspname = current_schema()"
    )
    return list(database.execute_sql(query, (table,)).fetchall())


def _sqlite_checks(database: Any, table: str) -> list[tuple[str, str]]:
    """The CHECKs in the statement that made the table: SQLite keeps them nowhere else."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    sql = " ".join(database.execute_sql(query, (table,)).fetchone()[0].split())
    found = []
    for match in re.finditer(r'(?:CONSTRAINT "?(\w+)"? )?CHECK ?\(', sql):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            end += 1
        found.append((match[1] or "without a name", sql[match.end() : end - 1].strip()))
    autoincrement = re.search(r"\bAUTOINCREMENT\b", sql)
    return [*found, ("of numbers used once", "AUTOINCREMENT")] if autoincrement else found
