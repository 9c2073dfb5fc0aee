"""A whole database as one file, and back: SQLite's online backup, or what pg_dump and pg_restore make of it."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lib.problems import Problem
from lib.store.connection import is_postgres, sqlite_path
from lib.store.contents import Snapshot, connected, quoted, snapshot

SQLITE, POSTGRES = "sqlite", "postgresql"
TRANSACTION_TIMEOUT = 17  # the version of PostgreSQL that brought this setting
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
# libpq's names of what these two call otherwise; all others are PG and the word in capitals.
_VARIABLES = {"dbname": "PGDATABASE", "application_name": "PGAPPNAME", "connect_timeout": "PGCONNECT_TIMEOUT"}
# Beside a SQLite file of another time these would be played into it.
_BESIDE = ("-wal", "-shm", "-journal")
_ADDRESS = re.compile(r"(postgresql://[^/?]*)(?:/[^?]*)?(\?.*)?")


class DumpFailed(Exception):
    """A database could not be dumped or brought back; the text says why to whoever runs the command."""


@dataclass(frozen=True, slots=True)
class Dump:
    """A database in a file, with the moment that the file holds still open to be read.

    `kind` is `sqlite` or `postgresql`; `tool` is what wrote the file, with its version.
    """

    file: Path
    kind: str
    tool: str
    snapshot: Snapshot


@contextmanager
def dumped(url: str, folder: Path, pg_dump: str | None = None) -> Iterator[Dump]:
    """Dumps a database into a folder while others go on writing to it.

    `pg_dump` is the program to use (default: the one on the path). DumpFailed when it cannot be done; 503 when
    the database does not answer.
    """
    if not is_postgres(url):
        file = folder / "database.sqlite3"
        _copy_sqlite(url, file)
        with snapshot(f"sqlite:///{file}") as moment:
            yield Dump(file, SQLITE, f"SQLite {sqlite3.sqlite_version}", moment)
        return
    file = folder / "database.dump"
    with snapshot(url) as moment:
        tool = _tool("pg_dump", pg_dump)
        server = moment.all("SHOW server_version_num")[0][0]
        if tool.major < int(server) // 10000:
            raise DumpFailed(
                f"{tool.path} is of version {tool.major}, older than the server, which is of version "
                f"{int(server) // 10000}: install a newer one or name it with --pg-dump"
            )
        schema = moment.all("SELECT current_schema()::text")[0][0]
        tables = [f"--table={quoted(schema)}.{quoted(table)}" for table in moment.tables()]
        # The same moment as the snapshot's, so that rows counted in it are the rows of the file.
        exported = moment.all("SELECT pg_export_snapshot()")[0][0]
        options = ["--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=60s"]
        tool.run(url, [*options, f"--snapshot={exported}", f"--file={file}", *tables])
        yield Dump(file, POSTGRES, f"pg_dump {tool.major}", moment)


@contextmanager
def restoring(url: str) -> Iterator[str]:
    """Where to bring a dump so that it becomes the database of `url` when all has gone well, and only then.

    A SQLite file gets its name at the end. PostgreSQL takes a dump in one transaction, straight into its place.
    """
    if is_postgres(url):
        yield url
        return
    path = Path(sqlite_path(url)).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}.restoring")
    files = [working, *_beside(working)]
    for each in files:
        each.unlink(missing_ok=True)  # of a run that was killed
    try:
        yield f"sqlite:///{working}"
        for each in (working, working.parent):
            _sync(each)
        working.rename(path)
        _sync(path.parent)
    finally:
        for each in files:
            each.unlink(missing_ok=True)


def load_dump(file: Path, kind: str, url: str, pg_restore: str | None = None) -> None:
    """Brings a dump into an empty database of its kind, all of it or nothing. DumpFailed when it cannot be done."""
    if kind == SQLITE:
        shutil.copyfile(file, sqlite_path(url))
        return
    tool = _tool("pg_restore", pg_restore)
    name = _parameters(url).get("dbname", "")
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    tool.run(url, [*options, f"--dbname={name}", str(file)])


def kind_of(url: str) -> str:
    """`sqlite` or `postgresql`."""
    return POSTGRES if is_postgres(url) else SQLITE


def check_tool(kind: str, url: str, pg_restore: str | None = None) -> None:
    """DumpFailed when what `load_dump` needs is not on this machine, or does not suit the server of `url`."""
    if kind != POSTGRES:
        return
    tool = _tool("pg_restore", pg_restore)
    with snapshot(url) as moment:
        server = int(moment.all("SHOW server_version_num")[0][0]) // 10000
    if not suits(tool.major, server):
        raise DumpFailed(
            f"{tool.path} is of version {tool.major} and cannot restore into a server of version {server}: take "
            f"one of version {TRANSACTION_TIMEOUT} or newer, or name an older program with --pg-restore"
        )


def suits(pg_restore: int, server: int) -> bool:
    """Whether what a pg_restore of one major version says is understood by a server of another.

    Newer ones begin with SET transaction_timeout whatever the server is, and older servers do not know it.
    """
    return pg_restore < TRANSACTION_TIMEOUT or server >= TRANSACTION_TIMEOUT


def what_is_there(url: str) -> str | None:
    """Why a database is not an empty one, in words; None when it is one, or is a SQLite file not made yet."""
    if not is_postgres(url):
        path = Path(sqlite_path(url))
        left = next((each for each in _beside(path) if each.exists()), None)
        if not path.exists():
            return f"{left} is left of another database: move it away" if left else None
        if path.stat().st_size == 0 and left is None:
            return None
    with snapshot(url) as moment:
        tables = moment.tables()
    if not tables:
        return None
    where = "another file" if not is_postgres(url) else "a database without tables (createdb), not migrated,"
    return f"the database has tables already ({', '.join(tables[:3])} …): name {where} with --database-url"


@contextmanager
def scratch(kind: str, folder: Path, server: str | None) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards: a file in `folder`, or one on the `server` of a URL.

    DumpFailed when the server lets no database be made.
    """
    if kind == SQLITE:
        yield f"sqlite:///{folder / 'restored.sqlite3'}"
        return
    if server is None or not is_postgres(server):
        raise DumpFailed("a backup of PostgreSQL is verified on PostgreSQL: name a server with --verify-url")
    name = f"weed_verify_{datetime.now(UTC):%Y%m%d%H%M%S}_{os.urandom(3).hex()}"
    try:
        _administer(server, f"CREATE DATABASE {name} TEMPLATE template0")
    except Problem:
        raise
    except Exception as error:
        raise DumpFailed(
            f"no temporary database can be made on this server ({str(error).strip()}): name another one, "
            "whose user may make databases, with --verify-url"
        ) from None
    try:
        yield other_database(server, name)
    finally:
        _administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def other_database(url: str, name: str) -> str:
    """The URL of another database of the same PostgreSQL server."""
    found = _ADDRESS.fullmatch(url)
    assert found is not None
    return f"{found[1]}/{name}{found[2] or ''}"


