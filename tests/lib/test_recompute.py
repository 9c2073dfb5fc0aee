"""Recomputing days in the real databases: the row, its clusters, the pooled day, and two runs at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest

from lib import analysis
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import NewPhoto, Photo, Prediction, Session

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)


@pytest.fixture
def mine(store: DatabaseStore) -> UserStore:
    user = store.create_user("ito", "ito@field.example", "d" * 64, "prefix", ["write"])
    return store.for_user(user.id)


@pytest.fixture
def field(mine: UserStore) -> Session:
    return mine.create_session("north field", timezone="Asia/Tokyo")


def add(mine: UserStore, session: Session, number: int, species: str, plant: int | None = None) -> Photo:
    """A classified photo; those of the same `plant` resemble each other."""
    values: dict[str, Any] = {
        "session_id": session.id, "path": f"photos/{session.id}/{number}.jpg", "date": DAY,
        "date_source": "exif_local", "captured_at": None, "original_filename": f"{number}.jpg", "width": 600,
        "height": 600, "file_size_bytes": 1000, "sha256": f"{number:064x}", "media_type": "image/jpeg",
        "blur_score": 1.0, "exposure_score": 1.0, "brightness_mean": 1.0, "contrast_std": 1.0,
        "quality_score": number / 1000, "low_resolution": False,
        "fingerprint": Random(plant if plant is not None else number + 1000).randbytes(32).hex(),
    }  # fmt: skip
    photo, _ = mine.add_photo(NewPhoto(**values))
    guess = {"species": species, "common_name": "", "confidence": 0.9, "taxonomic_level": "species"}
    said = Prediction("starter", 0.02, NOON, [guess], species, 0.9, 0.9, 0.3)
    return mine.save_prediction(photo.id, said, species, "species")


def test_the_day_its_clusters_and_its_processing_are_written(mine: UserStore, field: Session) -> None:
    first = add(mine, field, 1, "Zea mays", plant=7)
    second = add(mine, field, 2, "Stellaria media", plant=7)
    add(mine, field, 3, "Poa annua")
    assert analysis.recompute(mine, field.id, [DAY]) == analysis.RecomputeReport(computed=1)
    row = mine.day(DAY, field.id)
    assert row is not None
    assert row.species_counts == {"Poa annua": 1, "Stellaria media": 1}
    assert (row.total_images, row.model_name) == (3, "starter")
    processing = mine.processing(DAY, field.id)
    assert processing is not None
    assert (processing.clusters_found, processing.predictions_count) == (2, 3)
    assert processing.redundancy_reduction_ratio == pytest.approx(1 / 3)
    photos = [mine.photo(each.id) for each in (first, second)]
    assert [(photo.cluster_id, photo.is_representative) for photo in photos] == [
        (first.id, False),
        (first.id, True),
    ]
    assert analysis.recompute(mine, field.id, [DAY]) == analysis.RecomputeReport(unchanged=1)
    assert mine.day(DAY, field.id) == row


def test_a_person_s_label_moves_the_day(mine: UserStore, field: Session) -> None:
    photo = add(mine, field, 1, "Zea mays")
    analysis.recompute(mine, field.id, [DAY])
    mine.label_photo(photo.id, "not_a_plant", "not_a_plant", NOON)
    assert analysis.recompute(mine, field.id, [DAY]).computed == 1
    row = mine.day(DAY, field.id)
    assert row is not None
    assert (row.species_counts, row.shannon_diversity, row.effort) == ({}, None, "none")
    mine.undo_label(photo.id)
    analysis.recompute(mine, field.id, [DAY])
    restored = mine.day(DAY, field.id)
    assert restored is not None
    assert restored.species_counts == {"Zea mays": 1}


def test_the_pooled_day_follows_its_sessions(mine: UserStore, field: Session) -> None:
    south = mine.create_session("south field", timezone="Asia/Tokyo")
    add(mine, field, 1, "Zea mays", plant=7)
    other = add(mine, south, 2, "Zea mays", plant=7)
    for session in (field, south):
        analysis.recompute(mine, session.id, [DAY])
    pooled = mine.day(DAY)
    assert pooled is not None
    assert (pooled.session_id, pooled.species_counts, pooled.total_images) == (None, {"Zea mays": 2}, 2)
    mine.delete_photo(other.id)
    analysis.recompute(mine, south.id, [DAY])
    alone = mine.day(DAY)
    assert alone is not None
    assert (alone.session_id, alone.species_counts) == (field.id, {"Zea mays": 1})
    assert mine.day(DAY, south.id) is None


def test_a_crash_before_the_pooled_day_leaves_the_session_s_day_marked(
    store: DatabaseStore, mine: UserStore, field: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    south = mine.create_session("south field", timezone="Asia/Tokyo")
    add(mine, field, 1, "Zea mays")
    other = add(mine, south, 2, "Zea mays")
    for session in (field, south):
        analysis.recompute(mine, session.id, [DAY])
    mine.label_photo(other.id, "Poa annua", "species", NOON)

    class Crash(BaseException):
        """The power fails."""

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as crashing:
        crashing.setattr(analysis, "recompute_pooled", crash)
        with pytest.raises(Crash):
            analysis.recompute(mine, south.id, [DAY])
    assert store.stale_days() == [(mine.user_id, south.id, DAY)]
    for user_id, session_id, day in store.stale_days():
        analysis.recompute(store.for_user(user_id), session_id, [day])
    pooled = mine.day(DAY)
    assert pooled is not None
    assert pooled.species_counts == {"Poa annua": 1, "Zea mays": 1}
    assert store.stale_days() == []


def test_a_change_and_its_analysis_hold_together_or_not_at_all(mine: UserStore, field: Session) -> None:
    south = mine.create_session("south field", timezone="Asia/Tokyo")
    add(mine, field, 1, "Zea mays")
    other = add(mine, south, 2, "Poa annua")
    for session in (field, south):
        analysis.recompute(mine, session.id, [DAY])
    before = mine.day(DAY)

    def interrupted() -> None:
        with mine.day_transaction(south.id):
            mine.delete_photo(other.id)
            analysis.recompute(mine, south.id, [DAY])
            assert mine.day(DAY) != before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert mine.photo(other.id).label == "Poa annua"
    assert mine.day(DAY) == before


def test_runs_at_once_end_like_one(mine: UserStore, field: Session) -> None:
    south = mine.create_session("south field", timezone="Asia/Tokyo")
    for number in range(1, 7):
        add(mine, field if number % 2 else south, number, "Zea mays")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda session: analysis.recompute(mine, session.id, [DAY]), [field, south] * 3))
    for session in (field, south):
        row = mine.day(DAY, session.id)
        assert row is not None
        assert row.species_counts == {"Zea mays": 3}
        assert analysis.recompute(mine, session.id, [DAY]).unchanged == 1
    pooled = mine.day(DAY)
    assert pooled is not None
    assert pooled.species_counts == {"Zea mays": 6}
