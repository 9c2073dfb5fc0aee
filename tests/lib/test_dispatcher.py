"""The dispatcher on small route tables of its own: loading, limits, admission, problems, headers, log lines."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from lib import keys
from lib.auth import BrowserSession
from lib.config import ConfigError, Settings, load
from lib.dispatcher import create_app
from lib.routes import Function
from lib.store.database import DatabaseStore

SECRET = "a secret that is only for tests, 32+"
ORIGIN = "https://field.example"

HELLO = """
from lib.operations import operation

@operation("Say hello")
def get(call):
    return {"hello": "field", "request_id": call.request_id}
"""
BOOK = """
from typing import Annotated
import msgspec
from lib.operations import operation

class Path(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=1)]

class Query(msgspec.Struct):
    year: int | None = None

class Body(msgspec.Struct):
    name: str
    count: int = 1

@operation("Read")
def get(call, path: Path, query: Query):
    return {"id": path.id, "year": query.year, "via": call.identity.via}

@operation("Write", status=201)
def post(call, path: Path, body: Body) -> Body:
    return body

@operation("Forget", status=204)
def delete(call, path: Path):
    return None
"""
BOOM = """
from lib.operations import operation

@operation("Fail")
def get(call):
    raise RuntimeError("the password is hunter22")
"""
FILE = """
from io import BytesIO
from flask import Response, send_file
from lib.operations import operation

@operation("A file", media_type="image/jpeg")
def get(call) -> Response:
    return send_file(BytesIO(b"a photo"), mimetype="image/jpeg")
"""
FORM = """
from flask import Response
from lib.auth import BrowserSession
from lib.operations import operation

@operation("A form", media_type="text/html")
def get(call) -> str:
    return call.form_token

@operation("Sign in or out", media_type="text/html")
def post(call) -> str:
    call.check_form_token()
    store = call.services.database
    if "key" in call.request.form:
        key, _ = store.key(int(call.request.form["key"]))
        call.set_browser_payload(BrowserSession.signed_in(key))
    else:
        call.set_browser_payload({})
    return "done"
"""
WHO = """
from lib.operations import operation

def who(call):
    user = call.identity.user
    return {"user": user.id if user else None, "via": call.identity.via, "sample": call.store.sample}

@operation("Who asks")
def get(call):
    return who(call)

@operation("Change something")
def post(call):
    return who(call) | {"mine": call.mine.user_id}
"""


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """create_app sets the root logger up; afterwards it is as it was."""
    root, gunicorn = logging.getLogger(), logging.getLogger("gunicorn.error")
    before = (root.handlers[:], root.level, gunicorn.handlers[:], gunicorn.propagate)
    root.handlers.clear()
    yield
    root.handlers[:], root.level, gunicorn.handlers[:], gunicorn.propagate = before


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Writes a module of handlers and returns its name; `name` again to write over it."""
    folder = tmp_path / "handlers"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    names: set[str] = set()

    def write(source: str | None, name: str = "") -> str:
        name = name or f"handlers_{uuid4().hex}"
        names.add(name)
        if source is not None:
            (folder / f"{name}.py").write_text(source)
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with folders of this test."""

    def make(**environ: str) -> Settings:
        here = {
            "SECRET_KEY": SECRET,
            "DATA_DIR": str(tmp_path / "data"),
            "OUTPUT_DIR": str(tmp_path / "output"),
            "ALLOWED_ORIGINS": ORIGIN,
        }
        return load(here | environ)

    return make


def with_user(url: str, *scopes: str) -> tuple[str, int, int]:
    """A new user's (secret, user number, key number)."""
    secret, digest, prefix = keys.new_key()
    name = f"u{uuid4().hex[:12]}"
    store = DatabaseStore(url)
    user = store.create_user(name, f"{name}@example.org", digest, prefix, scopes or ("read", "write"))
    key = store.keys(user.id)[0]
    store.close()
    return secret, user.id, key.id


def problem(reply: TestResponse, status: int) -> dict[str, Any]:
    """The problem document of a reply, which must be one."""
    assert reply.status_code == status, reply.data
    assert reply.content_type == "application/problem+json"
    document: dict[str, Any] = json.loads(reply.data)
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(document)
    assert document["status"] == status
    assert document["request_id"] == reply.headers["X-Request-Id"]
    return document


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged so far; every line must be a JSON object."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


