"""What a server answers on every read route of its OpenAPI document, to be compared with what another answers."""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlencode

# When an answer or a file was made, and when a key was last used, say nothing of what is kept. The archive's
# `packageId` is made of the first.
_TIMES = (
    re.compile(rb'"(?:timestamp|export_timestamp|last_used_at)": ?"[^"]*"'),
    re.compile(rb'(?:packageId="urn:uuid:[0-9a-f-]{36}"|<(pubDate|dateStamp)>[^<]*</\1>)'),
)
# Nor does the memory that the process holds.
_MEMORY = re.compile(rb'"memory":\{[^}]*\}')


class Reply(Protocol):
    """What is compared of an answer."""

    status_code: int
    content: bytes
    headers: Any


def addresses(ask: Callable[[str], Any]) -> list[str]:
    """All GET routes of the API with every value that their parameters can have; `ask` gets JSON of an address.

    Of the photos, the newest hundred; there must be two days or more.
    KeyError for a parameter that nobody gave values: a new route is compared from its first day on, or breaks this.
    """
    photos = ask("/api/images?limit=100")["images"]
    numbers = {
        "/api/images": [photo["id"] for photo in photos],
        "/api/sessions": [session["id"] for session in ask("/api/sessions")["sessions"]],
    }
    days = sorted({photo["date"] for photo in photos})
    found = []
    for path, operations in ask("/openapi.json")["paths"].items():
        if "get" not in operations or not path.startswith("/api/"):
            continue
        values: dict[str, list[Any]] = {}
        for parameter in operations["get"].get("parameters", []):
            if parameter["in"] == "path":
                own = {"date": days, "id": numbers.get(path.partition("/{")[0])}
                values[parameter["name"]] = parameter["schema"].get("enum") or own[parameter["name"]]
        for chosen in itertools.product(*values.values()):
            address = path.format(**dict(zip(values, chosen, strict=True)))
            asked = map(urlencode, _queries(path, numbers["/api/sessions"], days))
            found += [f"{address}?{query}" if query else address for query in asked]
    return found


def _queries(path: str, sessions: list[int], days: list[str]) -> list[dict[str, Any]]:
    """With what a route is asked: nothing, unless something is needed or shows more of what is kept."""
    first, last = sessions[0], sessions[-1]
    several: dict[str, list[dict[str, Any]]] = {
        "/api/compare": [{"a": days[0], "b": days[-1]}]
        + [{"a": f"session:{first}", "b": f"session:{last}"}] * (first != last),
        "/api/taxa": [{"q": "Galium"}],
        "/api/images/{id}/file": [{}, {"width": 160}],
        "/api/calendar/{metric}": [{"year": days[0][:4]}, {"year": days[0][:4], "session": first}],
        "/api/export/{kind}": [{}, {"session": first}],
    }
    return several.get(path, [{}])


def comparable(reply: Reply, ordered: bool = True) -> bytes:
    """What must be the same in two answers: all of it, byte for byte, but for times of making and memory.

    Not `ordered`: as JSON has it, where the order of an object's members says nothing; jsonb keeps none.
    """
    kind = reply.headers["Content-Type"].partition(";")[0]
    name = {"application/zip": "x.zip", "application/json": "x.json"}.get(kind, "x")
    return _timeless(name, reply.content, ordered)


def _timeless(name: str, data: bytes, ordered: bool) -> bytes:
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return b"".join(
                each.encode() + b"\n" + _timeless(each, archive.read(each), ordered)
                for each in archive.namelist()
            )
    if name.endswith((".json", ".xml")):
        for pattern in (*_TIMES, _MEMORY):
            data = pattern.sub(b'"":""' if name.endswith(".json") else b"", data)
    if name.endswith(".json") and not ordered:
        data = json.dumps(json.loads(data), sort_keys=True).encode()
    return data
