"""Spans of days that one can choose by a link, counted back from the newest survey day, not from today: a field
is not surveyed in winter."""

from __future__ import annotations

from datetime import MINYEAR, date, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lib.web.words import Words

Period = Literal["30-days", "90-days", "season", "season-before", "all"]


def choices(oldest: date, newest: date, say: Words) -> list[tuple[Period, str]]:
    """The periods there are between the first survey and the newest, with their names: seasons by their years."""
    found: list[tuple[Period, str]] = [
        ("season", say.year(newest.year)),
        ("30-days", say.gettext("Last 30 days")),
        ("90-days", say.gettext("Last 90 days")),
        ("all", say.gettext("All days")),
    ]
    if oldest.year < newest.year:
        found.insert(1, ("season-before", say.year(newest.year - 1)))
    return found


def days_of(period: Period, newest: date) -> tuple[date | None, date | None]:
    """First and last day of a period whose newest survey day is `newest`; None where it is open."""
    if period == "all":
        return None, None
    if period == "30-days":
        return _before(newest, 29), newest
    if period == "90-days":
        return _before(newest, 89), newest
    year = newest.year if period == "season" else max(newest.year - 1, MINYEAR)
    return date(year, 1, 1), date(year, 12, 31)


def _before(day: date, days: int) -> date:
    """The day so many days before; the first of all days where there are not so many."""
    return day - timedelta(min(days, (day - date.min).days))