class TestLoading:
    def test_a_module_is_imported_by_its_first_request(self, module: Any, settings: Any) -> None:
        name = module(HELLO)
        app = create_app([Function("hello", name, ("/hello",), auth="public")], settings())
        assert name not in sys.modules
        assert app.test_client().get("/hello").json["hello"] == "field"
        assert name in sys.modules

    def test_a_broken_module_answers_503_on_its_route_and_nowhere_else(
        self, module: Any, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        broken = module("raise RuntimeError('the password is hunter22')\n")
        table = [
            Function("broken", broken, ("/broken",), auth="public"),
            Function("hello", module(HELLO), ("/hello",), auth="public"),
        ]
        client = create_app(table, settings()).test_client()
        reply = client.get("/broken")
        document = problem(reply, 503)
        assert document["type"].endswith("#function-unavailable")
        assert document["function"] == "broken"
        assert int(reply.headers["Retry-After"]) > 0
        assert "hunter22" not in reply.text
        assert client.get("/hello").status_code == 200
        (logged,) = [line for line in log_lines(capsys) if line["message"] == "function cannot be imported"]
        assert logged["function"] == "broken"
        assert "hunter22" in logged["exc_info"]

    @pytest.mark.parametrize("source", ["def get(:\n", "import no_such_package\n", None])
    def test_a_mended_module_needs_no_restart(self, module: Any, settings: Any, source: str | None) -> None:
        name = module(source)
        client = create_app([Function("x", name, ("/x",), auth="public")], settings()).test_client()
        problem(client.get("/x"), 503)
        problem(client.get("/x"), 503)
        module(HELLO, name)
        assert client.get("/x").status_code == 200

    def test_ready_names_a_broken_module_until_it_is_mended(
        self, module: Any, settings: Any, sqlite_url: str
    ) -> None:
        name = module("1 / 0\n")
        table = [
            Function("ready", "functions.ready", ("/ready",), auth="public"),
            Function("weather", name, ("/weather",)),
        ]
        client = create_app(table, settings(DATABASE_URL=sqlite_url)).test_client()
        reply = client.get("/ready")
        assert problem(reply, 503)["failures"] == ["function weather: cannot be imported"]
        assert "Retry-After" in reply.headers
        module(HELLO, name)
        assert client.get("/ready").json["status"] == "ready"

    def test_two_first_requests_at_once_run_a_module_once(self, module: Any, settings: Any) -> None:
        runs: list[int] = []
        sys.modules["runs_of_a_module"] = type(sys)("runs_of_a_module")
        sys.modules["runs_of_a_module"].runs = runs  # type: ignore[attr-defined]
        name = module("from runs_of_a_module import runs\nruns.append(1)\n" + HELLO)
        app = create_app([Function("x", name, ("/x",), auth="public")], settings())
        together = threading.Barrier(4)
        statuses: list[int] = []

        def ask() -> None:
            together.wait(10)
            statuses.append(app.test_client().get("/x").status_code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        del sys.modules["runs_of_a_module"]
        assert statuses == [200] * 4
        assert runs == [1]

    def test_a_loaded_function_does_not_wait_for_another_that_loads(self, module: Any, settings: Any) -> None:
        gate = type(sys)("gate_of_a_module")
        gate.begun, gate.go_on = threading.Event(), threading.Event()  # type: ignore[attr-defined]
        sys.modules["gate_of_a_module"] = gate
        slow = module(
            "from gate_of_a_module import begun, go_on\nbegun.set()\nassert go_on.wait(30)\n" + HELLO
        )
        table = [
            Function("slow", slow, ("/slow",), auth="public"),
            Function("quick", module(HELLO), ("/quick",), auth="public"),
        ]
        app = create_app(table, settings())
        assert app.test_client().get("/quick").status_code == 200
        thread = threading.Thread(target=lambda: app.test_client().get("/slow"))
        thread.start()
        try:
            assert gate.begun.wait(30)  # type: ignore[attr-defined]
            assert app.test_client().get("/quick").status_code == 200
        finally:
            gate.go_on.set()  # type: ignore[attr-defined]
            thread.join(30)
            del sys.modules["gate_of_a_module"]


class TestSubset:
    TABLE = (
        Function("health", "functions.health", ("/health",), auth="public"),
        Function("ready", "functions.ready", ("/ready",), auth="public"),
        Function("static", "functions.static", ("/static/{name}",), auth="public"),
        Function("one", "functions.health", ("/one",), auth="public"),
        Function("two", "functions.health", ("/two",), auth="public"),
    )

    def test_it_serves_what_is_named_and_what_every_machine_needs(self, settings: Any) -> None:
        app = create_app(self.TABLE, settings(FUNCTIONS="one"))
        served = [function.name for function in app.extensions["weeds"]["functions"]]
        assert served == ["health", "ready", "static", "one"]
        client = app.test_client()
        assert client.get("/one").status_code == 200
        assert client.get("/health").status_code == 200
        problem(client.get("/two"), 404)

    def test_it_serves_everything_by_default(self, settings: Any) -> None:
        client = create_app(self.TABLE, settings()).test_client()
        assert client.get("/one").status_code == client.get("/two").status_code == 200

    def test_it_refuses_to_start_with_an_unknown_name(self, settings: Any) -> None:
        with pytest.raises(ConfigError) as caught:
            create_app(self.TABLE, settings(FUNCTIONS="one,three,four"))
        assert [line.split(";")[0] for line in caught.value.lines] == [
            "FUNCTIONS: unknown name 'four'",
            "FUNCTIONS: unknown name 'three'",
        ]


@pytest.fixture
def book(module: Any, settings: Any) -> Flask:
    """One open endpoint with a path, a query and a body, reached by two paths."""
    return create_app(
        [
            Function(
                "book",
                module(BOOK),
                ("/book/{id}", "/alias/{id}"),
                ("GET", "POST", "DELETE"),
                auth="public",
                body_limit=1000,
            )
        ],
        settings(),
    )


class TestAnswers:
    def test_it_answers_each_path_and_method_with_the_declared_status(self, book: Flask) -> None:
        client = book.test_client()
        assert client.get("/book/7?year=2025").json == {"id": 7, "year": 2025, "via": "none"}
        assert client.get("/alias/7").json["id"] == 7
        made = client.post("/book/7", json={"name": "Stellaria"})
        assert (made.status_code, made.json) == (201, {"name": "Stellaria", "count": 1})
        gone = client.delete("/book/7")
        assert (gone.status_code, gone.data) == (204, b"")

    def test_it_answers_head_as_get_without_a_body(self, book: Flask) -> None:
        reply = book.test_client().head("/book/7")
        assert (reply.status_code, reply.data) == (200, b"")
        assert int(reply.headers["Content-Length"]) == len(book.test_client().get("/book/7").data)

    def test_an_unknown_address_is_a_problem(self, book: Flask) -> None:
        document = problem(book.test_client().get("/no/such/address"), 404)
        assert document["instance"] == "/no/such/address"

    def test_another_method_is_refused_and_the_right_ones_are_named(self, book: Flask) -> None:
        reply = book.test_client().patch("/book/7")
        problem(reply, 405)
        assert reply.headers["Allow"] == "DELETE, GET, HEAD, POST"
        problem(book.test_client().open("/book/7", method="BREW"), 405)

    def test_options_name_the_methods(self, book: Flask) -> None:
        reply = book.test_client().options("/book/7")
        assert (reply.status_code, reply.data) == (204, b"")
        assert reply.headers["Allow"] == "DELETE, GET, HEAD, POST"
        problem(book.test_client().options("/nowhere"), 404)

    def test_a_slash_too_many_is_no_other_page(self, book: Flask) -> None:
        assert book.test_client().get("/book/7/").status_code == 200

    def test_doubled_slashes_lead_to_the_address_on_this_host(self, book: Flask) -> None:
        reply = book.test_client().get("/book//7")
        assert reply.status_code == 308
        assert reply.headers["Location"] == "http://localhost/book/7"

    @pytest.mark.parametrize(
        ("path", "field"),
        [("/book/0", "id"), ("/book/x", "id"), ("/book/%00", "id"), ("/book/%FF", "id"), ("/book/１", "id")],
    )
    def test_a_path_that_names_nothing_is_404_and_says_why(self, book: Flask, path: str, field: str) -> None:
        document = problem(book.test_client().get(path), 404)
        assert [error["field"] for error in document["errors"]] == [field]

    @pytest.mark.parametrize("query", ["year=x", "year=2025&year=2025", "year=%00", "year=%FF", "year=1e99"])
    def test_a_bad_query_is_400_and_names_the_field(self, book: Flask, query: str) -> None:
        document = problem(book.test_client().get(f"/book/7?{query}"), 400)
        assert {error["field"] for error in document["errors"]} == {"year"}

    def test_an_unexpected_failure_says_nothing_of_itself_and_is_logged(
        self, module: Any, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        app = create_app([Function("boom", module(BOOM), ("/boom",), auth="public")], settings())
        reply = app.test_client().get("/boom")
        document = problem(reply, 500)
        assert "hunter22" not in reply.text
        assert "RuntimeError" not in reply.text
        (line,) = [line for line in log_lines(capsys) if line["message"] == "unexpected failure"]
        assert line["request_id"] == document["request_id"]
        assert "hunter22" in line["exc_info"]

    def test_a_disk_that_fills_while_a_body_is_read_is_said_to_be_full(
        self, module: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = (
            'from lib.operations import operation\n\n@operation("x", status=201)\n'
            "def post(call) -> dict[str, int]:\n    return {'files': len(call.request.files)}\n"
        )
        table = [Function("x", module(source), ("/x",), ("POST",), auth="public", body_limit=10_000_000)]
        client = create_app(table, settings()).test_client()

        def send() -> TestResponse:
            # Large enough to be put into a temporary file.
            return client.post("/x", data={"file": (BytesIO(b"x" * 2_000_000), "a.jpg")})

        assert send().json == {"files": 1}

        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", full)
        assert problem(send(), 507)["type"].endswith("#disk-full")

    def test_a_function_without_users_to_ask_has_nothing_of_its_own(self, module: Any, settings: Any) -> None:
        app = create_app([Function("who", module(WHO), ("/who",), ("POST",), auth="public")], settings())
        problem(app.test_client().post("/who"), 401)


class TestBodies:
    def test_a_body_at_the_limit_is_taken(self, book: Flask) -> None:
        body = b'{"name":"x"}'.ljust(1000)
        reply = book.test_client().post("/book/7", data=body, content_type="application/json")
        assert reply.status_code == 201

    def test_a_longer_body_is_refused_by_its_announced_length(self, book: Flask) -> None:
        reply = book.test_client().post("/book/7", data=b" " * 1001, content_type="application/json")
        assert "1,000" in problem(reply, 413)["detail"]

    def test_a_longer_body_is_refused_when_it_announces_nothing(self, book: Flask) -> None:
        def send(body: bytes) -> TestResponse:
            return book.test_client().post(
                "/book/7",
                input_stream=BytesIO(body),
                content_type="application/json",
                headers={"Transfer-Encoding": "chunked"},
                environ_overrides={"wsgi.input_terminated": True},
            )

        assert send(b'{"name":"x"}').status_code == 201
        problem(send(b'{"name":"x"}'.ljust(1001)), 413)

    def test_a_body_that_ends_early_is_the_senders_fault(self, book: Flask) -> None:
        reply = book.test_client().post(
            "/book/7",
            input_stream=BytesIO(b'{"name":"x"}'),
            content_type="application/json",
            environ_overrides={"CONTENT_LENGTH": "50"},
        )
        problem(reply, 400)

    def test_a_body_that_ends_early_is_not_taken_for_whole(self, book: Flask) -> None:
        """Under gunicorn, which ends the stream by itself, werkzeug does not notice."""
        reply = book.test_client().post(
            "/book/7",
            input_stream=BytesIO(b'{"name":"x"}'),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": "50"},
        )
        problem(reply, 400)

    def test_a_body_in_broken_chunks_is_the_senders_fault(
        self, book: Flask, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from gunicorn.http.errors import InvalidChunkSize

        class Broken:
            def read(self, size: int = -1) -> bytes:
                raise InvalidChunkSize(b"ZZ")

        reply = book.test_client().post(
            "/book/7",
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "wsgi.input": Broken()},
        )
        problem(reply, 400)
        assert not any(line["level"] == "ERROR" for line in log_lines(capsys))

    @pytest.mark.parametrize(
        "media_type", ["text/plain", "multipart/form-data", "", "application/jsonx", "ÿ"]
    )
    def test_it_takes_json_only(self, book: Flask, media_type: str) -> None:
        reply = book.test_client().post("/book/7", data=b'{"name":"x"}', headers={"Content-Type": media_type})
        problem(reply, 415)
        assert reply.headers["Accept"] == "application/json"

    @pytest.mark.parametrize(
        "media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"]
    )
    def test_json_by_its_other_names(self, book: Flask, media_type: str) -> None:
        reply = book.test_client().post("/book/7", data=b'{"name":"x"}', content_type=media_type)
        assert reply.status_code == 201

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"name":"\\ud800"}', b"[" * 900, b"9" * 900]
    )
    def test_what_is_no_object_names_the_body(self, book: Flask, body: bytes) -> None:
        reply = book.test_client().post("/book/7", data=body, content_type="application/json")
        assert [error["field"] for error in problem(reply, 400)["errors"]] == ["body"]

    @given(
        st.binary(max_size=60)
        | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
    )
    @hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_body_brings_it_down(self, book: Flask, body: bytes) -> None:
        reply = book.test_client().post("/book/7", data=body, content_type="application/json")
        assert reply.status_code in (201, 400, 413)


class TestConcurrency:
    def test_one_more_than_fits_is_sent_away_and_comes_in_later(self, module: Any, settings: Any) -> None:
        gate = type(sys)("gate_of_a_handler")
        gate.inside, gate.go_on = threading.Semaphore(0), threading.Event()  # type: ignore[attr-defined]
        sys.modules["gate_of_a_handler"] = gate
        slow = module(
            "import gate_of_a_handler as gate\n" + HELLO.replace("    return", "    gate.inside.release()\n"
            "    assert gate.go_on.wait(30)\n    return", 1)
        )  # fmt: skip
        table = [
            Function("slow", slow, ("/slow",), auth="public", concurrency=2),
            Function("other", module(HELLO), ("/other",), auth="public"),
        ]
        app = create_app(table, settings())
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(app.test_client().get("/slow").status_code))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        try:
            assert all(gate.inside.acquire(timeout=30) for _ in threads)  # type: ignore[attr-defined]
            refused = app.test_client().get("/slow")
            assert problem(refused, 503)["type"].endswith("#busy")
            assert int(refused.headers["Retry-After"]) > 0
            assert app.test_client().get("/other").status_code == 200
        finally:
            gate.go_on.set()  # type: ignore[attr-defined]
            for thread in threads:
                thread.join(30)
        assert statuses == [200, 200]
        assert app.test_client().get("/slow").status_code == 200
        del sys.modules["gate_of_a_handler"]

    def test_a_failure_frees_its_place(self, module: Any, settings: Any) -> None:
        app = create_app(
            [Function("boom", module(BOOM), ("/boom",), auth="public", concurrency=1)], settings()
        )
        for _ in range(3):
            problem(app.test_client().get("/boom"), 500)


