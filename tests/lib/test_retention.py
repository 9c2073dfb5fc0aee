"""What goes and what stays: exports by their names alone, photos only where no number rests on them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lib import analysis, retention
from lib.photos.folder_storage import FolderPhotos
from lib.problems import Problem
from lib.retention import Freed, prune_duplicates, prune_exports
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import DayRow, NewPhoto, Photo, Prediction, Session

DAY = date(2025, 8, 24)
NOW = datetime(2026, 8, 24, tzinfo=UTC)
YEAR = NOW - timedelta(days=300)
OLD = YEAR - timedelta(days=1)
COUNTS = {"total_images", "processed_images", "inputs_digest", "computed_at"}


@pytest.fixture
def files(tmp_path: Path) -> FolderPhotos:
    return FolderPhotos(tmp_path / "data")


@pytest.fixture
def add(
    rows: UserStore,
    files: FolderPhotos,
    new_photo: Callable[..., NewPhoto],
    prediction: Callable[..., Prediction],
) -> Callable[..., Photo]:
    """Adds a classified photo of a `plant`; those of one plant are near-duplicates. With a `file` on the disk."""

    def one(
        session: Session, plant: int, quality: float, at: datetime = OLD, species: str = "Poa annua"
    ) -> Photo:
        new = new_photo(
            session.id, date=DAY, fingerprint=Random(plant).randbytes(32).hex(), quality_score=quality
        )
        path = files.put(session.id, new.sha256, "jpg", b"a photo")
        photo, _ = rows.add_photo(replace(new, path=path, file_size_bytes=7), at)
        others = [{"species": species, "confidence": 0.7}, {"species": "Rumex", "confidence": 0.2}]
        return rows.save_prediction(photo.id, prediction(predictions=others), species, "species")

    return one


@pytest.fixture
def pair(rows: UserStore, session: Session, add: Callable[..., Photo]) -> tuple[Photo, Photo]:
    """A plant that a person named, and a spare photo of it."""
    best, spare = add(session, 1, 0.9), add(session, 1, 0.5)
    rows.confirm_photo(best.id, NOW)
    analysis.recompute(rows, session.id, [DAY])
    return best, spare


def numbers(row: DayRow | None) -> dict[str, Any]:
    assert row is not None
    return {name: value for name, value in asdict(replace(row)).items() if name not in COUNTS} | {
        "confidence_intervals": row.confidence_intervals,
        "estimate": row.estimate,
        "species_counts": row.species_counts,
        "species_frequencies": row.species_frequencies,
        "top_species": list(row.top_species),
    }


def prune(store: DatabaseStore, files: FolderPhotos, **options: Any) -> Freed:
    freed = Freed()
    prune_duplicates(store, files, YEAR, freed, **options)
    return freed


def left(rows: UserStore) -> set[int]:
    return {photo.id for photo in rows.day_photos(None, DAY)}


def on_disk(files: FolderPhotos) -> int:
    return len([path for path in (files.root / "photos").rglob("*") if path.is_file()])


def test_only_spare_photos_of_named_plants_go_and_no_number_changes(
    store: DatabaseStore, rows: UserStore, session: Session, add: Callable[..., Photo], files: FolderPhotos
) -> None:
    south = rows.create_session("South field", timezone="Asia/Tokyo")
    best, spare, other = (add(session, 1, quality) for quality in (0.9, 0.5, 0.4))
    young = add(session, 1, 0.3, at=NOW)
    nobody = [add(session, 2, quality, species="Zea mays") for quality in (0.9, 0.5)]
    named = [add(session, 3, quality) for quality in (0.9, 0.5)]
    elsewhere = add(south, 1, 0.2)
    rows.confirm_photo(best.id, NOW)
    for photo in named:
        rows.confirm_photo(photo.id, NOW)
    for each in (session, south):
        analysis.recompute(rows, each.id, [DAY])
    before = [numbers(rows.day(DAY, each)) for each in (session.id, south.id, None)]
    everything = left(rows)

    assert prune(store, files, dry_run=True) == Freed(2, 14)
    assert (left(rows), on_disk(files)) == (everything, len(everything))
    assert prune(store, files) == Freed(2, 14)
    kept = {photo.id for photo in (best, young, *nobody, *named, elsewhere)}
    assert left(rows) == kept == everything - {spare.id, other.id}
    assert on_disk(files) == len(kept)
    assert [numbers(rows.day(DAY, each)) for each in (session.id, south.id, None)] == before
    # The day is in step with what is left, and says how many photos that are.
    assert store.stale_days() == []
    assert analysis.recompute(rows, session.id, [DAY]).unchanged == 1
    assert rows.day(DAY, session.id).total_images == 6  # type: ignore[union-attr]
    assert prune(store, files) == Freed()


def test_the_best_photo_stays_when_another_one_was_named(
    store: DatabaseStore, rows: UserStore, session: Session, add: Callable[..., Photo], files: FolderPhotos
) -> None:
    best, named, spare = (add(session, 1, quality) for quality in (0.9, 0.5, 0.4))
    rows.label_photo(named.id, "Stellaria media", "species", NOW)
    analysis.recompute(rows, session.id, [DAY])
    assert prune(store, files).count == 1
    assert left(rows) == {best.id, named.id}
    assert spare.id not in left(rows)


def test_a_photo_that_a_number_rests_on_stays(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    add: Callable[..., Photo],
    files: FolderPhotos,
    prediction: Callable[..., Prediction],
) -> None:
    """The newest answer says which model speaks for the day, and with it how common it takes each species to be."""
    best, spare = add(session, 1, 0.9), add(session, 1, 0.5)
    telling = add(session, 1, 0.4)
    common = [{"species": "Poa annua", "confidence": 0.6, "prior": 0.9}]
    newer = prediction(model_name="newer", timestamp=NOW, predictions=common, classes=12)
    rows.save_prediction(telling.id, newer, "Poa annua", "species")
    for plant in range(2, 8):
        add(session, plant, 0.9)
    rows.confirm_photo(best.id, NOW)
    analysis.recompute(rows, session.id, [DAY])
    before = numbers(rows.day(DAY, session.id))
    prune(store, files)
    assert numbers(rows.day(DAY, session.id)) == before
    assert best.id in left(rows)
    assert telling.id in left(rows)
    assert spare.id not in left(rows)


def test_a_day_that_changes_meanwhile_is_left_for_the_next_run(
    store: DatabaseStore,
    rows: UserStore,
    pair: tuple[Photo, Photo],
    files: FolderPhotos,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best, spare = pair
    tried = retention._spare

    def and_then_somebody_confirms(*arguments: Any) -> list[Photo]:
        found = tried(*arguments)
        rows.confirm_photo(spare.id, NOW)
        return found

    monkeypatch.setattr(retention, "_spare", and_then_somebody_confirms)
    assert prune(store, files) == Freed()
    assert left(rows) == {best.id, spare.id}
    assert on_disk(files) == 2


def test_it_stops_before_a_day_and_passes_over_a_session_that_is_gone(
    store: DatabaseStore,
    rows: UserStore,
    session: Session,
    pair: tuple[Photo, Photo],
    files: FolderPhotos,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert prune(store, files, stopped=lambda: True) == Freed()
    tried = retention._spare

    def and_then_the_session_goes(*arguments: Any) -> list[Photo]:
        found = tried(*arguments)
        rows.delete_session(session.id)
        return found

    monkeypatch.setattr(retention, "_spare", and_then_the_session_goes)
    assert prune(store, files) == Freed()
    assert left(rows) == set()


def test_a_database_that_does_not_answer_ends_it(
    store: DatabaseStore,
    rows: UserStore,
    pair: tuple[Photo, Photo],
    files: FolderPhotos,
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def away(*_: Any) -> None:
        raise Problem(503)

    monkeypatch.setattr(UserStore, "delete_photo", away)
    with pytest.raises(Problem):
        prune(store, files)
    assert len(left(rows)) == 2
    assert on_disk(files) == 2


EXPORTS = (
    "json/daily_summary_2025-08-24.json",
    "json/time_series_2025-08-01_to_2025-08-24.json",
    "json/github_calendar_hill_q1.json",
    "csv/daily_predictions_2025-08-24.csv",
    "csv/soft_voting_2025-08-24.csv-metadata.json",
    "csv/species_summary_2025-08-01_to_2025-08-24.csv",
    "csv/aggregated_predictions_2025-08-01_to_2025-08-24.csv-metadata.json",
    "darwin_core/darwin_core_2025-08-01_to_2025-08-24.zip",
    "weed_diversity_2025-08-01_to_2025-08-24.zip",
)
OTHERS = ("json/notes.json", "csv/my.csv", "daily_summary_2025-08-24.json", "photos/2025-08-24/1.jpg")


def test_exports_go_by_their_names_and_their_age(tmp_path: Path) -> None:
    now = datetime.now().timestamp()  # noqa: DTZ005
    for name in (*EXPORTS, *OTHERS):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1234")
        os.utime(path, (now, now - 3 * 86400))
    young = tmp_path / "json" / "daily_summary_2025-08-25.json"
    young.write_text("1234")
    every = Freed(len(EXPORTS), 4 * len(EXPORTS))
    assert prune_exports(tmp_path, timedelta(days=2), dry_run=True) == every
    assert prune_exports(tmp_path, timedelta(days=2)) == every
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*OTHERS, "json/daily_summary_2025-08-25.json"}
    assert prune_exports(tmp_path / "no folder", timedelta(days=2)) == Freed()
