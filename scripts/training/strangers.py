"""Photos of other things, from folders the user names: for measuring only, never for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def groups(folder: Path | None) -> dict[str, list[Path]]:
    """Photos by group: every subfolder of `folder` is one (say `plants` and `objects`); none without a
    folder.
    """
    found: dict[str, list[Path]] = {}
    for group in sorted(p for p in folder.iterdir() if p.is_dir()) if folder else []:
        files = sorted(p for p in group.iterdir() if p.suffix.lower() in SUFFIXES)
        if files:
            found[group.name] = files
    return found


def source(folder: Path | None) -> str:
    """Where the photos come from, from a `SOURCE.txt` beside the groups."""
    note = folder / "SOURCE.txt" if folder else None
    return note.read_text(encoding="utf-8").strip() if note and note.exists() else ""


def crops(files: list[Path], each: int, seed: int, size: int = 150) -> np.ndarray:
    """The middle square of every photo and `each` random squares of 30 to 70 % of its side; uint8
    (N,3,size,size).
    """
    g = np.random.default_rng(seed)
    out = []
    for file in files:
        with Image.open(file) as opened:
            photo = opened.convert("RGB")
        out.append(np.asarray(ImageOps.fit(photo, (size, size))))
        for _ in range(each):
            side = max(16, int(min(photo.size) * g.uniform(0.3, 0.7)))
            left, top = (int(g.integers(0, max(1, length - side))) for length in photo.size)
            cut = photo.resize((size, size), box=(left, top, left + side, top + side))
            out.append(np.asarray(cut))
    return np.stack(out).transpose(0, 3, 1, 2)
