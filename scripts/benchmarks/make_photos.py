"""Makes distinct 12-megapixel JPEGs from the labelled seedling photos; run in a process of its own.

NumPy and Pillow mapped here would share their pages with the measured server and make it look smaller.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 4000, 3000
LARGEST = 10 * 1024 * 1024
DATE_TIME_ORIGINAL, EXIF_FOLDER = 0x9003, 0x8769


def photo(source: Path, number: int) -> Image.Image:
    """The source enlarged to fill the frame, with sensor noise of its own."""
    with Image.open(source) as opened:
        small = opened.convert("RGB")
    scale = max(WIDTH / small.width, HEIGHT / small.height)
    wide, high = WIDTH / scale, HEIGHT / scale
    left, top = (small.width - wide) / 2, (small.height - high) / 2
    large = small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=(left, top, left + wide, top + high))
    noise = np.random.default_rng(number).normal(0, 5, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return Image.fromarray(np.clip(np.asarray(large, np.float32) + noise, 0, 255).astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with a folder of .jpg photos for each species")
    parser.add_argument("target", type=Path)
    parser.add_argument("count", type=int)
    asked = parser.parse_args()
    species = [sorted(folder.glob("*.jpg")) for folder in sorted(asked.source.iterdir()) if folder.is_dir()]
    asked.target.mkdir(parents=True, exist_ok=True)
    for number in range(asked.count):
        path = asked.target / f"photo_{number:03d}.jpg"
        if path.exists():
            continue
        folder = species[number % len(species)]
        made = photo(folder[number // len(species) % len(folder)], number)
        exif = Image.Exif()
        exif.get_ifd(EXIF_FOLDER)[DATE_TIME_ORIGINAL] = f"2025:08:24 10:{number // 60:02d}:{number % 60:02d}"
        unfinished = path.with_suffix(".part")
        made.save(unfinished, "JPEG", quality=92, exif=exif)
        if unfinished.stat().st_size > LARGEST:
            raise SystemExit(f"{path.name} is larger than an upload may be")
        unfinished.rename(path)


if __name__ == "__main__":
    main()
