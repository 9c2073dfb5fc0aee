"""When a photo was taken, and which calendar day that was at the site.

Only the five tags that are needed are read, by a reader that visits two directories and stops: no crafted
EXIF block can make it loop or grow, and the position (GPS) is never looked at.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from lib.problems import Problem

ORIENTATION = 0x0112
EXIF_DIRECTORY = 0x8769
ORIGINAL = 0x9003
DIGITIZED = 0x9004
OFFSET_ORIGINAL = 0x9011
OFFSET_DIGITIZED = 0x9012

# No digital camera wrote EXIF before; 1970 and 1980 are what a camera says whose clock was reset.
FIRST_YEAR = 1990
# A clock may be fast, or set to the traveller's home; more than a day ahead is a wrong clock.
CLOCK_TOLERANCE = timedelta(days=1)
# The easternmost and westernmost civil offsets are +14 and -12.
LARGEST_OFFSET = timedelta(hours=14)

_ENTRIES_READ = 512
_TEXT_READ = 64
_TIME = re.compile(r"(\d{4})[:\-/](\d{2})[:\-/](\d{2})[ T](\d{2}):(\d{2}):(\d{2})")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags that matter here, as written; `None` where absent or unreadable."""

    orientation: int = 1
    original: str | None = None
    digitized: str | None = None
    offset_original: str | None = None
    offset_digitized: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """When a photo was taken.

    `captured_at` is aware, in UTC, or `None` when the photo does not say. `date` is the calendar day at the
    site. `source` is `exif_offset` (instant known), `exif_local` (taken as local time of the site), `form`
    or `today`. `ignored` holds the camera's date when it was there but could not be true.
    """

    captured_at: datetime | None
    date: date
    source: str
    ignored: str | None = None

    @property
    def flagged(self) -> bool:
        """Whether the day is a guess of ours and not the camera's word."""
        return self.source in ("form", "today")


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; Problem 422 when there is none."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown, malformed, or the name of a folder
        reason = "is not an IANA time zone name such as Asia/Tokyo"
        raise Problem(
            422,
            "Unknown time zone",
            f"The time zone {reason}.",
            kind="unknown-timezone",
            errors=[{"field": "timezone", "reason": reason}],
        ) from None


def read(block: bytes | None) -> Tags:
    """The tags of an EXIF block (TIFF structure, with or without the `Exif\\0\\0` prefix); never raises."""
    if not block:
        return Tags()
    tiff = block[6:] if block.startswith(b"Exif\0") else block
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return Tags()
    first = _directory(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
    second: dict[int, tuple[int, int, int]] = {}
    if EXIF_DIRECTORY in first:
        second = _directory(tiff, order, _number(tiff, order, first[EXIF_DIRECTORY]) or 0)
    orientation = _number(tiff, order, first[ORIENTATION]) if ORIENTATION in first else None
    return Tags(
        orientation=orientation if orientation and orientation <= 8 else 1,
        original=_text(tiff, order, second.get(ORIGINAL)),
        digitized=_text(tiff, order, second.get(DIGITIZED)),
        offset_original=_text(tiff, order, second.get(OFFSET_ORIGINAL)),
        offset_digitized=_text(tiff, order, second.get(OFFSET_DIGITIZED)),
    )


def capture_day(exif: bytes | None, tz: str, form_date: date | None, now: datetime) -> Capture:
    """The instant and the local calendar day of a photo.

    `exif` is the raw block (`Header.exif`), `tz` the IANA zone of the session, `form_date` the day the
    sender named, `now` an aware time. DateTimeOriginal counts, then DateTimeDigitized; never DateTime,
    which editing changes. With an offset the instant is known, and the day is that instant's day at the
    site; without one the camera's clock is taken as the site's. A time that the clocks skipped counts as
    the offset before the change, a time that came twice as its first passage. Dates before 1990, more than
    a day ahead or impossible are ignored and named in `Capture.ignored`. Problem 422 for an unknown zone.
    """
    site = zone(tz)
    tags = read(exif)
    ignored = None
    for text, offset in (
        (tags.original, tags.offset_original),
        (tags.digitized, tags.offset_digitized),
    ):
        if text is None:
            continue
        local = _parse(text)
        shift = _shift(offset)
        if local is not None:
            taken = local.replace(tzinfo=shift or site).astimezone(UTC)
            if taken <= now + CLOCK_TOLERANCE:
                day = taken.astimezone(site).date()
                return Capture(taken, day, "exif_offset" if shift else "exif_local", ignored)
        ignored = ignored or text
    if form_date is not None:
        return Capture(None, form_date, "form", ignored)
    return Capture(None, now.astimezone(site).date(), "today", ignored)


def _directory(tiff: bytes, order: str, start: int) -> dict[int, tuple[int, int, int]]:
    """One directory as {tag: (type, count, offset of the value field)}, as far as it lies in the block."""
    if start < 8 or start + 2 > len(tiff):
        return {}
    (count,) = struct.unpack_from(order + "H", tiff, start)
    entries: dict[int, tuple[int, int, int]] = {}
    for position in range(start + 2, start + 2 + 12 * min(count, _ENTRIES_READ), 12):
        if position + 12 > len(tiff):
            break
        tag, kind, number = struct.unpack_from(order + "HHI", tiff, position)
        entries.setdefault(tag, (kind, number, position + 8))
    return entries


def _number(tiff: bytes, order: str, entry: tuple[int, int, int]) -> int | None:
    """The value of a SHORT or LONG entry."""
    kind, _, position = entry
    form = {3: "H", 4: "I"}.get(kind)
    return int(struct.unpack_from(order + form, tiff, position)[0]) if form else None


def _text(tiff: bytes, order: str, entry: tuple[int, int, int] | None) -> str | None:
    """The value of an ASCII entry without its padding; `None` when blank."""
    if entry is None or entry[0] != 2:
        return None
    _, count, position = entry
    if count > 4:
        (position,) = struct.unpack_from(order + "I", tiff, position)
    raw = tiff[position : position + min(count, _TEXT_READ)].split(b"\0")[0]
    text = "".join(c if c.isprintable() else "?" for c in raw.decode("ascii", "replace")).strip()
    # Cameras without a clock write the punctuation and leave the digits blank.
    return text if text.strip(": 0/-") else None


def _parse(text: str) -> datetime | None:
    """The camera's wall clock, or `None` when it cannot be a real one."""
    match = _TIME.match(text)
    if not match:
        return None
    try:
        parsed = datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    return parsed if parsed.year >= FIRST_YEAR else None


def _shift(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text.upper() == "Z":
        return UTC
    match = _OFFSET.fullmatch(text)
    if not match:
        return None
    shift = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if shift > LARGEST_OFFSET or int(match[3]) > 59:
        return None
    return timezone(-shift if match[1] == "-" else shift)
