"""A folder of photos by day: real model, real files; what is done once is not done again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib import classifier, folder, photo_cache
from lib.classifier.card import read_card
from lib.classifier.model import Classifier
from lib.config import STARTER_MODEL
from lib.outputs import tables
from lib.photos.identify import MAX_BYTES
from lib.recognition import Recogniser, stamp
from lib.regions import Region, region_of
from lib.store.files import FileStore

FIRST, SECOND = date(2025, 8, 24), date(2025, 8, 26)
EXIF_TAKEN = 0x9003


def picture(seed: int, taken: str | None = None) -> bytes:
    """A JPEG of coarse noise, like no other picture; `taken` is its EXIF time."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((256, 256), Image.Resampling.NEAREST)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(0x8769)[EXIF_TAKEN] = taken
    out = BytesIO()
    image.save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two days: three photos and one."""
    place = tmp_path / "data"
    for day, seeds in ((FIRST, (1, 2, 3)), (SECOND, (4,))):
        (place / str(day)).mkdir(parents=True)
        for seed in seeds:
            (place / str(day) / f"{seed}.jpg").write_bytes(picture(seed))
    return place


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts what the model is asked; the model itself answers."""
    calls: list[int] = []
    classify = Classifier.classify

    def counted(self: Classifier, *arguments: Any, **named: Any) -> classifier.Classification:
        calls.append(1)
        return classify(self, *arguments, **named)

    monkeypatch.setattr(Classifier, "classify", counted)
    yield calls
    classifier.unload()


def run(
    data: Path, model: Path = STARTER_MODEL, timezone: str = "Asia/Tokyo", region: Region | None = None
) -> folder.Report:
    return folder.analyse(folder.find(data), output_of(data), Recogniser(model, region), timezone)


def output_of(data: Path) -> Path:
    return data.parent / "output"


