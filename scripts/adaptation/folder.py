"""The adapted model's folder: what the old one holds and was not changed, the new files, and its place on disk."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lib.outputs.atomic import document_bytes, write_atomically

# Not copied: they speak of the old model. Its card is kept under a name of its own.
OF_THE_OLD = ("model.json", "metrics.json", "MODEL_CARD.md")
OLD_CARD = "BASE_MODEL_CARD.md"
PREVIOUS = ".previous"


def refusal(output: Path, replace: bool) -> str:
    """Why nothing can be put at `output`, or nothing."""
    if output.is_file():
        return f"--output: {output} is a file."
    if output.exists() and not replace:
        kept = f"{output.name}{PREVIOUS}"
        return (
            f"--output: {output} exists. Choose another folder, or --replace (the old one is kept as {kept})."
        )
    return ""


@contextmanager
def made_beside(output: Path) -> Iterator[Path]:
    """A folder to build in, on the same disk as `output`; what is left of it at the end is removed."""
    output.parent.mkdir(parents=True, exist_ok=True)
    made = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def install(made: Path, output: Path) -> None:
    """Move a finished folder to its place; one that is there is kept as `….previous`, in place of an older one."""
    if not output.exists():
        made.rename(output)
        return
    previous = output.with_name(output.name + PREVIOUS)
    older = previous.with_name(f".{previous.name}.{secrets.token_hex(4)}.part")
    if previous.exists():
        previous.rename(older)
    output.rename(previous)
    try:
        made.rename(output)
    except OSError:
        previous.rename(output)
        if older.exists():
            older.rename(previous)
        raise
    shutil.rmtree(older, ignore_errors=True)


def carried_over(old: Path, made: Path, changed: set[str]) -> None:
    """The old folder's files, linked where possible, without those `changed` and those that speak of the old.

    An adapted model that is adapted again keeps the card of the first.
    """
    for path in sorted(old.iterdir()):
        if path.is_file() and path.name not in changed and path.name not in OF_THE_OLD:
            try:
                os.link(path.resolve(), made / path.name)
            except OSError:
                shutil.copyfile(path, made / path.name)
    card = old / "MODEL_CARD.md"
    if card.is_file() and not (made / OLD_CARD).exists():
        shutil.copyfile(card, made / OLD_CARD)


def digest(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_card(made: Path, document: dict[str, Any], listed: set[str]) -> None:
    """model.json, with the digest of every listed file."""
    digests = {name: digest(made / name) for name in sorted(listed)}
    write_atomically(made / "model.json", document_bytes(document | {"sha256": digests}))
