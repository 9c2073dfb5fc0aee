"""Photos made by code, whole and broken, for the tests of lib.photos and of the upload."""

from __future__ import annotations

import struct
import zipfile
import zlib
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

# A corner of each quarter in another colour, so that every one of the eight orientations looks different.
RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 180, 30), (30, 30, 200), (220, 210, 40)


def picture(width: int = 320, height: int = 240, seed: int = 0) -> Image.Image:
    """A smooth, colourful picture with detail; another one for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def quarters(width: int = 320, height: int = 240) -> Image.Image:
    """Red top left, green top right, blue bottom left, yellow bottom right."""
    image = Image.new("RGB", (width, height))
    for colour, x, y in ((RED, 0, 0), (GREEN, 1, 0), (BLUE, 0, 1), (YELLOW, 1, 1)):
        image.paste(colour, (x * width // 2, y * height // 2, (x + 1) * width // 2, (y + 1) * height // 2))
    return image


def exif(
    original: str | None = None,
    offset: str | None = None,
    *,
    digitized: str | None = None,
    offset_digitized: str | None = None,
    modified: str | None = None,
    orientation: int | None = None,
    gps: bool = False,
) -> bytes:
    """An EXIF block (TIFF structure without prefix) with the tags given."""
    block = Image.Exif()
    if orientation is not None:
        block[0x0112] = orientation
    if modified is not None:
        block[0x0132] = modified
    inner: dict[int, str] = block.get_ifd(0x8769)
    named = ((0x9003, original), (0x9004, digitized), (0x9011, offset), (0x9012, offset_digitized))
    inner.update({tag: value for tag, value in named if value is not None})
    if gps:
        block.get_ifd(0x8825).update({1: "N", 2: (43.0, 3.0, 51.0), 3: "E", 4: (141.0, 21.0, 15.0)})
    return block.tobytes()[6:]


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file of Pillow's kind; `exif` may be a block made by `exif`."""
    if options.get("exif"):
        options["exif"] = b"Exif\0\0" + options["exif"]
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def heic(image: Image.Image, block: bytes | None = None, tile: int = 0) -> bytes:
    """The image as HEIC; with `tile`, split into a grid as phones do. An orientation becomes a property too."""
    import pillow_heif

    options: dict[str, Any] = {"exif": b"Exif\0\0" + block} if block else {}
    out = BytesIO()
    pillow_heif.encode(image.mode, image.size, image.tobytes(), out, quality=60, tile_size=tile, **options)
    return out.getvalue()


def jpeg_of_size(width: int, height: int, kind: str = "baseline") -> bytes:
    """A JPEG with the data of a small one whose header gives any size, for checks before decoding.

    `kind` is baseline or progressive, with all colours in full when it ends in 444.
    """
    progressive = kind.startswith("progressive")
    subsampling = 0 if kind.endswith("444") else 2
    data = bytearray(save(picture(160, 160), "JPEG", progressive=progressive, subsampling=subsampling))
    place = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_png_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """The PNG with a chunk put in behind its header."""
    return data[:33] + png_chunk(kind, body) + data[33:]


def with_jpeg_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """The JPEG with a segment put in at its start."""
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + data[2:]


def box(kind: bytes, body: bytes) -> bytes:
    """One box of an ISO media file."""
    return struct.pack(">I", len(body) + 8) + kind + body


def archive() -> bytes:
    """A ZIP with one small file."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("run.txt", "hello " * 20)
    return out.getvalue()


def film() -> bytes:
    """The start of an MP4, as phones append it to motion photos."""
    return box(b"ftyp", b"mp42\0\0\0\0isommp42") + box(b"mdat", bytes(range(256)) * 8)


@cache
def good_photos() -> dict[str, bytes]:
    """One small good photo of every kind that must be taken, by name."""
    image = picture(200, 160)
    block = exif("2025:08:24 06:30:00", "+09:00", orientation=6)
    return {
        "jpeg": save(image, "JPEG", exif=block),
        "jpeg progressive": save(image, "JPEG", progressive=True),
        "jpeg grey": save(image.convert("L"), "JPEG"),
        "jpeg cmyk": save(image.convert("CMYK"), "JPEG"),
        "jpeg mpo": save(image, "MPO", save_all=True, append_images=[picture(200, 160, 1)]),
        "png": save(image, "PNG", exif=block),
        "png alpha": save(image.convert("RGBA"), "PNG"),
        "png palette": save(image.quantize(256), "PNG"),
        "png grey 16": save(image.convert("L").convert("I;16"), "PNG"),
        "png one bit": save(image.convert("1"), "PNG"),
        "webp": save(image, "WEBP", exif=block),
        "webp lossless": save(image.convert("RGBA"), "WEBP", lossless=True),
        "heic": heic(image, block),
        "heic grid": heic(image, tile=128),
        "heic alpha": heic(image.convert("RGBA")),
    }


@cache
def bad_photos() -> dict[str, tuple[bytes, int, str]]:
    """Every refusal: name → (bytes, status, kind of problem)."""
    good = good_photos()
    frames = [picture(160, 160, seed) for seed in range(3)]
    moving: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 500}
    tail = 300
    return {
        "empty": (b"", 422, "photo-empty"),
        "too many bytes": (good["jpeg"] + b"\0" * (10 * 1024 * 1024), 413, "photo-too-large"),
        "61 megapixels": (jpeg_of_size(10_000, 6_100), 413, "photo-too-many-pixels"),
        "60 megapixels, progressive": (
            jpeg_of_size(12_000, 5_000, "progressive444"),
            413,
            "photo-too-costly",
        ),
        "100 × 100": (save(picture(100, 100), "JPEG"), 422, "photo-too-small"),
        "zip named jpg": (archive(), 415, "photo-unsupported"),
        "gif": (save(frames[0], "GIF"), 415, "photo-unsupported"),
        "tiff": (save(frames[0], "TIFF"), 415, "photo-unsupported"),
        "avif": (box(b"ftyp", b"avif\0\0\0\0avifmif1miaf") + bytes(99), 415, "photo-unsupported"),
        "text": (b"these are no pixels\n" * 9, 415, "photo-unsupported"),
        "noise": (bytes(range(1, 255)) * 3, 415, "photo-unsupported"),
        "animated png": (save(frames[0], "PNG", **moving), 415, "photo-animated"),
        "animated webp": (save(frames[0], "WEBP", **moving), 415, "photo-animated"),
        "heic sequence": (
            box(b"ftyp", b"msf1\0\0\0\0msf1hevc") + box(b"moov", bytes(64)),
            415,
            "photo-animated",
        ),
        "jpeg and zip": (good["jpeg"] + archive(), 422, "photo-polyglot"),
        "png and zip": (good["png"] + archive(), 422, "photo-polyglot"),
        "webp and pdf": (good["webp"] + b"%PDF-1.7\n1 0 obj", 422, "photo-polyglot"),
        "jpeg and page": (good["jpeg"] + b"\n<html><script>alert(1)</script>", 422, "photo-polyglot"),
        "script in a comment": (
            with_jpeg_segment(good["jpeg"], 0xFE, b"<?php system($_GET['c']); ?>"),
            422,
            "photo-polyglot",
        ),
        "cut jpeg": (good["jpeg"][:-tail], 422, "photo-damaged"),
        "cut png": (good["png"][:-tail], 422, "photo-damaged"),
        "cut webp": (good["webp"][:-tail], 422, "photo-damaged"),
        "cut heic": (good["heic"][:-tail], 422, "photo-damaged"),
    }
