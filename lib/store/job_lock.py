"""One run of a job at a time on one database, whatever processes and machines try: the lock that a run holds."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from lib.problems import Problem, unavailable
from lib.store.connection import as_problems, is_postgres, sqlite_path
from lib.store.migrate import plain_database

RUNNING = "job-running"
RETRY_AFTER = 30  # seconds; the requests that run jobs end within twenty
# "jobs": the first half of the advisory locks' numbers. Migrations use the space of single numbers.
_SPACE = 0x6A6F_6273
# A run may be silent for long, and must not be taken for a client that forgot its transaction; settings that this
# version of the server does not know are passed over. A machine that lost its power is noticed within two minutes.
_SETTINGS = """
    SELECT set_config(name, value, true) FROM (VALUES
        ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'), ('statement_timeout', '10s'),
        ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '15'), ('tcp_keepalives_count', '4')
    ) AS wanted (name, value) JOIN pg_settings USING (name)
"""


class JobLock(Protocol):
    """What a run holds as long as it works."""

    def check(self) -> None:
        """503 when the lock was lost on the way, so that another run may have begun; ask between two steps."""
        ...


@contextmanager
def held(url: str, job: str) -> Iterator[JobLock]:
    """Holds the lock of `job` on the database of `url`, so that two runs of one job never work at the same time.

    409 (`job-running`) at once when another run holds it; 503 when the database cannot be asked. The lock goes with
    the process: however that ends, nothing is left behind that somebody would have to clear away. It does not keep
    anybody from the database: uploads, and runs of other jobs, go on.
    """
    with (_in_postgres if is_postgres(url) else _beside_sqlite)(url, job) as lock:
        yield lock


class _FileLock:
    """The kernel keeps it until the process ends: it cannot get lost."""

    def check(self) -> None:
        return


@contextmanager
def _beside_sqlite(url: str, job: str) -> Iterator[JobLock]:
    """A lock of the operating system on a file beside the database, since one within it would stop all writing.

    The file stays, empty: whoever removed it would let in a run that locks the next file of this name. `flock`
    rather than `lockf`, whose locks are of the process and would not keep two of its threads apart.
    """
    import fcntl

    place = f"{os.path.realpath(sqlite_path(url))}.{job}.lock"
    try:
        # Reading is enough to lock it, also when the file is that of another user.
        handle = os.open(place, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unavailable(
            f"The lock of {job} cannot be made beside the database: {error.strerror}.",
            kind="database-unavailable",
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _running(job) from None
        yield _FileLock()
    finally:
        os.close(handle)


class _TransactionLock:
    """Held by a transaction on a connection of its own, which ends when that connection does."""

    def __init__(self, database: Any, job: str) -> None:
        self._database = database
        self._job = job

    def check(self) -> None:
        # The question also keeps proxies from closing a connection on which nothing happens for long.
        try:
            with as_problems():
                self._database.execute_sql("SELECT 1")
        except Problem:
            raise unavailable(
                f"The database ended the connection that held the lock of {self._job}; run it again to go on.",
                kind="database-unavailable",
            ) from None


@contextmanager
def _in_postgres(url: str, job: str) -> Iterator[JobLock]:
    """An advisory lock of a transaction that stays open, idle, for the whole run.

    Not one of a session: a pooler that deals out connections by transaction (PgBouncer's usual mode) would lend the
    session, and the lock with it, to somebody else. Such a transaction has neither a snapshot nor a number, so that
    it holds up neither VACUUM nor any row. The connection is not of the pool, which a long run would make smaller.
    """
    database = plain_database(url)
    try:
        with as_problems():
            database.connect()
            database.execute_sql("BEGIN")
            database.execute_sql(_SETTINGS).fetchall()
            asked = database.execute_sql("SELECT pg_try_advisory_xact_lock(%s, %s)", (_SPACE, _number(job)))
            (free,) = asked.fetchone()
        if not free:
            raise _running(job)
        yield _TransactionLock(database, job)
    finally:
        # Waits until the lock is free; the server would notice the closed connection a little later.
        with suppress(Exception):
            database.execute_sql("ROLLBACK")
        with suppress(Exception):
            database.close()


def _number(job: str) -> int:
    """The second half of a job's number: 32 bits with a sign, the same in every process."""
    return zlib.crc32(job.encode()) - 2**31


def _running(job: str) -> Problem:
    return Problem(
        409,
        "Already running",
        f"Another run of {job} is at work on this database; this one left it alone.",
        kind=RUNNING,
        headers={"Retry-After": str(RETRY_AFTER)},
    )
