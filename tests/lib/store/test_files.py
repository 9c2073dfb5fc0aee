"""The file store: reads what is there now, whoever wrote it, and lets no broken file spoil the rest."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lib.outputs import summaries
from lib.outputs.summaries import ModelInfo
from lib.store import files
from lib.store.files import FileStore
from lib.store.records import DayRow, ProcessingRow
from lib.store.sample import SampleStore

SAMPLE = SampleStore()
ROWS = SAMPLE.days()[:4]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """A store with four days."""
    filled = FileStore(tmp_path)
    for row in ROWS:
        filled.save_day(row, processing(row))
    return filled


def processing(row: DayRow) -> ProcessingRow:
    found = SAMPLE.processing(row.date)
    assert found is not None
    return found


def place(store: FileStore, name: str) -> Path:
    return store.output_dir / "json" / name


def summary_name(day: date) -> str:
    return f"daily_summary_{day}.json"


def test_an_output_folder_that_is_not_there_holds_no_day(tmp_path: Path) -> None:
    empty = FileStore(tmp_path / "none")
    assert empty.days() == []
    assert empty.broken() == []
    assert empty.day(ROWS[0].date) is None
    assert empty.processing(ROWS[0].date) is None
    assert empty.counts() == {"sessions": 0, "photos": 0, "days": 0, "species": 0}
    assert empty.sample is False
    assert empty.sessions() == []


def test_days_come_back_as_they_were_saved_in_order(store: FileStore) -> None:
    assert store.days() == ROWS
    assert store.day(ROWS[1].date) == ROWS[1]
    assert store.processing(ROWS[1].date) == processing(ROWS[1])
    assert store.processed_days() == [(row, processing(row)) for row in ROWS]
    assert store.days(start=ROWS[1].date, end=ROWS[2].date) == ROWS[1:3]
    assert store.counts() == {
        "sessions": 0,
        "photos": sum(row.total_images for row in ROWS),
        "days": 4,
        "species": len({name for row in ROWS for name in row.species_counts}),
    }


def test_files_belong_to_no_session(store: FileStore) -> None:
    day = ROWS[0].date
    assert store.days(session_id=1) == []
    assert store.day(day, 1) is None
    assert store.processing(day, 1) is None
    with pytest.raises(ValueError, match="session"):
        store.save_day(replace(ROWS[0], session_id=1), processing(ROWS[0]))
    store.delete_day(day, 1)
    assert store.days() == ROWS


def test_it_notices_new_changed_and_removed_files(store: FileStore) -> None:
    assert len(store.days()) == 4
    other = FileStore(store.output_dir)
    changed = replace(ROWS[0], total_images=999)
    other.save_day(changed, processing(ROWS[0]))
    assert store.day(ROWS[0].date) == changed
    fresh = replace(ROWS[3], date=ROWS[3].date + timedelta(days=100))
    other.save_day(fresh, replace(processing(ROWS[3]), date=fresh.date))
    assert store.days()[-1] == fresh
    other.delete_day(fresh.date)
    other.delete_day(fresh.date)
    assert store.days() == [changed, *ROWS[1:]]


def test_a_file_that_has_not_changed_is_not_read_again(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[date] = []
    read_summary = summaries.read_summary

    def counted(data: bytes, day: date) -> Any:
        reads.append(day)
        return read_summary(data, day)

    monkeypatch.setattr(files, "read_summary", counted)
    store.days()
    assert len(reads) == 4
    store.days()
    store.broken()
    assert len(reads) == 4
    store.save_day(replace(ROWS[2], total_images=50), processing(ROWS[2]))
    store.days()
    assert reads[4:] == [ROWS[2].date]


def test_a_day_that_says_the_same_stays_byte_for_byte(store: FileStore) -> None:
    path = place(store, summary_name(ROWS[0].date))
    before = path.read_bytes(), path.stat().st_mtime_ns
    store.save_day(replace(ROWS[0], computed_at=None), processing(ROWS[0]))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_what_is_written_names_the_model(tmp_path: Path) -> None:
    store = FileStore(tmp_path, ModelInfo("sample", "2.0", "lite0", 12))
    store.save_day(ROWS[0], processing(ROWS[0]))
    document = json.loads(place(store, summary_name(ROWS[0].date)).read_text("utf-8"))
    assert document["model_info"] == {
        "name": "sample",
        "version": "2.0",
        "versions": ["2.0"],
        "size": "lite0",
        "lora_enabled": False,
    }
    assert document["metadata"]["inatag_species_count"] == 12


def spoil_with(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None  # type: ignore[func-returns-value]


def make_folder(path: Path) -> None:
    path.mkdir()


def make_huge(path: Path) -> None:
    path.touch()
    os.truncate(path, files.LARGEST_BYTES + 1)


BROKEN: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "bad JSON": (summary_name(date(2025, 1, 1)), spoil_with(b"{"), "not JSON"),
    "NaN": (
        summary_name(date(2025, 1, 1)),
        spoil_with(b'{"date": "2025-01-01", "diversity_metrics": {"hill_q0": NaN}}'),
        "NaN",
    ),
    "another day's date": (
        summary_name(date(2025, 1, 1)),
        spoil_with(b'{"date": "2025-01-02", "diversity_metrics": {}}'),
        "date",
    ),
    "a name without a date": ("daily_summary_2025-02-30.json", spoil_with(b"{}"), "name"),
    "a folder": (summary_name(date(2025, 1, 1)), make_folder, "not a file"),
    "a huge file": (summary_name(date(2025, 1, 1)), make_huge, "larger"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_skipped_logged_once_and_listed(
    store: FileStore, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    name, spoil, reason = BROKEN[kind]
    spoil(place(store, name))
    with caplog.at_level(logging.WARNING):
        assert store.days() == ROWS
        assert store.days() == ROWS
        ((listed, why),) = store.broken()
    assert listed == name
    assert reason in why
    assert [record.getMessage() for record in caplog.records] == [f"{name} is skipped: {why}"]


def test_a_mended_file_is_a_day_again(store: FileStore) -> None:
    path = place(store, summary_name(ROWS[0].date))
    good = path.read_bytes()
    path.write_bytes(b"{")
    assert store.days() == ROWS[1:]
    path.write_bytes(good)
    assert store.days() == ROWS
    assert store.broken() == []


def test_a_file_that_may_not_be_read_is_listed(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    name = summary_name(ROWS[0].date)
    read_bytes = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == name:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert store.days() == ROWS[1:]
    assert store.broken() == [(name, "it cannot be read: Permission denied")]


def test_a_file_that_goes_while_it_is_read_is_no_error(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path) -> bytes:
        raise FileNotFoundError(2, "No such file", str(path))

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert store.days() == []
    assert store.broken() == []


def test_a_link_to_nothing_is_passed_over(store: FileStore) -> None:
    place(store, summary_name(date(2025, 1, 1))).symlink_to("nowhere")
    assert store.days() == ROWS
    assert store.broken() == []


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "json").write_text("not a folder")
    store = FileStore(tmp_path)
    assert store.days() == []
    ((name, reason),) = store.broken()
    assert name == "json"
    assert "cannot be read" in reason


def test_other_files_are_nobody_s_days(store: FileStore) -> None:
    place(store, "time_series_2024-05-03_to_2024-05-10.json").write_text("{")
    place(store, "notes.txt").write_text("rain")
    assert store.days() == ROWS
    assert store.broken() == []


def test_threads_see_whole_days_while_files_change(store: FileStore) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.extend(len(store.days()) for _ in range(30))

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    writer = FileStore(store.output_dir)
    for number in range(30):
        writer.save_day(replace(ROWS[0], total_images=number), processing(ROWS[0]))
    for thread in threads:
        thread.join()
    assert set(seen) == {4}
    assert store.broken() == []
