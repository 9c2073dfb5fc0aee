"""The checklist of a fresh deployment, on SQLite and on PostgreSQL: what must work before anything else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts import smoke
from tests.functions.conftest import ROOT, Client, Server, start_server


@pytest.fixture
def deployed(database_url: str, tmp_path: Path) -> Iterator[Server]:
    running = start_server(tmp_path / "deployed", database_url)
    yield running
    running.stop()


@pytest.fixture
def owner(deployed: Server) -> Client:
    """A user made by the command that the README names."""
    made = subprocess.run(
        [
            sys.executable,
            str(ROOT / "scripts" / "create_user.py"),
            *("--username", "owner", "--email", "owner@example.org"),
            *("--database-url", str(deployed.database_url)),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    secret = made.stdout.splitlines()[-1]
    return Client(deployed.base, {"Authorization": f"Bearer {secret}"}, secret=secret)


@pytest.mark.photos
def test_a_fresh_deployment_works(deployed: Server, owner: Client, photos_dir: Path) -> None:
    session = owner.post("/api/sessions", json={"session_name": "North field"})
    assert session.status_code == 201
    plants = [sorted((photos_dir / name).glob("*.jpg"))[3] for name in ("Galium_aparine", "Stellaria_media")]
    uploaded = owner.upload(*[(path.name, path.read_bytes()) for path in plants], date="2025-08-24")
    assert uploaded.status_code == 201
    body = uploaded.json()
    assert body["session_id"] == session.json()["id"]
    assert [result["image"]["is_processed"] for result in body["results"]] == [True, True]
    assert body["metrics"]["2025-08-24"]["total_images"] == 2

    assert owner.get("/api/calendar/total_images").json()["data"]["2025-08-24"]["value"] == 2
    assert owner.get("/api/time-series").json()["dates"] == ["2025-08-24"]
    assert owner.get("/api/daily/2025-08-24").json()["sample"] is False
    for path in ("/upload", "/sign-in"):
        assert deployed.visitor().get(path).status_code == 200
    for line in deployed.log.read_text().splitlines():
        assert json.loads(line)["level"] in ("INFO", "WARNING")


@pytest.mark.photos
def test_the_checklist_finds_nothing_amiss(
    deployed: Server, owner: Client, photos_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`scripts/smoke.py`, which anybody can run against their own server, with a real plant."""
    plant = sorted((photos_dir / "Galium_aparine").glob("*.jpg"))[3]
    arguments = [deployed.base, "--key", owner.secret, "--photo", str(plant), "--log", str(deployed.log)]
    code = smoke.main(arguments)
    printed = capsys.readouterr().out
    assert code == 0, printed
    summary = json.loads(printed.splitlines()[-1])
    assert (summary["failed"], summary["skipped"]) == ([], [])
    assert owner.get("/api/sessions").json()["sessions"] == []


def test_sessions_are_pooled_and_corrections_hold(
    deployed: Server, owner: Client, photo: Callable[..., bytes]
) -> None:
    """What is written differently on the two databases: conflicts, JSON columns, times, pooled days."""
    for plot in ("one", "two"):
        session = owner.post("/api/sessions", json={"session_name": plot}).json()["id"]
        sent = [(f"{i}.jpg", photo(i, taken="2025:08:24 00:30:00", offset="+09:00")) for i in range(3)]
        images = owner.upload(*sent, session_id=session).json()["results"]
        assert [each["status"] for each in images] == ["created"] * 3
        assert owner.upload(*sent, session_id=session).status_code == 200
        owner.patch(f"/api/images/{images[0]['image']['id']}", json={"label": "Stellaria media"})
        owner.patch(f"/api/images/{images[1]['image']['id']}", json={"label": f"Rumex {plot}"})
        assert images[0]["image"]["captured_at"] == "2025-08-23T15:30:00Z"
    day = owner.get("/api/daily/2025-08-24").json()
    named = {"Stellaria media": 2, "Rumex one": 1, "Rumex two": 1}
    assert day["species_counts"].items() >= named.items()
    headers = {"Idempotency-Key": "walk"}
    first = owner.upload(("x.jpg", photo(50)), headers=headers)
    assert owner.upload(("x.jpg", photo(50)), headers=headers).json() == first.json()


def test_uploads_to_one_session_at_once_all_count(
    deployed: Server, owner: Client, photo: Callable[..., bytes]
) -> None:
    owner.post("/api/sessions", json={"session_name": "busy"})

    def send(number: int) -> int:
        sent = [(f"{i}.jpg", photo(number * 10 + i)) for i in range(3)]
        return int(owner.upload(*sent, date="2025-08-24").status_code)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(send, range(4))) == [201] * 4
    assert owner.get("/api/calendar/total_images").json()["data"]["2025-08-24"]["value"] == 12
