"""scripts/smoke.py against servers that are well and servers that are not; what it must never do with a key."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from scripts import smoke
from tests.functions.conftest import Server, make_photo, start_server

KEYED = ["session", "photo", "thumbnail", "day", "clean-up"]
PUBLIC = ["health", "database", "page", "calendar-page", "time-series-page", "sample-calendar"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("smoke")
    running = start_server(folder, f"sqlite:///{folder}/weeds.db")
    yield running
    running.stop()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the script's main; exit code, the lines it printed, its summary, stderr."""
    monkeypatch.delenv(smoke.KEY, raising=False)

    def call(*arguments: str | Path) -> tuple[int, list[str], dict[str, Any], str]:
        code = smoke.main([str(each) for each in arguments])
        printed = capsys.readouterr()
        *lines, last = printed.out.splitlines() or [""]
        return code, lines, json.loads(last) if last else {}, printed.err

    return call


def test_without_a_key_it_checks_what_everybody_sees(run: Any, server: Server) -> None:
    code, lines, summary, err = run(server.base)
    assert (code, err) == (0, "")
    assert summary == {"passed": len(PUBLIC), "failed": [], "skipped": [*KEYED, "log"]}
    assert len(lines) == len(PUBLIC) + len(KEYED) + 1
    assert lines[0].startswith("ok    health: version ")


