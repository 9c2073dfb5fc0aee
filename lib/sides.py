"""One side of a comparison as a person writes it in an address: a session, or a span of days."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, date, timedelta

FORMS = (
    "a session's number (12, session:12), a period with both its ends (2025-06-01..2025-06-30, either may be "
    "left out), or a year, month or day (2025, 2025-06, 2025-06-01)"
)
_SESSION = re.compile(r"(?:session:)?([1-9]\d{0,18})", re.ASCII)
# Four digits that can be a year are one; a session of such a number is written session:2025.
_YEAR = re.compile(r"(19\d\d|20\d\d|21\d\d|2200)", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# For the API's description: how a side is written. `parse` says itself what is wrong with another text.
PATTERN = (
    r"^\s*(?:(?:session:)?[1-9][0-9]{0,18}|[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?"
    rf"|{_DATE}\.\.(?:{_DATE})?|\.\.{_DATE})\s*$"
)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Side:
    """A session, or the days from `start` to `end`, both included; an end that is None is open."""

    session: int | None = None
    start: date | None = None
    end: date | None = None

    @property
    def is_session(self) -> bool:
        """Whether it was written as a session; such a side has no ends."""
        return self.session is not None and self.start is None and self.end is None


def parse(text: str) -> Side:
    """The side that `text` names; ValueError says what is wrong with it.

    >>> parse("2025-06")
    Side(session=None, start=datetime.date(2025, 6, 1), end=datetime.date(2025, 6, 30))
    """
    written = text.strip()
    if ".." in written:
        return _period(written)
    if whole := _YEAR.fullmatch(written):
        year = int(whole[1])
        return Side(start=date(year, 1, 1), end=date(year, 12, 31))
    if number := _SESSION.fullmatch(written):
        if int(number[1]) > _LARGEST:
            raise ValueError("no session has a number of this size")
        return Side(session=int(number[1]))
    if month := _MONTH.fullmatch(written):
        return _month(int(month[1]), int(month[2]))
    if _DAY.fullmatch(written):
        day = _day(written)
        return Side(start=day, end=day)
    raise ValueError(f"must be {FORMS}")


def overlap(a: Side, b: Side) -> bool:
    """Whether the same days of the same photos could stand on both sides.

    Two sessions share no photo, whatever their dates.
    """
    if a.session is not None and b.session is not None and a.session != b.session:
        return False
    begins = max(a.start or date.min, b.start or date.min)
    return begins <= min(a.end or date.max, b.end or date.max)


def _period(written: str) -> Side:
    first, _, last = written.partition("..")
    if not first and not last:
        raise ValueError("needs at least one end, as in 2025-06-01..")
    start, end = (_day(first) if first else None), (_day(last) if last else None)
    if start and end and end < start:
        raise ValueError("ends before it starts")
    return Side(start=start, end=end)


def _month(year: int, month: int) -> Side:
    if not 1 <= month <= 12 or year < 1:
        raise ValueError(f"there is no month {year:04}-{month:02}")
    start = date(year, month, 1)
    if (year, month) == (MAXYEAR, 12):
        return Side(start=start, end=date.max)
    following = date(year + month // 12, month % 12 + 1, 1)
    return Side(start=start, end=following - timedelta(days=1))


def _day(written: str) -> date:
    if not _DAY.fullmatch(written):
        raise ValueError("must have its ends as days, as in 2025-06-01..2025-06-30")
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ValueError(f"there is no day {written}") from None
