"""The line to the model of a running server: bounded, one photo at a time, left by whoever is gone."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.functions.conftest import Client, Server
from tests.functions.models import HeldModel, metrics, unprocessed, until, waiting
from tests.functions.test_upload_page import Browser

Photo = Callable[..., bytes]


@pytest.fixture
def held(tmp_path: Path) -> HeldModel:
    return HeldModel(tmp_path / "model")


@pytest.fixture
def server(make_server: Callable[..., Server], held: HeldModel) -> Iterator[Server]:
    running = make_server(MODEL_DIR=str(held.folder))
    yield running
    running.stop()
    assert "Traceback" not in running.log.read_text(errors="replace"), running.log.read_text(errors="replace")


@pytest.fixture
def user(server: Server) -> Client:
    return server.user()


@pytest.fixture
def pool(held: HeldModel) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads
        held.release()


class Sender:
    """An upload over a bare socket, sent to its last byte; the answer is not read."""

    def __init__(self, client: Client, *photos: tuple[str, bytes], key: str = "") -> None:
        asked = requests.Request(
            "POST",
            client.base + "/api/upload",
            headers=client.headers | ({"Idempotency-Key": key} if key else {}),
            files=[("files", photo) for photo in photos],
        ).prepare()
        head = "".join(f"{name}: {value}\r\n" for name, value in asked.headers.items())
        address = urlsplit(client.base)
        assert isinstance(asked.body, bytes)
        self._socket = socket.create_connection((str(address.hostname), int(address.port or 0)))
        self._socket.sendall(
            f"POST /api/upload HTTP/1.1\r\nHost: {address.netloc}\r\n{head}\r\n".encode() + asked.body
        )

    def pipeline(self) -> None:
        """The next request, before the answer to the first."""
        self._socket.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    def answers(self) -> bytes:
        """All that the server sends until it hangs up."""
        with self._socket.makefile("rb") as stream:
            return stream.read()

    def hang_up(self) -> None:
        self._socket.close()


def first_upload(pool: ThreadPoolExecutor, held: HeldModel, user: Client, photo: Photo) -> Future[Any]:
    """An upload that is inside, loading the model, and held there."""
    first = pool.submit(user.upload, ("first.jpg", photo(100)))
    held.hold(user)
    return first


def test_a_full_line_keeps_the_photos_and_says_when_to_come_back(
    server: Server, user: Client, held: HeldModel, pool: ThreadPoolExecutor, photo: Photo
) -> None:
    """One inside and four waiting, all uploads of the page; the API's own uploads find the line full."""
    browser = Browser(server, user)
    first = first_upload(pool, held, user, photo)
    sent = [pool.submit(browser.send, (f"{i}.jpg", photo(i))) for i in range(4)]
    until(user, lambda: waiting(user) == 4)

    reply = user.upload(("a.jpg", photo(10)), ("b.jpg", photo(11)), ("c.txt", b"no photo"), date="2025-06-01")
    assert reply.status_code == 201, reply.text
    *kept, refused = reply.json()["results"]
    assert refused["status"] == "rejected"
    for result in kept:
        assert (result["status"], result["image"]["is_processed"]) == ("created", False)
        problem = result["problem"]
        assert (problem["status"], problem["cause"]) == (503, "classifier-busy")
        assert problem["type"].endswith("#not-yet-classified")
        assert 1 <= problem["retry_after"] <= 60
        assert reply.headers["Retry-After"] == str(problem["retry_after"])
    # The photo of the request behind the first that was refused is not sent through the line again.
    assert metrics(user)['refusals_total{reason="full"}'] == 1
    assert reply.json()["metrics"]["2025-06-01"]["total_images"] == 2
    assert user.get(f"/api/images/{kept[0]['image']['id']}/file").content == photo(10)
    # Another upload from the page cannot even be taken: nothing of it is kept, and nothing is said to be.
    full = browser.session.post(f"{server.base}/upload", files={"files": ("no.jpg", photo(12))})
    assert (full.status_code, full.headers["Content-Type"]) == (503, "application/problem+json")
    assert full.json()["type"].endswith("#busy")
    assert int(full.headers["Retry-After"]) >= 1
    assert "no.jpg" not in {image["filename"] for image in user.get("/api/images").json()["images"]}
    # Reads are answered all the while, the form among them.
    assert "<form" in browser.get()
    assert user.get("/api/calendar/total_images").json()["data"]["2025-06-01"]["value"] == 2

    held.release()
    assert first.result().json()["results"][0]["image"]["is_processed"] is True
    for each in sent:
        assert each.result().status_code == 201
        assert "Retry-After" not in each.result().headers
    until(user, lambda: unprocessed(user) == [])  # the backlog took what was left waiting
    assert metrics(user)["load_seconds_count"] == 1
    assert len(user.get("/api/images").json()["images"]) == 7
    again = user.upload(("a.jpg", photo(10)))
    assert (again.status_code, again.json()["results"][0]["problem"]) == (200, None)


