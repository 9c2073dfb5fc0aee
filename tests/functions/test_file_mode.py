"""A server without DATABASE_URL: reads come from OUTPUT_DIR, writes say what to set."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import functions
from tests.functions.conftest import ROOT, Client, Server

NEEDS_DATABASE = [
    pytest.param(method, function.paths[0].replace("{id}", "1"), id=f"{method} {function.paths[0]}")
    for function in functions.FUNCTIONS
    if function.auth in ("required", "private") and not function.files
    for method in function.methods
]
READS = (
    "/api/calendar/shannon_diversity",
    "/api/time-series",
    "/api/trend",
    "/api/compare?a=2025-06-01&b=2025-06-02..2025-06-30",
    "/api/species-dashboard",
    "/api/daily/2025-06-01",
    "/api/status",
)


@pytest.fixture
def analysed(make_server: Callable[..., Server], photos_dir: Path, tmp_path: Path) -> Client:
    """A server on what analyze_folder made of real photos of two days."""
    folder = tmp_path / "photos"
    for day, plants in (
        ("2025-06-01", ("Galium_aparine", "Stellaria_media")),
        ("2025-06-08", ("Zea_mays",)),
    ):
        (folder / day).mkdir(parents=True)
        for plant in plants:
            for path in sorted((photos_dir / plant).glob("*.jpg"))[:3]:
                (folder / day / path.name).write_bytes(path.read_bytes())
    server = make_server(database=False)
    analyse = [sys.executable, str(ROOT / "scripts" / "analyze_folder.py"), str(folder)]
    output = str(server.folder / "output")
    subprocess.run([*analyse, "--output", output], check=True, cwd=tmp_path, capture_output=True)
    return server.visitor()


@pytest.mark.photos
def test_what_was_analysed_is_served_without_a_key(analysed: Client, user: Client) -> None:
    calendar = analysed.get("/api/calendar/total_images").json()
    assert calendar["sample"] is False
    assert {day: cell["value"] for day, cell in calendar["data"].items()} == {
        "2025-06-01": 6,
        "2025-06-08": 3,
    }
    assert analysed.get("/api/time-series").json()["dates"] == ["2025-06-01", "2025-06-08"]
    day = analysed.get("/api/daily/2025-06-01").json()
    assert day["species_counts"]
    dashboard = analysed.get("/api/species-dashboard").json()
    assert dashboard["total_observations"] == sum(
        sum(analysed.get(f"/api/daily/{each}").json()["species_counts"].values())
        for each in ("2025-06-01", "2025-06-08")
    )
    assert analysed.get("/calendar").status_code == 200


@pytest.mark.photos
def test_both_modes_answer_with_the_same_shapes(analysed: Client, user: Client, photos_dir: Path) -> None:
    plants = sorted((photos_dir / "Galium_aparine").glob("*.jpg"))[:3]
    user.upload(*[(path.name, path.read_bytes()) for path in plants], date="2025-06-01")
    for path in READS:
        here, there = analysed.get(path), user.get(path)
        assert here.status_code == there.status_code == 200, path
        assert list(here.json()) == list(there.json()), path
    cell = analysed.get(READS[0]).json()["data"]["2025-06-01"]
    assert list(cell) == list(user.get(READS[0]).json()["data"]["2025-06-01"])


def test_with_nothing_analysed_visitors_see_the_sample(file_server: Server) -> None:
    assert file_server.visitor().get("/api/calendar/hill_q1").json()["sample"] is True
    assert file_server.visitor().get("/api/status").json()["mode"] == "file"


@pytest.mark.parametrize(("method", "path"), NEEDS_DATABASE)
def test_what_needs_a_database_says_what_to_set(file_server: Server, method: str, path: str) -> None:
    reply = file_server.visitor().request(method, path, headers={"X-API-Key": "k" * 43})
    assert (reply.status_code, reply.headers["Content-Type"]) == (503, "application/problem+json")
    assert "DATABASE_URL" in reply.json()["detail"]
    assert reply.headers["Retry-After"]


@pytest.mark.parametrize("path", ["/", "/calendar", "/upload", "/sign-in"])
def test_pages_work(file_server: Server, path: str) -> None:
    reply = file_server.visitor().get(path)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
