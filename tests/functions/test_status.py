"""GET /api/status: version, mode, model, counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lib import __version__
from tests.functions.conftest import Client, Server


def test_it_tells_what_serves_here(user: Client) -> None:
    body = user.get("/api/status").json()
    assert (body["version"], body["mode"], body["database"], body["region"]) == (
        __version__, "database", "sqlite", "nrt",
    )  # fmt: skip
    assert body["model"] == {
        "name": "seedlings-12",
        "version": body["model"]["version"],
        "classes": 12,
        "available": True,
        "reason": None,
    }
    assert body["counts"] == {"sessions": 0, "photos": 0, "days": 0, "species": 0}
    assert body["sample"] is False
    assert body["region_species"] is None


def test_counts_are_the_callers_own(user: Client, photo: Callable[..., bytes]) -> None:
    user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date="2025-06-01")
    counts = user.get("/api/status").json()["counts"]
    assert (counts["sessions"], counts["photos"], counts["days"]) == (1, 2, 1)


def test_a_visitor_gets_the_counts_of_the_sample(visitor: Client) -> None:
    body = visitor.get("/api/status").json()
    assert body["sample"] is True
    assert body["counts"]["days"] > 100


def test_nothing_of_the_configuration_leaks(server: Server, user: Client) -> None:
    text = user.get("/api/status").text
    assert str(server.folder) not in text
    assert "weeds.db" not in text


def test_a_missing_model_is_said_to_be_missing(make_server: Callable[..., Server], tmp_path: object) -> None:
    server = make_server(MODEL_DIR=f"{tmp_path}/none")
    model = server.user().get("/api/status").json()["model"]
    assert model == {
        "name": None,
        "version": None,
        "classes": 0,
        "available": False,
        "reason": "the model folder does not exist (MODEL_DIR).",
    }


def test_it_tells_how_far_the_model_knows_the_sites_list_and_photos_are_held_to_it(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / "my field.txt"
    path.write_text("Zea mays\nTriticum aestivum\nBellis perennis\n")
    user = make_server(REGION_SPECIES=str(path)).user()
    status = user.get("/api/status")
    assert status.json()["region_species"] == {
        "name": "my field",
        "species": 3,
        "known_to_model": 2,
        "unknown_to_model": ["Bellis perennis"],
        "warning": None,
    }
    assert str(tmp_path) not in status.text
    image = user.upload(("a.jpg", photo(1))).json()["results"][0]["image"]
    assert (image["masked"], image["region"].partition("@")[0]) == (True, "my field")
    assert {each["species"] for each in image["predictions"]} == {"Zea mays", "Triticum aestivum"}
    # A session may do without the site's list.
    free = user.post("/api/sessions", json={"session_name": "free", "region_species": "none"}).json()
    image = user.upload(("a.jpg", photo(1)), session_id=free["id"]).json()["results"][0]["image"]
    assert (image["masked"], image["region"], len(image["predictions"])) == (False, None, 3)


def test_a_list_of_strangers_is_warned_of_and_leaves_photos_unknown(
    make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / "strangers.txt"
    path.write_text("Nobody knows\n")
    server = make_server(REGION_SPECIES=str(path))
    user = server.user()
    region = user.get("/api/status").json()["region_species"]
    assert (region["known_to_model"], region["unknown_to_model"]) == (0, ["Nobody knows"])
    assert "unknown" in region["warning"]
    image = user.upload(("a.jpg", photo(1))).json()["results"][0]["image"]
    assert (image["label"], image["masked"], image["predictions"]) == ("unknown", True, [])
    assert "names no species that the model knows" in server.log.read_text()
    day = user.get("/api/calendar/total_images").json()["data"]
    assert sum(each["value"] for each in day.values()) == 1


def test_without_a_model_the_list_is_named_all_the_same(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    user = make_server(MODEL_DIR=f"{tmp_path}/none", REGION_SPECIES="hokkaido").user()
    region = user.get("/api/status").json()["region_species"]
    assert region["name"] == "hokkaido"
    assert region["species"] > 50
    assert (region["known_to_model"], region["unknown_to_model"]) == (None, None)


def test_a_list_that_is_missing_stops_the_start(make_server: Callable[..., Server], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="did not start") as stopped:
        make_server(database=False, REGION_SPECIES=str(tmp_path / "none.txt"))
    lines = [line for line in str(stopped.value).splitlines() if "REGION_SPECIES" in line]
    assert len(lines) == 1
    assert "none.txt cannot be read" in lines[0]
    assert "Traceback" not in str(stopped.value)
