"""The parts of a training set that no upload shows: metadata taken off, disks without links, damaged files."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib import training_set
from lib.config import load
from lib.photos.decode import decode
from lib.photos.folder_storage import FolderPhotos
from lib.photos.storage import PhotoFiles, open_storage
from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import NewPhoto
from tests.object_store import Bucket, Door

DAY = date(2025, 6, 1)


def photo(form: str = "JPEG", orientation: int = 1, size: tuple[int, int] = (200, 150)) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (43.0, 3.0, 51.0)})
    out = BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(out, form, exif=exif, comment=b"here")
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_keeps_its_pixels_and_its_orientation_alone(orientation: int) -> None:
    data = photo(orientation=orientation)
    bare = training_set.without_metadata(data)
    assert (np.asarray(decode(bare).image) == np.asarray(decode(data).image)).all()
    held = Image.open(BytesIO(bare))
    assert dict(held.getexif()) == ({0x0112: orientation} if orientation > 1 else {})
    assert "comment" not in held.info
    assert b"camera" not in bare
    assert training_set.without_metadata(bare) == bare


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_another_format_becomes_a_jpeg_the_right_way_up(form: str) -> None:
    data = photo(form, orientation=6, size=(2400, 1200))
    bare = training_set.without_metadata(data)
    held = Image.open(BytesIO(bare))
    assert (held.format, held.size) == ("JPEG", (1200, 2400))
    assert not held.getexif()
    assert b"camera" not in bare


def test_what_is_no_photo_is_refused() -> None:
    with pytest.raises(Problem):
        training_set.without_metadata(b"a letter")


def named(store: DatabaseStore, files: PhotoFiles, datas: list[bytes]) -> UserStore:
    """A user whose stored files these are, each named Zea mays."""

    user = store.create_user("hana", "hana@example.org", "d" * 64, "hana1234", ("read", "write"))
    mine = store.for_user(user.id)
    session = mine.create_session("field", timezone="Asia/Tokyo")
    for data in datas:
        digest = sha256(data).hexdigest()
        new = NewPhoto(
            session_id=session.id, path=files.put(session.id, digest, "jpg", data), date=DAY, date_source="form",
            captured_at=None, original_filename="a.jpg", width=200, height=150, file_size_bytes=len(data),
            sha256=digest, media_type="image/jpeg", blur_score=1.0, exposure_score=1.0, brightness_mean=1.0,
            contrast_std=1.0, quality_score=1.0, low_resolution=False, fingerprint="0" * 64,
        )  # fmt: skip
        added, _ = mine.add_photo(new)
        mine.label_photo(added.id, "Zea mays", "species", datetime.now(UTC))
    return mine


def test_where_there_are_no_links_exact_copies_are_copied(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError("no links here")

    store, files = DatabaseStore(sqlite_url), FolderPhotos(tmp_path / "data")
    data = photo()
    mine = named(store, files, [data])
    monkeypatch.setattr(os, "link", refuses)
    done = training_set.export(mine, files, tmp_path / "set", exact=True)
    (entry,) = training_set.read_manifest(tmp_path / "set")
    assert done.added == 1
    assert (tmp_path / "set" / entry.file).read_bytes() == data
    assert (tmp_path / "set" / entry.file).stat().st_nlink == 1
    store.close()


@pytest.mark.parametrize("exact", [False, True])
def test_photos_come_out_of_object_storage_and_a_refusal_takes_nothing_away(
    sqlite_url: str, tmp_path: Path, bucket: Bucket, door: Door, exact: bool
) -> None:
    store, files = DatabaseStore(sqlite_url), open_storage(load(bucket.environ(door.endpoint)))
    data = photo(orientation=6)
    mine = named(store, files, [data])
    folder = tmp_path / "set"
    assert training_set.export(mine, files, folder, exact=exact).added == 1
    (entry,) = training_set.read_manifest(folder)
    assert (folder / entry.file).read_bytes() == (data if exact else training_set.without_metadata(data))
    door.refuse((503, "SlowDown"))
    with pytest.raises(Problem) as refused:
        training_set.export(mine, files, folder, exact=not exact)
    assert refused.value.kind == "storage-unavailable"
    assert training_set.read_manifest(folder) == [entry]
    assert (folder / entry.file).exists()
    store.close()


def test_a_stored_file_that_was_damaged_is_named_and_left_out(sqlite_url: str, tmp_path: Path) -> None:
    store, files = DatabaseStore(sqlite_url), FolderPhotos(tmp_path / "data")
    mine = named(store, files, [photo()[:400], photo()])
    done = training_set.export(mine, files, tmp_path / "set")
    assert (done.added, len(done.left_out)) == (1, 1)
    assert "damaged" in done.left_out[0] or "cut short" in done.left_out[0]
    assert len(training_set.read_manifest(tmp_path / "set")) == 1
    store.close()