class TestRequestIds:
    @pytest.fixture
    def client(self, module: Any, settings: Any) -> Any:
        return create_app(
            [Function("hello", module(HELLO), ("/hello",), auth="public")], settings()
        ).test_client()

    def test_a_harmless_one_is_kept(self, client: Any) -> None:
        reply = client.get("/hello", headers={"X-Request-Id": "field-7.a_B-2025"})
        assert reply.headers["X-Request-Id"] == "field-7.a_B-2025" == reply.json["request_id"]

    @pytest.mark.parametrize(
        "offered", ["short", "x" * 65, "a b c d e f", "<script>alert(1)", "äöüäöüäöü", ""]
    )
    def test_a_hostile_one_is_replaced(self, client: Any, offered: str) -> None:
        reply = client.get("/hello", headers={"X-Request-Id": offered})
        assert reply.headers["X-Request-Id"] != offered
        assert len(reply.headers["X-Request-Id"]) == 32

    def test_each_request_has_its_own(self, client: Any) -> None:
        assert client.get("/hello").headers["X-Request-Id"] != client.get("/hello").headers["X-Request-Id"]
        assert (
            problem(client.get("/none"), 404)["request_id"] != problem(client.get("/none"), 404)["request_id"]
        )


class TestHeaders:
    def client(self, module: Any, settings: Any, **environ: str) -> Any:
        table = [Function("hello", module(HELLO), ("/hello",), auth="public")]
        return create_app(table, settings(**environ)).test_client()

    @pytest.mark.parametrize("path", ["/hello", "/none"])
    def test_every_answer_is_guarded(self, module: Any, settings: Any, path: str) -> None:
        headers = self.client(module, settings).get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy

    def test_no_shared_cache_keeps_an_answer_of_one_caller(self, module: Any, settings: Any) -> None:
        headers = self.client(module, settings).get("/hello").headers
        assert headers["Cache-Control"] == "private, no-cache"
        varies = {part.strip() for part in headers["Vary"].split(",")}
        assert {"Authorization", "X-API-Key", "Cookie", "Origin", "Accept-Language"} <= varies

    def test_what_a_function_says_of_caching_stands(self, module: Any, settings: Any) -> None:
        source = (
            'from flask import Response\nfrom lib.operations import operation\n\n@operation("x")\n'
            'def get(call):\n    return Response("x", headers={"Cache-Control": "public, max-age=9"})\n'
        )
        app = create_app([Function("x", module(source), ("/x",), auth="public")], settings())
        assert app.test_client().get("/x").headers["Cache-Control"] == "public, max-age=9"

    def test_only_production_promises_https(self, module: Any, settings: Any) -> None:
        assert "Strict-Transport-Security" not in self.client(module, settings).get("/hello").headers
        headers = self.client(module, settings, PRODUCTION="true").get("/hello").headers
        assert int(headers["Strict-Transport-Security"].split(";")[0].removeprefix("max-age=")) >= 31536000

    def test_a_listed_origin_is_named_back(self, module: Any, settings: Any) -> None:
        headers = self.client(module, settings).get("/hello", headers={"Origin": ORIGIN}).headers
        assert headers["Access-Control-Allow-Origin"] == ORIGIN
        assert headers["Access-Control-Allow-Credentials"] == "true"
        assert "X-Request-Id" in headers["Access-Control-Expose-Headers"]

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", ORIGIN + ".evil.example", "*", ""])
    def test_another_origin_is_not(self, module: Any, settings: Any, origin: str) -> None:
        reply = self.client(module, settings).get("/hello", headers={"Origin": origin})
        assert reply.status_code == 200
        assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]
        assert "Origin" in reply.headers["Vary"]

    def test_a_listed_origin_may_ask_beforehand(self, module: Any, settings: Any) -> None:
        asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        reply = self.client(module, settings).options("/hello", headers=asked)
        assert reply.status_code == 204
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        allowed = reply.headers["Access-Control-Allow-Headers"]
        assert all(name in allowed for name in ("Authorization", "X-API-Key", "Idempotency-Key"))

    def test_another_origin_may_not(self, module: Any, settings: Any) -> None:
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        reply = self.client(module, settings).options("/hello", headers=asked)
        assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]

    def test_a_problem_can_be_read_by_a_listed_origin_too(self, module: Any, settings: Any) -> None:
        reply = self.client(module, settings).get("/none", headers={"Origin": ORIGIN})
        problem(reply, 404)
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.fixture
def who(module: Any, settings: Any, sqlite_url: str) -> Callable[..., Flask]:
    """An app of three endpoints, one for each rule, over a database; and a form."""
    name, form = module(WHO), module(FORM)

    def make(**environ: str) -> Flask:
        table = [
            Function("open", name, ("/open",), ("GET", "POST"), auth="optional"),
            Function("closed", name, ("/closed",), ("GET", "POST")),
            Function("upload", name, ("/upload",), ("POST",)),
            Function("inside", name, ("/inside",), auth="private"),
            Function("page", name, ("/page",), ("GET", "POST"), auth="optional", page=True),
            Function("form", form, ("/form",), ("GET", "POST"), auth="optional", page=True),
        ]
        return create_app(table, settings(DATABASE_URL=sqlite_url, **environ))

    return make


