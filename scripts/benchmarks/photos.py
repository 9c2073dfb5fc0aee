"""The 12-megapixel photos that the measurements send; made once and kept under build/."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.benchmarks.server import ROOT

FOLDER = ROOT / "build" / "bench" / "photos"


def source_folder() -> Path:
    """The labelled seedling photos; SystemExit when they are missing."""
    source = Path(os.environ.get("PLANT_PHOTOS", ROOT.parent / "shared" / "photos")) / "plant_seedlings"
    if not source.is_dir():
        raise SystemExit(f"the seedling photos are missing: {source} (set PLANT_PHOTOS)")
    return source


def seedlings() -> dict[str, list[Path]]:
    """The labelled photos of each species, in the order of their names."""
    folders = [folder for folder in sorted(source_folder().iterdir()) if folder.is_dir()]
    return {folder.name.replace("_", " "): sorted(folder.glob("*.jpg")) for folder in folders}


def twelve_megapixels(count: int) -> list[Path]:
    """`count` JPEGs of 4000 x 3000 pixels, each of other content; SystemExit when the sources are missing."""
    source = source_folder()
    subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.make_photos", str(source), str(FOLDER), str(count)],
        cwd=ROOT,
        check=True,
    )
    return sorted(FOLDER.glob("photo_*.jpg"))[:count]
