"""How long the work on one request may take, and that nothing of it outlives the request."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator

import peewee as pw
import pytest

from lib import asking, deadlines
from lib.problems import Problem
from lib.store import connection
from lib.store.database import DatabaseStore


@pytest.fixture(autouse=True)
def afterwards() -> Iterator[None]:
    yield
    deadlines.end()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("lib.deadlines.time.monotonic", lambda: now[0])
    return now


def took_too_long(call: Callable[[], object]) -> None:
    with pytest.raises(Problem) as refused:
        call()
    assert (refused.value.status, refused.value.kind) == (503, "took-too-long")
    assert refused.value.headers["Retry-After"]


def test_outside_of_requests_there_is_time() -> None:
    assert deadlines.left() == math.inf
    deadlines.check()


def test_time_runs_out(clock: list[float]) -> None:
    deadlines.begin(5)
    assert deadlines.left() == 5
    deadlines.check()
    clock[0] += 5
    took_too_long(deadlines.check)
    deadlines.end()
    deadlines.check()


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_jumps_spoils_at_most_the_request_at_hand(clock: list[float], jump: float) -> None:
    deadlines.begin(5)
    clock[0] += jump
    deadlines.begin(5)
    assert deadlines.left() == 5


def test_each_thread_has_its_own(clock: list[float]) -> None:
    deadlines.begin(0)
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(deadlines.left()))
    thread.start()
    thread.join()
    assert found == [math.inf]


def test_no_query_begins_after_the_end(store: DatabaseStore) -> None:
    deadlines.begin(0)
    took_too_long(store.ping)
    deadlines.end()
    store.ping()


def test_a_transaction_that_ran_out_of_time_leaves_nothing(store: DatabaseStore) -> None:
    def work() -> None:
        with store.db.transaction():
            store.create_user("a", "a@b.example", "d" * 64, "p", ["read"])
            deadlines.begin(0)
            store.users()

    took_too_long(work)
    deadlines.end()
    assert store.users() == []


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n"


def test_a_query_does_not_go_on_after_the_end(store: DatabaseStore) -> None:
    """Without a bound this one never ends, on SQLite; on PostgreSQL after its fifteen seconds."""
    deadlines.begin(0.05)
    took_too_long(lambda: store.db.fetch(pw.SQL(ENDLESS)))
    deadlines.end()
    store.ping()


def test_the_next_request_on_postgres_has_its_whole_time_again(postgres_url: str) -> None:
    store = DatabaseStore(postgres_url)

    def shown() -> object:
        row = store.db.first(pw.SQL("SHOW statement_timeout"))
        assert row is not None
        return row[0]

    with store.connection():
        deadlines.begin(7)
        found = shown()
        assert isinstance(found, str)
        assert found.endswith("ms")
        assert int(found.removesuffix("ms")) <= 7000
    deadlines.begin(connection.STATEMENT_SECONDS + 60)
    assert shown() == f"{connection.STATEMENT_SECONDS}s"
    store.close()


def test_sqlite_itself_is_stopped(sqlite_url: str) -> None:
    store = DatabaseStore(sqlite_url)
    deadlines.begin(0.05)
    with store.connection(), pytest.raises(pw.OperationalError) as stopped:
        store.db.database.execute_sql(ENDLESS).fetchall()
    assert "interrupted" in str(stopped.value)
    store.close()


def test_near_the_end_of_an_upload_the_model_is_not_asked(clock: list[float]) -> None:
    """A photo is kept either way; what is left of the time is for those behind it."""
    deadlines.begin(60)
    clock[0] += 60 - asking.TO_FINISH + 1
    # Neither a store nor a model is touched: there is none.
    answer = asking.ask(None, None, asking.Question(1, "a path", "a name"))  # type: ignore[arg-type]
    assert answer.problem is not None
    assert (answer.problem.kind, answer.problem.detail) == ("not-yet-classified", asking.LATER)
