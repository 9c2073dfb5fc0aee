"""The photos that a conversion is compared on: a folder of them, or structured pictures made from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lib.classifier import folder, preprocess
from scripts.conversion import Refused

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MADE = 16


def found(where: Path) -> list[Path]:
    """The photos in a folder and the folders below, in the order of their names."""
    if not where.is_dir():
        raise Refused(f"{where}: there is no such folder.")
    return sorted(path for path in where.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def spread(paths: list[Path], count: int) -> list[Path]:
    """`count` of them at equal distances, so that all folders are among them; all, if there are fewer."""
    if len(paths) <= count:
        return paths
    return [paths[i * len(paths) // count] for i in range(count)]


def opened(path: Path) -> Image.Image:
    """An oriented photo; Refused when it is none."""
    try:
        with Image.open(path) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        raise Refused(f"{path}: it cannot be read as a photo.") from None


def made(count: int = MADE, side: int = 256, seed: int = 1) -> list[Image.Image]:
    """Pictures with edges, blobs, gradients and textures of all sizes: noise alone would exercise little."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    pictures = []
    for _ in range(count):
        canvas = np.empty((side, side, 3))
        for channel in range(3):
            angle, waves = generator.uniform(0, np.pi), generator.uniform(1, 24)
            wave = np.sin(
                2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + generator.uniform(0, 6)
            )
            canvas[..., channel] = generator.uniform(40, 215) + generator.uniform(10, 60) * wave
        for _ in range(int(generator.integers(4, 24))):
            cx, cy, rx, ry = (*generator.uniform(0, 1, 2), *generator.uniform(0.02, 0.3, 2))
            canvas[((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1] = generator.uniform(0, 255, 3)
        canvas += generator.normal(0, generator.uniform(0, 20), canvas.shape)
        pictures.append(Image.fromarray(canvas.clip(0, 255).astype(np.uint8)))
    return pictures


def tensors(images: list[Image.Image], card: folder.Card) -> list[np.ndarray]:
    """What the server would feed the model, float32 (1, 3, H, W) each."""
    return [preprocess.tensor(image, card) for image in images]
