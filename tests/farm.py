"""A small farm: a database with rows in every table and photos in their place, for what moves all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from lib import keys
from lib.photos.storage import PhotoFiles
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import DayRow, NewPhoto, Photo, Prediction, ProcessingRow
from tests.lib.photos import samples

DAY = date(2025, 8, 24)
MOMENT = datetime(2025, 8, 23, 16, 30, 5, 250, tzinfo=UTC)
# What breaks formats of lines and columns, and numbers that are written in several ways.
AWKWARD = 'tab\tline\nreturn\rback\\slash \\N "quotes" スベリヒユ 🌱'
NUMBERS = {
    "z": 1e-7,
    "a": 1.0,
    "one": 1,
    "large": 1e16,
    "huge": 10**18 + 1,
    "nested": {"b": [-0.0, 0.1], "a": None},
}


def picture(seed: int) -> bytes:
    """A small JPEG, another for each seed."""
    return samples.save(samples.picture(seed=seed), "JPEG")


@dataclass
class Farm:
    """The database of one user with one session, and where its photos lie."""

    url: str
    files: PhotoFiles
    user_id: int
    session_id: int

    def add(self, seed: int, session_id: int | None = None) -> Photo:
        """Takes a photo, as an upload does: bytes first, then the row."""
        data = picture(seed)
        digest = hashlib.sha256(data).hexdigest()
        session_id = session_id or self.session_id
        path = self.files.put(session_id, digest, "jpg", data)
        new = NewPhoto(
            session_id=session_id, path=path, date=DAY, date_source="exif_offset", captured_at=MOMENT,
            original_filename=f"{AWKWARD[:20]}{seed}.jpg", width=320, height=240, file_size_bytes=len(data),
            sha256=digest, media_type="image/jpeg", blur_score=120.5, exposure_score=1e-7, brightness_mean=0.1,
            contrast_std=0.2, quality_score=None, low_resolution=seed % 2 == 1, fingerprint="ff00ff00ff00ff00",
        )  # fmt: skip
        with self.opened() as rows:
            return rows.add_photo(new, MOMENT)[0]

    def delete(self, photo: Photo) -> None:
        """Deletes a photo, as a request does: the row first, then the bytes."""
        with self.opened() as rows:
            self.files.delete(rows.delete_photo(photo.id))

    @contextmanager
    def opened(self) -> Iterator[UserStore]:
        store = DatabaseStore(self.url)
        try:
            yield store.for_user(self.user_id)
        finally:
            store.close()


def found(url: str, files: PhotoFiles, photos: int = 3) -> Farm:
    """A farm with so many photos, of which the first two were looked at; rows are in every table."""
    store = DatabaseStore(url)
    try:
        user = store.create_user(
            "hanako", "hanako@farm.example", keys.digest("hanako"), "hanako12", ["read", "write"]
        )
        rows = store.for_user(user.id)
        session = rows.create_session(
            "North", description=AWKWARD, timezone="Asia/Tokyo", latitude=43.06, longitude=-0.0, start_date=DAY,
            region_species="hokkaido",
        )  # fmt: skip
        farm = Farm(url, files, user.id, session.id)
        taken = [farm.add(seed) for seed in range(photos)]
        said = Prediction(
            model_name="starter", processing_time=0.012, timestamp=MOMENT,
            predictions=[{"species": "Poa annua", "common_name": AWKWARD, "confidence": 1e-7}],
            top_prediction_species="Poa annua", top_prediction_confidence=0.9, mean_confidence=0.2,
            prediction_entropy=0.4, masked=True,
        )  # fmt: skip
        for photo in taken[:2]:
            rows.save_prediction(photo.id, said, "Poa annua", "species")
        if taken:
            rows.label_photo(taken[0].id, "Zea mays", "species", MOMENT)
        day = DayRow(DAY, total_images=photos, species_counts=NUMBERS, computed_at=MOMENT, inputs_digest="d")
        rows.save_day(day, ProcessingRow(DAY, processing_metadata={"note": AWKWARD}))
        own = {"session_id": session.id}
        rows.save_day(replace(day, **own), ProcessingRow(DAY, processing_metadata={"note": AWKWARD}, **own))
        rows.idempotent("k", "digest", MOMENT)
        rows.finish_idempotent("k", 201, {"answer": NUMBERS})
        return farm
    finally:
        store.close()
