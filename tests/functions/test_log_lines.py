"""What a running server logs: one JSON object a line whatever is sent, and nothing that is secret."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.functions.conftest import Server
from tests.functions.lines import Line
from tests.functions.models import metrics, until

IN_FLIGHT = 'weeds_requests_in_flight{function="upload"}'
SECRET = "hunter22-hunter22-hunter22-hunter22-hunter2"
HOSTILE = 'a"}\r\n{"level": "ERROR", "message": "forged"}\x1b[31m\x00\u2028.jpg'


def log_of(server: Server) -> tuple[str, list[dict[str, Any]]]:
    """All that a server logged, once it has ended; every line is a JSON object."""
    server.stop()
    text = server.log.read_bytes().decode()
    lines = [json.loads(line) for line in text.split("\n") if line]
    assert all(
        isinstance(line, dict) and {"time", "level", "logger", "message"} <= line.keys() for line in lines
    )
    return text, lines


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_no_line_can_be_forged_and_none_tells_a_secret(
    make_server: Callable[..., Server], photo: Callable[..., bytes], level: str
) -> None:
    server = make_server(LOG_LEVEL=level)
    user = server.user()
    assert user.upload((HOSTILE, photo(1)), (HOSTILE + ".txt", b"no photo")).status_code == 201
    user.get("/api/time-series", params={"key": SECRET, "session": HOSTILE})
    user.get(
        "/api/status",
        headers={"X-Request-Id": HOSTILE.replace("\r\n", "").replace("\x00", "")[:20].strip().encode()},
    )
    user.get("/api/status", headers={"X-API-Key": SECRET, "Cookie": f"session={SECRET}"})
    for broken in (
        f"GET /?key={SECRET} HTTP/9.9\r\nHost: x\r\n\r\n",
        f"GET /?key={SECRET} nonsense\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-API-Key : {SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: {SECRET}\x01\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\n {SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX: {SECRET * 400}\r\n\r\n",
        f"{SECRET} / HTTP/1.1\r\nHost: x\r\n\r\n",
        f"POST /api/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\nX-API-Key: {SECRET}",
    ):
        line = Line(server)
        line.send(broken.encode("latin-1"))
        line.end()
        line.rest()
        line.close()
    assert user.get("/health").ok
    text, lines = log_of(server)
    assert "forged" not in [line["message"] for line in lines]
    for hidden in (SECRET, SECRET[:20], user.secret, "\x1b", "\x00"):
        assert hidden not in text
    assert any(line["message"].startswith("Invalid request from ip=") for line in lines)


def test_a_slow_request_and_its_slow_query_are_told_without_values(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    server = make_server(SLOW_REQUEST_MS="1", SLOW_QUERY_MS="1")
    user = server.user()
    # As quick as the machine may be: nothing is written while somebody else writes.
    writer = sqlite3.connect(str(server.database_url).removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(
            user.upload, ("kumo.jpg", photo(1)), date="2025-06-01", headers={"Idempotency-Key": "kumo"}
        )
        until(user, lambda: metrics(user).get(IN_FLIGHT, 0) == 1)
        for _ in range(20):  # far longer than it needs to come to the database
            assert user.get("/health").ok
        writer.execute("ROLLBACK")
        number = sent.result().json()["results"][0]["image"]["id"]
    writer.close()
    user.patch(f"/api/images/{number}", json={"label": "Stellaria media"})
    text, lines = log_of(server)
    slow = [line for line in lines if line["message"] == "slow request"]
    assert slow
    assert {line["level"] for line in slow} == {"WARNING"}
    assert all(line["milliseconds"] >= 1 for line in slow)
    queries = [line for line in lines if line["message"] == "slow query"]
    assert queries
    assert all(line["milliseconds"] >= 1 for line in queries)
    # What the server does by itself between requests may be slow too, and has no request.
    assert any(line.get("request_id") for line in queries)
    assert any("?" in line["sql"] for line in queries)
    for value in ("kumo.jpg", "Stellaria media", "2025-06-01"):
        assert value not in text


def test_nothing_is_slow_where_nobody_asks_for_it(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    server = make_server(SLOW_REQUEST_MS="0", SLOW_QUERY_MS="0")
    server.user().upload(("a.jpg", photo(1)))
    text, _ = log_of(server)
    assert "slow" not in text