def test_the_time_of_one_request_is_not_that_of_the_next(module: Any, settings: Any, sqlite_url: str) -> None:
    """A file that the server sends by itself never says that it is closed, and its thread answers the next one."""
    secret, user, _ = with_user(sqlite_url)
    sent, asked = module(FILE), module(WHO)
    table = [
        Function("file", sent, ("/file",), auth="public", deadline=0.0),
        Function("who", asked, ("/who",), ("GET", "POST")),
    ]
    client = create_app(table, settings(DATABASE_URL=sqlite_url)).test_client()
    assert client.get("/file").data == b"a photo"
    assert client.get("/who", headers=bearer(secret)).json == {"user": user, "via": "key", "sample": False}


class TestAdmission:
    def test_a_visitor_reads_the_sample_and_nothing_else(self, who: Any) -> None:
        client = who().test_client()
        assert client.get("/open").json == {"user": None, "via": "none", "sample": True}
        for path in ("/closed", "/inside"):
            reply = client.get(path)
            problem(reply, 401)
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        problem(client.post("/upload"), 401)
        problem(client.post("/open"), 401)

    @pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
    def test_a_key_opens_the_doors(self, who: Any, sqlite_url: str, header: str) -> None:
        secret, user, _ = with_user(sqlite_url)
        headers = {header: f"Bearer {secret}" if header == "Authorization" else secret}
        client = who().test_client()
        expected = {"user": user, "via": "key", "sample": False}
        for path in ("/open", "/closed", "/inside", "/page"):
            assert client.get(path, headers=headers).json == expected
        assert client.post("/upload", headers=headers).json == expected | {"mine": user}

    def test_a_wrong_key_is_refused_even_where_none_is_needed(self, who: Any, sqlite_url: str) -> None:
        with_user(sqlite_url)
        client = who().test_client()
        for path in ("/open", "/closed", "/page"):
            problem(client.get(path, headers=bearer("wrong")), 401)

    @pytest.mark.parametrize("value", ["", "Basic dTpw", "Bearer", "Bearer   ", "ÿ", "Bearer " + "x" * 5000])
    def test_a_malformed_authorization_is_refused(self, who: Any, value: str) -> None:
        problem(who().test_client().get("/open", headers={"Authorization": value}), 401)

    def test_two_different_keys_are_refused(self, who: Any, sqlite_url: str) -> None:
        secret, _, _ = with_user(sqlite_url)
        client = who().test_client()
        document = problem(client.get("/open", headers=bearer(secret) | {"X-API-Key": "another"}), 400)
        assert document["errors"][0]["field"] == "X-API-Key"
        assert client.get("/open", headers=bearer(secret) | {"X-API-Key": secret}).status_code == 200

    def test_scopes_are_demanded(self, who: Any, sqlite_url: str) -> None:
        reader, _, _ = with_user(sqlite_url, "read")
        worker, _, _ = with_user(sqlite_url, "jobs")
        client = who().test_client()
        assert client.get("/closed", headers=bearer(reader)).status_code == 200
        assert "write" in problem(client.post("/closed", headers=bearer(reader)), 403)["detail"]
        problem(client.get("/closed", headers=bearer(worker)), 403)
        problem(client.get("/open", headers=bearer(worker)), 403)

    def test_a_function_may_demand_a_scope_of_its_own(
        self, module: Any, settings: Any, sqlite_url: str
    ) -> None:
        table = [Function("cron", module(WHO), ("/cron",), ("POST",), scope="jobs")]
        client = create_app(table, settings(DATABASE_URL=sqlite_url)).test_client()
        problem(client.post("/cron", headers=bearer(with_user(sqlite_url)[0])), 403)
        assert client.post("/cron", headers=bearer(with_user(sqlite_url, "jobs")[0])).status_code == 200

    def test_reads_can_be_closed_while_pages_stay_open(self, who: Any, sqlite_url: str) -> None:
        secret, _, _ = with_user(sqlite_url)
        client = who(REQUIRE_AUTH_FOR_API="true").test_client()
        problem(client.get("/open"), 401)
        assert client.get("/page").status_code == 200
        assert client.get("/open", headers=bearer(secret)).status_code == 200

    def test_uploads_can_be_opened_to_everyone(self, who: Any, sqlite_url: str) -> None:
        _, user, _ = with_user(sqlite_url)
        client = who(REQUIRE_AUTH_FOR_DATA_UPLOAD="false").test_client()
        assert client.post("/upload").json["mine"] == user
        problem(client.post("/closed"), 401)
        problem(client.post("/upload", headers=bearer("wrong")), 401)
        with_user(sqlite_url)  # now nobody can say whose the photos are
        assert problem(client.post("/upload"), 503)["type"].endswith("#not-one-user")

    def test_the_private_port_needs_no_key_for_private_functions_only(self, who: Any) -> None:
        client = who(METRICS_PORT="9091").test_client()
        assert client.get("/inside", base_url="http://localhost:9091").status_code == 200
        problem(client.get("/inside", base_url="http://localhost:8000"), 401)
        problem(client.get("/closed", base_url="http://localhost:9091"), 401)

    def test_the_host_header_does_not_make_a_port_private(self, who: Any) -> None:
        client = who(METRICS_PORT="9091").test_client()
        reply = client.get("/inside", headers={"Host": "localhost:9091", "X-Forwarded-Port": "9091"})
        problem(reply, 401)
        by_socket = {"REMOTE_ADDR": "", "SERVER_PORT": "9091"}  # as gunicorn has it for a Unix socket
        problem(client.get("/inside", environ_overrides=by_socket), 401)

    def test_without_a_database_there_are_visitors_only(
        self, module: Any, settings: Any, tmp_path: Path
    ) -> None:
        name = module(WHO)
        table = [
            Function("open", name, ("/open",), auth="optional"),
            Function("closed", name, ("/closed",)),
            Function("inside", name, ("/inside",), auth="private"),
        ]
        client = create_app(table, settings(METRICS_PORT="9091")).test_client()
        assert client.get("/open", headers=bearer("any")).json == {
            "user": None,
            "via": "none",
            "sample": True,
        }
        for path in ("/closed", "/inside"):
            reply = client.get(path, headers=bearer("any"))
            assert problem(reply, 503)["type"].endswith("#file-mode")
            assert "Retry-After" in reply.headers
        assert client.get("/inside", base_url="http://localhost:9091").status_code == 200

    def test_a_database_that_is_not_there_is_a_problem(
        self, module: Any, settings: Any, tmp_path: Path
    ) -> None:
        table = [Function("closed", module(WHO), ("/closed",))]
        client = create_app(table, settings(DATABASE_URL=f"sqlite:///{tmp_path}/no/such.db")).test_client()
        reply = client.get("/closed", headers=bearer("any"))
        problem(reply, 503)
        assert "Retry-After" in reply.headers


