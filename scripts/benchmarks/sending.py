"""An upload as careful clients send it: one body, one answer, and what the answer asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

BOUNDARY = "weeds-bench-boundary"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered. `retry_after`: seconds, None where it names none."""

    status: int
    retry_after: int | None
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def form(photos: Iterable[tuple[str, bytes]], fields: Mapping[str, str]) -> bytes:
    """The multipart body of photos (name, bytes) and the fields beside them."""
    parts = []
    for name, value in fields.items():
        parts.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        )
    for name, data in photos:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        parts += [head.encode(), b"Content-Type: image/jpeg\r\n\r\n", data, b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def send(connection: HTTPConnection, key: str, body: bytes, idempotency_key: str | None = None) -> None:
    """Sends an upload to its last byte; the answer is still to be read."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    connection.request("POST", "/api/upload", body=body, headers=headers)


def answer(connection: HTTPConnection) -> Reply:
    """Reads the whole answer."""
    response = connection.getresponse()
    wait = response.headers.get("Retry-After")
    return Reply(response.status, int(wait) if wait else None, response.read())
