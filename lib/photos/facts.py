"""What the header of a photo says, in the terms all four formats share."""

from __future__ import annotations

from dataclasses import dataclass


class Malformed(Exception):
    """The file breaks the rules of its own format; the text says how, in words for the person who took it."""


class Animated(Malformed):
    """The file holds a moving picture."""


TRUNCATED = (
    "it is cut short: the end of the picture is missing. Send it again, or take it from the camera again"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """The header of one photo.

    `width` and `height` are pixels as stored, before orientation. `orientation` is the EXIF value, 1 to 8
    (1 for HEIC, whose decoder turns the picture itself; `turned` says that it will swap the sides).
    `decode_bytes` estimates the memory that decoding needs at most, besides the file itself. `end` is the
    offset of the first byte after the picture, `metadata` the spans (start, end) that hold no pixels.
    """

    width: int
    height: int
    decode_bytes: int
    end: int
    exif: bytes | None = None
    orientation: int = 1
    turned: bool = False
    metadata: tuple[tuple[int, int], ...] = ()


# What decoding aims at: the short side of the picture handed on, in pixels.
TARGET = 512


def small_copy_bytes(width: int, height: int, target: int = TARGET) -> int:
    """Memory of the reduced copy of a picture, and of the turned one: 4 bytes a pixel in Pillow."""
    factor = max(1, min(width, height) // target)
    return 2 * 4 * -(-width // factor) * -(-height // factor)