class TestWithoutSignIn:
    @pytest.fixture
    def client(self, who: Any, sqlite_url: str) -> Any:
        self.user = with_user(sqlite_url)[1]
        return who(AUTH_ENABLED="false").test_client()

    def test_the_sole_user_is_everyone(self, client: Any) -> None:
        assert client.get("/open").json == {"user": self.user, "via": "sole", "sample": False}
        assert client.post("/closed").json["mine"] == self.user
        assert client.get("/inside").status_code == 200

    def test_more_than_one_user_is_a_problem(self, client: Any, sqlite_url: str) -> None:
        with_user(sqlite_url)
        assert problem(client.get("/closed"), 503)["type"].endswith("#not-one-user")

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:81", "http://["])
    def test_another_site_cannot_use_the_browser_of_the_sole_user(self, client: Any, origin: str) -> None:
        headers = {"Origin": origin}
        assert problem(client.post("/closed", headers=headers), 403)["type"].endswith("#foreign-origin")
        problem(client.post("/upload", headers=headers), 403)
        assert client.get("/closed", headers=headers).status_code == 200

    @pytest.mark.parametrize("origin", ["http://localhost", "https://localhost", ORIGIN])
    def test_this_site_and_the_listed_ones_can(self, client: Any, origin: str) -> None:
        assert client.post("/closed", headers={"Origin": origin}).status_code == 200

    def test_a_form_can_be_sent_after_another_page_was_opened(self, client: Any) -> None:
        token = client.get("/form").text
        assert client.get("/form").text == token
        assert client.post("/form", data={"csrf_token": token}).status_code == 200


