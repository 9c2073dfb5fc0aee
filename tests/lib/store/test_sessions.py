"""Sessions of a user: made, changed, deleted with all below them, and invisible to everybody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.models import (
    AnalysisSessions,
    DiversityMetrics,
    ImageData,
    PooledMetrics,
    PredictionResults,
    ProcessingResults,
)
from lib.store.records import DayRow, NewPhoto, Prediction, ProcessingRow, Session, Surveyed


def test_it_makes_a_session(rows: UserStore, moment: datetime) -> None:
    made = rows.create_session(
        "北の畑",
        timezone="Asia/Tokyo",
        description="Daikon, no tillage",
        start_date=date(2025, 5, 1),
        end_date=date(2025, 10, 31),
        latitude=43.06,
        longitude=141.35,
        created_at=moment,
    )
    assert made == Session(
        id=made.id,
        user_id=rows.user_id,
        session_name="北の畑",
        description="Daikon, no tillage",
        start_date=date(2025, 5, 1),
        end_date=date(2025, 10, 31),
        timezone="Asia/Tokyo",
        latitude=43.06,
        longitude=141.35,
        created_at=moment,
        photos=0,
    )
    assert rows.session(made.id) == made


@pytest.mark.parametrize("region", [None, "none", "hokkaido", ("Stellaria media", "Bellis perennis")])
def test_it_keeps_the_list_of_a_sessions_region(
    rows: UserStore, region: str | tuple[str, ...] | None
) -> None:
    made = rows.create_session("x", timezone="UTC", region_species=region)
    assert made.region_species == region
    assert [each.region_species for each in rows.sessions()] == [region]
    assert rows.update_session(made.id, description="wet").region_species == region
    assert rows.update_session(made.id, region_species=None).region_species is None
    assert rows.update_session(made.id, region_species=region) == rows.session(made.id)


def test_it_keeps_each_name_of_a_list_once_in_its_order(rows: UserStore) -> None:
    named = ["Stellaria  media", "Bellis perennis", " Stellaria media "]
    made = rows.create_session("x", timezone="UTC", region_species=named)
    assert made.region_species == ("Stellaria media", "Bellis perennis")


def test_a_list_that_is_no_longer_shipped_holds_up_no_other_change(
    rows: UserStore, store: DatabaseStore
) -> None:
    made = rows.create_session("x", timezone="UTC", region_species="hokkaido")
    store.db.run(AnalysisSessions.update(region_species={"list": "atlantis"}))
    assert rows.session(made.id).region_species == "atlantis"
    changed = rows.update_session(made.id, description="wet")
    assert (changed.description, changed.region_species) == ("wet", "atlantis")
    with pytest.raises(Problem):
        rows.update_session(made.id, region_species="atlantis")


def test_it_lists_the_newest_first_with_their_photos(
    rows: UserStore, moment: datetime, new_photo: Callable[..., NewPhoto]
) -> None:
    assert rows.newest_session() is None
    assert rows.sessions() == []
    older = rows.create_session("older", timezone="UTC", created_at=moment)
    newer = rows.create_session("newer", timezone="UTC", created_at=moment + timedelta(hours=1))
    for _ in range(2):
        rows.add_photo(new_photo(older.id))
    assert [(each.session_name, each.photos) for each in rows.sessions()] == [("newer", 0), ("older", 2)]
    newest = rows.newest_session()
    assert newest is not None
    assert newest.id == newer.id


def test_it_makes_one_first_session_for_two_first_uploads(rows: UserStore, store: DatabaseStore) -> None:
    made: list[int] = []
    start = threading.Barrier(2)

    def upload() -> None:
        start.wait()
        made.append(store.for_user(rows.user_id).default_session("Asia/Tokyo").id)

    threads = [threading.Thread(target=upload) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert rows.default_session("UTC").timezone == "Asia/Tokyo"
    assert len(rows.sessions()) == 1


def test_it_changes_only_what_is_named(rows: UserStore, session: Session) -> None:
    changed = rows.update_session(session.id, description="wet", timezone="UTC", end_date=date(2025, 9, 1))
    assert (changed.description, changed.timezone, changed.end_date) == ("wet", "UTC", date(2025, 9, 1))
    assert changed.session_name == session.session_name
    assert rows.update_session(session.id) == changed
    assert rows.update_session(session.id, end_date=None).end_date is None


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"session_name": " "}, ["session_name"]),
        ({"timezone": "Hokkaido"}, ["timezone"]),
        ({"timezone": "../etc/passwd"}, ["timezone"]),
        ({"latitude": 90.1, "longitude": 0.0}, ["latitude"]),
        ({"latitude": 0.0, "longitude": -181.0}, ["longitude"]),
        ({"latitude": float("nan"), "longitude": 0.0}, ["latitude"]),
        ({"latitude": 43.0, "longitude": None}, ["longitude"]),
        ({"latitude": None, "longitude": 141.0}, ["latitude"]),
        ({"start_date": date(2025, 9, 2), "end_date": date(2025, 9, 1)}, ["end_date"]),
        ({"session_name": "", "latitude": 91.0, "longitude": 0.0}, ["session_name", "latitude"]),
        ({"region_species": "atlantis"}, ["region_species"]),
        ({"region_species": ""}, ["region_species"]),
        ({"region_species": "../regions/hokkaido"}, ["region_species"]),
        ({"region_species": []}, ["region_species"]),
        ({"region_species": ["Stellaria media"] * 5001}, ["region_species"]),
        (
            {"region_species": ["Stellaria media", "weeds", "<b> x"]},
            ["region_species[1]", "region_species[2]"],
        ),
        ({"region_species": ["nul \x00"], "timezone": "X"}, ["timezone", "region_species[0]"]),
    ],
)
def test_it_refuses_what_no_session_can_be(
    rows: UserStore, session: Session, changes: dict[str, Any], fields: list[str]
) -> None:
    for call in (
        lambda: rows.update_session(session.id, **changes),
        lambda: rows.create_session(**{"session_name": "x", "timezone": "UTC"} | changes),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 422
        assert [error["field"] for error in refused.value.errors] == fields
    assert rows.sessions() == [session]


def test_it_refuses_to_change_other_columns(rows: UserStore, session: Session) -> None:
    with pytest.raises(Problem) as refused:
        rows.update_session(session.id, user_id=99)
    assert [error["field"] for error in refused.value.errors] == ["user_id"]
    assert rows.session(session.id) == session


@pytest.mark.parametrize("number", [0, -1, 12345, 2**31, 2**63, 10**30])
def test_it_answers_404_for_sessions_that_do_not_exist(rows: UserStore, number: int) -> None:
    for call in (
        lambda: rows.session(number),
        lambda: rows.update_session(number, description="x"),
        lambda: rows.delete_session(number),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 404
    assert rows.days(number) == []
    assert rows.photos(number) == ([], None)


def test_it_never_shows_another_users_session(
    rows: UserStore, other_rows: UserStore, session: Session
) -> None:
    assert other_rows.sessions() == []
    assert other_rows.newest_session() is None
    for call in (
        lambda: other_rows.session(session.id),
        lambda: other_rows.update_session(session.id, description="mine now"),
        lambda: other_rows.delete_session(session.id),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 404
    assert rows.session(session.id) == session


def test_it_deletes_a_session_with_all_below_it_and_nothing_else(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    kept = rows.create_session("South field", timezone="Asia/Tokyo")
    next_day = day + timedelta(days=1)
    for each, when in ((session, day), (session, next_day), (kept, day)):
        photo, _ = rows.add_photo(new_photo(each.id, date=when))
        rows.save_prediction(photo.id, prediction(), "Stellaria media", "species")
        rows.save_day(day_row(date=when, session_id=each.id), processing_row(date=when))
    rows.save_day(day_row(total_images=10), processing_row())
    deleted = rows.delete_session(session.id)
    assert deleted.paths == [f"{session.id}/0001.jpg", f"{session.id}/0002.jpg"]
    assert deleted.dates == [day, next_day]
    left = [AnalysisSessions, ImageData, DiversityMetrics, ProcessingResults, PredictionResults]
    for model in left:
        assert len(store.db.fetch(model.select(model.id))) == 1, model
    # One session is left on the day, so its own row speaks for the day again.
    assert store.db.fetch(PooledMetrics.select(PooledMetrics.id)) == []
    assert [row.session_id for row in rows.days()] == [kept.id]


def test_it_gives_no_number_twice(rows: UserStore, session: Session) -> None:
    rows.delete_session(session.id)
    assert rows.create_session("next", timezone="UTC").id > session.id


def test_it_tells_the_first_and_the_last_surveyed_day_of_each_session(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    day: date,
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    rows.create_session("Nothing yet", timezone="Asia/Tokyo")
    other = rows.create_session("South field", timezone="Asia/Tokyo")
    for owner, days in ((session, (3, 0, 40)), (other, (5,))):
        for each in days:
            when = day + timedelta(days=each)
            rows.save_day(day_row(date=when, session_id=owner.id), processing_row(date=when))
    assert rows.surveyed() == {
        session.id: Surveyed(3, day, day + timedelta(days=40)),
        other.id: Surveyed(1, day + timedelta(days=5), day + timedelta(days=5)),
    }
    last = day + timedelta(days=40)
    assert rows.surveyed(day + timedelta(days=6)) == {session.id: Surveyed(1, last, last)}
    assert rows.surveyed(day + timedelta(days=1), day + timedelta(days=5)) == {
        session.id: Surveyed(1, day + timedelta(days=3), day + timedelta(days=3)),
        other.id: Surveyed(1, day + timedelta(days=5), day + timedelta(days=5)),
    }
    assert other_rows.surveyed() == {}
