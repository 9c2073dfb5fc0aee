"""Many photos in hand at once: what is kept, what waits, and how a run ends; the workers' part is played here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lib import analysis, archive, asking
from lib.archive import AHEAD, MOST_SUSPECTS
from lib.asking import NOT_YET, Answer, Question
from lib.backlog import Work
from lib.problems import Problem, unavailable
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import NewPhoto, Photo, Prediction

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
GUESS = {"species": "Stellaria media", "common_name": "", "confidence": 0.9, "taxonomic_level": "species"}
NAMED = Answer(
    Prediction("starter", 0.02, NOON, [GUESS], "Stellaria media", 0.9, 0.9, 0.3), "Stellaria media", "species"
)
WAITS = Answer(problem=Problem(503, kind=NOT_YET))
LOST = Answer(problem=Problem(410, kind="file-missing"))
GIVEN_UP = Answer(problem=Problem(500, kind="classification-failed"), given_up=True)


class Played:
    """Workers that answer as told, the newest question first; `says` has the answers that are none of NAMED.

    A list in it is used up, one answer after the other.
    """

    def __init__(self, workers: int = 1) -> None:
        self.there = workers
        self.says: dict[int, Answer | list[Answer | None] | None] = {}
        self.silent = False
        self.before: Callable[[int], object] = lambda photo_id: None
        self.asked: list[Question] = []
        self.most = 0
        self._in_hand: list[int] = []

    def workers(self) -> int:
        return self.there

    def ask(self, question: Question) -> None:
        self.asked.append(question)
        self._in_hand.append(question.photo_id)
        self.most = max(self.most, len(self._in_hand))

    def answers(self, patience: float) -> list[tuple[int, Answer | None]]:
        if self.silent:
            return []
        photo_id = self._in_hand.pop()
        self.before(photo_id)
        said = self.says.get(photo_id, NAMED)
        return [(photo_id, said.pop(0) if isinstance(said, list) else said)]


@pytest.fixture
def mine(store: DatabaseStore) -> UserStore:
    user = store.create_user("ito", "ito@field.example", "d" * 64, "prefix", ["write"])
    return store.for_user(user.id)


@pytest.fixture
def add(mine: UserStore) -> Callable[..., list[Photo]]:
    """Adds photos that no model has seen to a session that is made for them."""

    def photos(count: int, day: date = DAY) -> list[Photo]:
        session = mine.create_session("field", timezone="Asia/Tokyo", latitude=43.0, longitude=141.3)
        made = []
        for number in range(1, count + 1):
            values: dict[str, Any] = {
                "session_id": session.id, "path": f"photos/{session.id}/00/{number:064x}-00000000.jpg",
                "date": day, "date_source": "exif_local", "captured_at": None, "original_filename": "1.jpg",
                "width": 600, "height": 600, "file_size_bytes": 1000, "sha256": f"{number:064x}",
                "media_type": "image/jpeg", "blur_score": 1.0, "exposure_score": 1.0, "brightness_mean": 1.0,
                "contrast_std": 1.0, "quality_score": 0.5, "low_resolution": False, "fingerprint": "",
            }  # fmt: skip
            made.append(mine.add_photo(NewPhoto(**values))[0])
        return made

    return photos


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[date]]:
    """The days that are analysed, in order."""
    days: list[date] = []
    recompute = analysis.recompute

    def noted(store: Any, session_id: int, dates: list[date]) -> analysis.RecomputeReport:
        days.extend(dates)
        return recompute(store, session_id, dates)

    monkeypatch.setattr(analysis, "recompute", noted)
    return days


def left(store: DatabaseStore) -> list[int]:
    return [photo.id for _, photo in store.unprocessed(100)]


def test_every_photo_is_asked_about_once_with_a_bounded_number_in_hand(
    store: DatabaseStore, mine: UserStore, add: Callable[..., list[Photo]]
) -> None:
    photos = add(AHEAD + 4)
    workers = Played()
    shown: list[int] = []
    work = archive.process(store, workers, batch=3, progress=shown.append)
    assert work == Work(classified=AHEAD + 4, days=1)
    assert sorted(question.photo_id for question in workers.asked) == [photo.id for photo in photos]
    assert workers.most == AHEAD
    assert (sum(shown), left(store)) == (AHEAD + 4, [])
    assert workers.asked[0].latitude == 43.0
    row = mine.day(DAY)
    assert row is not None
    assert row.processed_images == AHEAD + 4


def test_a_day_is_analysed_when_none_of_its_photos_is_in_hand(
    store: DatabaseStore, add: Callable[..., list[Photo]], analysed: list[date]
) -> None:
    later = date(2025, 8, 25)
    add(AHEAD - 4)
    add(4, later)
    assert archive.process(store, Played(), batch=1).days == 2
    # The newest question is answered first: the later day is finished while the earlier one is in hand.
    assert analysed == [later, DAY]


def test_a_limit_holds_for_what_is_in_hand_too(store: DatabaseStore, add: Callable[..., list[Photo]]) -> None:
    photos = add(5)
    workers = Played()
    workers.says[photos[0].id] = LOST
    work = archive.process(store, workers, limit=3, batch=2)
    assert (work.classified, work.failed, len(workers.asked)) == (2, 1, 3)


def test_a_photo_that_is_given_up_is_done_and_one_that_is_lost_waits(
    store: DatabaseStore, add: Callable[..., list[Photo]]
) -> None:
    photos = add(3)
    workers = Played()
    workers.says |= {photos[0].id: GIVEN_UP, photos[1].id: LOST}
    assert archive.process(store, workers) == Work(classified=1, failed=2, days=1)
    assert left(store) == [photos[1].id]


def test_when_the_model_cannot_be_asked_nothing_more_is_asked_and_the_rest_in_hand_is_kept(
    store: DatabaseStore, add: Callable[..., list[Photo]]
) -> None:
    photos = add(AHEAD + 5)
    workers = Played()
    workers.says[photos[AHEAD - 1].id] = WAITS  # the first to be answered
    work = archive.process(store, workers)
    assert (work.classified, work.waiting, len(workers.asked)) == (AHEAD - 1, 1, AHEAD)
    assert len(left(store)) == 6


def test_asked_to_stop_it_finishes_what_is_in_hand_and_its_day(
    store: DatabaseStore, add: Callable[..., list[Photo]]
) -> None:
    add(AHEAD + 5)
    workers = Played()
    answered: list[int] = []
    workers.before = answered.append
    work = archive.process(store, workers, stopped=lambda: bool(answered))
    assert (work.classified, work.days) == (AHEAD, 1)
    assert store.stale_days() == []


def test_asked_to_stop_it_does_not_wait_for_workers_that_are_gone(
    store: DatabaseStore, add: Callable[..., list[Photo]]
) -> None:
    photos = add(2)
    workers = Played(workers=0)
    workers.silent = True
    assert archive.process(store, workers, stopped=lambda: bool(workers.asked)) == Work()
    assert left(store) == [photo.id for photo in photos]


def test_a_photo_beside_one_that_kills_is_tried_again_alone(
    store: DatabaseStore, add: Callable[..., list[Photo]], caplog: pytest.LogCaptureFixture
) -> None:
    photos = add(4)
    workers = Played()
    workers.says |= {photos[1].id: [None, None], photos[2].id: [None, NAMED]}
    assert archive.process(store, workers) == Work(classified=3, waiting=1, days=2)
    assert left(store) == [photos[1].id]
    assert [question.photo_id for question in workers.asked[4:]] == [photos[2].id, photos[1].id]
    assert [record.getMessage() for record in caplog.records if record.name == "weeds.archive"] == [
        f"whoever asks the model about photo {photos[1].id} dies of it; it is left waiting"
    ]


def test_workers_that_always_die_end_the_run(store: DatabaseStore, add: Callable[..., list[Photo]]) -> None:
    photos = add(MOST_SUSPECTS + 10)
    workers = Played()
    workers.says = {photo.id: None for photo in photos}
    with pytest.raises(Problem) as refused:
        archive.process(store, workers)
    assert refused.value.kind == "askers-die"
    assert len(workers.asked) <= MOST_SUSPECTS + AHEAD


def test_what_is_deleted_meanwhile_is_passed_over(
    store: DatabaseStore, mine: UserStore, add: Callable[..., list[Photo]]
) -> None:
    here, gone = add(3), add(2)
    workers = Played()

    def delete(_: int) -> None:
        workers.before = lambda photo_id: None
        mine.delete_photo(here[0].id)
        mine.delete_session(gone[0].session_id)

    workers.before = delete
    assert archive.process(store, workers) == Work(classified=2, days=1)
    assert left(store) == []


def test_a_session_that_went_before_its_photo_was_asked_about_is_passed_over(
    store: DatabaseStore, mine: UserStore, add: Callable[..., list[Photo]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, here = add(2), add(1)
    unprocessed = store.unprocessed

    def then_deleted(limit: int, after: int) -> list[tuple[int, Photo]]:
        page = unprocessed(limit, after)
        if not after:
            mine.delete_session(gone[0].session_id)
        return page

    monkeypatch.setattr(store, "unprocessed", then_deleted)
    workers = Played()
    assert archive.process(store, workers).classified == 1
    assert [question.photo_id for question in workers.asked] == [here[0].id]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[int, Exception]:
    """What is raised when the answer about a photo was written, but not yet committed."""
    errors: dict[int, Exception] = {}
    keep = asking.keep

    def fails(mine: UserStore, photo_id: int, answer: Answer) -> None:
        keep(mine, photo_id, answer)
        if photo_id in errors:
            raise errors[photo_id]

    monkeypatch.setattr(asking, "keep", fails)
    return errors


def test_an_answer_that_cannot_be_kept_leaves_its_photo_waiting_and_holds_up_no_other(
    store: DatabaseStore, add: Callable[..., list[Photo]], failing: dict[int, Exception]
) -> None:
    photos = add(3)
    failing[photos[1].id] = RuntimeError("nobody foresaw this")
    assert archive.process(store, Played()) == Work(classified=2, waiting=1, days=1)


def test_a_database_that_fails_ends_the_run_and_keeps_none_of_the_batch(
    store: DatabaseStore, add: Callable[..., list[Photo]], failing: dict[int, Exception]
) -> None:
    photos = add(3)
    failing[photos[2].id] = unavailable("The database does not answer.")
    work = Work()
    with pytest.raises(Problem):
        archive.process(store, Played(), work=work)
    assert (work, left(store)) == (Work(), [photo.id for photo in photos])


def test_a_question_shows_nothing_but_the_photo_s_number(
    mine: UserStore, add: Callable[..., list[Photo]], tmp_path: Path
) -> None:
    (photo,) = add(1)
    question = Question.about(photo, mine.session(photo.session_id))
    assert repr(question) == f"Question(photo_id={photo.id})"
