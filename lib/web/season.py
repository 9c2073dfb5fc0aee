"""A year laid out for a page: months of weeks of days, each with its mark, its level and its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from lib.web.words import METRIC_WORDS

if TYPE_CHECKING:
    from lib.calendars import Calendar, Cell
    from lib.web.words import Words

ABSENT, FUTURE, ZERO, LOW, LEVEL = "absent", "future", "zero", "low", "level"
# The size of one day in the small picture, and of the gap to the next, in units of its own view box.
SQUARE, GAP = 10, 2
NAME_COLUMNS = 2  # the room that the name of a month takes; one that would be cut off is left out


@dataclass(frozen=True, slots=True)
class Day:
    """One square of the heat-map.

    `mark`: no survey (absent), not yet come (future), photos but no species named (zero), too few photos to
    compare (low), or a `level` of 0 to 4. `label` is what the square says to those who do not see it.
    """

    date: date
    mark: str
    level: int
    label: str

    @property
    def surveyed(self) -> bool:
        """Whether there is anything to tell of the day."""
        return self.mark in (ZERO, LOW, LEVEL)


Week = tuple[Day | None, ...]  # seven squares, None where the week belongs to the month before or after


@dataclass(frozen=True, slots=True)
class Month:
    """One month as a wall calendar shows it.

    `in_season` holds from the month of the year's first survey to that of its last, so that a narrow page can
    leave the winter out.
    """

    number: int
    weeks: tuple[Week, ...]
    in_season: bool

    @property
    def days(self) -> list[Day]:
        """The days of the month, in order."""
        return [day for week in self.weeks for day in week if day is not None]


def months(calendar: Calendar, say: Words, today: date) -> list[Month]:
    """The calendar's year in the reader's language; `today` is the day at the site."""
    surveyed = [int(day[5:7]) for day in calendar.data]
    season = range(min(surveyed), max(surveyed) + 1) if surveyed else range(0)
    return [
        Month(
            number,
            tuple(
                tuple(None if each is None else _day(calendar, each, say, today) for each in week)
                for week in _weeks(calendar.year, number, say.first_weekday)
            ),
            number in season,
        )
        for number in range(1, 13)
    ]


@dataclass(frozen=True, slots=True)
class Square:
    """A day in the small picture, by the upper left corner of its square."""

    x: int
    y: int
    day: Day


@dataclass(frozen=True, slots=True)
class Picture:
    """The season of a year as a drawing; `months` are (x, number of the month)."""

    width: int
    height: int
    squares: list[Square]
    months: list[tuple[int, int]]


def picture(shown: Sequence[Month], first_weekday: int) -> Picture:
    """The small heat-map: one column a week of the season; weeks begin on `first_weekday`, Monday being 0."""
    season = [month for month in shown if month.in_season]
    step = SQUARE + GAP
    top = SQUARE + 2 * GAP  # room for the names of the months
    squares = []
    starts = []
    for month in season:
        for day in month.days:
            first = season[0].days[0].date
            before = (first.weekday() - first_weekday) % 7
            column, row = divmod((day.date - first).days + before, 7)
            squares.append(Square(column * step, top + row * step, day))
            if day.date.day == 1:
                starts.append((column * step, month.number))
    width = squares[-1].x + SQUARE if squares else 1
    named = [(x, number) for x, number in starts if x + NAME_COLUMNS * step <= width]
    return Picture(width, top + 7 * step - GAP, squares, named)


def _weeks(year: int, month: int, first_weekday: int) -> Iterator[tuple[date | None, ...]]:
    """The weeks that hold days of the month, with None for days of its neighbours."""
    first = date(year, month, 1)
    before = (first.weekday() - first_weekday) % 7
    length = ((first + timedelta(days=31)).replace(day=1) - first).days
    for start in range(-before, length, 7):
        yield tuple(
            first + timedelta(days=offset) if 0 <= offset < length else None
            for offset in range(start, start + 7)
        )


def _day(calendar: Calendar, day: date, say: Words, today: date) -> Day:
    cell = calendar.data.get(day.isoformat())
    if cell is None:
        if day > today:
            return Day(day, FUTURE, 0, say.gettext("%(day)s: still to come", day=say.day_of_year(day)))
        return Day(day, ABSENT, 0, say.gettext("%(day)s: no survey", day=say.day_of_year(day)))
    mark = mark_of(cell, calendar.metric)
    words = _words(calendar, cell, mark, say)
    label = say.gettext("%(day)s: %(words)s", day=say.day_of_year(day), words=words)
    return Day(day, mark, cell.level, label)


def mark_of(cell: Cell, metric: str) -> str:
    """The mark of a surveyed day: a level only where there was effort enough to compare it with others.

    The number of photos is the effort itself and needs none.
    """
    if metric == "total_images":
        return LEVEL
    if cell.effort == "none":
        return ZERO
    if cell.effort == "low" or cell.value is None:
        return LOW
    return LEVEL


def _words(calendar: Calendar, cell: Cell, mark: str, say: Words) -> str:
    photos = say.photos(cell.total_images)
    comma = say.gettext(", ")
    if mark == ZERO:
        return say.gettext("surveyed, no species named, %(photos)s", photos=photos)
    parts = [say.species(cell.species_richness), photos]
    if mark == LOW:
        return comma.join([*parts, say.gettext("too few photos to compare")])
    if calendar.metric not in ("species_richness", "total_images"):
        short = say.gettext(METRIC_WORDS[calendar.metric].short)
        value = f"{short} {say.value(calendar.metric, cell.value)}"
        interval = say.interval(calendar.metric, cell.low, cell.high)
        parts.append(f"{value} ({interval})" if interval else value)
    return comma.join(parts)
