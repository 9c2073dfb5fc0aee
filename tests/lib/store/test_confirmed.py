"""Photos that people named: whose they are, in which order they come, and the stamp that tells of every change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lib import analysis
from lib.store import confirmed
from lib.store.database import UserStore
from lib.store.models import DiversityMetrics
from lib.store.records import NewPhoto, Photo, Prediction, SaidSpecies, Session

Named = Callable[..., Photo]


@pytest.fixture
def classified(
    rows: UserStore,
    session: Session,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
) -> Callable[..., Photo]:
    """Adds a photo that a model called chickweed, and analyses its day."""

    def add(**changes: Any) -> Photo:
        photo, _ = rows.add_photo(new_photo(session.id, fingerprint="", **changes))
        photo = rows.save_prediction(photo.id, prediction(), "Stellaria media", "species")
        analysis.recompute(rows, session.id, [photo.date])
        return photo

    return add


def test_only_photos_that_a_person_named_come(
    rows: UserStore, classified: Callable[..., Photo], moment: datetime
) -> None:
    first, second, _ = classified(), classified(), classified()
    rows.confirm_photo(first.id, moment)
    rows.label_photo(second.id, "Rumex obtusifolius", "species", moment)
    found = rows.confirmed()
    assert [(each.id, each.label, each.label_source) for each in found] == [
        (first.id, "Stellaria media", "human"),
        (second.id, "Rumex obtusifolius", "human"),
    ]
    assert found[1].label_history[-1]["label"] == "Stellaria media"
    assert found[0].model_name == "starter 1.0"
    assert list(found[0].predictions) == [SaidSpecies("Stellaria media", 0.9)]
    assert found[0].timestamp == moment
    assert found[0].is_representative is True
    assert found[0].masked is False


def test_every_model_that_looked_has_a_row_in_the_order_of_time(
    rows: UserStore, classified: Callable[..., Photo], prediction: Callable[..., Prediction], moment: datetime
) -> None:
    photo = classified()
    earlier = prediction(model_name="first", timestamp=moment - timedelta(days=1))
    rows.save_prediction(photo.id, earlier, "Rumex", "genus")
    rows.confirm_photo(photo.id, moment)
    rows.save_prediction(photo.id, replace(earlier, model_version="1.0.0"), "Rumex", "genus")
    assert [(each.model_name, each.model_version) for each in rows.confirmed()] == [
        ("first", "1.0.0"),
        ("starter 1.0", None),
    ]


def test_many_photos_are_read_in_pieces_and_none_is_lost(
    rows: UserStore, classified: Callable[..., Photo], moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmed, "PHOTOS_AT_ONCE", 2)
    photos = [classified() for _ in range(5)]
    for photo in photos:
        rows.confirm_photo(photo.id, moment)
    assert [each.id for each in rows.confirmed()] == [photo.id for photo in photos]


def test_a_photo_that_no_model_saw_comes_alone(
    rows: UserStore, session: Session, new_photo: Callable[..., NewPhoto], moment: datetime
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id))
    rows.label_photo(photo.id, "Rumex", "genus", moment)
    (only,) = rows.confirmed()
    assert (only.model_name, only.timestamp, only.processing_time, list(only.predictions)) == (
        None,
        None,
        None,
        [],
    )
    assert (only.label, only.label_level) == ("Rumex", "genus")


def test_it_is_the_owner_s_and_of_one_session_where_that_is_asked(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    classified: Callable[..., Photo],
    moment: datetime,
) -> None:
    rows.confirm_photo(classified().id, moment)
    second = rows.create_session("South field", timezone="Asia/Tokyo")
    assert len(rows.confirmed(session.id)) == 1
    assert rows.confirmed(second.id) == rows.confirmed(2**70) == []
    assert other_rows.confirmed() == other_rows.confirmed(session.id) == []
    assert other_rows.confirmed_stamp() != rows.confirmed_stamp()
    assert rows.confirmed_stamp(session.id) != rows.confirmed_stamp(second.id)


def test_the_stamp_stays_while_nothing_changes_and_waits_with_the_days(
    rows: UserStore, session: Session, classified: Callable[..., Photo], day: date, moment: datetime
) -> None:
    photo = classified()
    before = rows.confirmed_stamp()
    assert before == rows.confirmed_stamp() != None  # noqa: E711
    rows.confirm_photo(photo.id, moment)
    assert rows.confirmed_stamp() is None  # the day has not been analysed yet
    analysis.recompute(rows, session.id, [day])
    assert rows.confirmed_stamp() not in (before, None)


@pytest.mark.parametrize("change", ["relabel", "undo", "predict", "move", "delete", "last", "session"])
def test_every_change_of_what_is_confirmed_has_another_stamp(
    change: str,
    rows: UserStore,
    session: Session,
    classified: Callable[..., Photo],
    prediction: Callable[..., Prediction],
    day: date,
    moment: datetime,
) -> None:
    photo = classified()
    other = classified(date=day + timedelta(days=1))
    for each in (photo, other):
        rows.confirm_photo(each.id, moment)
    days = [day + timedelta(days=number) for number in range(3)]
    analysis.recompute(rows, session.id, days)
    before, content = rows.confirmed_stamp(), rows.confirmed()
    if change == "relabel":
        rows.label_photo(photo.id, "Rumex", "genus", moment)
    elif change == "undo":
        rows.undo_label(photo.id)
    elif change == "predict":
        rows.save_prediction(photo.id, prediction(model_name="second"), "Rumex", "genus")
    elif change == "move":
        rows.move_photo(photo.id, days[2])
    elif change == "delete":
        rows.delete_photo(photo.id)
    elif change == "last":
        rows.delete_photo(other.id)
    else:
        rows.delete_session(session.id)
    if change != "session":
        analysis.recompute(rows, session.id, days)
    assert rows.confirmed_stamp() != before
    assert change == "move" or rows.confirmed() != content


def test_a_day_of_a_fast_clock_hides_no_change_of_another(
    rows: UserStore, session: Session, classified: Callable[..., Photo], day: date, moment: datetime
) -> None:
    """Several machines, or one whose clock was set back."""
    photo, ahead = classified(), classified(date=day + timedelta(days=1))
    for each in (photo, ahead):
        rows.confirm_photo(each.id, moment)
    analysis.recompute(rows, session.id, [day, ahead.date])
    fast = DiversityMetrics.update(computed_at=datetime.now(UTC) + timedelta(hours=1))
    rows.db.run(fast.where(DiversityMetrics.date == ahead.date))
    before = rows.confirmed_stamp()
    rows.label_photo(photo.id, "Rumex", "genus", moment)
    analysis.recompute(rows, session.id, [day])
    assert rows.confirmed_stamp() not in (before, None)


def test_mistakes_are_counted_by_what_people_said_and_the_model_had_said(
    rows: UserStore,
    other_rows: UserStore,
    session: Session,
    classified: Callable[..., Photo],
    prediction: Callable[..., Prediction],
    moment: datetime,
) -> None:
    for _ in range(2):
        rows.label_photo(classified().id, "Rumex obtusifolius", "species", moment)
    rows.label_photo(classified().id, "Cerastium glomeratum", "species", moment)
    rows.label_photo(classified().id, "Cerastium", "genus", moment)
    rows.confirm_photo(classified().id, moment)
    classified()
    twice = classified()
    rows.save_prediction(
        twice.id, replace(prediction(), model_name="other 2.0"), "Stellaria media", "species"
    )
    rows.label_photo(twice.id, "Cerastium glomeratum", "species", moment)
    chickweed = [
        ("Cerastium glomeratum", "Stellaria media", 2),
        ("Rumex obtusifolius", "Stellaria media", 2),
    ]
    assert rows.mistaken(["Stellaria media"]) == chickweed
    assert rows.mistaken(["Stellaria media", "Alsine media"], session.id) == chickweed
    assert rows.mistaken(["Rumex obtusifolius"]) == chickweed[1:]
    assert rows.mistaken(["Zea mays"]) == rows.mistaken([]) == []
    assert (
        rows.mistaken(["Stellaria media"], session.id + 1) == rows.mistaken(["Stellaria media"], 2**70) == []
    )
    assert other_rows.mistaken(["Stellaria media"]) == []
