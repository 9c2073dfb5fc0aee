"""Small pictures for pages: JPEG, the right way up, without any metadata."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from lib.photos.decode import decode
from lib.photos.identify import inspect

# A few sizes, so that nobody fills the disk by asking for every width.
WIDTHS = (160, 320, 640, 1280)
QUALITY = 82


def rounded_width(width: int) -> int:
    """The next of `WIDTHS` that is not smaller; the largest for anything above."""
    return next((w for w in WIDTHS if w >= width), WIDTHS[-1])


def thumbnail(data: bytes, width: int) -> bytes:
    """A JPEG `width` pixels wide (or as wide as the photo, when that is less), at most 4 times as high.

    Holds no EXIF, position, profile or comment. Raises the problems of `lib.photos.decode.decode`.
    """
    header = inspect(data)
    width = min(width, header.width)
    height = max(1, min(round(header.height * width / header.width), 4 * width))
    target = -(-width * min(header.width, header.height) // header.width)
    image = decode(data, max(1, min(target, 1280)), header=header).image
    image.thumbnail(
        (width, height), Image.Resampling.BOX if image.width > 3 * width else Image.Resampling.LANCZOS
    )
    out = BytesIO()
    # A new picture: what the source carried along (profile, comment) would be written too.
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    clean.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
