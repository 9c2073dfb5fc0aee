"""People's labels: never overwritten by a model, and undone step by step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import DayRow, NewPhoto, Photo, Prediction, ProcessingRow, Session


@pytest.fixture
def photo(
    rows: UserStore,
    session: Session,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
) -> Photo:
    """A photo that a model called chickweed."""
    added, _ = rows.add_photo(new_photo(session.id))
    return rows.save_prediction(added.id, prediction(), "Stellaria media", "species")


def _label(photo: Photo) -> tuple[str | None, str | None, str | None]:
    return photo.label, photo.label_level, photo.label_source


def test_a_person_labels_and_the_label_before_is_kept(
    rows: UserStore, photo: Photo, moment: datetime
) -> None:
    labelled = rows.label_photo(photo.id, "not_a_plant", "not_a_plant", moment)
    assert _label(labelled) == ("not_a_plant", "not_a_plant", "human")
    assert labelled.label_history == [
        {"label": "Stellaria media", "level": "species", "source": "model", "at": moment.isoformat()}
    ]
    assert labelled.prediction == photo.prediction


def test_the_same_label_twice_is_one_change(rows: UserStore, photo: Photo, moment: datetime) -> None:
    once = rows.label_photo(photo.id, "Poa annua", "species", moment)
    assert rows.label_photo(photo.id, "Poa annua", "species", moment + timedelta(hours=1)) == once


def test_a_model_never_overwrites_a_person(
    rows: UserStore, photo: Photo, moment: datetime, prediction: Callable[..., Prediction]
) -> None:
    rows.label_photo(photo.id, "Poa annua", "species", moment)
    newer = prediction(model_name="large 2.0", timestamp=moment + timedelta(days=1))
    after = rows.save_prediction(photo.id, newer, "Stellaria media", "species")
    assert _label(after) == ("Poa annua", "species", "human")
    assert after.prediction == newer


def test_a_person_may_label_before_any_model_and_undo_it(
    rows: UserStore, session: Session, moment: datetime, new_photo: Callable[..., NewPhoto]
) -> None:
    added, _ = rows.add_photo(new_photo(session.id))
    assert _label(rows.label_photo(added.id, "Poa annua", "species", moment)) == (
        "Poa annua",
        "species",
        "human",
    )
    assert _label(rows.undo_label(added.id)) == (None, None, None)


def test_confirming_makes_the_label_a_persons(rows: UserStore, photo: Photo, moment: datetime) -> None:
    confirmed = rows.confirm_photo(photo.id, moment)
    assert _label(confirmed) == ("Stellaria media", "species", "human")
    assert rows.confirm_photo(photo.id, moment + timedelta(hours=1)) == confirmed
    assert _label(rows.undo_label(photo.id)) == ("Stellaria media", "species", "model")


def test_there_is_nothing_to_confirm_before_a_label(
    rows: UserStore, session: Session, moment: datetime, new_photo: Callable[..., NewPhoto]
) -> None:
    added, _ = rows.add_photo(new_photo(session.id))
    with pytest.raises(Problem) as refused:
        rows.confirm_photo(added.id, moment)
    assert refused.value.status == 409


def test_undo_goes_back_step_by_step(rows: UserStore, photo: Photo, moment: datetime) -> None:
    rows.label_photo(photo.id, "Poa annua", "species", moment)
    rows.label_photo(photo.id, "not_a_plant", "not_a_plant", moment + timedelta(minutes=1))
    assert _label(rows.undo_label(photo.id)) == ("Poa annua", "species", "human")
    assert rows.undo_label(photo.id) == photo
    with pytest.raises(Problem) as refused:
        rows.undo_label(photo.id)
    assert refused.value.status == 409
    assert rows.photo(photo.id) == photo


def test_nobody_labels_another_users_photo(
    rows: UserStore, other_rows: UserStore, photo: Photo, moment: datetime
) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: other_rows.label_photo(photo.id, "Poa annua", "species", moment),
        lambda: other_rows.confirm_photo(photo.id, moment),
        lambda: other_rows.undo_label(photo.id),
    ]
    for call in calls:
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 404
    assert rows.photo(photo.id) == photo


def test_a_new_label_puts_the_day_behind_its_photos(
    store: DatabaseStore,
    rows: UserStore,
    photo: Photo,
    moment: datetime,
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
) -> None:
    rows.save_day(day_row(session_id=photo.session_id), processing_row())
    assert store.stale_days() == []
    rows.label_photo(photo.id, "Poa annua", "species", moment)
    assert store.stale_days() == [(rows.user_id, photo.session_id, photo.date)]
