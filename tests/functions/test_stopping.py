"""A server that is asked to end: what has begun is finished, what is new is told to come back, nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functions.conftest import Client, Server, start_server
from tests.functions.lines import Line
from tests.functions.models import HeldModel


@pytest.fixture
def held(tmp_path: Path) -> HeldModel:
    return HeldModel(tmp_path / "model")


@pytest.fixture
def pool(held: HeldModel) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads
        held.release()


def is_told(client: Client) -> None:
    """Returns when the server answers that it is being stopped; before, it may not have heard of it.

    Asked for what does not look at the model, which is held.
    """
    for _ in range(5000):
        reply = client.get("/api/sessions")
        if reply.status_code == 503:
            break
        assert reply.status_code == 200
    assert reply.json()["type"] == "/docs/problems#stopping"
    assert int(reply.headers["Retry-After"]) >= 1
    assert reply.headers["Connection"] == "close"


def test_uploads_in_flight_are_finished_and_new_requests_told_to_come_back(
    make_server: Callable[..., Server],
    held: HeldModel,
    pool: ThreadPoolExecutor,
    photo: Callable[..., bytes],
) -> None:
    server = make_server(MODEL_DIR=str(held.folder))
    user = server.user()
    key = {"Idempotency-Key": "one-walk"}
    photos = [("a.jpg", photo(1)), ("b.jpg", photo(2))]
    upload = pool.submit(user.upload, *photos, headers=key)
    held.hold(user)
    kept = Line(server)  # a connection that was used before, as browsers and proxies have them
    kept.send(kept.head("GET", "/health"))
    assert kept.answer().headers["connection"] == "keep-alive"

    server.process.send_signal(signal.SIGTERM)
    is_told(user)
    kept.send(kept.head("GET", "/api/status"))
    answer = kept.answer()
    assert (answer.status, answer.headers["connection"]) == (503, "close")
    assert kept.rest() == b""
    refused = user.upload(("c.jpg", photo(3)))
    assert (refused.status_code, refused.json()["type"]) == (503, "/docs/problems#stopping")
    assert user.get("/ready").status_code == 503
    assert user.get("/health").status_code == 200  # it lives, and a probe must not kill it before it is done
    assert not upload.done()

    held.release()
    reply = upload.result()
    assert reply.status_code == 201
    assert [result["image"]["is_processed"] for result in reply.json()["results"]] == [True, True]
    assert server.process.wait(60) == 0

    again = start_server(server.folder, server.database_url)
    try:
        user.base = again.base
        # The answer may have been lost on its way: whoever sends the same again gets it, and no photo twice.
        replayed = user.upload(*photos, headers=key)
        assert replayed.headers["Idempotent-Replayed"] == "true"
        assert replayed.json()["results"] == reply.json()["results"]
        without = user.upload(*photos, ("c.jpg", photo(3)))
        statuses = [result["status"] for result in without.json()["results"]]
        assert statuses == ["duplicate", "duplicate", "created"]
        assert len(user.get("/api/images").json()["images"]) == 3
    finally:
        again.stop()
    assert "Traceback" not in server.log.read_text(errors="replace")


def test_an_idle_server_ends_at_once(make_server: Callable[..., Server]) -> None:
    server = make_server()
    assert server.visitor().get("/health").ok
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0
