"""GET /api/status: version, mode, model, counts."""

from __future__ import annotations

from collections.abc import Callable

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
