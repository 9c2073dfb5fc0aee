"""From an oriented RGB photo to the numbers a model wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from lib.classifier.folder import Card

RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def seen_box(width: int, height: int, card: Card) -> tuple[float, float, float, float]:
    """The part of a photo (left, top, right, bottom in its pixels) that the model sees.

    The rule is *shrink the short side to `resize_short_side`, then cut `input_size` from the middle*; as
    one box, the photo is resampled once, and only where it is seen. What the crop does not reach is cut
    off; nothing is stretched.
    """
    scale = min(width, height) / card.resize_short_side
    wide, high = min(card.input_width * scale, width), min(card.input_height * scale, height)
    left, top = (width - wide) / 2, (height - high) / 2
    return left, top, left + wide, top + high


def tensor(image: Image.Image, card: Card) -> np.ndarray:
    """float32 (1, 3, H, W), normalised, from an oriented photo of any size and mode."""
    if image.mode != "RGB":
        image = image.convert("RGB")
    seen = image.resize(
        (card.input_width, card.input_height),
        RESAMPLE[card.resample],
        box=seen_box(image.width, image.height, card),
    )
    pixels = np.asarray(seen, dtype=np.float32)
    scale = np.float32(255) * np.asarray(card.std, np.float32)
    pixels = (pixels - np.float32(255) * np.asarray(card.mean, np.float32)) / scale
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
