"""Clients that send or take next to nothing: others are answered meanwhile, and they are let go in the end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from PIL import Image

from tests.functions.conftest import Client, Server
from tests.functions.lines import Line, answered
from tests.functions.models import until

THREADS = 8
BODIES = 6


@pytest.fixture
def patient(make_server: Callable[..., Server]) -> Server:
    """A server that waits longer than any test."""
    return make_server(SLOW_CLIENT_SECONDS="1000")


@pytest.fixture
def hasty(make_server: Callable[..., Server]) -> Server:
    return make_server(SLOW_CLIENT_SECONDS="1")


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    opened: list[Line] = []
    yield opened
    for each in opened:
        each.close()


def open_lines(server: Server, lines: list[Line], count: int) -> list[Line]:
    lines += [Line(server) for _ in range(count)]
    return lines[-count:]


def in_flight(client: Client, function: str) -> int:
    name = f'weeds_requests_in_flight{{function="{function}"}} '
    found = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return int(float(found[0].removeprefix(name))) if found else 0


def test_half_a_head_keeps_no_thread(patient: Server, lines: list[Line]) -> None:
    for line in open_lines(patient, lines, 2 * THREADS):
        line.send(line.head("GET", "/health")[:-9])
    assert patient.visitor().get("/health").ok
    for number, line in enumerate(lines):
        line.send(line.head("GET", "/health")[-9:-1])  # all but the last byte, and then that
        assert patient.visitor().get("/health").ok
        if number % 2:
            line.send(b"\n")
            assert line.answer().status == 200


def test_silent_connections_keep_no_thread(patient: Server, lines: list[Line]) -> None:
    open_lines(patient, lines, 2 * THREADS)
    assert patient.visitor().get("/health").ok
    for line in lines:
        line.send(line.head("GET", "/health"))
        assert line.answer().status == 200


def test_a_kept_connection_waits_in_the_same_way(patient: Server, lines: list[Line]) -> None:
    for line in open_lines(patient, lines, 2 * THREADS):
        for _ in range(2):
            line.send(line.head("GET", "/health"))
            assert line.answer().status == 200
        line.send(line.head("GET", "/health")[:-1])
    assert patient.visitor().get("/health").ok
    for line in lines:
        line.send(b"\n" + line.head("GET", "/health"))  # and the next one behind it
        assert [line.answer().status, line.answer().status] == [200, 200]


def test_who_ends_half_way_is_let_go(patient: Server, lines: list[Line]) -> None:
    for line in open_lines(patient, lines, 2 * THREADS):
        line.send(b"GET /hea")
        line.end()
    assert [line.rest() for line in lines] == [b""] * len(lines)


def test_who_takes_too_long_over_a_head_is_let_go(hasty: Server, lines: list[Line]) -> None:
    (line,) = open_lines(hasty, lines, 1)
    line.send(b"GET /health HTTP/1.1\r\nX: ")

    def gone() -> bool:
        try:
            line.send(b"a")
        except ConnectionError:
            return True
        return False

    until(hasty.visitor(), gone)


def test_slow_bodies_leave_threads_to_readers(patient: Server, lines: list[Line]) -> None:
    user = patient.user()
    for line in open_lines(patient, lines, THREADS):
        form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "1000"}
        line.send(line.head("POST", "/sign-in", **form) + b"k")
    refused = answered(lines, THREADS - BODIES)
    for line in refused:
        answer = line.answer()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert int(answer.headers["retry-after"]) >= 1
        assert b"#busy" in answer.body
    assert in_flight(user, "sign_in") == BODIES  # and this was answered meanwhile
    assert user.get("/api/status").ok
    for line in lines:
        if line not in refused:
            line.send(b"x" * 999)
            assert line.answer().status == 403  # what they sent is no form of ours
    assert in_flight(user, "sign_in") == 0


def test_a_slow_upload_is_told_so_whatever_way_it_is_sent(
    hasty: Server, lines: list[Line], photo: Callable[..., bytes]
) -> None:
    user = hasty.user()
    start = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n' + photo(1)
    common = user.headers | {"Content-Type": "multipart/form-data; boundary=x"}
    known, chunked, json = open_lines(hasty, lines, 3)
    known.send(known.head("POST", "/api/upload", **common, Content_Length="1000000") + start)
    chunked.send(
        chunked.head("POST", "/api/upload", **common, Transfer_Encoding="chunked")
        + f"{len(start):x}\r\n".encode()
        + start
    )
    kind = {"Content-Type": "application/json", "Content-Length": "100"}
    json.send(json.head("POST", "/api/sessions", **user.headers, **kind) + b"{")
    for line in lines:
        answer = line.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert b"#request-timeout" in answer.body
    assert user.get("/api/images").json()["images"] == []


def test_who_takes_no_answer_is_let_go(hasty: Server, lines: list[Line]) -> None:
    """As many of them as there are threads: without a bound nobody would be answered any more."""
    user = hasty.user()
    # More than the system takes off the server's hands.
    picture, png = Image.frombytes("RGB", (1750, 1750), random.Random(1).randbytes(3 * 1750**2)), BytesIO()
    picture.save(png, "PNG", compress_level=0)
    sent = user.upload(("big.png", png.getvalue()))
    assert sent.status_code == 201, sent.text
    image = sent.json()["results"][0]["image"]
    lines += [Line(hasty, small=True) for _ in range(THREADS)]
    for line in lines:
        line.send(line.head("GET", f"/api/images/{image['id']}/file", **user.headers))
    for line in answered(lines, THREADS):
        assert line  # its first bytes are there, and are not read
    assert user.get("/api/status").ok
    assert all(len(line.rest()) < len(png.getvalue()) for line in lines)
