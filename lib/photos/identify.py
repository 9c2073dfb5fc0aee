"""What a file is, by its content alone, and whether it may come in; checked before decoding."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from lib.photos import foreign, heif, jpeg, png, webp
from lib.photos.facts import Animated, Malformed
from lib.problems import Problem

MAX_FILES = 50  # in one request
MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 60_000_000
MIN_SIDE = 128
LOW_RESOLUTION_SIDE = 224
# Memory that decoding one photo may take. A machine of 512 MB also holds the program and the model.
MEMORY_BUDGET = 256 * 1024 * 1024
ACCEPTED = "JPEG, PNG, WebP or HEIC"
_HEAD = 4096
_READERS = {"jpeg": jpeg.read, "png": png.read, "webp": webp.read, "heic": heif.read}
_EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp", "heic": "heic"}


@dataclass(frozen=True, slots=True)
class Header:
    """An accepted photo, before decoding.

    `format` is jpeg, png, webp or heic; `width` and `height` are pixels the right way up; `orientation` is
    the EXIF value that decoding must still apply; `exif` the raw block for `lib.photos.exif`;
    `decode_bytes` the estimated memory of decoding; `low_resolution` flags a short side under 224 pixels.
    """

    format: str
    width: int
    height: int
    orientation: int
    exif: bytes | None
    decode_bytes: int
    end: int

    @property
    def extension(self) -> str:
        """The extension to store the file under, whatever it was called."""
        return _EXTENSIONS[self.format]

    @property
    def media_type(self) -> str:
        """The media type to serve the file as."""
        return f"image/{self.format}"

    @property
    def low_resolution(self) -> bool:
        """Whether the short side is under 224 pixels: accepted, but a classifier sees little in it."""
        return min(self.width, self.height) < LOW_RESOLUTION_SIDE


def sniff(head: bytes) -> str | None:
    """`jpeg`, `png`, `webp` or `heic` by the first bytes (32 suffice), else `None`; never raises."""
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:8] == png.SIGNATURE:
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    brands = heif.brands(head)
    if not brands:
        return None
    if brands[0] in heif.HEIC_BRANDS:
        return "heic"
    if brands[0] in heif.GENERIC_BRANDS and not heif.AVIF_BRANDS.intersection(brands):
        return "heic"
    return None


def inspect(data: bytes, filename: str = "") -> Header:
    """Recognise a photo and check every limit that its header can tell.

    `filename` only serves to name the file in the refusal. Raises Problem: 413 when the file, its pixels or
    the memory to decode it are too many, 415 when the content is not an accepted kind of photo, 422 when it
    is damaged, too small or a picture and something else at once.
    """
    if not data:
        raise refusal(422, "photo-empty", filename, "it is empty (0 bytes). Send it again")
    if len(data) > MAX_BYTES:
        # No figure: callers may have stopped reading right behind the limit.
        reason = f"it is larger than {MAX_BYTES // 2**20} MB, the most that is taken. Send it smaller"
        raise refusal(413, "photo-too-large", filename, reason)
    kind = sniff(data[:_HEAD])
    if kind is None:
        what = foreign.name_of(data[:_HEAD])
        said = f"it is {what}" if what else "its content is not a photo"
        raise refusal(415, "photo-unsupported", filename, f"{said}. Send {ACCEPTED}")
    try:
        facts = _READERS[kind](data)
    except Animated as refused:
        raise refusal(415, "photo-animated", filename, f"{refused}. Send a single still photo") from None
    except Malformed as refused:
        raise refusal(422, "photo-damaged", filename, str(refused)) from None
    width, height = facts.width, facts.height
    if width * height > MAX_PIXELS:
        reason = f"it has {width}×{height} = {width * height / 1e6:.1f} megapixels; at most 60 are taken"
        raise refusal(413, "photo-too-many-pixels", filename, reason)
    if min(width, height) < MIN_SIDE:
        reason = f"it is {width}×{height} pixels; the shorter side must have at least {MIN_SIDE}"
        raise refusal(422, "photo-too-small", filename, reason)
    if facts.decode_bytes > MEMORY_BUDGET:
        need, budget = facts.decode_bytes // 2**20, MEMORY_BUDGET // 2**20
        reason = (
            f"opening it would take {need} MB of memory; at most {budget} are given to a photo. "
            "Send it as a normal (not progressive) JPEG, or smaller"
        )
        raise refusal(413, "photo-too-costly", filename, reason)
    second = foreign.hidden_in(data, facts.end, facts.metadata)
    if second:
        reason = f"it is a photo and {second} at once. Send the photo alone"
        raise refusal(422, "photo-polyglot", filename, reason)
    if facts.turned or facts.orientation >= 5:
        width, height = height, width
    return Header(kind, width, height, facts.orientation, facts.exif, facts.decode_bytes, facts.end)


def refusal(status: int, kind: str, filename: str, reason: str) -> Problem:
    """The problem that names the file and says why it was not taken."""
    return Problem(
        status,
        "Photo not taken",
        f"“{shown_name(filename)}” was not taken: {reason}.",
        kind=kind,
        errors=[{"field": "files", "reason": reason}],
    )


def shown_name(filename: str) -> str:
    """A file name fit to show: the last part of a path, no control or direction characters, at most 80."""
    last = filename.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    clean = "".join(c for c in last if unicodedata.category(c)[0] not in "CZ" or c == " ").strip()
    if len(clean) > 80:
        clean = f"{clean[:60]}…{clean[-19:]}"
    return clean or "photo"
