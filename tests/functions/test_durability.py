"""A photo that was acknowledged is never lost: crashes, missing models, waiting work, full disks."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lib import analysis
from lib.config import STARTER_MODEL
from lib.store.database import DatabaseStore
from scripts.benchmarks import crash
from tests.functions.conftest import Client, Server, process_backlog, start_server


def kill(server: Server) -> None:
    """No time to say goodbye: the whole process group of gunicorn, at once."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for pid in [*map(int, children), server.process.pid]:
        os.kill(pid, signal.SIGKILL)
    server.process.wait()


@pytest.mark.photos
def test_without_a_model_photos_are_kept_and_named_when_it_is_back(
    make_server: Callable[..., Server], photos_dir: Path, tmp_path: Path
) -> None:
    server = make_server(MODEL_DIR=str(tmp_path / "none"))
    user = server.user()
    plant = sorted((photos_dir / "Galium_aparine").glob("*.jpg"))[0]
    reply = user.upload(("g.jpg", plant.read_bytes()), date="2025-06-01")
    assert reply.status_code == 201
    result = reply.json()["results"][0]
    assert result["problem"]["type"].endswith("not-yet-classified")
    assert (result["image"]["label"], result["image"]["is_processed"]) == (None, False)
    assert reply.json()["metrics"]["2025-06-01"]["total_images"] == 1
    assert process_backlog(server, MODEL_DIR=str(tmp_path / "none"))["waiting"] == 1

    summary = process_backlog(server)
    assert (summary["classified"], summary["waiting"], summary["exit"]) == (1, 0, 0)
    image = user.get(f"/api/images/{result['image']['id']}").json()
    assert image["is_processed"] is True
    assert image["predictions"]
    assert user.get("/api/daily/2025-06-01").json()["processing_info"]["processed_images_count"] == 1
    assert process_backlog(server)["classified"] == 0


@pytest.mark.photos
def test_waiting_photos_are_named_after_a_request_of_a_server_that_can(
    make_server: Callable[..., Server], photos_dir: Path, tmp_path: Path
) -> None:
    without = make_server(MODEL_DIR=str(tmp_path / "none"))
    user = without.user()
    plant = sorted((photos_dir / "Galium_aparine").glob("*.jpg"))[0]
    user.upload(("g.jpg", plant.read_bytes()), date="2025-06-01")
    without.stop()
    again = start_server(without.folder, without.database_url)
    try:
        someone = Client(again.base, user.headers)
        someone.get("/api/status")  # the look for waiting work comes after its answer
        store = DatabaseStore(str(without.database_url))
        # The thread has no door to wait at; the loop is bounded by requests, each of which takes its time.
        for _ in range(2000):
            with store.connection():
                if not store.unprocessed(1) and not store.stale_days(1):
                    break
            someone.get("/health")
        assert someone.get("/api/images").json()["images"][0]["is_processed"] is True
        store.close()
    finally:
        again.stop()


def test_a_kill_loses_nothing_that_was_acknowledged(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    server = make_server()
    user = server.user()
    sent = [(f"{i}.jpg", photo(i)) for i in range(5)]
    acknowledged = {r["image"]["sha256"] for r in user.upload(*sent, date="2025-06-01").json()["results"]}
    kill(server)
    again = start_server(server.folder, server.database_url)
    try:
        images = Client(again.base, user.headers).get("/api/images").json()["images"]
        assert {image["sha256"] for image in images} == acknowledged
        for image in images:
            assert Client(again.base, user.headers).get(f"/api/images/{image['id']}/file").ok
    finally:
        again.stop()


@pytest.mark.photos
def test_kills_at_random_moments_of_uploads_lose_nothing(
    empty_database_url: str, photos_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash test of scripts/bench.py, small: what is acknowledged, kept, left over and computed afterwards."""
    monkeypatch.setenv("PLANT_PHOTOS", str(photos_dir.parent))
    found = crash.run(empty_database_url, tmp_path, 20, 3, seed=1, hurried=True)
    assert {promise: found[promise] for promise in crash.PROMISES if found[promise]} == {}
    assert (found["uploads"], found["kills"]) == (20 + crash.LAST, 3 + 1)
    assert found["acknowledged"] > 0
    assert found["connections_lost"] > 0


def test_what_a_crash_leaves_is_swept_and_recomputed(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    """A file without a row, a half-written file, and a day behind its photos: the states between two steps."""
    server = make_server()
    user = server.user()
    image = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()["results"][0]["image"]
    (kept,) = (path for path in (server.data_dir / "photos").rglob("*.jpg"))
    orphan = kept.with_name(kept.name.replace(kept.name[-12:-4], "00000000"))
    orphan.write_bytes(photo(2))
    half = kept.with_name(".tmp-0123456789abcdef")
    half.write_bytes(b"half a photo")
    for path in (orphan, half):
        os.utime(path, (0, 0))
    young = kept.with_name(kept.name.replace(kept.name[-12:-4], "11111111"))
    young.write_bytes(photo(3))
    store = DatabaseStore(str(server.database_url))
    with store.connection():
        mine = store.for_user(user.user_id)
        # The label is written, and then the process dies before the day is analysed.
        mine.label_photo(image["id"], "Stellaria media", "species", mine.photo(image["id"]).created_at)
        assert len(store.stale_days()) == 1
    summary = process_backlog(server)
    assert (summary["files_swept"], summary["files_missing"], summary["days_recomputed"]) == (1, 0, 1)
    assert (orphan.exists(), half.exists(), young.exists(), kept.exists()) == (False, False, True, True)
    with store.connection():
        assert store.stale_days() == []
        row = mine.day(mine.photo(image["id"]).date)
        assert row is not None
        assert row.species_counts == {"Stellaria media": 1}
        assert analysis.recompute(mine, image["session_id"], mine.dates()).unchanged == 1
    store.close()


def test_a_missing_file_is_reported_and_its_row_kept(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    server = make_server()
    user = server.user()
    user.upload(("a.jpg", photo(1)), date="2025-06-01")
    for path in (server.data_dir / "photos").rglob("*.jpg"):
        path.unlink()
    assert process_backlog(server)["files_missing"] == 1
    assert len(user.get("/api/images").json()["images"]) == 1


def test_a_broken_model_folder_breaks_nothing_else(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    broken = tmp_path / "model"
    broken.mkdir()
    for path in STARTER_MODEL.iterdir():
        if path.is_file():
            (broken / path.name).write_bytes(path.read_bytes())
    with (broken / "model.onnx").open("r+b") as model:
        model.seek(1000)
        model.write(b"\x00\x01\x02\x03")
    server = make_server(MODEL_DIR=str(broken))
    user = server.user()
    result = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()["results"][0]
    assert (result["status"], result["problem"]["status"]) == ("created", 503)
    assert str(broken) not in json.dumps(result)
    number = result["image"]["id"]
    assert user.patch(f"/api/images/{number}", json={"label": "Stellaria media"}).ok
    assert user.get("/api/calendar/species_richness").json()["data"]["2025-06-01"]["value"] == 1
