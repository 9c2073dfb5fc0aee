"""Small pictures for pages: JPEG, the right way up, without any metadata."""

from __future__ import annotations

import threading
from io import BytesIO

from PIL import Image

from lib.photos.decode import decode
from lib.photos.identify import inspect

# A few sizes, so that nobody fills the disk by asking for every width.
WIDTHS = (160, 320, 640, 1280)
QUALITY = 82
# A page of photos asks for all of its thumbnails at once. Those that are not kept yet are made two at a time: each
# takes the memory of a photo, and the machine has one processor.
_MAKING = threading.BoundedSemaphore(2)


def rounded_width(width: int) -> int:
    """The next of `WIDTHS` that is not smaller; the largest for anything above."""
    return next((w for w in WIDTHS if w >= width), WIDTHS[-1])


def thumbnail(data: bytes, width: int) -> bytes:
    """A JPEG `width` pixels wide (or as wide as the photo, when that is less), at most 4 times as high.

    Holds no EXIF, position, profile or comment. Raises the problems of `lib.photos.decode.decode`.
    """
    header = inspect(data)
    width = min(width, header.width)
    height = width * header.height / header.width
    if height > 4 * width:
        width, height = round(4 * width * header.width / header.height), 4 * width
    size = max(1, width), max(1, round(height))
    with _MAKING:
        image = decode(data, min(size), header=header).image
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        out = BytesIO()
        # What the source carried along (profile, comment) would be written too.
        image.info.clear()
        image.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
