"""Users, photos, predictions and days in a database, for the tests of what stores and reads them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lib import keys
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import DayRow, NewPhoto, Prediction, ProcessingRow, Session, User

DAY = date(2025, 8, 24)
MOMENT = datetime(2025, 8, 23, 16, 30, 5, 250, tzinfo=UTC)  # half past one at night in Japan


@pytest.fixture
def day() -> date:
    return DAY


@pytest.fixture
def moment() -> datetime:
    return MOMENT


@pytest.fixture
def user(store: DatabaseStore) -> User:
    return store.create_user(
        "hanako", "hanako@farm.example", keys.digest("hanako"), "hanako12", ["read", "write"]
    )


@pytest.fixture
def rows(store: DatabaseStore, user: User) -> UserStore:
    return store.for_user(user.id)


@pytest.fixture
def other_rows(store: DatabaseStore) -> UserStore:
    """The rows of somebody else."""
    other = store.create_user("taro", "taro@farm.example", keys.digest("taro"), "taro1234", ["read"])
    return store.for_user(other.id)


@pytest.fixture
def session(rows: UserStore) -> Session:
    return rows.create_session("North field", timezone="Asia/Tokyo")


@pytest.fixture
def new_photo() -> Callable[..., NewPhoto]:
    """Makes what is known of a photo; every one has other bytes."""
    numbers = itertools.count(1)

    def make(session_id: int, **changes: Any) -> NewPhoto:
        number = next(numbers)
        values: dict[str, Any] = {
            "session_id": session_id,
            "path": f"{session_id}/{number:04}.jpg",
            "date": DAY,
            "date_source": "exif_offset",
            "captured_at": MOMENT,
            "original_filename": f"IMG_{number}.JPG",
            "width": 4000,
            "height": 3000,
            "file_size_bytes": 2_000_000,
            "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
            "media_type": "image/jpeg",
            "blur_score": 120.5,
            "exposure_score": 0.9,
            "brightness_mean": 0.5,
            "contrast_std": 0.2,
            "quality_score": 0.8,
            "low_resolution": False,
            "fingerprint": "ff00ff00ff00ff00",
        }
        return NewPhoto(**values | changes)

    return make


@pytest.fixture
def prediction() -> Callable[..., Prediction]:
    """Makes what a model says: chickweed, unless told otherwise."""

    def make(**changes: Any) -> Prediction:
        top = {
            "species": "Stellaria media",
            "common_name": "ハコベ",
            "confidence": 0.9,
            "taxonomic_level": "species",
        }
        values: dict[str, Any] = {
            "model_name": "starter 1.0",
            "processing_time": 0.012,
            "timestamp": MOMENT,
            "predictions": [top],
            "top_prediction_species": "Stellaria media",
            "top_prediction_confidence": 0.9,
            "mean_confidence": 0.2,
            "prediction_entropy": 0.4,
        }
        return Prediction(**values | changes)

    return make


@pytest.fixture
def day_row() -> Callable[..., DayRow]:
    """Makes the row of a day with two species."""

    def make(**changes: Any) -> DayRow:
        values: dict[str, Any] = {
            "date": DAY,
            "total_images": 5,
            "processed_images": 4,
            "species_richness": 2,
            "shannon_diversity": 0.6730116670092565,
            "pielou_evenness": 0.9709505944546686,
            "simpson_diversity": 0.48,
            "hill_q0": 2.0,
            "hill_q1": 1.9601319733006895,
            "hill_q2": 1.923076923076923,
            "chao1_estimate": None,
            "coverage_estimate": 0.8,
            "confidence_intervals": {"shannon_diversity": {"low": 0.1, "high": 1.2}},
            "species_counts": {"Stellaria media": 3, "Poa annua": 2},
            "species_frequencies": {"Stellaria media": 0.6, "Poa annua": 0.4},
            "top_species": [
                {"species_name": "Stellaria media", "count": 3, "frequency": 0.6, "average_confidence": 0.9},
                {"species_name": "Poa annua", "count": 2, "frequency": 0.4, "average_confidence": None},
            ],
            "model_name": "starter 1.0",
            "computed_at": MOMENT,
            "inputs_digest": "d" * 64,
        }
        return DayRow(**values | changes)

    return make


@pytest.fixture
def processing_row() -> Callable[..., ProcessingRow]:
    """Makes how a day was processed."""

    def make(**changes: Any) -> ProcessingRow:
        values: dict[str, Any] = {
            "date": DAY,
            "input_images_count": 5,
            "processed_images_count": 4,
            "predictions_count": 4,
            "processing_time_total": 0.05,
            "processing_time_per_image": 0.0125,
            "average_confidence": 0.9,
            "low_confidence_count": 1,
            "failed_predictions": 1,
            "clusters_found": 4,
            "redundancy_reduction_ratio": 0.2,
            "processing_metadata": {"units": 4, "note": "曇り"},
        }
        return ProcessingRow(**values | changes)

    return make
