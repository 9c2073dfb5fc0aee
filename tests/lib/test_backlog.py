"""The backlog: photos that wait are worked off in order, and none holds up the others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lib import backlog, stopping
from lib.intake import Intake
from lib.photos.folder_storage import FolderPhotos
from lib.problems import Problem, unavailable
from lib.recognition import Recogniser
from lib.store import job_lock
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import NewPhoto, Photo, Prediction

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)


@pytest.fixture
def store(sqlite_url: str) -> Any:
    opened = DatabaseStore(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def mine(store: DatabaseStore) -> UserStore:
    user = store.create_user("ito", "ito@field.example", "d" * 64, "prefix", ["write"])
    return store.for_user(user.id)


@pytest.fixture
def waiting(mine: UserStore) -> list[Photo]:
    """Four photos that no model has seen, whose files are not there."""
    session = mine.create_session("north field", timezone="Asia/Tokyo")
    photos = []
    for number in range(1, 5):
        values: dict[str, Any] = {
            "session_id": session.id, "path": f"photos/{session.id}/00/{number:064x}-00000000.jpg", "date": DAY,
            "date_source": "exif_local", "captured_at": None, "original_filename": f"{number}.jpg", "width": 600,
            "height": 600, "file_size_bytes": 1000, "sha256": f"{number:064x}", "media_type": "image/jpeg",
            "blur_score": 1.0, "exposure_score": 1.0, "brightness_mean": 1.0, "contrast_std": 1.0,
            "quality_score": 0.5, "low_resolution": False, "fingerprint": f"{number:x}" * 64,
        }  # fmt: skip
        photos.append(mine.add_photo(NewPhoto(**values))[0])
    return photos


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[int, Exception]:
    """In place of the model: every photo is a chickweed, but those named here fail."""
    failing: dict[int, Exception] = {}

    def classify(intake: Intake, photo: Photo) -> Problem | None:
        if photo.id in failing:
            raise failing[photo.id]
        guess = {
            "species": "Stellaria media",
            "common_name": "",
            "confidence": 0.9,
            "taxonomic_level": "species",
        }
        said = Prediction("starter", 0.02, NOON, [guess], "Stellaria media", 0.9, 0.9, 0.3)
        intake.store.save_prediction(photo.id, said, "Stellaria media", "species")
        return None

    monkeypatch.setattr(Intake, "classify", classify)
    return failing


def run(store: DatabaseStore, folder: Path, limit: int | None = None) -> backlog.Work:
    return backlog.process(store, FolderPhotos(folder), Recogniser(folder / "model"), limit)


def test_a_limit_is_kept(
    store: DatabaseStore, waiting: list[Photo], answers: dict[int, Exception], tmp_path: Path
) -> None:
    assert run(store, tmp_path, limit=3).classified == 3
    assert [photo.id for _, photo in store.unprocessed(10)] == [waiting[3].id]
    assert run(store, tmp_path, limit=3).classified == 1


def test_a_photo_that_fails_does_not_hold_up_the_others(
    store: DatabaseStore,
    mine: UserStore,
    waiting: list[Photo],
    answers: dict[int, Exception],
    tmp_path: Path,
) -> None:
    answers[waiting[0].id] = RuntimeError("nobody foresaw this")
    work = run(store, tmp_path)
    assert (work.classified, work.waiting, work.days) == (3, 1, 1)
    row = mine.day(DAY)
    assert row is not None
    assert (row.total_images, row.processed_images) == (4, 3)
    answers.clear()
    assert run(store, tmp_path).classified == 1


def test_a_photo_that_was_deleted_meanwhile_is_passed_over(
    store: DatabaseStore, waiting: list[Photo], answers: dict[int, Exception], tmp_path: Path
) -> None:
    answers[waiting[1].id] = Problem(404)
    work = run(store, tmp_path)
    assert (work.classified, work.waiting, work.failed) == (3, 0, 0)


def test_a_database_that_does_not_answer_ends_the_run(
    store: DatabaseStore, waiting: list[Photo], answers: dict[int, Exception], tmp_path: Path
) -> None:
    answers[waiting[0].id] = unavailable("The database does not answer.")
    with pytest.raises(Problem) as refused:
        run(store, tmp_path)
    assert refused.value.status == 503
    assert len(store.unprocessed(10)) == 4


def test_photos_whose_files_are_lost_are_counted_wait_on_and_their_day_is_analysed(
    store: DatabaseStore, mine: UserStore, waiting: list[Photo], tmp_path: Path
) -> None:
    work = run(store, tmp_path)
    assert (work.failed, work.waiting, work.classified, work.days) == (4, 0, 0, 1)
    assert len(store.unprocessed(10)) == 4  # the disk may come back
    row = mine.day(DAY)
    assert row is not None
    assert (row.total_images, row.effort) == (4, "none")


def test_a_run_in_vain_is_not_repeated_for_an_hour(
    store: DatabaseStore, waiting: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is away would else fill the log with each photo's missing file, every minute."""
    now = [1000.0]
    monkeypatch.setattr("lib.backlog.time.monotonic", lambda: now[0])
    runs: list[int] = []
    process = backlog.process

    def counted(*arguments: Any, **options: Any) -> backlog.Work:
        runs.append(1)
        return process(*arguments, **options)

    monkeypatch.setattr("lib.backlog.process", counted)
    works = backlog.Backlog(store, FolderPhotos(tmp_path), Recogniser(tmp_path / "model"))

    def start() -> int:
        works.start()
        if works._thread is not None:
            works._thread.join()
        return len(runs)

    assert start() == 1
    now[0] += backlog.REST - 1
    assert start() == 1
    now[0] += 2
    assert start() == 2
    now[0] = 5.0  # the clock jumped back: a machine that slept must not wait for ever
    assert start() == 3
    assert start() == 3
    works.rouse()  # a photo with a file was left waiting
    assert start() == 4


