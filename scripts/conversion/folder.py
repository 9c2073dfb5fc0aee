"""The model folder, put in place as a whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.conversion import Refused

INATAG_REPOSITORY = "Project-AgML/iNatAg-models"
INATAG_NOTICE = (
    "iNatAg: species names and training photos by Project AgML (arXiv:2503.20068); the data is under CC BY-NC 4.0, "
    "which allows no commercial use and asks for attribution. The checkpoint's own licence is where you got it."
)


# What model folders of all kinds hold beside the files that their model.json lists.
KNOWN = {
    "model.json",
    "model.onnx",
    "model.onnx.data",
    "labels.csv",
    "metrics.json",
    "MODEL_CARD.md",
    "BASE_MODEL_CARD.md",
}


def check(output: Path, *, replace: bool) -> None:
    """Raises Refused when something is there already and may not be replaced: a model alone may, and only if asked.

    The checkpoint may lie beside the model, or `output` be a person's folder of photos.
    """
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise Refused(f"{output}: there is something else than a folder.")
    if output.is_dir() and any(output.iterdir()) and not replace:
        raise Refused(f"{output} is not empty. Choose another folder, or say --replace.")
    if output.is_dir():
        known = KNOWN | _listed(output)
        others = sorted(
            path.name for path in output.iterdir() if path.name not in known or not path.is_file()
        )
        if others:
            raise Refused(
                f"{output} is not replaced, because it holds other things than a model: {', '.join(others[:5])}"
                f"{' …' if len(others) > 5 else ''}. Choose another folder."
            )


def _listed(output: Path) -> set[str]:
    """The files that a model folder lists."""
    try:
        return set(json.loads((output / "model.json").read_text("utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextlib.contextmanager
def staged(output: Path, *, replace: bool) -> Iterator[Path]:
    """A folder to fill, which takes the place of `output` when the block ends without an error; otherwise nothing
    has changed.
    """
    check(output, replace=replace)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that the last step is a rename on one file system.
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as name:
        made = Path(name) / "new"
        made.mkdir()
        yield made
        check(output, replace=replace)
        if output.is_dir():
            output.rename(Path(name) / "old")
            try:
                made.rename(output)
            except OSError:
                (Path(name) / "old").rename(output)
                raise
        else:
            made.rename(output)


def room(output: Path, needed: int) -> None:
    """Raises Refused when the disk has less than `needed` bytes left; asked before the long work."""
    parent = next(folder for folder in [output, *output.absolute().parents] if folder.is_dir())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise Refused(
            f"{parent}: about {needed / 2**30:.1f} GiB are needed, and {free / 2**30:.1f} GiB are free."
        )


def describe(made: Path, document: dict[str, Any], files: list[str], card: str) -> None:
    """Write model.json, with the digests of `files`, and MODEL_CARD.md."""
    digests = {}
    for name in files:
        with (made / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    text = json.dumps(document | {"sha256": digests}, indent=2, ensure_ascii=False) + "\n"
    (made / "model.json").write_text(text, encoding="utf-8")
    (made / "MODEL_CARD.md").write_text(card, encoding="utf-8")
