"""GET /api/export/{kind}: the caller's data as files."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from dwca.read import DwCAReader

from lib import __version__
from lib.outputs import tables
from lib.outputs.exports import KINDS, OF_A_DAY
from lib.store.records import METRICS
from tests.functions.conftest import ROOT, Client, Server

DAYS = ("2025-05-01", "2025-05-03")
PERIOD = "2025-05-01_to_2025-05-03"
CSV, JSON, ZIP = "text/csv; charset=utf-8", "application/json", "application/zip"
FILES = {
    "daily-summary": ("daily_summary_2025-05-03.json", JSON),
    "time-series": (f"time_series_{PERIOD}.json", JSON),
    "calendar": ("github_calendar_shannon_diversity.json", JSON),
    "daily-predictions": ("daily_predictions_2025-05-03.csv", CSV),
    "aggregated-predictions": (f"aggregated_predictions_{PERIOD}.csv", CSV),
    "species-summary": (f"species_summary_{PERIOD}.csv", CSV),
    "soft-voting": ("soft_voting_2025-05-03.csv", CSV),
    "darwin-core": (f"darwin_core_{PERIOD}.zip", ZIP),
    "all": (f"weed_diversity_{PERIOD}.zip", ZIP),
}
TABLES = [kind for kind, (_, media_type) in FILES.items() if media_type == CSV]


@pytest.fixture
def season(user: Client, photo: Callable[..., bytes]) -> list[dict[str, Any]]:
    """Three photos on each of two days; the first is chickweed, because a person says so."""
    images: list[dict[str, Any]] = []
    for day in DAYS:
        sent = [(f"=cmd {day} {i}.jpg", photo(int(day[-1]) * 10 + i)) for i in range(3)]
        images += [result["image"] for result in user.upload(*sent, date=day).json()["results"]]
    assert user.patch(f"/api/images/{images[0]['id']}", json={"label": "Stellaria media"}).ok
    return images


def rows(reply: requests.Response) -> list[dict[str, str]]:
    assert reply.status_code == 200, reply.text
    return tables.read_table(reply.content)


def test_the_kinds_are_those_of_the_table() -> None:
    assert tuple(FILES) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_file_of_its_name_and_type(user: Client, season: Any, kind: str) -> None:
    reply = user.get(f"/api/export/{kind}")
    name, media_type = FILES[kind]
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert reply.headers["Content-Type"] == media_type
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert reply.content
    head = user.request("HEAD", f"/api/export/{kind}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Disposition"] == reply.headers["Content-Disposition"]


def test_the_summary_is_that_of_the_day_with_its_definitions(user: Client, season: Any) -> None:
    exported = user.get("/api/export/daily-summary", params={"date": DAYS[0]}).json()
    shown = user.get(f"/api/daily/{DAYS[0]}").json()
    for section in ("date", "diversity_metrics", "species_counts", "top_species", "confidence_intervals"):
        assert exported[section] == shown[section]
    assert exported["species_counts"]["Stellaria media"] == 1
    assert set(exported["definitions"]) == set(METRICS)
    assert exported["metadata"]["product_version"] == __version__
    assert [model["name"] for model in exported["metadata"]["models"]] == [exported["model_info"]["name"]]
    assert exported["metadata"]["models"][0]["version"]


def test_the_series_and_the_calendar_hold_the_period(user: Client, season: Any) -> None:
    series = user.get("/api/export/time-series").json()
    assert series["diversity_trends"]["dates"] == list(DAYS)
    assert series["processing_trends"]["image_counts"] == [3, 3]
    calendar = user.get("/api/export/calendar?metric=total_images&start_date=2025-05-02").json()
    assert [(entry["date"], entry["value"]) for entry in calendar["data"]] == [(DAYS[1], 3)]
    assert set(calendar["definitions"]) == {"total_images"}


def test_predictions_are_those_of_the_photos(user: Client, season: list[dict[str, Any]]) -> None:
    found = rows(user.get("/api/export/daily-predictions", params={"date": DAYS[0]}))
    assert list(found[0]) == list(tables.DAILY_COLUMNS)
    assert [int(line["image_id"]) for line in found] == [image["id"] for image in season[:3]]
    assert found[0]["image_path"] == f"2025-05-01/=cmd {DAYS[0]} 0.jpg"
    best = season[0]["predictions"][0]
    assert (found[0]["species_name_1"], float(found[0]["confidence_1"])) == (
        best["species"],
        best["confidence"],
    )
    both = rows(user.get("/api/export/aggregated-predictions"))
    assert [line["image_id"] for line in both] == [f"{image['date']}_{image['id']}" for image in season]
    assert rows(user.get("/api/export/aggregated-predictions?end_date=2025-05-02")) == both[:3]


def test_the_species_are_those_that_were_counted(user: Client, season: Any) -> None:
    (chickweed,) = [
        line
        for line in rows(user.get("/api/export/species-summary"))
        if line["species_name"] == "Stellaria media"
    ]
    assert (chickweed["total_occurrences"], chickweed["first_observed"]) == ("1", DAYS[0])
    assert float(chickweed["average_confidence"]) == 1.0


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_says_where_its_columns_are_explained(user: Client, season: Any, kind: str) -> None:
    reply = user.get(f"/api/export/{kind}", params={"end_date": DAYS[0]})
    address, *parts = reply.headers["Link"].split("; ")
    assert parts == ['rel="describedby"', 'type="application/csvm+json"']
    described = user.get(address.strip("<>"))
    assert described.headers["Content-Type"] == "application/csvm+json"
    document = described.json()
    name = reply.headers["Content-Disposition"].split('"')[1]
    assert document["url"] == name
    assert described.headers["Content-Disposition"] == f'attachment; filename="{name}-metadata.json"'
    header = reply.content.decode().partition("\r\n")[0].split(",")
    assert [column["name"] for column in document["tableSchema"]["columns"]] == header
    assert document["notes"][0]["product_version"] == __version__


@pytest.mark.parametrize("kind", ["daily-predictions", "soft-voting"])
def test_the_explanation_is_that_of_the_day_asked_for(user: Client, season: Any, kind: str) -> None:
    address = user.get(f"/api/export/{kind}?date={DAYS[0]}").headers["Link"].split(">")[0].strip("<")
    assert user.get(address).json()["url"].endswith(f"_{DAYS[0]}.csv")


@pytest.mark.parametrize("kind", ["daily-summary", "darwin-core"])
def test_other_files_explain_themselves(user: Client, season: Any, kind: str) -> None:
    assert "Link" not in user.get(f"/api/export/{kind}").headers
    assert user.get(f"/api/export/{kind}?metadata=true").status_code == 404


def test_the_darwin_core_archive_can_be_read(user: Client, season: Any, tmp_path: Path) -> None:
    session = season[0]["session_id"]
    place = {"latitude": 43.25, "longitude": 141.5, "session_name": "North field"}
    assert user.patch(f"/api/sessions/{session}", json=place).ok
    path = tmp_path / "archive.zip"
    path.write_bytes(user.get("/api/export/darwin-core").content)
    terms = "http://rs.tdwg.org/dwc/terms/"
    with DwCAReader(path) as archive:
        events = [row.data for row in archive]
        assert [event[terms + "eventID"] for event in events] == [f"session-{session}:{day}" for day in DAYS]
        assert {event[terms + "decimalLatitude"] for event in events} == {"43.25"}
        assert {event[terms + "sampleSizeValue"] for event in events} == {"3"}
        found = [
            each.data for row in archive for each in row.extensions if each.rowtype == terms + "Occurrence"
        ]
    (chickweed,) = [each for each in found if each[terms + "scientificName"] == "Stellaria media"]
    assert chickweed[terms + "basisOfRecord"] == "HumanObservation"
    assert chickweed[terms + "identifiedBy"] == ""
    assert season[0]["sha256"] in chickweed[terms + "associatedMedia"]


def test_nothing_leaves_of_the_person_or_of_the_server(server: Server, user: Client, season: Any) -> None:
    archive = zipfile.ZipFile(io.BytesIO(user.get("/api/export/all").content))
    dwca = zipfile.ZipFile(
        io.BytesIO(next(archive.read(name) for name in archive.namelist() if name.endswith(".zip")))
    )
    parts = [archive.read(name) for name in archive.namelist()] + [
        dwca.read(name) for name in dwca.namelist()
    ]
    for secret in (user.secret, "@example.org", str(server.folder), "photos/"):
        assert not any(secret.encode() in part for part in parts), secret


def test_a_session_is_exported_by_itself(user: Client, season: Any, photo: Callable[..., bytes]) -> None:
    made = user.post("/api/sessions", json={"session_name": "garden"}).json()
    user.upload(("g.jpg", photo(70)), session_id=made["id"], date=DAYS[0])
    everything = rows(user.get("/api/export/daily-predictions", params={"date": DAYS[0]}))
    garden = rows(user.get("/api/export/daily-predictions", params={"date": DAYS[0], "session": made["id"]}))
    assert (len(everything), len(garden)) == (4, 1)
    assert garden[0]["image_path"] == f"{DAYS[0]}/g.jpg"


def test_only_the_caller_s_own_data_leave(server: Server, season: list[dict[str, Any]]) -> None:
    stranger = server.user()
    for kind in KINDS:
        reply = stranger.get(f"/api/export/{kind}")
        assert (reply.status_code, reply.headers["Content-Type"]) == (404, "application/problem+json"), kind
    reply = stranger.get("/api/export/species-summary", params={"session": season[0]["session_id"]})
    assert reply.json()["errors"][0]["field"] == "session"


def test_an_unknown_kind_lists_the_kinds(user: Client) -> None:
    reply = user.get("/api/export/secrets")
    assert (reply.status_code, reply.headers["Content-Type"]) == (404, "application/problem+json")
    assert reply.json()["kinds"] == list(KINDS)
    assert "darwin-core" in reply.json()["detail"]


def test_an_unknown_metric_lists_the_metrics(user: Client, season: Any) -> None:
    reply = user.get("/api/export/calendar?metric=beauty")
    assert reply.status_code == 404
    assert reply.json()["metrics"] == list(METRICS)


@pytest.mark.parametrize("kind", OF_A_DAY)
def test_a_day_without_a_survey_is_not_found(user: Client, season: Any, kind: str) -> None:
    reply = user.get(f"/api/export/{kind}?date=2025-05-02")
    assert reply.status_code == 404
    assert "2025-05-02" in reply.json()["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_period_without_a_survey_is_not_found(user: Client, season: Any, kind: str) -> None:
    reply = user.get(f"/api/export/{kind}?start_date=2024-01-01&end_date=2024-12-31")
    assert reply.status_code == 404
    assert "period" in reply.json()["detail"]


@pytest.mark.parametrize(
    "query", ["date=2025-02-30", "start_date=x", "end_date=1", "session=x", "session=0", "metadata=perhaps"]
)
def test_bad_parameters_are_named(user: Client, query: str) -> None:
    reply = user.get(f"/api/export/daily-summary?{query}")
    assert reply.status_code == 400, reply.text
    assert reply.json()["errors"][0]["field"] == query.split("=")[0]
    turned = user.get("/api/export/time-series?start_date=2025-05-02&end_date=2025-05-01")
    assert turned.json()["errors"][0]["field"] == "end_date"


def test_visitors_get_no_files(visitor: Client) -> None:
    assert visitor.get("/api/export/daily-summary").status_code == 401


# File mode


@pytest.fixture
def folder_server(make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path) -> Server:
    """A server on what an analysis left of two days; the photos are gone."""
    for day in DAYS:
        place = tmp_path / "photos" / day
        place.mkdir(parents=True)
        for i in range(3):
            (place / f"{i}.jpg").write_bytes(photo(int(day[-1]) * 10 + i))
    server = make_server(database=False)
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "analyze_folder.py"), str(tmp_path / "photos")],
        env={"PATH": "/usr/bin:/bin", "OUTPUT_DIR": str(server.folder / "output")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    shutil.rmtree(tmp_path / "photos")
    return server


def test_file_mode_exports_what_the_analysis_left(folder_server: Server) -> None:
    site = folder_server.visitor()
    output = folder_server.folder / "output"
    for kind, (name, media_type) in FILES.items():
        reply = site.get(f"/api/export/{kind}")
        assert reply.status_code == 200, reply.text
        assert reply.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        if media_type == CSV:
            assert reply.content == (output / "csv" / name).read_bytes()
    summary = site.get("/api/export/daily-summary").json()
    on_disk = json.loads((output / "json" / FILES["daily-summary"][0]).read_text("utf-8"))
    assert set(summary) == set(on_disk)
    assert {key: summary[key] for key in summary if key != "metadata"} == {
        key: on_disk[key] for key in on_disk if key != "metadata"
    }
    assert site.get("/api/export/time-series?session=1").status_code == 404


def test_file_mode_without_an_analysis_has_nothing_to_export(file_server: Server) -> None:
    reply = file_server.visitor().get("/api/export/all")
    assert (reply.status_code, reply.headers["Content-Type"]) == (404, "application/problem+json")
