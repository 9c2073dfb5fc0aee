"""The header of a WebP, read without decoding (RFC 9649)."""

from __future__ import annotations

from lib.photos import exif
from lib.photos.facts import TRUNCATED, Animated, Facts, Malformed, small_copy_bytes

# Measured with Pillow 13 on 12 megapixels, lossy and lossless: two canvases in libwebp's animation decoder,
# which Pillow uses for stills too, one copy as bytes, one as an image.
BYTES_A_PIXEL = 17
MOST_CHUNKS = 1000
_DAMAGED = "its header is damaged"


def read(data: bytes) -> Facts:
    """Sizes, memory need and EXIF; raises Malformed, and Animated for a moving picture."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Malformed(TRUNCATED)
    canvas: tuple[int, int] | None = None
    picture: tuple[int, int] | None = None
    block: bytes | None = None
    metadata: list[tuple[int, int]] = []
    position = 12
    for _ in range(MOST_CHUNKS):
        if position + 8 > end:
            break
        kind = data[position : position + 4]
        start = position + 8
        stop = start + int.from_bytes(data[position + 4 : start], "little")
        if stop > end:
            raise Malformed(TRUNCATED)
        body = data[start : start + 16]
        if kind in (b"ANIM", b"ANMF") or (kind == b"VP8X" and body[:1] and body[0] & 2):
            raise Animated("it is an animated WebP")
        if kind == b"VP8X":
            if len(body) < 10:
                raise Malformed(_DAMAGED)
            canvas = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif kind in (b"VP8 ", b"VP8L"):
            if picture:
                raise Malformed("its header is damaged: it describes two pictures in one")
            picture = _lossy(body) if kind == b"VP8 " else _lossless(body)
        elif kind != b"ALPH":
            metadata.append((start, stop))
            if kind == b"EXIF" and block is None:
                block = data[start:stop]
        position = stop + (stop - start) % 2
    else:
        raise Malformed("it has too many parts")
    if not picture:
        raise Malformed("it holds no picture")
    if canvas and canvas != picture:
        raise Malformed("its header is damaged: it gives two different sizes")
    width, height = picture
    return Facts(
        width,
        height,
        decode_bytes=BYTES_A_PIXEL * width * height + small_copy_bytes(width, height),
        end=end,
        exif=block,
        orientation=exif.read(block).orientation,
        metadata=tuple(metadata),
    )


def _lossy(body: bytes) -> tuple[int, int]:
    if len(body) < 10 or body[3:6] != b"\x9d\x01\x2a":
        raise Malformed(_DAMAGED)
    width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    if not width or not height:
        raise Malformed(_DAMAGED)
    return width, height


def _lossless(body: bytes) -> tuple[int, int]:
    if len(body) < 5 or body[0] != 0x2F:
        raise Malformed(_DAMAGED)
    bits = int.from_bytes(body[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
