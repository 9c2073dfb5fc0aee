"""Days of a user: whole rows, one a date, and recomputations that do not cross each other."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest

from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.days import StoredDay
from lib.store.models import DiversityMetrics, ImageData, ProcessingResults
from lib.store.records import DayRow, NewPhoto, Prediction, ProcessingRow, Session

MakeDay = Callable[..., DayRow]
MakeProcessing = Callable[..., ProcessingRow]


def test_saving_again_replaces_the_row_and_keeps_its_predictions(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
    day_row: MakeDay,
    processing_row: MakeProcessing,
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    rows.save_prediction(photo.id, prediction(), "Stellaria media", "species")
    rows.save_day(day_row(session_id=session.id), processing_row())
    changed = day_row(
        session_id=session.id, total_images=6, shannon_diversity=None, species_counts={"Poa annua": 1}
    )
    rows.save_day(changed, processing_row(session_id=session.id, input_images_count=6))
    assert rows.days() == [changed]
    assert rows.processing(day) == processing_row(session_id=session.id, input_images_count=6)
    for model in (DiversityMetrics, ProcessingResults):
        assert len(store.db.fetch(model.select(model.id))) == 1
    assert rows.photo(photo.id).prediction == prediction()


def test_a_pooled_row_speaks_for_a_date_with_several_sessions(
    rows: UserStore, session: Session, day: date, day_row: MakeDay, processing_row: MakeProcessing
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    next_day = day + timedelta(days=1)
    rows.save_day(day_row(session_id=session.id), processing_row(input_images_count=5))
    rows.save_day(day_row(session_id=south.id, total_images=7), processing_row(input_images_count=7))
    rows.save_day(day_row(date=next_day, session_id=south.id), processing_row(date=next_day))
    # Between the two sessions' analyses and the pooled one, one of the rows stands in, always the same.
    assert rows.days() == [day_row(session_id=session.id), day_row(date=next_day, session_id=south.id)]
    pooled = day_row(total_images=12, species_counts={"Stellaria media": 6, "Poa annua": 4})
    rows.save_day(pooled, processing_row(input_images_count=12))
    assert rows.days() == [pooled, day_row(date=next_day, session_id=south.id)]
    assert rows.day(day) == pooled
    assert rows.day(day, south.id) == day_row(session_id=south.id, total_images=7)
    assert rows.days(session.id) == [day_row(session_id=session.id)]
    assert rows.processing(day) == processing_row(input_images_count=12)
    assert rows.processing(day, south.id) == processing_row(session_id=south.id, input_images_count=7)
    assert rows.processing(next_day) == processing_row(date=next_day, session_id=south.id)
    rows.delete_day(day)
    assert rows.day(day) == day_row(session_id=session.id)


def test_a_date_has_a_row_of_each_session(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    day: date,
    day_row: MakeDay,
    processing_row: MakeProcessing,
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    rows.save_day(day_row(session_id=session.id), processing_row())
    rows.save_day(day_row(session_id=south.id, total_images=7), processing_row())
    rows.save_day(day_row(total_images=12), processing_row())
    assert rows.day_by_session(day) == [
        day_row(session_id=south.id, total_images=7),
        day_row(session_id=session.id),
    ]
    assert rows.day_by_session(day + timedelta(days=1)) == []
    assert other_rows.day_by_session(day) == []


def test_a_date_range_holds_for_pooled_days_too(
    rows: UserStore, session: Session, day: date, day_row: MakeDay, processing_row: MakeProcessing
) -> None:
    dates = [day + timedelta(days=number) for number in range(4)]
    for each in reversed(dates):
        rows.save_day(day_row(date=each, session_id=session.id), processing_row(date=each))
    rows.save_day(day_row(date=dates[1], total_images=9), processing_row(date=dates[1]))
    rows.save_day(day_row(date=dates[3], total_images=9), processing_row(date=dates[3]))
    assert [row.date for row in rows.days()] == dates
    assert [row.total_images for row in rows.days(start=dates[1], end=dates[2])] == [9, 5]
    assert rows.days(start=dates[2], end=dates[1]) == []


def test_a_day_that_still_has_photos_keeps_its_row(
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    day_row: MakeDay,
    processing_row: MakeProcessing,
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    rows.save_day(day_row(session_id=session.id), processing_row())
    rows.delete_day(day, session.id)
    assert rows.day(day, session.id) is not None
    rows.delete_photo(photo.id)
    assert rows.day(day, session.id) is None
    rows.delete_day(day, session.id)


def test_nobody_reads_or_writes_another_users_days(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    day: date,
    day_row: MakeDay,
    processing_row: MakeProcessing,
) -> None:
    mine = day_row(session_id=session.id)
    rows.save_day(mine, processing_row())
    assert other_rows.days() == other_rows.days(session.id) == []
    assert other_rows.day(day) is None
    assert other_rows.processing(day, session.id) is None
    assert other_rows.counts() == {"sessions": 0, "photos": 0, "days": 0, "species": 0}
    calls: list[Callable[[], Any]] = [
        lambda: other_rows.save_day(day_row(session_id=session.id, total_images=0), processing_row()),
        lambda: other_rows.delete_day(day, session.id),
        lambda: other_rows.day_transaction(session.id).__enter__(),
    ]
    for call in calls:
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 404
    other_rows.save_day(day_row(total_images=99), processing_row())
    other_rows.delete_day(day)
    assert rows.days() == [mine]


def test_it_counts(
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
    day_row: MakeDay,
    processing_row: MakeProcessing,
) -> None:
    south = rows.create_session("South field", timezone="UTC")
    for place in (session.id, south.id):
        photo, _ = rows.add_photo(new_photo(place))
        rows.save_day(day_row(session_id=place), processing_row())
    other_day = day + timedelta(days=1)
    counts = {"Stellaria media": 1, "Chenopodium album": 1}
    rows.save_day(
        day_row(date=other_day, session_id=south.id, species_counts=counts), processing_row(date=other_day)
    )
    # A day that only holds predictions together is not a day yet.
    photo, _ = rows.add_photo(new_photo(south.id, date=day + timedelta(days=9)))
    rows.save_prediction(photo.id, prediction(), "Galium aparine", "species")
    assert rows.counts() == {"sessions": 2, "photos": 3, "days": 2, "species": 3}


def test_it_lists_the_dates_with_photos(
    rows: UserStore, session: Session, day: date, new_photo: Callable[..., NewPhoto]
) -> None:
    south = rows.create_session("South field", timezone="UTC")
    for place, offset in ((session.id, 2), (session.id, 0), (session.id, 0), (south.id, 1)):
        rows.add_photo(new_photo(place, date=day + timedelta(days=offset)))
    assert rows.dates() == [day, day + timedelta(days=1), day + timedelta(days=2)]
    assert rows.dates(session.id) == [day, day + timedelta(days=2)]
    assert [photo.session_id for photo in rows.day_photos(None, day)] == [session.id, session.id]


def test_a_transaction_that_fails_leaves_the_day_as_it_was(
    rows: UserStore, session: Session, day_row: MakeDay, processing_row: MakeProcessing
) -> None:
    rows.save_day(day_row(session_id=session.id), processing_row())

    def analyse() -> None:
        with rows.day_transaction(session.id):
            rows.save_day(day_row(session_id=session.id, total_images=99), processing_row())
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        analyse()
    assert rows.days() == [day_row(session_id=session.id)]


@pytest.mark.parametrize("pooled", [False, True])
def test_two_recomputations_at_once_end_like_one(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    day_row: MakeDay,
    processing_row: MakeProcessing,
    pooled: bool,
) -> None:
    """The first is inside its transaction when the second begins; it must see what the first wrote."""
    target = None if pooled else session.id
    inside = threading.Event()
    seen: list[int] = []

    def recompute(row_store: UserStore, total: int) -> None:
        with store.connection(), row_store.day_transaction(target):
            stored = row_store.day(day, target)
            seen.append(stored.total_images if stored else 0)
            inside.set()
            row_store.add_photo(new_photo(session.id))
            photos = row_store.day_photos(target, day)
            row_store.save_day(day_row(session_id=target, total_images=total + len(photos)), processing_row())

    def second() -> None:
        inside.wait()
        recompute(store.for_user(rows.user_id), 10)

    thread = threading.Thread(target=second)
    thread.start()
    recompute(rows, 10)
    thread.join()
    assert seen == [0, 11]
    stored = rows.day(day, target)
    assert stored is not None
    assert stored.total_images == 12


class TestStoredDay:
    """A row read from the database is a DayRow in everything but when it decodes."""

    @pytest.fixture
    def stored(
        self, rows: UserStore, session: Session, day_row: MakeDay, processing_row: MakeProcessing
    ) -> DayRow:
        rows.save_day(day_row(session_id=session.id), processing_row())
        (row,) = rows.days()
        assert isinstance(row, StoredDay)
        return row

    @pytest.fixture
    def plain(self, session: Session, day_row: MakeDay) -> DayRow:
        return day_row(session_id=session.id)

    def test_it_equals_the_plain_row_both_ways(self, stored: DayRow, plain: DayRow) -> None:
        assert stored == plain
        assert plain == stored
        assert stored == replace(plain, top_species=tuple(plain.top_species))
        assert stored != replace(plain, total_images=6)
        assert stored != "a day"

    def test_it_is_copied_and_written_like_one(self, stored: DayRow, plain: DayRow) -> None:
        assert replace(stored, total_images=6) == replace(plain, total_images=6)
        assert asdict(stored) == asdict(plain)
        assert repr(stored).startswith("StoredDay(date=datetime.date(2025, 8, 24), session_id=")
        assert pickle.loads(pickle.dumps(stored)) == plain  # noqa: S301
        assert stored.effort == plain.effort

    def test_it_decodes_to_plain_objects_once(self, stored: DayRow) -> None:
        assert type(stored.species_counts) is dict
        assert stored.species_counts is stored.species_counts
        assert type(stored.top_species) is list

    def test_it_has_no_other_attributes_and_cannot_be_changed(self, stored: DayRow) -> None:
        with pytest.raises(AttributeError):
            stored.species_richnes  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(AttributeError):
            stored.total_images = 7  # type: ignore[misc]


def test_only_the_columns_asked_for_are_read(
    rows: UserStore,
    session: Session,
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    saved = day_row(session_id=session.id, shannon_diversity=1.5)
    rows.save_day(saved, processing_row())
    (day,) = rows.days(columns=("shannon_diversity",))
    assert (day.date, day.session_id, day.shannon_diversity) == (saved.date, session.id, 1.5)
    with pytest.raises(AttributeError):
        _ = day.top_species  # a value made up for it would be a wrong number


def test_every_day_on_record_is_listed_with_its_sessions(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    """With photos but no row, with a row but no photos, and of a pooled row alone; nobody else's."""
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    later, last = day + timedelta(1), day + timedelta(2)
    for each in (session, south):
        rows.add_photo(new_photo(each.id))
    rows.save_day(
        day_row(session_id=session.id, date=later), processing_row(session_id=session.id, date=later)
    )
    rows.save_day(day_row(session_id=None, date=last), processing_row(date=last))
    both = sorted([session.id, south.id])
    assert rows.days_on_record() == {day: both, later: [session.id], last: []}
    assert list(rows.days_on_record()) == [day, later, last]
    assert rows.days_on_record(start=later) == {later: [session.id], last: []}
    assert rows.days_on_record(end=day) == {day: both}
    assert rows.days_on_record(south.id) == {day: [south.id]}
    assert other_rows.days_on_record() == {}
    with pytest.raises(Problem) as foreign:
        other_rows.days_on_record(session.id)
    assert foreign.value.status == 404


def test_a_pooled_row_goes_when_it_is_of_fewer_than_two_sessions(
    rows: UserStore,
    session: Session,
    day: date,
    new_photo: Callable[..., NewPhoto],
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    rows.drop_lone_pooled_day(day)  # where there is none, nothing happens
    rows.save_day(day_row(session_id=None), processing_row())
    rows.add_photo(new_photo(session.id))
    photo, _ = rows.add_photo(new_photo(south.id))
    rows.drop_lone_pooled_day(day)
    assert rows.day(day) is not None
    rows.db.run(ImageData.delete().where(ImageData.id == photo.id))
    rows.drop_lone_pooled_day(day)
    assert rows.day(day) is None
