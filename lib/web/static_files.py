"""The files a page loads: a fixed list, each addressed by its content so that browsers keep it for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
# Only these are ever opened: a name in a request is looked up here, never joined to a path.
MEDIA_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "calendar.js": "text/javascript; charset=utf-8",
    "again.js": "text/javascript; charset=utf-8",
    "typeahead.js": "text/javascript; charset=utf-8",
    "copy.js": "text/javascript; charset=utf-8",
    "place.js": "text/javascript; charset=utf-8",
    "once.js": "text/javascript; charset=utf-8",
    "print.js": "text/javascript; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "upload.js": "text/javascript; charset=utf-8",
    "sending.js": "text/javascript; charset=utf-8",
    "receipt.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file in memory, plain and compressed; `version` is the beginning of its SHA-256."""

    data: bytes
    compressed: bytes
    media_type: str
    version: str


@lru_cache(maxsize=len(MEDIA_TYPES))
def load(name: str) -> StaticFile:
    """The file of this name, read once per process; KeyError when it is not on the list."""
    media_type = MEDIA_TYPES[name]
    data = (FOLDER / name).read_bytes()
    # mtime=0: the same bytes on every machine behind one address.
    return StaticFile(
        data, gzip.compress(data, 9, mtime=0), media_type, hashlib.sha256(data).hexdigest()[:12]
    )


def address(name: str) -> str:
    """Where a page finds the file; the address changes with the content."""
    return f"/static/{name}?v={load(name).version}"
