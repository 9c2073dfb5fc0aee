"""The files a page loads: a fixed list, each addressed by its content so that browsers keep it for good."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
# Only these are ever opened: a name in a request is looked up here, never joined to a path.
MEDIA_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "menu.js": "text/javascript; charset=utf-8",
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
    if name.endswith((".css", ".js")):
        data = _without_remarks(data.decode(), name).encode()
    # mtime=0: the same bytes on every machine behind one address.
    return StaticFile(
        data, gzip.compress(data, 9, mtime=0), media_type, hashlib.sha256(data).hexdigest()[:12]
    )


def _without_remarks(text: str, name: str) -> str:
    """The text as a browser needs it: a third of it explains it to people, and a telephone would load that too.

    A line of a script that begins with `//` is a remark; the house's scripts have no text over several lines.
    """
    if name.endswith(".js"):
        return re.sub(r"^(?:\s*//.*\n|\s+)", "", text, flags=re.MULTILINE)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    # Between two quotes nothing is touched.
    parts = re.split(r'("[^"\n]*")', text)
    parts[::2] = [
        re.sub(r" ?([{};,]) ?", r"\1", re.sub(r"\s+", " ", part)).replace(": ", ":") for part in parts[::2]
    ]
    return "".join(parts).replace(";}", "}").strip()


def address(name: str) -> str:
    """Where a page finds the file; the address changes with the content."""
    return f"/static/{name}?v={load(name).version}"
