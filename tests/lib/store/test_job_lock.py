"""The lock of jobs: real processes that want it at once, and what is left of it when one is killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lib.problems import Problem
from lib.store import job_lock
from lib.store.database import DatabaseStore
from lib.store.migrate import plain_database
from tests.scripts.job_runs import wait_until_free

ROOT = Path(__file__).resolve().parents[3]
# Says what became of its wish, and holds the lock until its input is closed.
HOLDER = """
import sys
from lib.problems import Problem
from lib.store import job_lock
try:
    with job_lock.held(*sys.argv[1:]):
        print("held", flush=True)
        sys.stdin.read()
except Problem as problem:
    print(problem.kind, flush=True)
"""


@contextmanager
def another_process(url: str, job: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that wants the lock, and what it said: `held` or `job-running`."""
    command = [sys.executable, "-c", HOLDER, url, job]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def refusal(url: str, job: str) -> Problem | None:
    """The problem of somebody who wants the lock now, or None."""
    try:
        with job_lock.held(url, job):
            return None
    except Problem as problem:
        return problem


def test_of_two_processes_one_works_and_the_other_is_told(database_url: str) -> None:
    with another_process(database_url, "prune") as (first, said):
        assert said == "held"
        with another_process(database_url, "prune") as (_, second_said):
            assert second_said == "job-running"
        refused = refusal(database_url, "prune")
        assert refused is not None
        assert (refused.status, refused.kind) == (409, "job-running")
        assert int(refused.headers["Retry-After"]) > 0
        assert "prune" in refused.detail
        assert refusal(database_url, "process-backlog") is None  # another job is not in the way
        assert first.stdin is not None
        first.stdin.close()
        first.wait()
        assert refusal(database_url, "prune") is None


def test_a_process_that_is_killed_leaves_no_lock(database_url: str) -> None:
    with another_process(database_url, "prune") as (process, said):
        assert said == "held"
        process.kill()
        process.wait()
        wait_until_free(database_url, "prune")
        assert refusal(database_url, "prune") is None


def test_two_threads_of_one_server_are_kept_apart(database_url: str) -> None:
    found: list[Problem | None] = []
    with job_lock.held(database_url, "prune"):
        thread = threading.Thread(target=lambda: found.append(refusal(database_url, "prune")))
        thread.start()
        thread.join()
    assert found[0] is not None
    assert refusal(database_url, "prune") is None


def test_what_fails_under_the_lock_gives_it_back(database_url: str) -> None:
    with pytest.raises(ZeroDivisionError), job_lock.held(database_url, "prune"):
        _ = 1 / 0
    assert refusal(database_url, "prune") is None


def test_the_database_goes_on_while_a_job_runs(store: DatabaseStore) -> None:
    with job_lock.held(store.url, "prune") as lock:
        store.create_user("ito", "ito@field.example", "d" * 64, "prefix", ["write"])
        lock.check()
    assert [user.username for user in store.users()] == ["ito"]


def test_another_database_has_locks_of_its_own(
    sqlite_url: str, postgres_url: str, empty_postgres_url: str, tmp_path: Path
) -> None:
    with job_lock.held(sqlite_url, "prune"), job_lock.held(postgres_url, "prune"):
        assert refusal(empty_postgres_url, "prune") is None
        assert refusal(f"sqlite:///{tmp_path}/other.db", "prune") is None


def test_one_sqlite_file_has_one_lock_by_whatever_name(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    with job_lock.held(sqlite_url, "prune"):
        assert refusal(f"sqlite:///{tmp_path}/elsewhere/weeds.db", "prune") is not None


def test_a_lock_that_another_user_made_can_be_held(sqlite_url: str, tmp_path: Path) -> None:
    """As root may have run the first job by hand: the file cannot be written to, but locked."""
    with job_lock.held(sqlite_url, "prune"):
        pass
    (place,) = tmp_path.glob("*.lock")
    place.chmod(0o444)
    assert refusal(sqlite_url, "prune") is None
    assert place.stat().st_size == 0


def test_where_no_lock_can_be_made_it_says_so(tmp_path: Path) -> None:
    refused = refusal(f"sqlite:///{tmp_path}/no/such/folder/weeds.db", "prune")
    assert refused is not None
    assert (refused.status, refused.kind) == (503, "database-unavailable")


def test_a_database_that_does_not_answer_is_503(postgres_server: str) -> None:
    refused = refusal(postgres_server.format("nothing"), "prune")
    assert refused is not None
    assert refused.status == 503


def test_a_lock_that_is_lost_is_noticed_before_the_next_step(postgres_url: str) -> None:
    with job_lock.held(postgres_url, "prune") as lock:
        lock.check()
        database = plain_database(postgres_url)
        database.connect()
        database.execute_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
            (job_lock._SPACE,),
        ).fetchall()
        database.close()
        with pytest.raises(Problem) as lost:
            lock.check()
        assert lost.value.status == 503
        assert refusal(postgres_url, "prune") is None


def test_the_lock_s_transaction_is_not_ended_for_being_idle(postgres_url: str) -> None:
    """The limits of a server that ends forgotten transactions would end the lock of a run of an hour."""
    administrator = plain_database(postgres_url)
    administrator.connect()
    (name,) = administrator.execute_sql("SELECT current_database()").fetchone()
    limits = ("idle_in_transaction_session_timeout", "transaction_timeout")
    for limit in limits:
        administrator.execute_sql(f"ALTER DATABASE {name} SET {limit} = '60s'")
    with job_lock.held(postgres_url, "prune") as lock:
        assert isinstance(lock, job_lock._TransactionLock)
        assert [lock._database.execute_sql(f"SHOW {limit}").fetchone() for limit in limits] == [
            ("0",),
            ("0",),
        ]
        (held_up,) = administrator.execute_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            " AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND datname = %s",
            (name,),
        ).fetchone()
        assert held_up == 0  # VACUUM may clear away what went while the job runs
    administrator.close()
