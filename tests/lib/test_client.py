"""Whether the sender of a request is still there, over real sockets."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib import client

Pair = tuple[socket.socket, socket.socket]


def tcp() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


@pytest.fixture(params=["poll", "peek"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux tells it, and as other systems do."""
    if request.param == "peek":
        monkeypatch.setattr("lib.client._CLOSED", 0)


@pytest.fixture(params=[tcp, socket.socketpair], ids=["tcp", "unix"])
def pair(request: pytest.FixtureRequest, _way: None) -> Iterator[Pair]:
    near, far = request.param()
    with near, far:
        yield near, far


def arrived(far: socket.socket) -> None:
    """Wait until what the sender did last can be seen on this side."""
    far.recv(1, socket.MSG_PEEK)


def test_somebody_who_waits_is_there(pair: Pair) -> None:
    near, far = pair
    gone = client.watch({"gunicorn.socket": far})
    assert gone() is False
    far.sendall(b"100 Continue")
    assert gone() is False
    assert near.recv(3) == b"100"


def test_somebody_who_closed_is_gone(pair: Pair) -> None:
    near, far = pair
    gone = client.watch({"gunicorn.socket": far})
    near.close()
    arrived(far)
    assert [gone(), gone()] == [True, True]


def test_the_next_request_of_a_pipeline_is_no_farewell_and_is_not_read(pair: Pair) -> None:
    near, far = pair
    near.sendall(b"GET / HTTP/1.1")
    arrived(far)
    assert client.watch({"gunicorn.socket": far})() is False
    assert far.recv(3) == b"GET"


def test_somebody_who_closed_behind_the_next_request_is_gone() -> None:
    if not client._CLOSED:
        pytest.skip("only Linux can tell")
    near, far = socket.socketpair()
    with far:
        near.sendall(b"GET / HTTP/1.1")
        near.close()
        assert client.watch({"gunicorn.socket": far})() is True


@pytest.mark.usefixtures("_way")
def test_a_connection_that_was_reset_is_gone() -> None:
    near, far = tcp()
    with far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        near.close()
        with pytest.raises(ConnectionResetError):
            far.recv(1)  # waits for the reset; the error is told once, but the end stays
        assert client.watch({"gunicorn.socket": far})() is True


@pytest.mark.usefixtures("_way")
def test_a_socket_that_was_closed_here_tells_nothing() -> None:
    near, far = socket.socketpair()
    with near:
        far.close()
        assert client.watch({"gunicorn.socket": far})() is False


@pytest.mark.parametrize("environ", [{}, {"gunicorn.socket": None}, {"gunicorn.socket": object()}])
def test_without_a_socket_nobody_is_ever_gone(environ: dict[str, object]) -> None:
    assert client.watch(environ)() is False


@pytest.fixture
def secured(tmp_path: Path, _way: None) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """The two ends of a TLS connection."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is needed to make a certificate")
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    paths = [str(tmp_path / name) for name in ("key.pem", "certificate.pem")]
    subprocess.run([*made, "-keyout", paths[0], "-out", paths[1]], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(paths[1], paths[0])
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    near, far = tcp()
    ends: list[ssl.SSLSocket] = []
    accept: Callable[[], None] = lambda: ends.append(server.wrap_socket(far, server_side=True))  # noqa: E731
    thread = threading.Thread(target=accept)
    thread.start()
    ours = anyone.wrap_socket(near)
    thread.join()
    with ours, ends[0]:
        yield ours, ends[0]


def test_over_tls_it_is_the_same(secured: tuple[ssl.SSLSocket, ssl.SSLSocket]) -> None:
    near, far = secured
    near.sendall(b"x")
    assert far.recv(1) == b"x"
    gone = client.watch({"gunicorn.socket": far})
    assert gone() is False
    near.close()
    assert far.recv(1) == b""
    assert gone() is True