def _administer(url: str, statement: str) -> None:
    with connected(url) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def _copy_sqlite(url: str, file: Path) -> None:
    """In one step: readers and writers of a database in WAL mode do not wait for it, nor it for them.

    A copy in several steps begins again whenever somebody writes, and might never end.
    """
    with connected(url) as source, closing(sqlite3.connect(file, isolation_level=None)) as target:
        try:
            source.backup(target)
            # One file then, without a log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
            damage = target.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise DumpFailed(
                    f"{file.parent} is full: name a folder with room for a copy of the database with TMPDIR"
                ) from None
            raise DumpFailed(f"the database cannot be copied: {error}") from None
    if damage != "ok":
        raise DumpFailed(f"the database is damaged, and a copy of it is no backup: {damage}")


@dataclass(frozen=True, slots=True)
class _Tool:
    path: str
    major: int

    def run(self, url: str, arguments: list[str]) -> None:
        """Runs it against a server; whatever is secret goes through the environment, where no list of
        processes shows it."""
        environ = {name: value for name, value in os.environ.items() if name != "PGSERVICE"}
        parameters = _parameters(url)
        for name, value in parameters.items():
            environ[_VARIABLES.get(name, f"PG{name.replace('_', '').upper()}")] = value
        done = subprocess.run(  # noqa: S603
            [self.path, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            if "password" in parameters:
                said = said.replace(parameters["password"], "…")
            raise DumpFailed(f"{Path(self.path).name}: {said}"[:500])


def _tool(name: str, given: str | None) -> _Tool:
    path = shutil.which(given or name)
    option = f"--{name.replace('_', '-')}"
    if path is None:
        raise DumpFailed(
            f"there is no program {given or name}: install PostgreSQL's client programs or name it with {option}"
        )
    said = subprocess.run([path, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)  # noqa: S603
    found = _VERSION.search(said.stdout)
    if found is None:
        raise DumpFailed(f"{path} is no {name} of PostgreSQL")
    return _Tool(path, int(found[1]))


def _parameters(url: str) -> dict[str, str]:
    """What a connection URL says, by libpq's names."""
    from psycopg2.extensions import parse_dsn

    parameters: dict[str, str] = parse_dsn(url)
    return parameters


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in _BESIDE]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
