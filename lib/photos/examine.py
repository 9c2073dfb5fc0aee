"""What the bytes of a photo say of it: size, quality and fingerprint, named as the columns that keep them."""

from __future__ import annotations

from typing import TypedDict

from lib.photos.decode import Decoded
from lib.photos.duplicates import fingerprint
from lib.photos.identify import Header
from lib.photos.quality import assess


class ImageColumns(TypedDict):
    """The columns of `image_data` that depend on the bytes alone; units as in `quality` and `duplicates`."""

    width: int
    height: int
    file_size_bytes: int
    media_type: str
    blur_score: float
    exposure_score: float
    brightness_mean: float
    contrast_std: float
    quality_score: float
    low_resolution: bool
    fingerprint: str


def examine(data: bytes, header: Header, decoded: Decoded) -> ImageColumns:
    """The columns of a photo that was recognised as `header` and decoded as `decoded`."""
    quality = assess(decoded.image)
    return {
        "width": decoded.width,
        "height": decoded.height,
        "file_size_bytes": len(data),
        "media_type": header.media_type,
        "blur_score": quality.blur_score,
        "exposure_score": quality.exposure_score,
        "brightness_mean": quality.brightness_mean,
        "contrast_std": quality.contrast_std,
        "quality_score": quality.score,
        "low_resolution": header.low_resolution,
        "fingerprint": fingerprint(decoded.image),
    }
