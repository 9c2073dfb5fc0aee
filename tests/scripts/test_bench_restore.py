"""The restore drill with figures: of a few photos, through every step, with nothing that differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.benchmarks import restore


@pytest.mark.photos
def test_nothing_differs_and_every_step_is_timed(photos_dir: Path) -> None:
    found = restore.measure(8)
    assert (found["photos"], found["copied"], found["verified"]) == (18, [8, 10], True)
    assert found["differences"] == {"restored": 0, "copied": 0, "restored on PostgreSQL": 0}
    assert found["photos_that_differ"] == 0
    assert found["addresses"] > 60
    assert all(took > 0 for took in found["seconds"].values())
    told = restore.describe(found)
    assert all(step in told for step in found["seconds"])
    assert "photos with other bytes: 0" in told


def test_photos_with_other_bytes_are_counted(tmp_path: Path) -> None:
    from lib.photos.storage import open_photos

    old, new = open_photos(tmp_path / "old"), open_photos(tmp_path / "new")
    paths = [old.put(1, digit * 64, "jpg", digit.encode()) for digit in "abc"]
    new.put_back(paths[0], b"a")
    new.put_back(paths[1], b"x")
    assert restore._other_photos(tmp_path / "old", tmp_path / "new") == 2
