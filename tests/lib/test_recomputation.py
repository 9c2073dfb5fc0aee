"""Many days brought in step: what is counted, what stands still, what fails, where a run stops and goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from lib import analysis, recomputation
from lib.problems import Problem, unavailable
from lib.recomputation import FailedDay, Recomputation, recompute
from lib.store.database import DatabaseStore, UserStore
from lib.store.models import DiversityMetrics, ImageData, PooledMetrics
from lib.store.records import NewPhoto, Photo, Prediction, Session

DAY = date(2025, 8, 24)
Add = Callable[..., Photo]


@pytest.fixture
def add(
    rows: UserStore, new_photo: Callable[..., NewPhoto], prediction: Callable[..., Prediction]
) -> Callable[..., Photo]:
    """Adds a classified photo so many days after the first day, without an analysis of the day."""

    def one(session: Session, days: int = 0) -> Photo:
        new = new_photo(session.id, date=DAY + timedelta(days))
        photo, _ = rows.add_photo(
            NewPhoto(**{**_values(new), "fingerprint": Random(new.sha256).randbytes(32).hex()})
        )
        return rows.save_prediction(photo.id, prediction(), "Stellaria media", "species")

    return one


def _values(new: NewPhoto) -> dict[str, Any]:
    return {name: getattr(new, name) for name in NewPhoto.__dataclass_fields__}


def run(mine: UserStore, *period: Any, **options: Any) -> tuple[Recomputation, date | None]:
    done = Recomputation()
    return done, recompute(mine, done, *period, **options)


def test_it_computes_what_changed_and_only_that(rows: UserStore, session: Session, add: Add) -> None:
    for days in range(3):
        add(session, days)
    assert run(rows) == (Recomputation(days=3, computed=3), None)
    before = rows.days()
    assert run(rows) == (Recomputation(days=3, unchanged=3), None)
    assert rows.days() == before
    add(session, 1)
    assert run(rows)[0] == Recomputation(days=3, computed=1, unchanged=2)
    assert [row.total_images for row in rows.days()] == [1, 2, 1]


def test_another_way_of_computing_renews_every_day(
    rows: UserStore, session: Session, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the job is for: after an update the same photos give other rows."""
    add(session)
    run(rows)
    monkeypatch.setattr(analysis, "ANALYSIS_VERSION", "tomorrow")
    assert run(rows)[0].computed == 1
    assert run(rows)[0].unchanged == 1


