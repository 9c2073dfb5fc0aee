"""GET /api/performance: from the upload over the confirmation to the report."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import random
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib.config import STARTER_MODEL
from lib.outputs import tables
from tests.functions.conftest import Client, Server, numbers
from tests.lib.classifier.conftest import write_folder

CARD = json.loads((STARTER_MODEL / "model.json").read_text(encoding="utf-8"))


@pytest.fixture
def seedlings(photos_dir: Path) -> list[tuple[str, bytes]]:
    """Two photos each of three species, by their names."""
    species = ("Stellaria_media", "Capsella_bursa-pastoris", "Zea_mays")
    return [
        (folder.replace("_", " "), path.read_bytes())
        for folder in species
        for path in itertools.islice(sorted((photos_dir / folder).glob("*.jpg")), 2)
    ]


def label(user: Client, image: dict[str, Any], truth: str) -> None:
    """As a person would: confirm what is right, correct what is not."""
    body = {"confirm": True} if image["label"] == truth else {"label": truth}
    assert user.patch(f"/api/images/{image['id']}", json=body).ok


def test_from_upload_over_confirmation_to_the_report(
    user: Client, seedlings: list[tuple[str, bytes]]
) -> None:
    sent = [(f"{number}.jpg", data) for number, (_, data) in enumerate(seedlings)]
    results = user.upload(*sent, date="2025-06-01").json()["results"]
    assert user.get("/api/performance").json()["models"] == []
    images = [result["image"] for result in results]
    for image, (truth, _) in zip(images, seedlings, strict=True):
        label(user, image, truth)
    body = user.get("/api/performance").json()
    (model,) = body["models"]
    right = sum(
        image["predictions"][0]["species"] == truth
        for image, (truth, _) in zip(images, seedlings, strict=True)
    )
    confirmed = sum(image["label"] == truth for image, (truth, _) in zip(images, seedlings, strict=True))
    assert (body["confirmed"], body["sample"], body["hint"]) == (
        {"photos": 6, "unclassified": 0},
        False,
        None,
    )
    assert (model["model_name"], model["photos"], model["plants"]) == (CARD["name"], 6, 6)
    assert (model["confirmed"], model["corrected"], model["unseen"]) == (confirmed, 6 - confirmed, 0)
    figures = model["figures"]
    assert figures["top_1"]["value"] == pytest.approx(right / 6)
    assert figures["top_1"]["low"] <= right / 6 <= figures["top_1"]["high"]
    assert sorted(each["species"] for each in figures["recall"]) == sorted({truth for truth, _ in seedlings})
    assert sum(bin["n"] for bin in figures["calibration"]["bins"]) == 6
    assert figures["risk_coverage"]["points"][-1]["risk"] == pytest.approx(1 - right / 6)
    assert model["latency"]["n"] == 6
    assert 0 < model["latency"]["median"] <= model["latency"]["p95"]
    assert {note["kind"] for note in body["notes"]} >= {"selection", "few"}
    assert all(math.isfinite(number) for number in numbers(body))


def test_a_changed_label_shows_at_once(user: Client, photo: Callable[..., bytes]) -> None:
    image = user.upload(("a.jpg", photo(1)), date="2025-06-01").json()["results"][0]["image"]
    assert user.get("/api/performance").json()["hint"]

    def figures() -> dict[str, Any]:
        (model,) = user.get("/api/performance").json()["models"]
        found: dict[str, Any] = model["figures"]
        return found

    guessed = image["predictions"][0]["species"]
    user.patch(f"/api/images/{image['id']}", json={"label": guessed})
    assert (figures()["top_1"]["value"], figures()["top_1"]["n"]) == (1.0, 1)
    user.patch(f"/api/images/{image['id']}", json={"label": "not_a_plant"})
    assert (figures()["top_1"]["n"], figures()["not_plants"]["n"]) == (0, 1)
    user.patch(f"/api/images/{image['id']}", json={"label": "Lamium purpureum"})
    assert (figures()["top_1"]["n"], figures()["outside"]["n"]) == (0, 1)
    for _ in range(3):
        assert user.patch(f"/api/images/{image['id']}", json={"undo": True}).ok
    assert user.get("/api/performance").json()["models"] == []


def test_it_says_what_the_model_says_of_itself(user: Client) -> None:
    model = user.get("/api/performance").json()["model"]
    assert (model["name"], model["version"], model["licence"]) == (
        CARD["name"],
        CARD["version"],
        CARD["licence"],
    )
    assert (model["classes"], model["available"], model["quantisation"]) == (12, True, CARD["quantisation"])
    assert model["measured"]["calibration_error.after"] > 0


def test_a_user_without_confirmed_photos_is_told_what_to_do(user: Client) -> None:
    body = user.get("/api/performance").json()
    assert (body["confirmed"], body["models"], body["notes"]) == ({"photos": 0, "unclassified": 0}, [], [])
    assert "Confirm or correct" in body["hint"]
    assert body["memory"]["resident"] > 10_000_000
    assert body["sample"] is False


def test_a_visitor_sees_the_model_and_nobody_s_photos(
    visitor: Client, user: Client, photo: Callable[..., bytes]
) -> None:
    image = user.upload(("a.jpg", photo(2)), date="2025-06-01").json()["results"][0]["image"]
    user.patch(f"/api/images/{image['id']}", json={"label": "Zea mays"})
    body = visitor.get("/api/performance").json()
    assert (body["sample"], body["models"], body["memory"]) == (True, [], None)
    assert body["model"]["name"] == CARD["name"]
    assert "Sign in" in body["hint"]


def test_a_report_is_its_owner_s_and_of_the_session_asked_for(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    for number, name in enumerate(("North", "South")):
        session = user.post("/api/sessions", json={"session_name": name}).json()["id"]
        image = user.upload(("a.jpg", photo(number + 5)), session_id=session, date="2025-06-01").json()
        user.patch(f"/api/images/{image['results'][0]['image']['id']}", json={"label": "Zea mays"})
    assert user.get("/api/performance").json()["confirmed"]["photos"] == 2
    assert user.get(f"/api/performance?session={session}").json()["confirmed"]["photos"] == 1
    assert user.get(f"/api/performance?session={session}").json()["session"] == session
    stranger = server.user()
    assert stranger.get("/api/performance").json()["confirmed"]["photos"] == 0
    assert stranger.get(f"/api/performance?session={session}").status_code == 404


def test_one_model_can_be_asked_for(user: Client, photo: Callable[..., bytes]) -> None:
    image = user.upload(("a.jpg", photo(3)), date="2025-06-01").json()["results"][0]["image"]
    user.patch(f"/api/images/{image['id']}", json={"label": "Zea mays"})
    assert len(user.get(f"/api/performance?model={CARD['name']}").json()["models"]) == 1
    other = user.get("/api/performance?model=another").json()
    assert (other["models"], other["confirmed"]["photos"]) == ([], 1)
    assert "this model" in other["hint"]


def test_a_replaced_model_is_told_from_its_new_version_everywhere(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    """On one day, three photos named by 1.0.0, then the folder replaced and one named by 1.1.0."""

    def renew(version: str) -> Path:
        """As a person replaces it: the new folder beside the old one, then two renames."""
        other = write_folder(tmp_path / f"new-{version}", version=version, architecture=f"colours {version}")
        if (tmp_path / "model").exists():
            (tmp_path / "model").rename(tmp_path / "old")
        return other.rename(tmp_path / "model")

    def send(*seeds: int) -> list[dict[str, Any]]:
        sent = [(f"{seed}.jpg", blue(seed)) for seed in seeds]
        return [each["image"] for each in user.upload(*sent, date="2025-06-01").json()["results"]]

    server = make_server(MODEL_DIR=str(renew("1.0.0")))
    user = server.user()
    images = send(1, 2, 3)
    assert {(image["model_name"], image["model_version"]) for image in images} == {("mean-colour", "1.0.0")}
    assert user.get("/api/daily/2025-06-01").json()["model_info"]["version"] == "1.0.0"
    renew("1.1.0")
    images += send(4)
    for image in images[:2]:
        label(user, image, image["label"])
    for image in images[2:]:
        label(user, image, "Zea mays")
    body = user.get("/api/performance").json()
    assert body["model"]["version"] == "1.1.0"
    told = [
        (each["model_name"], each["model_version"], each["photos"], each["species_listed"])
        for each in body["models"]
    ]
    assert told == [("mean-colour", "1.1.0", 1, True), ("mean-colour", "1.0.0", 3, False)]
    assert "unlisted" in {note["kind"] for note in body["notes"]}
    # Maize is none of 1.1.0's species; what 1.0.0 knew is not here to be looked up.
    assert [each["figures"]["outside"]["n"] for each in body["models"]] == [1, 0]
    asked = {
        query: [each["model_version"] for each in user.get(f"/api/performance?{query}").json()["models"]]
        for query in ("model=mean-colour", "version=1.0.0", "model=mean-colour&version=1.1.0", "version=2")
    }
    assert asked == {
        "model=mean-colour": ["1.1.0", "1.0.0"],
        "version=1.0.0": ["1.0.0"],
        "model=mean-colour&version=1.1.0": ["1.1.0"],
        "version=2": [],
    }
    info = user.get("/api/daily/2025-06-01").json()["model_info"]
    assert (info["name"], info["version"], info["versions"]) == ("mean-colour", None, ["1.0.0", "1.1.0"])
    both = [{"name": "mean-colour", "version": version} for version in ("1.0.0", "1.1.0")]
    assert user.get("/api/export/daily-summary").json()["metadata"]["models"] == both
    described = user.get("/api/export/daily-predictions?metadata=true").json()
    assert described["notes"][0]["models"] == both
    lines = tables.read_table(user.get("/api/export/daily-predictions").content)
    assert [line["model_size"] for line in lines] == ["", "", "", "colours 1.1.0"]
    archive = zipfile.ZipFile(io.BytesIO(user.get("/api/export/darwin-core").content))
    remarks = archive.read("occurrence.txt").decode()
    assert remarks.count("The classifier mean-colour 1.0.0 thought") == 3
    assert remarks.count("The classifier mean-colour 1.1.0 thought") == 1

    # What was named before versions were recorded claims none.
    with contextlib.closing(sqlite3.connect(server.folder / "weeds.db")) as database, database:
        database.execute("UPDATE prediction_results SET model_version = NULL WHERE model_version = '1.0.0'")
    label(user, images[0], "Poa annua")  # so that the day is analysed again
    versions = [each["model_version"] for each in user.get("/api/performance").json()["models"]]
    assert versions == ["1.1.0", None]
    assert user.get("/api/daily/2025-06-01").json()["model_info"]["versions"] == [None, "1.1.0"]


def blue(seed: int) -> bytes:
    """A photo that the model of the tests names by its colour; each seed another picture, so that none repeat."""
    noise = Image.frombytes("L", (16, 12), random.Random(seed).randbytes(192))
    black = Image.new("L", noise.size)
    picture = Image.merge("RGB", (black, black, noise.point(lambda value: 150 + value // 3)))
    out = io.BytesIO()
    picture.resize((320, 240)).save(out, "JPEG")
    return out.getvalue()


def test_file_mode_has_no_confirmed_photos_and_says_so(file_server: Server) -> None:
    body = file_server.visitor().get("/api/performance").json()
    assert body["models"] == []
    assert "DATABASE_URL" in body["hint"]
    assert body["model"]["name"] == CARD["name"]


@pytest.mark.parametrize("query", ["session=0", "session=ten", f"model={'a' * 201}", f"version={'1' * 51}"])
def test_bad_parameters_are_named(visitor: Client, query: str) -> None:
    reply = visitor.get(f"/api/performance?{query}")
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["field"] == query.split("=")[0]
