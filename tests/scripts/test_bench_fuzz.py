"""The fuzzing bench: it finds what a server answers against its own document, and excuses only what has a rule."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts import bench
from scripts.benchmarks import fuzz

NUMBER = {
    "name": "n",
    "in": "query",
    "required": True,
    "schema": {"type": "integer", "minimum": 1, "maximum": 9},
}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "A small one", "version": "1"},
    "paths": {
        "/number": {
            "get": {
                "parameters": [NUMBER],
                "responses": {
                    "200": {
                        "description": "Good",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {"n": {"type": "integer"}},
                                    "required": ["n"],
                                }
                            }
                        },
                    },
                    "400": {"description": "Bad", "content": {"application/problem+json": {}}},
                    "405": {"description": "Wrong method", "content": {"application/problem+json": {}}},
                },
            }
        }
    },
}
Answers = Callable[[str], tuple[int, Any]]


def is_good(number: str) -> bool:
    return len(number) == 1 and number in "123456789"


def honest(number: str) -> tuple[int, Any]:
    if is_good(number):
        return 200, {"n": int(number)}
    return 400, {"detail": "no such number", "errors": [{"field": "n", "reason": "no such number"}]}


class Served:
    """A server of `DOCUMENT`, one method of which answers what it is told to."""

    def __init__(self, answers: Answers) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                if path == "/openapi.json":
                    return self.reply(200, DOCUMENT)
                if path != "/number":
                    return self.reply(404, {})
                values = [each[2:] for each in query.split("&") if each.startswith("n=")]
                self.reply(*answers(values[0] if len(values) == 1 else ""))

            def reply(self, status: int, body: Any, **headers: str) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                kind = "application/json" if status == 200 else "application/problem+json"
                for name, value in {
                    "Content-Type": kind,
                    "Content-Length": str(len(data)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def refuse(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.reply(405, {}, Allow="GET")

            do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_QUERY = refuse

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[[Answers], fuzz.Asked]]:
    served: list[Served] = []

    def asked(answers: Answers) -> fuzz.Asked:
        served.append(Served(answers))
        return fuzz.ask(served[-1].base, tmp_path, examples=10, phases=("coverage", "fuzzing"))

    yield asked
    for each in served:
        each.server.shutdown()
        each.server.server_close()


def test_a_server_that_keeps_its_word_has_no_failures(ask: Callable[[Answers], fuzz.Asked]) -> None:
    found = ask(honest)
    assert found.failures == []
    assert found.cases == sum(found.statuses.values()) == sum(found.operations.values()) > 10
    assert {200, 400, 405} == set(found.statuses)
    assert found.checks["not_a_server_error"] == found.cases
    assert found.checks["response_schema_conformance"] > 10


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        ((500, {}), "not_a_server_error"),
        ((418, {}), "status_code_conformance"),
        ((200, {"n": "three"}), "response_schema_conformance"),
        ((400, {"errors": [{"field": "n", "reason": "we do not like it"}]}), "positive_data_acceptance"),
    ],
)
def test_it_finds_a_broken_word(
    ask: Callable[[Answers], fuzz.Asked], answer: tuple[int, Any], check: str
) -> None:
    found = ask(lambda number: answer if is_good(number) else honest(number))
    assert any(check in line for line in found.failures), found.failures
    assert all(f" b'': {answer[0]} " in line for line in found.failures)


def test_it_finds_bad_data_that_is_taken(ask: Callable[[Answers], fuzz.Asked]) -> None:
    found = ask(lambda number: (200, {"n": 0}) if number in ("0", "10") else honest(number))
    assert {line.split(":")[0] for line in found.failures} == {"negative_data_rejection"}


def test_a_refusal_that_a_rule_explains_is_none(ask: Callable[[Answers], fuzz.Asked]) -> None:
    reason = "send exactly one of a, b"
    refusal = (400, {"errors": [{"field": "n", "reason": reason}]})
    assert ask(lambda number: refusal if is_good(number) else honest(number)).failures == []


def test_a_server_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    assert "Connection failed" in fuzz.ask("http://127.0.0.1:1", tmp_path).failures[0]


def test_the_command_fails_when_anything_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"cases": 7, "operations": {}, "database": "sqlite", "seed": 3, "failures": ["GET /x: 500"]}
    asked: list[Any] = []
    monkeypatch.setattr(fuzz, "measure", lambda *given: asked.append(given) or found)
    assert bench.main(["fuzz", "--cases", "7", "--seed", "3"]) == 1
    assert asked == [(7, 3, "sqlite")]
    lines = capsys.readouterr().out.splitlines()
    assert "GET /x: 500" in lines[1]
    assert json.loads(lines[-1])["failures"] == ["GET /x: 500"]
    found["failures"] = []
    assert bench.main(["fuzz"]) == 0