def test_the_page_says_that_a_photo_waits(
    server: Server, user: Client, held: HeldModel, pool: ThreadPoolExecutor, photo: Photo
) -> None:
    browser = Browser(server, user)
    first = first_upload(pool, held, user, photo)
    sent = [pool.submit(user.upload, (f"{i}.jpg", photo(i))) for i in range(3)]
    until(user, lambda: waiting(user) == 3)
    sent.append(pool.submit(browser.send, ("page.jpg", photo(5))))
    until(user, lambda: waiting(user) == 4)
    # The API's four are all inside: what comes now is not taken.
    full = user.upload(("no.jpg", photo(6)))
    assert (full.status_code, full.json()["type"]) == (503, "/docs/problems#busy")
    assert int(full.headers["Retry-After"]) >= 1
    page = browser.send(("late.jpg", photo(7)))
    assert page.status_code == 201
    assert int(page.headers["Retry-After"]) >= 1
    assert "late.jpg" in page.text
    assert "The photo is kept. It is classified as soon as the photos before it are." in page.text
    held.release()
    assert [each.result().status_code for each in (first, *sent)] == [201] * 5
    until(user, lambda: unprocessed(user) == [])


def test_whoever_hangs_up_leaves_the_line_and_the_photos_are_named_later(
    user: Client, held: HeldModel, pool: ThreadPoolExecutor, photo: Photo
) -> None:
    first = first_upload(pool, held, user, photo)
    sender = Sender(user, ("a.jpg", photo(1)), ("b.jpg", photo(2)), key="one-walk")
    until(user, lambda: waiting(user) == 1)
    assert set(unprocessed(user)) == {"a.jpg", "first.jpg"}
    sender.hang_up()
    until(user, lambda: waiting(user) == 0)
    # Both had been sent in full: they are kept, and the model is asked for nobody.
    until(user, lambda: len(unprocessed(user)) == 3)
    said = metrics(user)
    assert said['refusals_total{reason="abandoned"}'] == 1
    assert said["weeds_inference_seconds_count"] == 0
    # The backlog stands in the line for them already, behind everybody else.
    until(user, lambda: metrics(user)['waiting{who="background"}'] == 1)

    held.release()
    assert first.result().status_code == 201
    until(user, lambda: unprocessed(user) == [])
    # The key is free once the day's numbers are written: the answer that nobody got is not the one to give again.
    answers: list[Any] = []

    def answered() -> bool:
        answers.append(
            user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), headers={"Idempotency-Key": "one-walk"})
        )
        return answers[-1].status_code != 409

    until(user, answered)
    again = answers[-1]
    assert "Idempotent-Replayed" not in again.headers
    assert [result["status"] for result in again.json()["results"]] == ["duplicate"] * 2
    assert [result["problem"] for result in again.json()["results"]] == [None] * 2


def test_the_next_request_on_the_line_is_no_farewell(
    user: Client, held: HeldModel, pool: ThreadPoolExecutor, photo: Photo
) -> None:
    first = first_upload(pool, held, user, photo)
    sender = Sender(user, ("a.jpg", photo(1)))
    until(user, lambda: waiting(user) == 1)
    sender.pipeline()
    held.release()
    answers = sender.answers()
    assert answers.startswith(b"HTTP/1.1 201 ")
    assert b'"is_processed":true' in answers
    assert b"HTTP/1.1 200 OK" in answers
    assert first.result().status_code == 201
    assert metrics(user)['refusals_total{reason="abandoned"}'] == 0
