"""The measurement of a waiting archive: every engine does all of it, and rows that differ are counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scripts.benchmarks import archive
from scripts.benchmarks.rows import differences


def test_it_measures_every_engine_and_a_killed_worker(photos_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLANT_PHOTOS", str(photos_dir.parent))
    found = archive.measure(photos=24, runs=1)
    assert found["different_rows"] == dict.fromkeys(archive.ENGINES, 0)
    assert found["killed"] == {"workers_lost": 1, "classified": 24, "different_rows": 0}
    assert found["photos_per_second"].keys() == found["seconds"].keys() == archive.ENGINES.keys()
    words = archive.describe(found)
    assert "2 workers" in words
    assert "killed halfway: 1 lost, 24 photos named" in words


def test_it_counts_rows_that_differ(photos_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLANT_PHOTOS", str(photos_dir.parent))
    archive._fill(tmp_path / "one", 3)
    archive._copy(tmp_path / "one", tmp_path / "other")
    urls = [f"sqlite:///{tmp_path}/{name}/weeds.db" for name in ("one", "other")]
    assert differences(*urls) == 0
    with closing(sqlite3.connect(tmp_path / "other" / "weeds.db")) as database:
        database.execute("UPDATE image_data SET similarity_score = 0.5 WHERE id = 2")
        database.execute("DELETE FROM image_data WHERE id = 3")
        database.commit()
    assert differences(*urls) == 2
