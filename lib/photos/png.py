"""The header of a PNG, read without decoding (W3C PNG, third edition)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from lib.photos import exif
from lib.photos.facts import TRUNCATED, Animated, Facts, Malformed, small_copy_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Channels in Pillow's memory are padded: everything with more than one takes 4 bytes a pixel.
_BYTES = {0: 1, 2: 4, 3: 1, 4: 4, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
MOST_CHUNKS = 100_000
_DAMAGED = "its data is damaged. Take it from the camera again"


def read(data: bytes) -> Facts:
    """Sizes, memory need and EXIF; raises Malformed, and Animated for an APNG."""
    header: tuple[int, int, int, int] | None = None
    block: bytes | None = None
    pixels = False
    metadata: list[tuple[int, int]] = []
    end = 0
    for kind, start, stop in _chunks(data):
        end = stop + 4
        if header is None and kind != b"IHDR":
            raise Malformed(_DAMAGED)
        if kind == b"IHDR":
            if header is not None:
                raise Malformed("its header is damaged: it describes two pictures in one")
            header = _header(data[start:stop])
        elif kind == b"IDAT":
            pixels = True
        elif kind == b"acTL":
            raise Animated("it is an animated PNG")
        elif kind not in _PIXELS:
            metadata.append((start, stop))
            if kind == b"eXIf" and block is None:
                block = data[start:stop]
    if header is None or not pixels:
        raise Malformed("it holds no picture")
    width, height, depth, colour = header
    loaded = width * height * (2 if (colour, depth) == (0, 16) else _BYTES[colour])
    return Facts(
        width,
        height,
        decode_bytes=loaded + small_copy_bytes(width, height),
        end=end,
        exif=block,
        orientation=exif.read(block).orientation,
        metadata=tuple(metadata),
    )


def pixels_only(data: bytes) -> bytes:
    """The same picture without text and profiles, which could unpack to any size in the decoder."""
    view = memoryview(data)
    kept = [view[start - 8 : stop + 4] for kind, start, stop in _chunks(data) if kind in _PIXELS]
    return b"".join([SIGNATURE, *kept])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start and end of the content) up to and with IEND; raises Malformed when it does not come."""
    view = memoryview(data)
    position = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        kind = data[position + 4 : position + 8]
        start = position + 8
        stop = start + int.from_bytes(data[position : position + 4], "big")
        position = stop + 4
        if len(kind) < 4 or position > len(data):
            raise Malformed(TRUNCATED)
        if kind in _PIXELS and zlib.crc32(view[start - 4 : stop]) != int.from_bytes(
            data[stop:position], "big"
        ):
            raise Malformed(_DAMAGED)
        yield kind, start, stop
        if kind == b"IEND":
            return
    raise Malformed("it has too many parts")


def _header(body: bytes) -> tuple[int, int, int, int]:
    """(width, height, bit depth, colour type)."""
    if len(body) != 13:
        raise Malformed(_DAMAGED)
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    depth, colour = body[8], body[9]
    if not width or not height or depth not in _DEPTHS.get(colour, ()):
        raise Malformed(_DAMAGED)
    return width, height, depth, colour
