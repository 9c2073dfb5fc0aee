"""GET, PATCH and DELETE /api/sessions/{id}: one field, plot or campaign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functions.conftest import Client, Server
from tests.lib.classifier.conftest import write_folder


@pytest.fixture
def session(user: Client) -> dict[str, Any]:
    place = {"latitude": 43.06, "longitude": 141.35, "start_date": "2025-05-01"}
    return dict(user.post("/api/sessions", json={"session_name": "Plot 1", **place}).json())


def test_only_what_is_sent_changes(user: Client, session: dict[str, Any]) -> None:
    path = f"/api/sessions/{session['id']}"
    changed = user.patch(path, json={"session_name": "Plot A", "end_date": "2025-10-01"}).json()
    assert changed == session | {"session_name": "Plot A", "end_date": "2025-10-01"}
    assert user.patch(path, json={"latitude": None, "longitude": None}).json()["latitude"] is None
    assert user.patch(path, json={}).json() == user.get(path).json()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"session_name": ""}, "session_name"),
        ({"session_name": None}, "session_name"),
        ({"end_date": "2025-04-01"}, "end_date"),
        ({"latitude": None}, "latitude"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"region_species": "atlantis"}, "region_species"),
        ({"region_species": ["Nobody knows"]}, "region_species"),
        ({"id": 5}, "id"),
        ({"user_id": 5}, "user_id"),
    ],
)
def test_a_bad_change_is_named_and_changes_nothing(
    user: Client, session: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    path = f"/api/sessions/{session['id']}"
    reply = user.patch(path, json=change)
    assert reply.status_code in (400, 422)
    assert reply.json()["errors"][0]["field"] == field
    assert user.get(path).json() == session


def test_a_new_zone_does_not_move_photos_that_are_there(
    user: Client, session: dict[str, Any], photo: Callable[..., bytes]
) -> None:
    taken = photo(1, taken="2025:08:24 00:30:00")
    user.upload(("a.jpg", taken), session_id=session["id"])
    user.patch(f"/api/sessions/{session['id']}", json={"timezone": "America/New_York"})
    assert user.get("/api/images").json()["images"][0]["date"] == "2025-08-24"


def test_a_new_list_holds_for_photos_that_come_after(
    user: Client, session: dict[str, Any], photo: Callable[..., bytes]
) -> None:
    path, crops = f"/api/sessions/{session['id']}", ["Zea mays", "Triticum aestivum"]

    def send(seed: int) -> dict[str, Any]:
        reply = user.upload(("a.jpg", photo(seed)), session_id=session["id"]).json()
        return dict(reply["results"][0]["image"])

    free = send(1)
    assert (free["masked"], free["region"], len(free["predictions"])) == (False, None, 3)
    changed = user.patch(path, json={"region_species": crops}).json()
    assert changed == session | {"region_species": crops, "photos": 1}
    held = send(2)
    assert (held["masked"], held["region"].partition("@")[0]) == (True, "session")
    assert {each["species"] for each in held["predictions"]} == set(crops)
    assert user.get(f"/api/images/{held['id']}").json() == held
    # The photo that was there keeps its name, and how it came to it.
    before = user.get(f"/api/images/{free['id']}").json()
    assert {name: before[name] for name in ("label", "masked", "predictions")} == {
        name: free[name] for name in ("label", "masked", "predictions")
    }
    assert user.patch(path, json={"region_species": None}).json()["region_species"] is None
    assert send(3)["masked"] is False


def test_a_model_that_asks_for_the_place_is_told_the_sessions(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    """The model adds the latitude in degrees to its first class and the longitude to its last."""
    north, east = "Rubra prima", "Caerulea sola"
    folder = write_folder(tmp_path / "model", onnx_options={"place": True}, place={"default": [80, 0]})
    user = make_server(MODEL_DIR=str(folder)).user()

    def send(seed: int, session_id: int) -> dict[str, Any]:
        reply = user.upload(("a.jpg", photo(seed)), session_id=session_id, date="2025-06-01")
        return dict(reply.json()["results"][0]["image"])

    nowhere = user.post("/api/sessions", json={"session_name": "nowhere"}).json()["id"]
    assert send(1, nowhere)["label"] == north
    place = {"session_name": "east", "latitude": -10, "longitude": 80}
    there = user.post("/api/sessions", json=place).json()["id"]
    first = send(1, there)
    assert first["label"] == east
    user.patch(f"/api/sessions/{there}", json={"latitude": 80, "longitude": -10})
    assert send(2, there)["label"] == north
    assert user.get(f"/api/images/{first['id']}").json()["label"] == east  # named where it was then


def test_deleting_takes_photos_days_and_files_along(
    server: Server, user: Client, session: dict[str, Any], photo: Callable[..., bytes]
) -> None:
    user.upload(*[(f"{i}.jpg", photo(i)) for i in range(3)], session_id=session["id"], date="2025-06-01")
    folder = server.data_dir / "photos" / str(session["id"])
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 3
    assert user.delete(f"/api/sessions/{session['id']}").status_code == 204
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert user.get(f"/api/sessions/{session['id']}").status_code == 404
    assert user.get("/api/images").json()["images"] == []
    assert user.get("/api/calendar/total_images").json()["data"] == {}
    assert user.delete(f"/api/sessions/{session['id']}").status_code == 404
