"""GET, PATCH and DELETE /api/images/{id}: correct, confirm, undo, move and delete a photo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.conftest import Client, Server

DAY = "2025-06-01"


@pytest.fixture
def image(user: Client, photo: Callable[..., bytes]) -> dict[str, Any]:
    result = user.upload(("a.jpg", photo(1)), date=DAY).json()["results"][0]
    return dict(result["image"])


def change(user: Client, image: dict[str, Any], **body: Any) -> Any:
    return user.patch(f"/api/images/{image['id']}", json=body)


def test_a_correction_is_kept_and_moves_the_numbers_at_once(user: Client, image: dict[str, Any]) -> None:
    body = change(user, image, label="Stellaria media").json()
    assert (body["image"]["label"], body["image"]["label_source"]) == ("Stellaria media", "human")
    assert body["metrics"][DAY]["species_counts"] == {"Stellaria media": 1}
    assert user.get(f"/api/images/{image['id']}").json() == body["image"]
    assert user.get("/api/calendar/species_richness").json()["data"][DAY]["value"] == 1


@pytest.mark.parametrize(
    ("typed", "label", "level"),
    [
        ("stellaria  MEDIA", "Stellaria media", "species"),
        ("Common chickweed", "Stellaria media", "species"),
        ("Capsella bursa-pastoris", "Capsella bursa-pastoris", "species"),
        ("Equisetum arvense", "Equisetum arvense", "species"),  # not among the model's species
        ("Stellaria media (L.) Vill.", "Stellaria media", "species"),
        ("Equisetum arvense L.", "Equisetum arvense", "species"),
        ("Galium", "Galium", "genus"),
        ("rumex", "Rumex", "genus"),
        ("Poaceae", "Poaceae", "family"),
        ("not_a_plant", "not_a_plant", "not_a_plant"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_what_a_person_types_becomes_a_taxon(
    user: Client, image: dict[str, Any], typed: str, label: str, level: str
) -> None:
    changed = change(user, image, label=typed).json()["image"]
    assert (changed["label"], changed["label_level"]) == (label, level)


@pytest.mark.parametrize(
    "typed", ["?", "12345", "<b>Stellaria</b>", "=HYPERLINK(1)", "Stellaria media; DROP", " "]
)
def test_what_is_no_name_is_refused(user: Client, image: dict[str, Any], typed: str) -> None:
    reply = change(user, image, label=typed)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "label"
    assert user.get(f"/api/images/{image['id']}").json() == image


def test_undo_goes_back_step_by_step_to_the_model(user: Client, image: dict[str, Any]) -> None:
    change(user, image, label="Stellaria media")
    change(user, image, label="Chenopodium album")
    assert change(user, image, undo=True).json()["image"]["label"] == "Stellaria media"
    back = change(user, image, undo=True).json()["image"]
    assert (back["label"], back["label_source"]) == (image["label"], image["label_source"])
    reply = change(user, image, undo=True)
    assert (reply.status_code, reply.headers["Content-Type"]) == (409, "application/problem+json")


@pytest.mark.photos
def test_confirming_makes_the_models_word_a_persons(user: Client, photos_dir: Any) -> None:
    plant = sorted((photos_dir / "Galium_aparine").glob("*.jpg"))[7]
    image = user.upload(("g.jpg", plant.read_bytes()), date=DAY).json()["results"][0]["image"]
    assert image["label_source"] == "model"
    confirmed = change(user, image, confirm=True).json()["image"]
    assert (confirmed["label"], confirmed["label_source"]) == (image["label"], "human")


def test_moving_a_photo_touches_both_days(user: Client, image: dict[str, Any]) -> None:
    change(user, image, label="Stellaria media")
    body = change(user, image, date="2025-06-02").json()
    assert body["metrics"][DAY] is None
    assert body["metrics"]["2025-06-02"]["species_counts"] == {"Stellaria media": 1}
    assert list(user.get("/api/calendar/total_images").json()["data"]) == ["2025-06-02"]


@pytest.mark.parametrize("day", ["1815-06-18", "2999-01-01"])
def test_an_impossible_day_is_refused(user: Client, image: dict[str, Any], day: str) -> None:
    reply = change(user, image, date=day)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "date")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"label": "Stellaria media", "confirm": True}, "label"),
        ({"confirm": False}, "body"),
        ({"colour": "green"}, "colour"),
        ({"label": 7}, "label"),
        ({"label": ""}, "label"),
        ({"label": "x" * 201}, "label"),
        ({"label": "a\x00b"}, "label"),
        ({"confirm": "yes"}, "confirm"),
        ({"date": "soon"}, "date"),
    ],
)
def test_a_bad_change_is_named_and_changes_nothing(
    user: Client, image: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    reply = user.patch(f"/api/images/{image['id']}", json=body)
    assert reply.status_code == 400, reply.text
    assert field in [error["field"] for error in reply.json()["errors"]]
    assert user.get(f"/api/images/{image['id']}").json() == image


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"[" * 100_000 + b"]" * 100])
def test_a_body_that_is_no_object_is_refused(user: Client, image: dict[str, Any], data: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = user.patch(f"/api/images/{image['id']}", data=data, headers=headers)
    assert reply.status_code in (400, 413), reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_another_media_type_is_refused(user: Client, image: dict[str, Any]) -> None:
    assert user.patch(f"/api/images/{image['id']}", data={"label": "x"}).status_code == 415


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "9" * 40, "%00", "1.0"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_cannot_be_a_photo_is_not_found(user: Client, method: str, number: str) -> None:
    reply = user.request(method, f"/api/images/{number}", json={"confirm": True})
    assert (reply.status_code, reply.headers["Content-Type"]) == (404, "application/problem+json")


def test_deleting_takes_the_file_and_the_day_along(
    server: Server, user: Client, image: dict[str, Any]
) -> None:
    user.get(f"/api/images/{image['id']}/file?width=160")
    mine = f"/{image['session_id']}/"
    kept = {path for path in server.data_dir.rglob("*") if path.is_file() and mine in str(path)}
    assert len(kept) == 2  # the photo and its thumbnail
    reply = user.delete(f"/api/images/{image['id']}")
    assert reply.json() == {"metrics": {DAY: None}}
    assert not any(path.exists() for path in kept)
    assert user.get(f"/api/images/{image['id']}").status_code == 404
    assert user.get("/api/calendar/total_images").json()["data"] == {}