def test_what_waits_is_counted(
    store: DatabaseStore, waiting: list[Photo], answers: dict[int, Exception], tmp_path: Path
) -> None:
    assert store.waiting() == 4
    run(store, tmp_path, limit=3)
    assert store.waiting() == 1


def test_a_start_while_it_runs_goes_through_it_once_more(
    store: DatabaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came back during the run, a mended model say, must not wait for the next look."""
    runs: list[int] = []
    works = backlog.Backlog(store, FolderPhotos(tmp_path), Recogniser(tmp_path / "model"))

    def counted(*_: Any, **__: Any) -> backlog.Work:
        runs.append(1)
        if len(runs) == 1:
            works.start()
            works.start()
        return backlog.Work()

    monkeypatch.setattr("lib.backlog.process", counted)
    works.start()
    assert works._thread is not None
    works._thread.join()
    assert len(runs) == 2
    works.start()
    works._thread.join()
    assert len(runs) == 3


def test_a_process_that_ends_finishes_the_photo_in_hand_and_begins_no_other(
    store: DatabaseStore,
    mine: UserStore,
    waiting: list[Photo],
    answers: dict[int, Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classify = Intake.classify

    def told_to_end(intake: Intake, photo: Photo) -> Problem | None:
        monkeypatch.setattr(stopping, "_asked", True)
        return classify(intake, photo)

    monkeypatch.setattr(Intake, "classify", told_to_end)
    works = backlog.Backlog(store, FolderPhotos(tmp_path), Recogniser(tmp_path / "model"))
    works.start()
    assert works._thread is not None
    assert not works._thread.daemon  # the process waits for it
    works._thread.join()
    assert [photo.id for _, photo in store.unprocessed(10)] == [photo.id for photo in waiting[1:]]
    row = mine.day(DAY)
    assert row is not None  # and its day is in step
    assert row.processed_images == 1
    ended = works._thread
    works.start()
    assert works._thread is ended


def test_a_photo_that_somebody_else_named_meanwhile_is_not_asked_about(
    store: DatabaseStore,
    waiting: list[Photo],
    answers: dict[int, Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classify = Intake.classify
    asked: list[int] = []

    def with_another(intake: Intake, photo: Photo) -> Problem | None:
        asked.append(photo.id)
        if photo.id == waiting[0].id:
            classify(intake, waiting[2])
        return classify(intake, photo)

    monkeypatch.setattr(Intake, "classify", with_another)
    assert run(store, tmp_path).classified == 3
    assert asked == [waiting[number].id for number in (0, 1, 3)]
    assert store.waiting() == 0


def test_of_two_machines_one_works_and_the_other_leaves_it_to_it(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    def counted(*_: Any, **__: Any) -> backlog.Work:
        runs.append(1)
        return backlog.Work()

    monkeypatch.setattr("lib.backlog.process", counted)
    store = DatabaseStore(postgres_url)
    works = backlog.Backlog(store, FolderPhotos(tmp_path), Recogniser(tmp_path / "model"))

    def start() -> int:
        works.start()
        assert works._thread is not None
        works._thread.join()
        return len(runs)

    with job_lock.held(postgres_url, backlog.LOCK):
        assert start() == 0
    assert start() == 1
    assert start() == 2  # and gives it back each time
    assert caplog.records == []
    store.close()