def state(data: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file of the output: content, inode and time."""
    return {
        path.relative_to(output_of(data)).as_posix(): (
            path.read_bytes(),
            path.stat().st_ino,
            path.stat().st_mtime_ns,
        )
        for path in output_of(data).rglob("*")
        if path.is_file()
    }


def names(data: Path) -> set[str]:
    return {name for name in state(data) if not name.startswith(".cache/")}


def test_every_day_gets_its_files(data: Path, asked: list[int]) -> None:
    report = run(data)
    assert (report.days, report.photos, report.classified, report.cached) == (2, 4, 4, 0)
    assert len(asked) == 4
    assert report.refused == []
    period = "2025-08-24_to_2025-08-26"
    assert {name for name in names(data) if "github_calendar" not in name and "-metadata" not in name} == {
        "json/daily_summary_2025-08-24.json",
        "json/daily_summary_2025-08-26.json",
        f"json/time_series_{period}.json",
        "csv/daily_predictions_2025-08-24.csv",
        "csv/daily_predictions_2025-08-26.csv",
        "csv/soft_voting_2025-08-24.csv",
        "csv/soft_voting_2025-08-26.csv",
        f"csv/aggregated_predictions_{period}.csv",
        f"csv/species_summary_{period}.csv",
    }
    assert sum("github_calendar" in name for name in names(data)) == 10
    described = {name for name in names(data) if name.endswith(".csv-metadata.json")}
    assert described == {f"{name}-metadata.json" for name in names(data) if name.endswith(".csv")}
    assert report.written == len(names(data))
    store = FileStore(output_of(data))
    assert [row.date for row in store.days()] == [FIRST, SECOND]
    assert store.broken() == []
    row = store.day(FIRST)
    assert row is not None
    assert (row.total_images, row.processed_images) == (3, 3)
    lines = tables.read_table(tables.daily_path(output_of(data), FIRST).read_bytes())
    assert [line["image_path"] for line in lines] == [f"2025-08-24/{seed}.jpg" for seed in (1, 2, 3)]


def test_a_second_run_changes_nothing_and_asks_nothing(data: Path, asked: list[int]) -> None:
    run(data)
    before = state(data)
    asked.clear()
    report = run(data)
    assert (report.classified, report.cached, report.written, report.removed) == (0, 4, 0, 0)
    assert asked == []
    assert state(data) == before


def test_files_that_were_only_touched_or_renamed_are_not_asked_about(data: Path, asked: list[int]) -> None:
    run(data)
    asked.clear()
    os.utime(data / str(FIRST) / "1.jpg", (1, 1))
    (data / str(FIRST) / "2.jpg").rename(data / str(FIRST) / "9.jpg")
    report = run(data)
    assert asked == []
    assert report.classified == 0
    lines = tables.read_table(tables.daily_path(output_of(data), FIRST).read_bytes())
    assert [line["image_path"] for line in lines] == [f"2025-08-24/{seed}.jpg" for seed in (1, 3, 9)]


def test_only_what_changed_is_asked_about_and_written(data: Path, asked: list[int]) -> None:
    run(data)
    before = state(data)
    asked.clear()
    (data / str(SECOND) / "4.jpg").write_bytes(picture(44))
    (data / str(SECOND) / "5.jpg").write_bytes(picture(5))
    report = run(data)
    assert len(asked) == report.classified == 2
    after = state(data)
    changed = {name for name in after if after[name] != before.get(name)}
    assert "json/daily_summary_2025-08-26.json" in changed
    assert not [
        name for name in changed if "daily_summary_2025-08-24" in name or "predictions_2025-08-24.csv" in name
    ]
    row = FileStore(output_of(data)).day(SECOND)
    assert row is not None
    assert row.total_images == 2


def test_another_list_looks_at_everything_anew(data: Path, asked: list[int]) -> None:
    crops = region_of(["Zea mays", "Triticum aestivum"], "crops")
    assert run(data, region=crops).classified == 4
    photos = photo_cache.recorded_photos(output_of(data), FIRST)
    for photo in photos:
        assert photo.prediction is not None
        assert photo.prediction.masked
        assert photo.prediction.region == stamp(crops)
        assert {each["species"] for each in photo.prediction.predictions} == {"Zea mays", "Triticum aestivum"}
    assert len(photos) == 3
    named = {species for row in FileStore(output_of(data)).days() for species in row.species_counts}
    assert named <= {"Zea mays", "Triticum aestivum"}
    assert run(data, region=region_of(["Triticum aestivum", "Zea mays"], "crops")).cached == 4
    asked.clear()
    assert run(data, region=region_of(["Zea mays"], "crops")).classified == len(asked) == 4
    assert run(data).classified == 4
    (first, *_) = photo_cache.recorded_photos(output_of(data), FIRST)
    assert first.prediction is not None
    assert not first.prediction.masked
    assert run(data).cached == 4


def test_photos_kept_before_versions_were_recorded_get_that_of_the_model_they_are_of(
    data: Path, asked: list[int]
) -> None:
    """The record is of this very model folder, by its digest: its version is known without asking it again."""
    run(data)
    shipped = read_card(STARTER_MODEL).version
    summary = output_of(data) / "json" / "daily_summary_2025-08-24.json"
    told = {"name": "seedlings-12", "version": shipped, "versions": [shipped]}
    assert json.loads(summary.read_bytes())["model_info"].items() >= told.items()
    described = output_of(data) / "csv" / "daily_predictions_2025-08-24.csv-metadata.json"
    for path in (output_of(data) / photo_cache.CACHE).glob("????-??-??.json"):
        kept = json.loads(path.read_bytes())
        for facts in kept["photos"].values():
            assert facts["prediction"].pop("model_version") == shipped
        path.write_text(json.dumps(kept))
    summary.unlink()
    described.unlink()
    asked.clear()
    assert run(data).cached == 4
    assert asked == []
    assert json.loads(summary.read_bytes())["model_info"].items() >= told.items()
    about = json.loads(described.read_bytes())["notes"][0]
    assert about["models"] == [{"name": "seedlings-12", "version": shipped}]
    assert {
        each.prediction and each.prediction.model_version
        for each in photo_cache.recorded_photos(output_of(data), FIRST)
    } == {shipped}


def test_what_was_kept_before_there_were_lists_still_stands(data: Path, asked: list[int]) -> None:
    run(data)
    for path in (output_of(data) / photo_cache.CACHE).glob("????-??-??.json"):
        kept = json.loads(path.read_bytes())
        for facts in kept["photos"].values():
            for name in ("masked", "prior_mass", "region"):
                del facts["prediction"][name]
        path.write_text(json.dumps(kept))
    asked.clear()
    assert run(data).cached == 4
    assert asked == []


def test_another_model_looks_at_everything_anew(data: Path, asked: list[int], tmp_path: Path) -> None:
    run(data)
    asked.clear()
    other = tmp_path / "model"
    shutil.copytree(STARTER_MODEL, other)
    card = json.loads((other / "model.json").read_text("utf-8"))
    (other / "model.json").write_text(json.dumps(card | {"name": "other"}), encoding="utf-8")
    assert run(data, other).classified == len(asked) == 4
    rows = FileStore(output_of(data)).days()
    assert {row.model_name for row in rows} == {"other"}
    document = json.loads((output_of(data) / "json" / "daily_summary_2025-08-24.json").read_text("utf-8"))
    assert document["metadata"]["inatag_species_count"] == 12


def test_bad_files_are_named_and_the_rest_goes_on(data: Path, asked: list[int]) -> None:
    day = data / str(FIRST)
    (day / "empty.jpg").touch()
    (day / "archive.jpg").write_bytes(b"PK\x03\x04" + bytes(200))
    (day / "cut.jpg").write_bytes(picture(8)[:-400])
    (day / "video.mp4").write_bytes(bytes(MAX_BYTES + 5))
    (day / "link.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(day / "pipe.jpg")
    report = run(data)
    reasons = dict(report.refused)
    bad = ("empty.jpg", "archive.jpg", "cut.jpg", "video.mp4", "link.jpg", "pipe.jpg")
    assert set(reasons) == {f"2025-08-24/{name}" for name in bad}
    assert "empty" in reasons["2025-08-24/empty.jpg"]
    assert "10 MB" in reasons["2025-08-24/video.mp4"]
    assert "cannot be read" in reasons["2025-08-24/link.jpg"]
    assert all(reasons.values())
    assert (report.photos, len(asked)) == (4, 4)
    before = state(data)
    again = run(data)
    assert again.refused == report.refused
    assert state(data) == before


def test_the_same_bytes_twice_on_a_day_are_one_photo(data: Path, asked: list[int]) -> None:
    shutil.copy(data / str(FIRST) / "1.jpg", data / str(FIRST) / "copy.jpg")
    report = run(data)
    assert (report.photos, report.duplicates, len(asked)) == (4, 1, 4)


def test_a_photo_of_another_day_counts_for_its_folder_and_is_noted(data: Path) -> None:
    # 23:30 UTC on the 23rd is the 24th in Tokyo; with the camera's time taken as local it is the 23rd.
    (data / str(FIRST) / "late.jpg").write_bytes(picture(6, "2025:08:23 23:30:00"))
    (data / str(FIRST) / "right.jpg").write_bytes(picture(7, "2025:08:24 05:30:00"))
    report = run(data)
    assert report.misdated == [("2025-08-24/late.jpg", date(2025, 8, 23))]
    row = FileStore(output_of(data)).day(FIRST)
    assert row is not None
    assert row.total_images == 5


def test_only_days_are_looked_at(data: Path) -> None:
    for name in ("notes", "2025-02-30", "2025-8-1", ".hidden"):
        (data / name).mkdir()
        (data / name / "1.jpg").write_bytes(picture(1))
    (data / "readme.txt").write_text("rain")
    (data / "2025-08-27").write_text("a file")
    (data / str(FIRST) / ".DS_Store").touch()
    (data / str(FIRST) / "Thumbs.db").touch()
    (data / str(FIRST) / "sub").mkdir()
    found = folder.find(data)
    assert found.ignored == ["2025-02-30", "2025-08-27", "2025-8-1", "notes", "readme.txt"]
    assert set(found.days) == {FIRST, SECOND}
    assert found.files == 4


def test_progress_hears_of_every_file(data: Path) -> None:
    (data / str(FIRST) / "empty.jpg").touch()
    (data / str(FIRST) / "link.jpg").symlink_to("nowhere.jpg")
    done: list[int] = []
    folder.analyse(folder.find(data), output_of(data), Recogniser(STARTER_MODEL), "Asia/Tokyo", done.append)
    assert sum(done) == folder.find(data).files == 6


def test_days_that_lost_their_photos_are_forgotten(data: Path) -> None:
    run(data)
    (data / str(SECOND) / "4.jpg").unlink()
    report = run(data)
    assert [row.date for row in FileStore(output_of(data)).days()] == [FIRST]
    assert report.removed == 5 + 5  # the day's files, and those of the longer period
    assert not [name for name in names(data) if "2025-08-26" in name]
    shutil.rmtree(data / str(FIRST))
    assert run(data).days == 0
    assert names(data) == set()
    before = state(data)
    assert run(data).written == 0
    assert state(data) == before


def test_a_folder_that_is_gone_takes_its_day_along(data: Path) -> None:
    run(data)
    shutil.rmtree(data / str(SECOND))
    tables.soft_voting_path(output_of(data), SECOND).unlink()  # somebody was quicker
    assert run(data).removed == 4 + 5
    assert [row.date for row in FileStore(output_of(data)).days()] == [FIRST]


def test_days_of_others_are_left_alone_and_shown_in_the_series(data: Path) -> None:
    output = output_of(data)
    theirs = output / "json" / "daily_summary_2025-08-20.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(
        '{"date": "2025-08-20", "diversity_metrics": {"shannon_diversity": 1.5, "total_images": 9}}'
    )
    before = theirs.read_bytes()
    run(data)
    elsewhere = data.parent / "elsewhere"
    (elsewhere / "2025-08-28").mkdir(parents=True)
    (elsewhere / "2025-08-28" / "1.jpg").write_bytes(picture(30))
    run(elsewhere)
    assert [row.date.day for row in FileStore(output).days()] == [20, 24, 26, 28]
    assert theirs.read_bytes() == before
    calendar = json.loads((output / "json" / "github_calendar_shannon_diversity.json").read_text("utf-8"))
    assert [entry["date"][-2:] for entry in calendar["data"]] == ["20", "24", "26", "28"]


def test_a_run_that_was_stopped_goes_on_where_it_was(
    data: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(files: int) -> None:
        if len(asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.analyse(folder.find(data), output_of(data), Recogniser(STARTER_MODEL), "Asia/Tokyo", stop)
    assert FileStore(output_of(data)).days() == []
    report = run(data)
    assert (report.classified, report.cached) == (2, 2)
    assert len(asked) == 4


def test_what_is_known_is_saved_now_and_then(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_cache, "SAVE_EVERY", 1)
    cache = output_of(data) / photo_cache.CACHE / "2025-08-24.json"
    kept: list[int] = []
    folder.analyse(
        folder.find(data),
        output_of(data),
        Recogniser(STARTER_MODEL),
        "Asia/Tokyo",
        lambda files: kept.append(len(json.loads(cache.read_bytes())["photos"])),
    )
    assert kept == [1, 2, 3, 3]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_broken_cache_only_costs_time(data: Path, asked: list[int], content: bytes) -> None:
    run(data)
    (output_of(data) / photo_cache.CACHE / "2025-08-24.json").write_bytes(content)
    asked.clear()
    assert run(data).classified == len(asked) == 3
    assert [row.date for row in FileStore(output_of(data)).days()] == [FIRST, SECOND]


def test_without_a_model_nothing_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(classifier.ModelUnavailable, match="model folder"):
        run(data, tmp_path / "none")
    assert not output_of(data).exists()


def test_real_seedlings_get_their_names(photos_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    day = data / "2025-06-01"
    day.mkdir(parents=True)
    species = ["Stellaria_media", "Chenopodium_album", "Zea_mays"]
    for name in species:
        for path in sorted((photos_dir / name).iterdir())[:8]:
            shutil.copy(path, day / f"{name}-{path.name}")
    report = run(data)
    assert report.photos == 24
    row = FileStore(output_of(data)).day(date(2025, 6, 1))
    assert row is not None
    right = {name.replace("_", " ") for name in species}
    assert right <= set(row.species_counts)
    assert sum(row.species_counts[name] for name in right) >= 0.8 * sum(row.species_counts.values())
    assert row.shannon_diversity == pytest.approx(1.1, abs=0.4)
