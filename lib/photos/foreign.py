"""Files that are no photo, named for the person who sent them, and files that are two things at once."""

from __future__ import annotations

import re

from lib.photos import heif, jpeg
from lib.photos.facts import Malformed

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive (or a document made of one)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"%PDF-", "a PDF document"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF or camera raw picture"),
    (b"MM\0*", "a TIFF or camera raw picture"),
    (b"II+\0", "a TIFF picture"),
    (b"MM\0+", "a TIFF picture"),
    (b"II\x1a\0\0\0HEAPCCDR", "a camera raw picture"),
    (b"FUJIFILMCCD-RAW", "a camera raw picture"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b\x08", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"#!/", "a script"),
    (b"SQLite format 3\0", "a database"),
    (b"OggS", "a sound or video file"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"ID3", "a sound file"),
)
# What must not hide behind or inside a picture: archives, documents, programs, scripts. Further pictures
# and films are not in this list, because phones put them there themselves (MPO, Ultra HDR gain maps, motion
# photos).
_HIDING = tuple(
    (start, name)
    for start, name in _STARTS
    if len(start) > 2 and not name.endswith((" picture", " icon", " video", " video file", " sound file"))
)
_ACTIVE = re.compile(
    rb"<\?php\s|<script[\s>]|<html[\s>]|<!doctype\s+html|<svg\s|<iframe\s|%PDF-[12]\.\d", re.IGNORECASE
)
_PADDING = b"\0 \t\r\n"
_MOST_PICTURES = 300
_ZIP_END_SEARCH = 22 + 0xFFFF
# Readers of PDF accept its first line anywhere within the first kilobyte.
_PDF_SEARCH = 1024


def name_of(head: bytes) -> str | None:
    """What a file that is no accepted photo seems to be, as words for a sentence; `None` when unknown."""
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    brands = heif.brands(head)
    if brands:
        if heif.AVIF_BRANDS.intersection(brands):
            return "an AVIF picture"
        if brands[0].startswith(b"cr"):
            return "a camera raw picture"
        return "a video"
    if head[:4] == b"RIFF":
        return "a sound or video file"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<script")):
        return "a web page"
    if b"<svg" in text[:1024] and text.startswith(b"<"):
        return "an SVG drawing"
    if head and not head.strip(b"\0"):
        return "an empty shell: all its bytes are zero, so the copy from the camera or phone did not finish"
    return "a text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head of a longer file may end within a character.
        text = head[: error.start].decode("utf-8") if error.start >= max(16, len(head) - 3) else "\0"
    return bool(text) and "".join(text.split()).isprintable()


def hidden_in(data: bytes, end: int, metadata: tuple[tuple[int, int], ...]) -> str | None:
    """What else the file is besides a picture that ends at `end`; `None` for an honest photo.

    Refused: a ZIP that an unpacker would find at the end of the file; an archive, document, program or
    script that starts behind the picture; and active text (HTML, script, PHP, PDF) behind the picture or in
    its metadata. Accepted: padding, makers' trailers, further JPEGs (MPO, gain maps) and films (motion
    photos).
    """
    tail = data[max(0, len(data) - _ZIP_END_SEARCH) :]
    place = tail.rfind(b"PK\x05\x06")
    while place >= 0:
        size = int.from_bytes(tail[place + 12 : place + 16], "little")
        directory = len(data) - len(tail) + place - size
        if size and directory >= 0 and data[directory : directory + 4] == b"PK\x01\x02":
            return "a ZIP archive"
        place = tail.rfind(b"PK\x05\x06", 0, place)
    if b"%PDF-" in data[:_PDF_SEARCH]:
        return "a PDF document"
    start = _behind(data, end)
    for prefix, name in _HIDING:
        if data.startswith(prefix, start):
            return name
    for first, last in (*metadata, (end, len(data))):
        found = _ACTIVE.search(data, first, last)
        if found:
            return "a PDF document" if found[0].startswith(b"%") else "a web page or script"
    return None


def _behind(data: bytes, end: int) -> int:
    """Where the bytes behind a picture begin that are neither padding nor further JPEGs."""
    for _ in range(_MOST_PICTURES):
        while end < len(data) and data[end] in _PADDING:
            end += 1
        if not data.startswith(b"\xff\xd8\xff", end):
            break
        try:
            end = jpeg.end_of(data, end)
        except Malformed:
            break
    return end
