"""The header of a JPEG, read without decoding (ISO/IEC 10918-1, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lib.photos import exif
from lib.photos.facts import TARGET, TRUNCATED, Facts, Malformed, small_copy_bytes

# Within a scan, 0xFF is followed by 0x00 (a data byte), a restart marker or fill bytes; anything else ends
# the scan.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_SUPPORTED_FRAMES = {
    0xC0: "sequential",
    0xC1: "sequential",
    0xC2: "progressive",
    0xC9: "sequential",
    0xCA: "progressive",
}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}
# A progressive photo has about ten scans. Each one costs a pass over the whole picture, so that a small
# file with thousands of them would keep the processor busy for minutes.
MOST_SCANS = 64
MOST_SEGMENTS = 20_000
_SCAN = 0xDA


def read(data: bytes) -> Facts:
    """Sizes, memory need and EXIF of the first picture of a JPEG or MPO file; raises Malformed."""
    frame: tuple[int, int, list[tuple[int, int, int]]] | None = None
    coefficients = False
    scans = 0
    end = 0
    block: bytes | None = None
    metadata: list[tuple[int, int]] = []
    for marker, start, end in _segments(data):
        body = data[start:end]
        if marker in _SUPPORTED_FRAMES:
            if frame:
                raise Malformed("its header is damaged: it describes two pictures in one")
            frame = _frame(body)
            coefficients = _SUPPORTED_FRAMES[marker] == "progressive"
        elif marker in _OTHER_FRAMES:
            raise Malformed(
                "it is a rare kind of JPEG (lossless or hierarchical). Save it again as a normal JPEG"
            )
        elif marker == _SCAN:
            if not frame or not body:
                raise Malformed("its header is damaged: the picture starts before its size is given")
            scans += 1
            if scans > MOST_SCANS:
                raise Malformed(
                    f"it is built from more than {MOST_SCANS} layers. Save it again as a normal JPEG"
                )
            # libjpeg keeps the whole picture's coefficients when one scan does not bring all colours.
            coefficients = coefficients or body[0] < len(frame[2])
        elif _is_metadata(marker):
            metadata.append((start, end))
            if marker == 0xE1 and block is None and body.startswith(b"Exif\0"):
                block = body[6:]
    if not frame or not scans:
        raise Malformed("it holds no picture")
    width, height, components = frame
    return Facts(
        width,
        height,
        decode_bytes=_decode_bytes(width, height, components, coefficients),
        end=end,
        exif=block,
        orientation=exif.read(block).orientation,
        metadata=tuple(metadata),
    )


def pixels_only(data: bytes, end: int) -> bytes:
    """The first picture, which stops at `end`, without metadata that a decoder would try to understand."""
    view = memoryview(data)
    parts = [view[:2]]
    for marker, start, stop in _segments(data):
        if marker == _SCAN:
            parts.append(view[start - 4 : end])
            break
        # JFIF and Adobe segments say how the colours are stored.
        if not _is_metadata(marker) or marker in (0xE0, 0xEE):
            parts.append(view[start - 4 : stop])
    return b"".join(parts)


def end_of(data: bytes, start: int) -> int:
    """Where a JPEG that begins at `start` ends; raises Malformed."""
    return max(end for _, _, end in _segments(data, start))


def _segments(data: bytes, start: int = 0) -> Iterator[tuple[int, int, int]]:
    """(marker, start and end of the content); the last is the end marker, where the picture ends."""
    position = start + 2
    for _ in range(MOST_SEGMENTS):
        match = _MARKER.search(data, position)
        if not match:
            raise Malformed(TRUNCATED)
        marker = data[match.start() + 1]
        position = match.end()
        if marker == 0xD9:
            yield marker, position, position
            return
        if marker in (0x01, 0xD8):
            continue
        end = position + int.from_bytes(data[position : position + 2], "big")
        if end > len(data) or position + 2 > len(data):
            raise Malformed(TRUNCATED)
        if end < position + 2:
            raise Malformed("its header is damaged")
        yield marker, position + 2, end
        position = end
    raise Malformed("it has too many parts")


def _is_metadata(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == 0xFE


def _frame(body: bytes) -> tuple[int, int, list[tuple[int, int, int]]]:
    """(width, height, [(component id, horizontal, vertical sampling)])."""
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise Malformed("its header is damaged")
    if body[0] != 8:
        raise Malformed(f"it stores {body[0]} bits a colour. Save it again as a normal JPEG (8 bits)")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    parts = [(body[i], body[i + 1] >> 4, body[i + 1] & 15) for i in range(6, 6 + 3 * body[5], 3)]
    if not width or not height or len(parts) not in (1, 3, 4):
        raise Malformed("its header is damaged")
    if any(not 1 <= factor <= 4 for part in parts for factor in part[1:]):
        raise Malformed("its header is damaged")
    return width, height, parts


def _decode_bytes(width: int, height: int, components: list[tuple[int, int, int]], coefficients: bool) -> int:
    """Memory at the scale `draft()` picks, and for a progressive file its coefficients (2 bytes each)."""
    wanted = min(width, height) // TARGET
    scale = next(s for s in (8, 4, 2, 1) if wanted >= s or s == 1)
    total = 4 * -(-width // scale) * -(-height // scale) + small_copy_bytes(width, height)
    if coefficients:
        most_h = max(h for _, h, _ in components)
        most_v = max(v for _, _, v in components)
        across, down = -(-width // (8 * most_h)), -(-height // (8 * most_v))
        total += sum(across * h * down * v * 64 * 2 for _, h, v in components)
    return total
