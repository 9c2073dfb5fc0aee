"""Files that are there whole or not at all, and that stay untouched while their content is the same."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# When a document was written says nothing of what it holds.
_WHEN = ("timestamp", "export_timestamp")


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path`, as `write_chunks`."""
    write_chunks(path, [data])


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """Put `chunks` at `path` through a temporary file beside it; the folder is made when there is none.

    When this returns, content and name are on the disk; after a crash the old file or the new one is there.
    OSError when the disk refuses, and then nothing is left behind; nor when `chunks` raise.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_changed(path: Path, data: bytes) -> bool:
    """Write unless the file holds exactly this already; True when written."""
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return False
    except OSError:
        pass  # there is none, or it cannot be read: writing will tell
    write_atomically(path, data)
    return True


def write_document(path: Path, document: dict[str, Any]) -> bool:
    """Write a JSON document unless the file says the same at another time; True when written.

    A file that differs in nothing but its timestamps keeps them, byte for byte. ValueError for NaN and infinity.
    """
    data = document_bytes(document)
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        stored = None
    if stored is not None and _timeless(stored) == _timeless(json.loads(data)):
        return False
    write_atomically(path, data)
    return True


def document_bytes(document: dict[str, Any]) -> bytes:
    """A JSON document as it is written. ValueError for NaN and infinity."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return text.encode("utf-8", "replace")  # file names may hold bytes that are no text


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name not in _WHEN}
    return [_timeless(each) for each in value] if isinstance(value, list) else value