class TestBrowser:
    def sign_in(self, client: Any, key: int) -> TestResponse:
        reply = client.post("/form", data={"csrf_token": client.get("/form").text, "key": str(key)})
        assert reply.status_code == 200
        signed_in: TestResponse = reply
        return signed_in

    def test_a_form_gives_the_browser_its_cookie_once(self, who: Any) -> None:
        client = who().test_client()
        first = client.get("/form")
        cookie = first.headers["Set-Cookie"]
        assert cookie.startswith("weeds=")
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Secure" not in cookie
        again = client.get("/form")
        assert "Set-Cookie" not in again.headers
        assert again.text == first.text

    def test_production_keeps_the_cookie_to_https_and_this_host(self, who: Any) -> None:
        client = who(PRODUCTION="true").test_client()
        cookie = client.get("/form", base_url="https://localhost").headers["Set-Cookie"]
        assert cookie.startswith("__Host-weeds=")
        parts = {part.strip() for part in cookie.split(";")}
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= parts
        assert not any(part.startswith("Domain") for part in parts)

    @pytest.mark.parametrize("token", ["", "x", "0" * 64, "ÿ", None])
    def test_a_form_without_its_token_is_refused(self, who: Any, token: str | None) -> None:
        client = who().test_client()
        client.get("/form")
        reply = client.post("/form", data={} if token is None else {"csrf_token": token})
        assert problem(reply, 403)["type"].endswith("#stale-form")

    def test_the_token_of_another_browser_does_not_count(self, who: Any) -> None:
        app = who()
        token = app.test_client().get("/form").text
        client = app.test_client()
        client.get("/form")
        problem(client.post("/form", data={"csrf_token": token}), 403)
        problem(app.test_client().post("/form", data={"csrf_token": token}), 403)

    def test_signing_in_and_out(self, who: Any, sqlite_url: str) -> None:
        _, user, key = with_user(sqlite_url)
        client = who().test_client()
        before = client.get("/form").text
        self.sign_in(client, key)
        assert client.get("/closed").json == {"user": user, "via": "cookie", "sample": False}
        after = client.get("/form").text
        assert after != before
        problem(client.post("/form", data={"csrf_token": before}), 403)
        out = client.post("/form", data={"csrf_token": after})
        assert "Max-Age=0" in out.headers["Set-Cookie"]
        problem(client.get("/closed"), 401)

    def test_the_cookie_changes_nothing_without_the_token(self, who: Any, sqlite_url: str) -> None:
        client = who().test_client()
        self.sign_in(client, with_user(sqlite_url)[2])
        token = client.get("/form").text
        assert problem(client.post("/closed"), 403)["type"].endswith("#stale-form")
        problem(client.post("/open", json={}), 403)
        problem(client.post("/closed", data={"csrf_token": "x"}), 403)
        problem(client.post("/closed", query_string={"csrf_token": token}), 403)
        assert client.post("/closed", data={"csrf_token": token}).status_code == 200
        assert client.post("/closed", headers={"X-CSRF-Token": token}).status_code == 200

    def test_a_key_in_a_header_needs_no_token(self, who: Any, sqlite_url: str) -> None:
        client = who().test_client()
        self.sign_in(client, with_user(sqlite_url)[2])
        secret, user, _ = with_user(sqlite_url)
        assert client.post("/closed", headers=bearer(secret)).json["mine"] == user

    def test_a_revoked_key_ends_its_browsers(self, who: Any, sqlite_url: str) -> None:
        from datetime import UTC, datetime

        _, user, key = with_user(sqlite_url)
        client = who().test_client()
        self.sign_in(client, key)
        store = DatabaseStore(sqlite_url)
        assert store.revoke_key(user, key, datetime.now(UTC))
        store.close()
        problem(client.get("/closed"), 401)
        assert client.get("/open").json["user"] is None

    @pytest.mark.parametrize("cookie", ["x", "ÿ", "a.b.c", "eyJrZXkiOjF9.aaaa.bbbb", "\x7f" * 9, "x" * 5000])
    def test_a_cookie_of_another_hand_is_no_cookie(self, who: Any, cookie: str) -> None:
        client = who().test_client(use_cookies=False)
        reply = client.get("/open", headers={"Cookie": f"weeds={cookie}"})
        assert reply.json == {"user": None, "via": "none", "sample": True}
        problem(client.get("/closed", headers={"Cookie": f"weeds={cookie}"}), 401)

    def test_a_cookie_signed_with_another_secret_is_no_cookie(self, who: Any, sqlite_url: str) -> None:
        _, _, key_id = with_user(sqlite_url)
        store = DatabaseStore(sqlite_url)
        found = store.key(key_id)
        store.close()
        assert found is not None
        payload = BrowserSession.signed_in(found[0])
        client = who().test_client(use_cookies=False)
        forged = BrowserSession("another secret of thirty-two bytes", False).write(payload)
        problem(client.get("/closed", headers={"Cookie": f"weeds={forged}"}), 401)
        ours = BrowserSession(SECRET, False).write(payload)
        assert client.get("/closed", headers={"Cookie": f"weeds={ours}"}).status_code == 200


