"""What can be exported, of real databases and of a folder's files: whole, day by day, and nobody else's."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib import analysis, folder
from lib.classifier.card import read_card
from lib.config import STARTER_MODEL
from lib.outputs import exports, tables
from lib.outputs.darwin_core import units
from lib.outputs.exports import KINDS, Exporter
from lib.photo_cache import CACHE, recorded_photos
from lib.problems import Problem
from lib.recognition import Recogniser
from lib.store.database import DatabaseStore, UserStore
from lib.store.files import FileStore
from lib.store.records import METRICS, NewPhoto, Photo, Prediction, Session

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
NAMES = ("Stellaria media", "Zea mays", "Chenopodium album")


@pytest.fixture
def mine(store: DatabaseStore) -> UserStore:
    user = store.create_user("ito", "ito@field.example", "d" * 64, "prefix", ["write"])
    return store.for_user(user.id)


@pytest.fixture
def field(mine: UserStore) -> Session:
    return mine.create_session("north field", timezone="Asia/Tokyo", latitude=43.0, longitude=141.0)


def add(
    mine: UserStore, session: Session, number: int, day: date, species: str, version: str | None = "1.0.0"
) -> Photo:
    """A photo that a version of the starter model has named, by default one that is not in its folder any more."""
    values: dict[str, Any] = {
        "session_id": session.id, "path": f"store/{session.id}/{number}.jpg", "date": day,
        "date_source": "exif_local", "captured_at": NOON, "original_filename": f"DCIM/=IMG {number}.jpg",
        "width": 600,
        "height": 600, "file_size_bytes": 1000, "sha256": f"{number:064x}", "media_type": "image/jpeg",
        "blur_score": 1.0, "exposure_score": 1.0, "brightness_mean": 1.0, "contrast_std": 1.0,
        "quality_score": 0.5, "low_resolution": False, "fingerprint": Random(number).randbytes(32).hex(),
    }  # fmt: skip
    photo, _ = mine.add_photo(NewPhoto(**values))
    guesses = [
        {"species": name, "common_name": None, "confidence": share, "taxonomic_level": "species"}
        for name, share in ((species, 0.75), ("Rumex acetosa", 0.125))
    ]
    said = Prediction("seedlings-12", 0.02, NOON, guesses, species, 0.75, 0.4, 0.9, model_version=version)
    return mine.save_prediction(photo.id, said, species, "species")


@pytest.fixture
def season(mine: UserStore, field: Session) -> list[date]:
    """Three days of four photos in one session, the second day with two more in another."""
    other = mine.create_session("garden", timezone="Asia/Tokyo")
    days = [DAY + timedelta(days=2 * step) for step in range(3)]
    for place, day in enumerate(days):
        for number in range(4):
            add(mine, field, 10 * place + number, day, NAMES[number % 3])
    for number in (100, 101):
        add(mine, other, number, days[1], "Poa annua")
    for session in (field, other):
        analysis.recompute(mine, session.id, days)
    return days


def exporter(mine: UserStore, **scope: Any) -> Exporter:
    return exports.of_user(mine, STARTER_MODEL, scope.get("start"), scope.get("end"), scope.get("session"))


def content(made: Exporter, kind: str, **what: Any) -> bytes:
    return b"".join(made.file(kind, **what).content())


def lines(made: Exporter, kind: str, **what: Any) -> list[dict[str, str]]:
    return tables.read_table(content(made, kind, **what))


def test_files_have_the_names_of_the_shape(mine: UserStore, season: list[date]) -> None:
    made = exporter(mine)
    period = "2025-08-24_to_2025-08-28"
    assert {kind: made.file(kind).path for kind in KINDS} == {
        "daily-summary": "json/daily_summary_2025-08-28.json",
        "time-series": f"json/time_series_{period}.json",
        "calendar": "json/github_calendar_shannon_diversity.json",
        "daily-predictions": "csv/daily_predictions_2025-08-28.csv",
        "aggregated-predictions": f"csv/aggregated_predictions_{period}.csv",
        "species-summary": f"csv/species_summary_{period}.csv",
        "soft-voting": "csv/soft_voting_2025-08-28.csv",
        "darwin-core": f"darwin_core/darwin_core_{period}.zip",
        "all": f"weed_diversity_{period}.zip",
    }


def test_everything_is_in_the_archive_of_all(mine: UserStore, season: list[date]) -> None:
    archive = zipfile.ZipFile(io.BytesIO(content(exporter(mine), "all")))
    names = archive.namelist()
    assert len(set(names)) == len(names) == 3 * 5 + 1 + len(METRICS) + 2 * 2 + 1
    assert archive.testzip() is None
    for name in names:
        if name.endswith(".csv"):
            assert json.loads(archive.read(f"{name}-metadata.json"))["url"] == name.rpartition("/")[2]
        if name.endswith(".json"):
            json.loads(archive.read(name))
    (dwca,) = [name for name in names if name.endswith(".zip")]
    assert "meta.xml" in zipfile.ZipFile(io.BytesIO(archive.read(dwca))).namelist()


def test_documents_tell_their_versions_and_when_they_were_made(mine: UserStore, season: list[date]) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    made = Exporter(mine, lambda *_: (), STARTER_MODEL, now=now)
    assert read_card(STARTER_MODEL).version != "1.0.0"
    for kind in ("daily-summary", "time-series", "calendar"):
        document = json.loads(content(made, kind))
        assert document["metadata"]["models"] == [{"name": "seedlings-12", "version": "1.0.0"}]
        assert document["metadata"]["export_timestamp"] == now.isoformat()
        assert document["metadata"]["analysis_version"] == analysis.ANALYSIS_VERSION
        assert "shannon_diversity" in document["definitions"]


def test_versions_are_those_of_the_predictions_and_never_that_of_the_folder(
    mine: UserStore, field: Session
) -> None:
    shipped = read_card(STARTER_MODEL).version
    named = ((shipped, shipped), ("1.0.0", shipped), (None, None), (None, shipped))
    days = [DAY + timedelta(days=step) for step in range(len(named))]
    for place, (day, versions) in enumerate(zip(days, named, strict=True)):
        for number, version in enumerate(versions):
            add(mine, field, 10 * place + number, day, NAMES[number], version)
    analysis.recompute(mine, field.id, days)
    made = exporter(mine)
    told = []
    for day, versions in zip(days, named, strict=True):
        document = json.loads(content(made, "daily-summary", day=day))
        info = document["model_info"]
        told.append((info["version"], info["versions"]))
        # What the folder's card says is said of the version in it alone.
        assert (info["size"] is not None) is (set(versions) == {shipped})
        about = made.file("daily-predictions", day).described()
        assert about is not None
        (described,) = about.content()
        assert json.loads(described)["notes"][0]["models"] == document["metadata"]["models"]
        sizes = [line["model_size"] for line in lines(made, "daily-predictions", day=day)]
        assert [bool(size) for size in sizes] == [version == shipped for version in versions]
    assert told == [
        (shipped, [shipped]), (None, ["1.0.0", shipped]), (None, [None]), (None, [None, shipped]),
    ]  # fmt: skip
    everything = [{"name": "seedlings-12", "version": version} for version in (None, "1.0.0", shipped)]
    for kind in ("time-series", "calendar"):
        assert json.loads(content(made, kind))["metadata"]["models"] == everything
    archive = zipfile.ZipFile(io.BytesIO(content(made, "darwin-core")))
    assert (
        f"classifiers: seedlings-12, seedlings-12 1.0.0, seedlings-12 {shipped}."
        in archive.read("eml.xml").decode()
    )


def test_pooled_days_hold_the_photos_of_all_sessions(
    mine: UserStore, season: list[date], field: Session
) -> None:
    assert len(lines(exporter(mine), "daily-predictions", day=season[1])) == 6
    assert len(lines(exporter(mine, session=field.id), "daily-predictions", day=season[1])) == 4
    assert len(lines(exporter(mine), "aggregated-predictions")) == 14
    assert len(lines(exporter(mine, session=field.id), "aggregated-predictions")) == 12
    summary = {line["species_name"]: line for line in lines(exporter(mine), "species-summary")}
    assert summary["Stellaria media"]["total_occurrences"] == "6"
    assert summary["Poa annua"]["days_observed"] == "1"
    assert float(summary["Poa annua"]["average_confidence"]) == 0.75


def test_a_period_holds_both_its_ends(mine: UserStore, season: list[date]) -> None:
    made = exporter(mine, start=season[0], end=season[1])
    assert made.file("time-series").name == "time_series_2025-08-24_to_2025-08-26.json"
    assert {line["date"] for line in lines(made, "aggregated-predictions")} == {"2025-08-24", "2025-08-26"}
    assert made.file("daily-summary").name == "daily_summary_2025-08-26.json"


def test_photos_have_the_name_that_their_owner_knows(mine: UserStore, season: list[date]) -> None:
    made = exporter(mine)
    paths = [line["image_path"] for line in lines(made, "daily-predictions", day=DAY)]
    assert paths == [f"2025-08-24/=IMG {number}.jpg" for number in range(4)]
    assert b"store/" not in content(made, "all")
    for kind in KINDS[:7]:
        assert b"store/" not in content(made, kind)
        assert b"ito@" not in content(made, kind)


def test_events_are_days_of_sessions(mine: UserStore, season: list[date], field: Session) -> None:
    archive = zipfile.ZipFile(io.BytesIO(content(exporter(mine), "darwin-core")))
    events = [line.split("\t") for line in archive.read("event.txt").decode().splitlines()[1:]]
    assert [event[0] for event in events] == [
        *(f"session-{field.id}:{day}" for day in season), f"session-{field.id + 1}:{season[1]}",
    ]  # fmt: skip
    assert [event[8] for event in events] == ["43.0", "43.0", "43.0", ""]
    occurrences = archive.read("occurrence.txt").decode().splitlines()[1:]
    assert len(occurrences) == 14
    assert len({line.split("\t")[1] for line in occurrences}) == 14
    of_field = zipfile.ZipFile(io.BytesIO(content(exporter(mine, session=field.id), "darwin-core")))
    assert len(of_field.read("event.txt").splitlines()) == 1 + 3


def test_occurrences_add_up_to_the_counts_of_the_day(
    mine: UserStore, season: list[date], field: Session
) -> None:
    for day in season:
        row = mine.day(day, field.id)
        assert row is not None
        found: dict[str, int] = {}
        for unit in units(mine.day_photos(field.id, day)):
            found[unit.photo.label or ""] = found.get(unit.photo.label or "", 0) + 1
        assert found == dict(row.species_counts)


def test_photos_are_read_day_by_day_while_the_file_is_sent(mine: UserStore, season: list[date]) -> None:
    """Only what a reader has taken is made: a season of photos is never in memory."""
    asked: list[date] = []

    def photos(day: date, session: int | None) -> list[Photo]:
        asked.append(day)
        return mine.day_photos(session, day) * 400  # each day fills a piece of the file

    file = Exporter(mine, photos, STARTER_MODEL).file("aggregated-predictions")
    assert asked == []
    pieces: Iterator[bytes] = iter(file.content())
    next(pieces)
    assert asked == season[:1]
    assert b"".join(pieces)
    assert asked == season


def test_another_user_has_nothing_of_it(store: DatabaseStore, season: list[date]) -> None:
    other = store.for_user(store.create_user("abe", "abe@field.example", "e" * 64, "prefix", ["read"]).id)
    for kind in KINDS:
        with pytest.raises(Problem) as refused:
            exporter(other).file(kind)
        assert refused.value.status == 404


@pytest.mark.parametrize("kind", exports.OF_A_DAY)
def test_a_day_without_a_survey_is_not_found(mine: UserStore, season: list[date], kind: str) -> None:
    with pytest.raises(Problem) as refused:
        exporter(mine).file(kind, day=date(2025, 8, 25))
    assert refused.value.status == 404
    assert refused.value.errors[0]["field"] == "date"


# File mode


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize((256, 256), Image.Resampling.NEAREST).save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUTPUT_DIR after an analysis of two days; the photos themselves are gone."""
    data = tmp_path_factory.mktemp("data")
    for day, seeds in (("2025-08-24", (1, 2, 3)), ("2025-08-26", (4, 4, 5))):
        (data / day).mkdir()
        for place, seed in enumerate(seeds):
            (data / day / f"{place}.jpg").write_bytes(picture(seed))
        (data / day / "notes.jpg").write_text("rain")
    output = tmp_path_factory.mktemp("output")
    folder.analyse(folder.find(data), output, Recogniser(STARTER_MODEL), "Asia/Tokyo")
    return output