def test_it_keeps_to_the_period_and_the_session(
    rows: UserStore, other_rows: UserStore, session: Session, add: Add
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    for days in range(3):
        add(session, days)
    add(south, 1)
    assert run(rows, south.id)[0].days == 1
    assert run(rows, None, DAY + timedelta(1), DAY + timedelta(1))[0] == Recomputation(
        days=2, computed=1, unchanged=1
    )
    assert run(rows, None, DAY + timedelta(2))[0].days == 1
    assert run(other_rows) == (Recomputation(), None)
    with pytest.raises(Problem) as unknown:
        run(other_rows, session.id)
    assert unknown.value.status == 404


def test_a_day_whose_photos_are_gone_goes(
    store: DatabaseStore, rows: UserStore, session: Session, add: Add
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    add(session)
    lost = add(south)
    run(rows)
    assert rows.day(DAY).session_id is None  # type: ignore[union-attr]
    # By a hand that does not know what hangs together.
    store.db.run(ImageData.delete().where(ImageData.id == lost.id))
    assert run(rows)[0] == Recomputation(days=2, unchanged=1, removed=1)
    assert rows.day(DAY, south.id) is None
    assert rows.day(DAY).session_id == session.id  # type: ignore[union-attr]
    store.db.run(ImageData.delete())
    store.db.run(DiversityMetrics.delete())
    assert run(rows)[0] == Recomputation()


def test_a_pooled_row_without_its_sessions_goes(
    store: DatabaseStore, rows: UserStore, session: Session, add: Add
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    add(session)
    add(south)
    run(rows)
    store.db.run(ImageData.delete())
    store.db.run(DiversityMetrics.delete())
    assert rows.day(DAY) is not None
    run(rows)
    assert store.db.fetch(PooledMetrics.select(PooledMetrics.id)) == []


def test_a_day_that_fails_is_counted_and_the_others_go_on(
    rows: UserStore,
    session: Session,
    add: Add,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for days in range(3):
        add(session, days)
    bad = DAY + timedelta(1)
    analyse = analysis.analyse_day

    def failing(day: date, *rest: Any) -> Any:
        if day == bad:
            raise ZeroDivisionError("nobody foresaw this")
        return analyse(day, *rest)

    with monkeypatch.context() as broken:
        broken.setattr(analysis, "analyse_day", failing)
        done, following = run(rows)
    assert (done.days, done.computed, following) == (3, 2, None)
    assert done.failures == [FailedDay(session.id, bad)]
    assert "nobody foresaw this" in caplog.text
    assert [row.date for row in rows.days()] == [DAY, DAY + timedelta(2)]
    assert run(rows)[0] == Recomputation(days=3, computed=1, unchanged=2)  # and the next run mends it


def test_a_session_that_is_deleted_meanwhile_is_passed_over(
    rows: UserStore, session: Session, add: Add
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    add(session)
    add(south, 1)

    def deleted() -> bool:
        if any(each.id == south.id for each in rows.sessions()):
            rows.delete_session(south.id)
        return False

    assert run(rows, stopped=deleted) == (Recomputation(days=1, computed=1), None)


def test_a_database_that_goes_away_ends_the_run_and_what_was_done_stays(
    rows: UserStore, session: Session, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in range(2):
        add(session, days)
    recompute_day = analysis.recompute

    def away(store: Any, session_id: int, dates: list[date]) -> Any:
        if dates != [DAY]:
            raise unavailable("The database does not answer.")
        return recompute_day(store, session_id, dates)

    monkeypatch.setattr(analysis, "recompute", away)
    done = Recomputation()
    with pytest.raises(Problem):
        recompute(rows, done)
    assert done == Recomputation(days=1, computed=1)
    assert [row.date for row in rows.days()] == [DAY]


def test_it_stops_between_two_dates_and_goes_on_there(rows: UserStore, session: Session, add: Add) -> None:
    for days in range(3):
        add(session, days)
    seen: list[int] = []
    done, following = run(rows, stopped=lambda: len(seen) == 2, progress=seen.append)
    assert (done.computed, following) == (2, DAY + timedelta(2))
    assert run(rows, None, following) == (Recomputation(days=1, computed=1), None)


def test_between_two_days_others_can_write(
    sqlite_url: str,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SQLite lets nobody in who comes while a day is computed; a run that never paused would keep an upload out."""
    store = DatabaseStore(sqlite_url)
    mine = store.for_user(store.create_user("ito", "ito@field.example", "d" * 64, "p", ["write"]).id)
    session = mine.create_session("North field", timezone="Asia/Tokyo")
    for days in range(2):
        new = new_photo(session.id, date=DAY + timedelta(days), fingerprint="0f" * 32)
        photo, _ = mine.add_photo(new)
        mine.save_prediction(photo.id, prediction(), "Stellaria media", "species")
    writes: list[float] = []

    def write(seconds: float) -> None:
        impatient = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)
        impatient.execute("BEGIN IMMEDIATE")
        impatient.rollback()
        impatient.close()
        writes.append(seconds)

    monkeypatch.setattr(recomputation.time, "sleep", write)
    with store.connection():
        assert run(mine)[0].computed == 2
        assert len(writes) == 2
        assert min(writes) > 0.1  # others look again every tenth of a second
        run(mine)
        assert len(writes) == 2  # days that stand as they are take no time
    store.close()
