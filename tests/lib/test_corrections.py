"""Changes of photos by people: one thing at a time, all photos or none, and the days as if computed anew."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from lib import analysis, corrections
from lib.config import STARTER_MODEL
from lib.problems import Problem
from lib.store.database import UserStore
from lib.store.records import NewPhoto, Photo, Prediction, Session

NOW = datetime(2025, 6, 2, 9, 30, tzinfo=UTC)
DAY, NEXT = date(2025, 6, 1), date(2025, 6, 2)
MakePhoto = Callable[..., NewPhoto]


@pytest.fixture
def photos(
    rows: UserStore,
    session: Session,
    new_photo: MakePhoto,
    prediction: Callable[..., Prediction],
) -> list[Photo]:
    """Two photos of two fields and one of the first field on the next day, all named by a model."""
    other = rows.create_session("South field", timezone="Asia/Tokyo")
    made = []
    for number, (session_id, day) in enumerate(((session.id, DAY), (other.id, DAY), (session.id, NEXT))):
        photo, _ = rows.add_photo(new_photo(session_id, date=day, fingerprint=fingerprint(number)))
        made.append(rows.save_prediction(photo.id, prediction(), "Stellaria media", "species"))
        analysis.recompute(rows, session_id, [day])
    return made


def fingerprint(seed: int) -> str:
    """A fingerprint that resembles no other: random bits differ by half."""
    return random.Random(seed).randbytes(32).hex()


def named(label: str) -> corrections.Change:
    return corrections.read_change(STARTER_MODEL, label=label)


def test_it_changes_several_photos_and_their_days_at_once(rows: UserStore, photos: list[Photo]) -> None:
    numbers = [photo.id for photo in photos]
    done = corrections.correct(rows, numbers, named("Galium aparine"), NOW)
    assert [(each.id, each.label, each.label_source) for each in done.photos] == [
        (number, "Galium aparine", "human") for number in numbers
    ]
    assert set(done.days) == {(photo.session_id, photo.date) for photo in photos}
    for (session_id, day), row in done.days.items():
        assert row is not None
        assert dict(row.species_counts) == {"Galium aparine": 1}
        assert analysis.recompute(rows, session_id, [day]).computed == 0  # nothing was left to do
    pooled = rows.day(DAY)
    assert pooled is not None
    assert dict(pooled.species_counts) == {"Galium aparine": 2}


def test_it_changes_all_or_none(rows: UserStore, other_rows: UserStore, photos: list[Photo]) -> None:
    numbers = [photo.id for photo in photos]
    with pytest.raises(Problem) as refused:
        corrections.correct(rows, [*numbers, 10**6], named("Galium aparine"), NOW)
    assert refused.value.status == 404
    assert refused.value.errors == [{"field": "ids", "reason": "photo 1000000: There is no such photo."}]
    corrections.correct(rows, numbers[:1], corrections.read_change(STARTER_MODEL, confirm=True), NOW)
    with pytest.raises(Problem) as refused:  # the first can be undone, the others cannot
        corrections.correct(rows, numbers, corrections.read_change(STARTER_MODEL, undo=True), NOW)
    assert refused.value.status == 409
    assert [error["reason"].split(":")[0] for error in refused.value.errors] == [
        f"photo {number}" for number in numbers[1:]
    ]
    assert [rows.photo(number).label_source for number in numbers] == ["human", "model", "model"]
    with pytest.raises(Problem):
        corrections.correct(other_rows, numbers[:1], named("Galium aparine"), NOW)
    assert {rows.photo(number).label for number in numbers} == {"Stellaria media"}


def test_undoing_gives_the_label_before(rows: UserStore, photos: list[Photo]) -> None:
    number = photos[0].id
    corrections.correct(rows, [number], named("not_a_plant"), NOW)
    done = corrections.correct(rows, [number], corrections.read_change(STARTER_MODEL, undo=True), NOW)
    assert (done.photos[0].label, done.photos[0].label_source) == ("Stellaria media", "model")
    assert done.photos[0].label_history == []


def test_each_photo_may_have_a_change_of_its_own(rows: UserStore, photos: list[Photo]) -> None:
    wanted = ["Galium aparine", "Poa annua", "not_a_plant"]
    changes = {photo.id: named(label) for photo, label in zip(photos, wanted, strict=True)}
    done = corrections.correct_each(rows, changes, NOW)
    assert [photo.label for photo in done.photos] == wanted
    for (session_id, day), row in done.days.items():
        assert row is not None
        assert analysis.recompute(rows, session_id, [day]).computed == 0


def test_a_photo_that_is_named_twice_is_changed_once(rows: UserStore, photos: list[Photo]) -> None:
    number = photos[0].id
    corrections.correct(rows, [number], named("Galium aparine"), NOW)
    corrections.correct(rows, [number], named("Poa annua"), NOW)
    undo = corrections.read_change(STARTER_MODEL, undo=True)
    assert [photo.label for photo in corrections.correct(rows, [number, number], undo, NOW).photos] == [
        "Galium aparine"
    ]


def test_a_photo_that_moves_touches_both_days(rows: UserStore, photos: list[Photo]) -> None:
    first = photos[0]
    done = corrections.correct(rows, [first.id], corrections.read_change(STARTER_MODEL, day=NEXT), NOW)
    assert done.days[first.session_id, DAY] is None
    moved = done.days[first.session_id, NEXT]
    assert moved is not None
    assert moved.total_images == 2


def test_a_photo_that_goes_leaves_its_day(rows: UserStore, photos: list[Photo]) -> None:
    removed = corrections.remove(rows, photos[2].id)
    assert removed.path == photos[2].path
    assert removed.days == {(photos[2].session_id, NEXT): None}
    with pytest.raises(Problem, match="no such photo"):
        corrections.remove(rows, photos[2].id)


@pytest.mark.parametrize(
    "asked",
    [{}, {"confirm": False}, {"confirm": True, "undo": True}, {"label": "Galium aparine", "day": DAY}],
)
def test_a_request_asks_for_exactly_one_thing(asked: dict[str, object]) -> None:
    with pytest.raises(Problem) as refused:
        corrections.read_change(STARTER_MODEL, **asked)  # type: ignore[arg-type]
    assert refused.value.status == 400
    assert all("exactly one of" in error["reason"] for error in refused.value.errors)


@pytest.mark.parametrize("asked", [{"label": "<b>"}, {"day": date(1900, 1, 1)}])
def test_what_cannot_be_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(Problem) as refused:
        corrections.read_change(STARTER_MODEL, **asked)  # type: ignore[arg-type]
    assert refused.value.status == 422
