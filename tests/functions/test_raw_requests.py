"""Bytes that no client of good manners sends: refused in words, and the server answers the next one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.functions.conftest import Server
from tests.functions.lines import Line

BOUNDARY = "b"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    before = server.log.stat().st_size
    opened = Line(server)
    yield opened
    opened.close()
    assert server.visitor().get("/health").ok
    assert b"Traceback" not in server.log.read_bytes()[before:]


def statuses(line: Line, data: bytes) -> list[int]:
    """The statuses of everything that comes back until the server hangs up, after all was sent."""
    with suppress(OSError):  # refused before all of it was read
        line.send(data)
        line.end()
    found = line.rest()
    return [int(each.split()[0]) for each in found.split(b"HTTP/1.1 ")[1:]]


def post(path: str, body: bytes, *headers: str, key: str = "") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"Authorization: Bearer {key}"] * bool(key)
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


HOST = b"Host: localhost\r\nConnection: close\r\n"
BROKEN = {
    "no request": b"\r\n\r\n\r\n",
    "no version": b"GET /api/status\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": b"GET /api/status HTTP/9.9\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "zeros": bytes(4096),
    "lowercase method": b"get /api/status HTTP/1.1\r\n" + HOST + b"\r\n",
    "odd method": b"G(E)T /api/status HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nConnection: close\r\n\r\n",
    "line of 100 kB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "header of 100 kB": b"GET /api/status HTTP/1.1\r\nX-A: " + b"a" * 100_000 + b"\r\n" + HOST + b"\r\n",
    "1,000 headers": b"GET /api/status HTTP/1.1\r\n" + b"X-A: a\r\n" * 1000 + HOST + b"\r\n",
    "header without colon": b"GET /api/status HTTP/1.1\r\nnonsense\r\n" + HOST + b"\r\n",
    "folded header": b"GET /api/status HTTP/1.1\r\nX-A: a\r\n  b\r\n" + HOST + b"\r\n",
    "space before colon": b"GET /api/status HTTP/1.1\r\nX-A : a\r\n" + HOST + b"\r\n",
    "NUL in a header": b"GET /api/status HTTP/1.1\r\nX-A: a\0b\r\n" + HOST + b"\r\n",
    "two lengths": b"POST /api/sessions HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n" + HOST + b"\r\n{}",
    "length and chunks": b"POST /api/sessions HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"
    + HOST + b"\r\n0\r\n\r\n",
    "negative length": b"POST /api/sessions HTTP/1.1\r\nContent-Length: -1\r\n" + HOST + b"\r\n",
    "length of words": b"POST /api/sessions HTTP/1.1\r\nContent-Length: two\r\n" + HOST + b"\r\n{}",
    "endless length": b"POST /api/sessions HTTP/1.1\r\nContent-Length: " + b"9" * 40 + b"\r\n" + HOST + b"\r\n{}",
    "unknown coding": b"POST /api/sessions HTTP/1.1\r\nTransfer-Encoding: sausage\r\n" + HOST + b"\r\n{}",
    "chunk of no size": b"POST /api/sessions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\nxyz\r\n",
    "negative chunk": b"POST /api/sessions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    + HOST + b"\r\n-5\r\nabcde\r\n",
    "chunk that ends": b"POST /api/sessions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\nff\r\nabc",
    "path of bytes": b"GET /api/daily/\xff\xfe%ff%c0%80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "query of bytes": b"GET /api/taxa?q=\xff\xfe&limit=%ff HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET /api/status HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET /api/status HTTP/1.1\r\nHost: evil.example\r\n" + HOST + b"\r\n",
    "host of bytes": b"GET /api/status HTTP/1.1\r\nHost: \xff[::1\r\nConnection: close\r\n\r\n",
    "range of nonsense": b"GET /static/site.css HTTP/1.1\r\nRange: bytes=9-1,--,x\r\n" + HOST + b"\r\n",
    "dates of nonsense": b"GET / HTTP/1.1\r\nIf-Modified-Since: \xff\r\nIf-None-Match: \"\r\n" + HOST + b"\r\n",
    "proxy line of another": b"GET http://evil.example/api/status HTTP/1.1\r\nHost: evil.example\r\n"
    b"Connection: close\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_request_is_no_failure_of_ours(server: Server, line: Line, data: bytes) -> None:
    # With a key, since the body of a stranger is not even read.
    key = f"Authorization: Bearer {server.user().secret}\r\nContent-Type: application/json\r\n".encode()
    found = statuses(line, data.replace(HOST, HOST + key))
    assert all(status < 500 for status in found if status != 501), found
    # RFC 9112, 6.1: a transfer coding that the server does not know is answered so.
    assert (501 in found) == (b"sausage" in data)


BODIES = {
    "deep JSON": (b'{"session_name":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "application/json"),
    "deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "application/json"),
    "NaN": (b'{"session_name":"a","latitude":NaN}', "application/json"),
    "Infinity": (b'{"session_name":"a","latitude":-Infinity}', "application/json"),
    "1e999": (b'{"session_name":"a","latitude":1e999}', "application/json"),
    "huge integer": (b'{"session_name":"a","latitude":' + b"9" * 5000 + b"}", "application/json"),
    "NUL": (b'{"session_name":"a\\u0000b"}', "application/json"),
    "lone surrogate": (b'{"session_name":"\\ud800"}', "application/json"),
    "bytes": (b'{"session_name":"\xff\xfe"}', "application/json"),
    "the same twice": (b'{"session_name":"a","session_name":7}', "application/json"),
    "UTF-16": ('{"session_name":"a"}'.encode("utf-16"), "application/json; charset=utf-16"),
    "XML": (b"<a/>", "application/xml"),
    "no type": (b'{"session_name":"a"}', ""),
    "odd type": (b'{"session_name":"a"}', ";;=/\xff"),
    "form for JSON": (b"session_name=a", "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_in_words(server: Server, line: Line, name: str) -> None:
    body, kind = BODIES[name]
    user = server.user()
    line.send(post("/api/sessions", body, *([f"Content-Type: {kind}"] if kind else []), key=user.secret))
    answer = line.answer()
    assert answer.status in (400, 415, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["status"] == answer.status
    assert user.get("/api/sessions").json()["sessions"] == []


def part(name: str, value: bytes, extra: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode("latin-1") + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FORMS = {
    "no boundary": (part("files", b"x", '; filename="a.jpg"') + END, "multipart/form-data"),
    "empty boundary": (part("files", b"x") + END, "multipart/form-data; boundary="),
    "another boundary": (part("files", b"x") + END, "multipart/form-data; boundary=other"),
    "long boundary": (b"--" + b"b" * 5000, "multipart/form-data; boundary=" + "b" * 5000),
    "no end": (part("files", b"x", '; filename="a.jpg"'), FORM),
    "no disposition": (f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + END, FORM),
    "10,000 fields": (b"".join(part(f"f{n}", b"") for n in range(10_000)) + END, FORM),
    "10,000 files": (b"".join(part("files", b"", '; filename="a"') for _ in range(10_000)) + END, FORM),
    "odd file name": (part("files", b"x", '; filename="../../\xff\0.jpg"') + END, FORM),
    "field of bytes": (part("session_id", b"\xff\xfe\0") + part("files", b"x", '; filename="a"') + END, FORM),
    "huge number": (part("session_id", b"9" * 5000) + part("files", b"x", '; filename="a"') + END, FORM),
    "nothing": (b"", FORM),
    "JSON for a form": (b"{}", "application/json"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_bad_form_is_refused_in_words(server: Server, line: Line, name: str) -> None:
    body, kind = FORMS[name]
    user = server.user()
    line.send(post("/api/upload", body, f"Content-Type: {kind}", key=user.secret))
    answer = line.answer()
    assert answer.status in (400, 413, 415, 422)
    assert json.loads(answer.body)["status"] == answer.status
    assert user.get("/api/images").json()["images"] == []


def test_a_client_that_waits_to_be_told_to_go_on_is_told_so(server: Server, line: Line) -> None:
    body = b'{"session_name":"asked first"}'
    whole = post(
        "/api/sessions",
        body,
        "Content-Type: application/json",
        "Expect: 100-continue",
        key=server.user().secret,
    )
    line.send(whole[: -len(body)])
    assert line.answer().status == 100
    line.send(body)
    assert line.answer().status == 201


def test_a_body_where_none_belongs_is_not_read_as_the_next_request(server: Server, line: Line) -> None:
    body = b"DELETE /api/keys/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    line.send(line.head("GET", "/health", Content_Length=str(len(body))) + body)
    assert line.answer().status == 200
    line.send(line.head("GET", "/ready"))
    assert line.answer().status == 200


def test_requests_in_a_row_are_answered_in_their_order(line: Line) -> None:
    paths = ["/health", "/nowhere", "/api/taxa?q=a", "/api/taxa", "/health"]
    line.send(b"".join(line.head("GET", path) for path in paths))
    assert [line.answer().status for _ in paths] == [200, 404, 200, 400, 200]


def test_a_client_of_http_1_0_is_answered_and_let_go(server: Server, line: Line) -> None:
    line.send(b"GET /health HTTP/1.0\r\n\r\n")
    found = line.rest()
    assert found.split(b"\r\n")[0].split()[1] == b"200"
    assert found.endswith(b"}")
