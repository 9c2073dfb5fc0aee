"""The axes of a chart: a scale with round numbers, and ticks at days, months or years in the reader's words.

Everything is in the units of the view box. It is as wide as a telephone, so that its text can be read there; on a
wide page the stylesheet makes the text smaller again and shows the labels that are `fine`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lib.web.words import Words

WIDTH, HEIGHT = 360, 180
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 36  # the margins: numbers at the left, two lines of dates below
CHARACTER = 7  # units that a digit of a label takes
# Units that a label on the x axis takes, with the space to the next.
DAY_ROOM, MONTH_ROOM, YEAR_ROOM = 56, 34, 46
DAY_STEPS, MONTH_STEPS, YEAR_STEPS = (1, 2, 4, 8, 16), (1, 2, 3, 6, 12), (1, 2, 5, 10, 20, 50, 100)
DAYS_OF_MONTH = 30.44
SCALE_STEPS = 4  # into how many a scale is parted at most, before its ends are rounded
_NICE = (1, 2, 2.5, 5, 10)
_ROUNDING = 1e-9
_SMALLEST = 1e-6  # values closer together than this are drawn as equal: no number on an axis tells them apart

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis; a `fine` one has its label on wide pages only. `anchor` is where the text stands to it."""

    at: float
    text: str
    anchor: Anchor = "middle"
    fine: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The box of a chart within its view box, and its axes; `low` to `high` is what the y axis shows.

    `x_ticks` is the first line of labels below the box, `years` the second.
    """

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    years: list[Tick]

    def y(self, value: float) -> float:
        """The height of a value; what lies beyond the scale stands at its end."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - min(max(share, 0.0), 1.0) * (self.bottom - self.top), 1)


def frame(low: float, high: float, say: Words, *, whole: bool, height: int = HEIGHT) -> Frame:
    """A box whose y axis shows `low` to `high`, and no ticks on the x axis yet.

    `whole`: the values are counts, so that no tick lies between two of them.
    """
    ticks = scale(low, high, whole=whole)
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + _ROUNDING))
    if round(ticks[1] - ticks[0], decimals) != round(ticks[1] - ticks[0], decimals + 1):
        decimals += 1  # a step of 2.5, 0.25 …
    texts = [say.number(tick, decimals) for tick in ticks]
    left = max(LEFT, CHARACTER * max(map(len, texts)) + 8)
    made = Frame(WIDTH, height, left, WIDTH - RIGHT, TOP, height - BOTTOM, ticks[0], ticks[-1], [], [], [])
    made.y_ticks.extend(Tick(made.y(tick), text, "end") for tick, text in zip(ticks, texts, strict=True))
    return made


def scale(low: float, high: float, *, whole: bool) -> list[float]:
    """Round numbers at equal steps, the first not above `low`, the last not below `high`; at least two.

    It begins at zero unless all values are far from it: a line that begins elsewhere looks steeper than it is.
    """
    if 0 <= low <= high / 2 or (low >= 0 and high - low <= _ROUNDING * high):
        low = 0.0
    if high < 0 and high >= low / 2:
        high = 0.0
    if high - low <= max(_SMALLEST, _ROUNDING * max(abs(low), abs(high))):
        low, high = (low - 1, high + 1) if low < 0 else (0.0, max(high, 1.0))
    rough = (high - low) / SCALE_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((nice * power for nice in _NICE if nice * power >= rough * (1 - _ROUNDING)), 10 * power)
    if whole:
        step = max(1.0, float(math.ceil(step)))
    first, last = math.floor(low / step + _ROUNDING), math.ceil(high / step - _ROUNDING)
    # Twelve digits: 17 × 0.05 is not 0.8500000000000001.
    return [float(f"{number * step:.12g}") for number in range(first, max(last, first + 1) + 1)]


def date_ticks(
    first: date, last: date, x: Callable[[date], float], say: Words
) -> tuple[list[Tick], list[Tick]]:
    """Labels for the days from `first` to `last`, which stand at `x`, and the years below them."""
    room = (x(last) - x(first)) / max((last - first).days, 1)
    if (last - first).days * DAY_ROOM <= DAY_STEPS[-1] * (x(last) - x(first)) or first == last:
        step, fine = steps(DAY_STEPS, room, DAY_ROOM)
        days = [first + timedelta(number) for number in range(0, (last - first).days + 1, fine)]
        ticks = [Tick(x(day), say.short_day(day), fine=(day - first).days % step != 0) for day in days]
    else:
        step, fine = steps(MONTH_STEPS, room * DAYS_OF_MONTH, MONTH_ROOM)
        if step < MONTH_STEPS[-1]:
            days = [day for day in months(first, last) if day >= first and (day.month - 1) % fine == 0]
            ticks = [
                Tick(x(day), say.month(day.month, short=True), fine=(day.month - 1) % step != 0)
                for day in days
            ]
        else:
            step, fine = steps(YEAR_STEPS, room * 365.25, YEAR_ROOM)
            days = [
                date(year, 1, 1) for year in range(first.year, last.year + 1) if date(year, 1, 1) >= first
            ]
            days = [day for day in days if day.year % fine == 0]
            ticks = [Tick(x(day), say.year(day.year), fine=day.year % step != 0) for day in days]
            return apart(ticks, YEAR_ROOM), []
    return apart(ticks, MONTH_ROOM), year_ticks(days, ticks, say)


def year_ticks(days: Sequence[date], ticks: Sequence[Tick], say: Words) -> list[Tick]:
    """The year below the first label of each; where two would collide the later one, which stands at the turn."""
    found: list[Tick] = []
    seen: set[int] = set()
    for day, tick in zip(days, ticks, strict=True):
        if day.year not in seen and not tick.fine:
            seen.add(day.year)
            if found and tick.at - found[-1].at < YEAR_ROOM:
                found.pop()
            found.append(Tick(tick.at, say.year(day.year)))
    return found


def steps(ladder: Sequence[int], unit: float, room: float) -> tuple[int, int]:
    """The steps of a ladder at which labels of `room` fit, `unit` being one of them: on narrow and on wide pages.

    On a wide page the text is half as large. The narrow step is a multiple of the wide one.
    """
    narrow = next((step for step in ladder if step * unit >= room), ladder[-1])
    wide = next(step for step in ladder if narrow % step == 0 and (step * unit >= room / 2 or step == narrow))
    return narrow, wide


def apart(ticks: Sequence[Tick], room: float) -> list[Tick]:
    """The ticks less those whose label of `room` would collide with an earlier one or be cut off at the right.

    One that is cut off on a narrow page only becomes a fine one: on a wide page the text is half as large.
    """
    kept: list[Tick] = []
    for tick in ticks:
        taken = next((each.at for each in reversed(kept) if not each.fine), -room)
        if not tick.fine and tick.at - taken < room * 0.7:
            continue
        if not tick.fine and tick.at + room / 2 > WIDTH and kept:
            tick = replace(tick, fine=True)
        if tick.at + room / (4 if tick.fine else 2) > WIDTH:
            if kept:
                continue
            tick = replace(tick, anchor="end")
        kept.append(tick)
    return kept


def months(first: date, last: date) -> list[date]:
    """The first days of the months from that of `first` to that of `last`."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [
        date(first.year + (first.month - 1 + number) // 12, (first.month - 1 + number) % 12 + 1, 1)
        for number in range(count)
    ]