class TestRateLimits:
    def test_they_are_told_and_then_enforced(self, who: Any) -> None:
        client = who(RATE_LIMIT="2/day").test_client()
        first, second, third = (client.get("/open") for _ in range(3))
        assert [first.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining")] == ["2", "1"]
        assert second.headers["RateLimit-Remaining"] == "0"
        assert 0 < int(second.headers["RateLimit-Reset"]) <= 86400
        assert problem(third, 429)["type"].endswith("#rate-limited")
        assert 0 < int(third.headers["Retry-After"]) <= 86400
        assert third.headers["RateLimit-Remaining"] == "0"

    def test_each_key_and_each_address_has_its_own(self, who: Any, sqlite_url: str) -> None:
        client = who(RATE_LIMIT="1/day").test_client()
        one, two = (bearer(with_user(sqlite_url)[0]) for _ in range(2))
        assert client.get("/open", headers=one).status_code == 200
        assert client.get("/open", headers=two).status_code == 200
        assert client.get("/open").status_code == 200
        assert client.get("/open", environ_base={"REMOTE_ADDR": "192.0.2.9"}).status_code == 200
        problem(client.get("/open", headers=one), 429)
        problem(client.get("/open"), 429)

    def test_guessing_keys_counts(self, who: Any) -> None:
        client = who(RATE_LIMIT="2/day").test_client()
        assert [client.get("/open", headers=bearer(f"guess{n}")).status_code for n in range(4)] == [
            401, 401, 429, 429,
        ]  # fmt: skip

    def test_probes_are_not_counted(self, module: Any, settings: Any) -> None:
        table = [Function("hello", module(HELLO), ("/hello",), auth="public")]
        client = create_app(table, settings(RATE_LIMIT="1/day")).test_client()
        assert [client.get("/hello").status_code for _ in range(3)] == [200] * 3
        assert "RateLimit-Limit" not in client.get("/hello").headers

    def test_a_lost_storage_lets_everyone_through(self, who: Any, capsys: pytest.CaptureFixture[str]) -> None:
        client = who(RATE_LIMIT="1/day", RATE_LIMIT_STORAGE="redis://127.0.0.1:1").test_client()
        for _ in range(2):
            reply = client.get("/open")
            assert reply.status_code == 200
            assert "RateLimit-Limit" not in reply.headers
        assert any("rate limit storage" in line["message"] for line in log_lines(capsys))


class TestLog:
    def test_one_json_line_a_request_says_what_was_answered_to_whom(
        self, who: Any, sqlite_url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        secret, user, _ = with_user(sqlite_url)
        client = who(PRIMARY_REGION="ams").test_client()
        client.get("/closed", headers=bearer(secret) | {"X-Request-Id": "field-0001"})
        client.get("/nowhere")
        lines = [line for line in log_lines(capsys) if line["logger"] == "weeds.request"]
        assert [line["status"] for line in lines] == [200, 404]
        assert lines[0]["milliseconds"] >= 0
        expected = {
            "message": "request", "level": "INFO", "request_id": "field-0001", "function": "closed",
            "route": "/closed", "method": "GET", "user_id": user, "region": "ams",
        }  # fmt: skip
        assert {name: lines[0][name] for name in expected} == expected
        assert (lines[1]["function"], lines[1]["user_id"]) == (None, None)

    def test_no_line_holds_a_key_or_a_cookie(
        self, who: Any, sqlite_url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        secret, _, key = with_user(sqlite_url)
        app = who(LOG_LEVEL="DEBUG")
        client = app.test_client()
        token = client.get("/form").text
        cookie = client.post("/form", data={"csrf_token": token, "key": str(key)}).headers["Set-Cookie"]
        client.get("/closed")
        for headers in (bearer(secret), {"X-API-Key": secret}, bearer("a-wrong-key-nobody-has")):
            client.get("/closed?q=private", headers=headers)
        logged = capsys.readouterr().err
        assert logged.count('"weeds.request"') >= 6
        for hidden in (secret, secret[8:], keys.digest(secret), "a-wrong-key-nobody-has", SECRET):
            assert hidden not in logged
        assert cookie.split("=", 1)[1].split(";")[0] not in logged
        assert token not in logged

    def test_a_process_without_a_secret_says_so(
        self, module: Any, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        create_app([], settings(SECRET_KEY=""))
        assert [line["message"] for line in log_lines(capsys)] == [
            "SECRET_KEY is unset: made one for this process; browsers are signed out at restart"
        ]


class TestAfterwards:
    def test_a_users_request_looks_for_waiting_work_and_its_failure_is_nobodys(
        self, who: Any, sqlite_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lib.services import Services

        looked: list[int] = []

        def look(services: Services) -> None:
            looked.append(1)
            raise RuntimeError("no work today")

        monkeypatch.setattr(Services, "look_for_waiting_work", look)
        client = who().test_client()
        client.get("/open")
        assert looked == []
        reply = client.get("/open", headers=bearer(with_user(sqlite_url)[0]))
        assert reply.status_code == 200
        reply.close()
        assert looked == [1]
        assert any("waiting work" in line["message"] for line in log_lines(capsys))


RAW = st.binary(max_size=20).map(lambda raw: raw.decode("latin-1"))  # as WSGI shows the bytes of a request
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT")
HEADERS = (
    "Authorization",
    "X-API-Key",
    "Origin",
    "Cookie",
    "X-Request-Id",
    "Content-Type",
    "X-CSRF-Token",
    "Host",
)


@given(
    path=RAW | st.just("open") | st.just("page"), query=RAW, header=HEADER, method=st.sampled_from(METHODS)
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_odd_request_is_a_failure_of_ours(
    odd_app: Flask, path: str, query: str, header: str, method: str
) -> None:
    for name in HEADERS:
        reply = odd_app.test_client().open(
            "/",
            method=method,
            headers={name: header},
            environ_overrides={"PATH_INFO": f"/{path}", "QUERY_STRING": query},
        )
        assert reply.status_code < 500
        if reply.status_code >= 400 and method != "HEAD":
            assert reply.content_type == "application/problem+json"


@pytest.fixture
def odd_app(who: Any) -> Flask:
    app: Flask = who()
    return app