@pytest.fixture
def output(analysed: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(analysed, tmp_path / "output")
    return tmp_path / "output"


def of_folder(output: Path, **span: Any) -> Exporter:
    return exports.of_folder(FileStore(output), STARTER_MODEL, span.get("start"), span.get("end"))


def test_the_files_of_file_mode_are_those_that_the_analysis_wrote(output: Path) -> None:
    """Every CSV byte for byte, every JSON but for when it was made: both are made of the same record."""
    made = {file.path: b"".join(file.content()) for file in of_folder(output).files()}
    on_disk = {
        path.relative_to(output).as_posix()
        for path in output.rglob("*")
        if path.is_file() and CACHE not in str(path)
    }
    assert on_disk < set(made)
    assert {name.partition("/")[0] for name in set(made) - on_disk} == {"darwin_core"}
    for name in on_disk:
        if name.endswith(".csv"):
            assert made[name] == (output / name).read_bytes(), name
    one = json.loads(made["json/time_series_2025-08-24_to_2025-08-26.json"])
    other = json.loads((output / "json/time_series_2025-08-24_to_2025-08-26.json").read_text("utf-8"))
    assert {key: one[key] for key in one if key != "metadata"} == {
        key: other[key] for key in other if key != "metadata"
    }


def test_the_record_of_an_analysis_gives_the_photos_back(output: Path) -> None:
    photos = recorded_photos(output, date(2025, 8, 26))
    assert [(photo.id, photo.path) for photo in photos] == [(1, "2025-08-26/0.jpg"), (2, "2025-08-26/2.jpg")]
    row, _, memberships = analysis.analyse_day(date(2025, 8, 26), photos, "seedlings-12")
    stored = FileStore(output).day(date(2025, 8, 26))
    assert stored is not None
    assert (row.species_counts, row.total_images) == (stored.species_counts, stored.total_images)
    assert [photo.cluster_id for photo in photos] == [member.cluster_id for member in memberships]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"made_day": true}', b'{"made_day": true, "files": {"a": []}}']
)
def test_a_broken_record_is_none(output: Path, content: bytes) -> None:
    (output / CACHE / "2025-08-24.json").write_bytes(content)
    assert recorded_photos(output, date(2025, 8, 24)) == []