def test_a_given_photo_is_sent_and_the_key_is_never_shown(
    run: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "plant.jpg"
    photo.write_bytes(make_photo(7))
    user = server.user()
    monkeypatch.setenv(smoke.KEY, user.secret)
    code, lines, summary, err = run(server.base + "/", "--photo", photo, "--log", server.log)
    assert (code, summary["failed"], summary["skipped"]) == (0, [], [])
    assert user.secret not in "".join(lines) + err
    assert user.get("/api/sessions").json()["sessions"] == []
    assert user.get("/api/images").json()["images"] == []


def test_a_key_that_may_not_write_fails_by_name_and_leaves_nothing(run: Any, server: Server) -> None:
    reader = server.user("read")
    code, lines, summary, err = run(server.base, "--key", reader.secret)
    assert code == 1
    assert summary == {"passed": len(PUBLIC), "failed": ["session"], "skipped": [*KEYED[1:], "log"]}
    assert err == "Failed: session\n"
    (line,) = (line for line in lines if line.startswith("FAIL"))
    assert line.startswith("FAIL  session: answered 403 instead of 201: This key lacks the scope")
    assert reader.secret not in "".join(lines) + err


def test_a_server_that_keeps_visitors_out_is_well(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    closed = start_server(folder, f"sqlite:///{tmp_path}/closed.db", REQUIRE_AUTH_FOR_API="true")
    try:
        code, lines, _, _ = run(closed.base)
    finally:
        closed.stop()
    assert code == 0
    assert any("visitors are kept out" in line for line in lines)


def test_a_server_without_a_database_is_well(run: Any, tmp_path: Path) -> None:
    running = start_server(tmp_path / "files", None)
    try:
        assert run(running.base)[0] == 0
    finally:
        running.stop()


def test_nobody_there_fails_at_once(run: Any) -> None:
    code, _, summary, _ = run("http://127.0.0.1:9", "--key", "k")
    assert code == 1
    assert summary["failed"] == ["health"]
    assert summary["passed"] == 0


class Crooked(BaseHTTPRequestHandler):
    """A server that answers as a test wants it to, and remembers what it was sent."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}
    asked: ClassVar[list[tuple[str, str, str | None]]] = []

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.asked.append((self.command, path, self.headers.get("Authorization")))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, body = self.answers.get(f"{self.command} {path}", (500, {}, b""))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def crooked() -> Iterator[tuple[str, type[Crooked]]]:
    Crooked.answers, Crooked.asked = {}, []
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Crooked)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}", Crooked
    serving.shutdown()
    thread.join()
    serving.server_close()


def as_json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def failures(lines: list[str]) -> dict[str, str]:
    found = (line.removeprefix("FAIL  ").split(": ", 1) for line in lines if line.startswith("FAIL"))
    return {name: why for name, why in found}  # noqa: C416


def test_what_is_odd_is_told_check_by_check(run: Any, crooked: tuple[str, type[Crooked]]) -> None:
    base, server = crooked
    page = {"Content-Type": "text/html"}
    server.answers = {
        "GET /health": as_json({"status": "ok", "version": "1"}),
        "GET /ready": as_json({"detail": "database: cannot\nbe reached"}, 503),
        "GET /": (200, page, b"<html><main>half a pa"),
        "GET /calendar": (200, {"Content-Type": "text/plain"}, b"</main></html>"),
        "GET /time-series": (200, page, b"</main></html>"),
        "GET /api/calendar/shannon_diversity": as_json({"sample": True, "data": {}}),
        "POST /api/sessions": as_json({"id": 7}, 201),
        "POST /api/upload": as_json({"results": []}, 201),
        "DELETE /api/sessions/7": (204, {}, b""),
    }
    code, lines, summary, _ = run(base, "--key", "k" * 43)
    assert code == 1
    assert failures(lines) == {
        "database": "answered 503 instead of 200: database: cannot be reached",
        "page": "is a page cut short",
        "calendar-page": "is no page",
        "sample-calendar": "shows no sample season",
        "photo": "the answer does not hold what it should",
    }
    assert summary["passed"] == 4
    assert ("DELETE", "/api/sessions/7", f"Bearer {'k' * 43}") in server.asked


def test_a_redirect_is_told_and_the_key_does_not_follow(run: Any, crooked: tuple[str, type[Crooked]]) -> None:
    base, server = crooked
    server.answers = {
        "GET /health": as_json({"status": "ok", "version": "1"}),
        "POST /api/sessions": (302, {"Location": f"{base}/thief"}, b""),
    }
    _, lines, _, _ = run(base, "--key", "k" * 43)
    assert f"sends to {base}/thief" in failures(lines)["session"]
    assert "/thief" not in [path for _, path, _ in server.asked]


def test_a_photo_that_must_wait_is_asked_about_again(
    run: Any, crooked: tuple[str, type[Crooked]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, server = crooked
    waits = {"results": [{"problem": {"detail": "later", "retry_after": 99}, "image": None}]}
    server.answers = {
        "GET /health": as_json({"status": "ok", "version": "1"}),
        "POST /api/sessions": as_json({"id": 7}, 201),
        "POST /api/upload": as_json(waits, 201),
        "DELETE /api/sessions/7": (204, {}, b""),
    }
    slept: list[float] = []

    def passes(seconds: float) -> None:
        slept.append(seconds)
        server.answers["POST /api/upload"] = as_json(waits)

    monkeypatch.setattr(smoke.time, "sleep", passes)
    _, lines, _, _ = run(base, "--key", "k" * 43)
    assert failures(lines)["photo"] == "is kept, but not classified: later"
    assert slept == [smoke.LONGEST_WAIT] * (smoke.ASKS - 1)


def test_stopped_it_takes_its_session_away(
    run: Any, crooked: tuple[str, type[Crooked]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, server = crooked
    server.answers = {
        "GET /health": as_json({"status": "ok", "version": "1"}),
        "POST /api/sessions": as_json({"id": 7}, 201),
        "DELETE /api/sessions/7": (204, {}, b""),
    }

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(smoke.Checks, "_upload", interrupted)
    assert run(base, "--key", "k" * 43)[0] == 130
    assert server.asked[-1][:2] == ("DELETE", "/api/sessions/7")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"time": "t", "level": "INFO"}\nTraceback\n', "line 2"),
        (b'{"message": "x"}\n', "line 1"),
        (b"", "is empty"),
        (b"\xff\n", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_log_that_is_not_json_fails(run: Any, tmp_path: Path, content: bytes | None, why: str) -> None:
    log = tmp_path / "log"
    if content is not None:
        log.write_bytes(content)
    code, lines, summary, _ = run("http://127.0.0.1:9", "--log", log)
    assert code == 1
    assert "log" in summary["failed"]
    assert why in failures(lines)["log"]


@pytest.mark.parametrize(
    "address", ["weeds.example.org", "ftp://weeds", "http://", "https://me:secret@weeds"]
)
def test_what_is_no_address_is_2(run: Any, address: str) -> None:
    code, _, summary, err = run(address)
    assert (code, summary) == (2, {})
    assert "secret" not in err


def test_a_photo_that_is_not_there_is_2(run: Any, tmp_path: Path) -> None:
    assert run("http://127.0.0.1:9", "--photo", tmp_path / "none.jpg")[0] == 2


def test_each_drawn_photo_is_another_one() -> None:
    made: Callable[[], bytes] = smoke.drawn_photo
    assert made() != made()
    assert made().startswith(b"\xff\xd8")