def test_days_of_the_earlier_tool_go_with_the_files_that_it_left(output: Path) -> None:
    day = date(2025, 8, 20)
    (output / "json" / "daily_summary_2025-08-20.json").write_text(
        json.dumps(
            {
                "date": "2025-08-20",
                "diversity_metrics": {"total_images": 4},
                "top_species": [
                    {"species_name": "Poa annua", "count": 4, "frequency": 1, "average_confidence": 0.5}
                ],
            }
        )
    )
    made = of_folder(output)
    file = made.file("daily-predictions", day=day)
    assert lines(made, "daily-predictions", day=day) == []  # there is no such file, and no photo is on record
    assert file.described() is not None
    theirs = (
        "date,image_id,image_path,species_name_1,confidence_1,extra\n2025-08-20,7,a.jpg,Poa annua,0.5,x\n"
    )
    tables.daily_path(output, day).write_text(theirs)
    file = made.file("daily-predictions", day=day)
    assert b"".join(file.content()) == theirs.encode()
    assert file.described() is None  # nobody told what their columns mean
    first, *_ = lines(made, "aggregated-predictions")
    assert (first["image_id"], first["species_name_1"], first["confidence_1"]) == (
        "2025-08-20_7",
        "Poa annua",
        "0.5",
    )
    assert "extra" not in first
    archive = zipfile.ZipFile(io.BytesIO(content(made, "darwin-core")))
    occurrence = archive.read("occurrence.txt").decode().splitlines()[1].split("\t")
    assert (occurrence[0], occurrence[4], occurrence[9]) == ("site:2025-08-20", "Poa annua", "4")


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00", b'"' + b"x" * 200_000])
def test_a_table_that_is_none_is_passed_over(output: Path, junk: bytes) -> None:
    shutil.rmtree(output / CACHE)
    tables.daily_path(output, date(2025, 8, 24)).write_bytes(junk)
    assert {line["date"] for line in lines(of_folder(output), "aggregated-predictions")} == {"2025-08-26"}


def test_without_its_record_a_day_has_its_own_files(output: Path) -> None:
    before = {kind: content(of_folder(output), kind) for kind in ("daily-predictions", "soft-voting")}
    shutil.rmtree(output / CACHE)
    made = of_folder(output)
    assert {kind: content(made, kind) for kind in before} == before
    described = made.file("soft-voting").described()
    assert described is not None
    assert len(lines(made, "aggregated-predictions")) == 5
