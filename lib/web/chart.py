"""Charts laid out for a page: a series over time, with its gaps and its doubts, and counts by month.

Everything is in the units of the view box (lib.web.axes); templates/chart.html draws it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from lib.web.axes import (
    HEIGHT,
    MONTH_ROOM,
    MONTH_STEPS,
    Frame,
    Tick,
    apart,
    date_ticks,
    frame,
    months,
    steps,
    year_ticks,
)
from lib.web.words import N_

if TYPE_CHECKING:
    from lib.web.words import Words

INSET = 6  # between the sides of the box and the first and last day, so that no dot is cut in half
# No line is drawn over more days than these without a survey: a fortnight, or what is unusual in this series.
GAP_DAYS, GAP_SPACINGS = 14, 4
REACH = 1.5  # how far beyond the values an interval may stretch the scale, in multiples of the largest value
LARGEST = 1e9  # what is beyond it is no metric, and is not drawn
NOT_COMPARED = N_("not compared: too few photos, or no species named")
DOT_ROOM = 3  # units that each day must have for its dot to be told from the next
BAR_SHARE = 0.7  # of the room that a month has
BAR_WIDEST = 36  # units: few months have slim bars with room around them, not slabs
UNDATED = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """One surveyed day of a series: `value` is None where it is undefined, `low` and `high` where there is no
    interval; `comparable` is false where there was too little effort."""

    date: date
    value: float | None
    low: float | None = None
    high: float | None = None
    comparable: bool = True


@dataclass(frozen=True, slots=True)
class Dot:
    """A day by its centre; `label` says it in words."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """A series over time.

    `lines` are the `points` of polylines and `bands` the `d` of closed paths, for each stretch without a gap;
    `whiskers` are the intervals of days that stand alone. `dots` are the comparable days (all where there is
    room for them, else those that stand alone), `hollow` the days with too little effort, `undefined` the places
    on the x axis of surveyed days without a value. `gaps` is how often the line is broken; `cut` says that an
    interval goes beyond the scale.
    """

    frame: Frame
    lines: list[str]
    bands: list[str]
    whiskers: list[Segment]
    dots: list[Dot]
    hollow: list[Dot]
    undefined: list[float]
    trend: Segment | None
    gaps: int
    cut: bool

    @property
    def empty(self) -> bool:
        """Whether no day has a value."""
        return not (self.lines or self.dots or self.hollow)


@dataclass(frozen=True, slots=True)
class Bar:
    """A month's bar by its upper left corner; `label` says it in words. Not `surveyed`, it has no height."""

    x: float
    y: float
    width: float
    height: float
    label: str
    surveyed: bool


@dataclass(frozen=True, slots=True)
class BarChart:
    """Counts by month, from zero."""

    frame: Frame
    bars: list[Bar]

    @property
    def empty(self) -> bool:
        """Whether no month was surveyed."""
        return not any(bar.surveyed for bar in self.bars)


def line_chart(
    readings: Sequence[Reading],
    say: Words,
    *,
    value_words: Callable[[float], str],
    span: tuple[date, date] | None = None,
    trend: tuple[tuple[date, float], tuple[date, float]] | None = None,
    whole: bool = False,
    height: int = HEIGHT,
) -> LineChart:
    """The chart of `readings`, ordered by date, one a day.

    `value_words` writes a value where a dot is put in words. `span` is what the x axis shows, when that is more
    than the days of the readings; charts of the same span can stand one below the other. `trend` is a line from
    one (date, value) to another. `whole`: the values are counts.
    """
    drawn = [each for each in readings if _drawable(each.value)]
    usable = [each for each in drawn if each.comparable]
    days = [each.date for each in readings]
    first, last = _span(days, span)
    box = frame(*_extent(drawn, usable), say, whole=whole, height=height)

    def x(day: date) -> float:
        if first == last:
            return round((box.left + box.right) / 2, 1)
        share = (day - first).days / (last - first).days
        return round(box.left + INSET + share * (box.right - box.left - 2 * INSET), 1)

    def dot(each: Reading) -> Dot:
        value = each.value or 0.0
        words = value_words(value) if each.comparable else say.gettext(NOT_COMPARED)
        label = say.gettext("%(day)s: %(words)s", day=say.day(each.date), words=words)
        return Dot(x(each.date), box.y(value), label)

    lines: list[str] = []
    bands: list[str] = []
    alone: list[Reading] = []
    stretches = _stretches(usable, gap_limit(days))
    for stretch in stretches:
        if len(stretch) == 1:
            alone += stretch
            continue
        lines.append(" ".join(f"{x(each.date)},{box.y(each.value or 0.0)}" for each in stretch))
        bands += _bands(stretch, x, box)
    roomy = len(usable) * DOT_ROOM <= box.right - box.left
    x_ticks, years = date_ticks(first, last, x, say) if days or span else ([], [])
    return LineChart(
        frame=replace(box, x_ticks=x_ticks, years=years),
        lines=lines,
        bands=bands,
        whiskers=[
            Segment(x(each.date), box.y(low), x(each.date), box.y(high))
            for each in alone
            for low, high in _interval(each)
        ],
        dots=[dot(each) for each in (usable if roomy else alone)],
        hollow=[dot(each) for each in drawn if not each.comparable],
        undefined=[x(each.date) for each in readings if not _drawable(each.value)],
        trend=_trend(trend, x, box) if trend and usable else None,
        gaps=max(len(stretches) - 1, 0),
        cut=any(low < box.low or high > box.high for each in usable for low, high in _interval(each)),
    )


def gap_limit(days: Sequence[date]) -> float:
    """How many days two neighbours on a line may lie apart, for surveys on `days` (in order).

    A line over a longer time would tell of days that nobody saw.
    """
    spacings = [(later - earlier).days for earlier, later in pairwise(days)]
    return max(GAP_DAYS, GAP_SPACINGS * median(spacings)) if spacings else GAP_DAYS


def month_bars(counts: Mapping[date, int | None], say: Words, *, height: int = HEIGHT) -> BarChart:
    """Counts by month, the keys being the first days of months.

    A month of None, and one between the first and the last that is not among them, was not surveyed.
    """
    shown = months(min(counts), max(counts)) if counts else []
    box = frame(
        0.0,
        float(max((counts.get(month) or 0 for month in shown), default=0)),
        say,
        whole=True,
        height=height,
    )
    room = (box.right - box.left) / max(len(shown), 1)
    width = min(BAR_SHARE * room, BAR_WIDEST)
    bars = [
        _bar(
            counts.get(month),
            say.month_of_year(month),
            box.left + (number + 0.5) * room - width / 2,
            width,
            box,
            say,
        )
        for number, month in enumerate(shown)
    ]
    step, fine = steps(MONTH_STEPS, room, MONTH_ROOM)
    labelled = [
        (
            month,
            Tick(
                round(bar.x + bar.width / 2, 1),
                say.month(month.month, short=True),
                fine=(month.month - 1) % step != 0,
            ),
        )
        for month, bar in zip(shown, bars, strict=True)
        if (month.month - 1) % fine == 0
    ]
    ticks = [tick for _, tick in labelled]
    years = year_ticks([month for month, _ in labelled], ticks, say)
    return BarChart(replace(box, x_ticks=apart(ticks, MONTH_ROOM), years=years), bars)


def _bar(count: int | None, name: str, x: float, width: float, box: Frame, say: Words) -> Bar:
    words = say.gettext("no survey") if count is None else say.number(count)
    label = say.gettext("%(day)s: %(words)s", day=name, words=words)
    top = box.y(float(count or 0))
    return Bar(round(x, 1), top, round(width, 1), round(box.bottom - top, 1), label, count is not None)


def _span(days: Sequence[date], span: tuple[date, date] | None) -> tuple[date, date]:
    """What the x axis shows: `span`, and never less than the days."""
    ends = [*span] if span else []
    ends += [days[0], days[-1]] if days else []
    return (min(ends), max(ends)) if ends else (UNDATED, UNDATED)


def _drawable(value: float | None) -> bool:
    return value is not None and abs(value) <= LARGEST


def _interval(each: Reading) -> list[tuple[float, float]]:
    """The interval of a day; nothing where there is none."""
    if each.low is None or each.high is None or not each.low <= each.high:
        return []
    return [(each.low, each.high)]


def _extent(drawn: Sequence[Reading], usable: Sequence[Reading]) -> tuple[float, float]:
    """What the scale must show: all values, and the intervals as far as they do not flatten them."""
    values = [each.value or 0.0 for each in drawn]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    reach = REACH * max(abs(low), abs(high)) or LARGEST
    bounds = [bound for each in usable for interval in _interval(each) for bound in interval]
    within = [min(max(bound, low - reach), high + reach) for bound in bounds]
    return min([low, *within]), max([high, *within])


def _stretches(usable: Sequence[Reading], limit: float) -> list[list[Reading]]:
    """The days in runs whose neighbours lie no more than `limit` days apart."""
    found: list[list[Reading]] = []
    for each in usable:
        if found and (each.date - found[-1][-1].date).days <= limit:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _bands(stretch: Sequence[Reading], x: Callable[[date], float], box: Frame) -> list[str]:
    """Closed paths around the intervals of a stretch: there along the lows and back along the highs. A day
    without an interval parts the band."""
    runs: list[list[tuple[float, float, float]]] = [[]]
    for each in stretch:
        interval = _interval(each)
        if interval:
            runs[-1].append((x(each.date), box.y(interval[0][0]), box.y(interval[0][1])))
        elif runs[-1]:
            runs.append([])
    return [
        "M"
        + "L".join([f"{at} {low}" for at, low, _ in run] + [f"{at} {high}" for at, _, high in reversed(run)])
        + "Z"
        for run in runs
        if len(run) > 1
    ]


def _trend(
    ends: tuple[tuple[date, float], tuple[date, float]], x: Callable[[date], float], box: Frame
) -> Segment | None:
    """The part of a line that lies within the scale; None when there is none, or it has no length."""
    (first, start), (last, end) = ends
    x1, x2 = x(first), x(last)
    if x1 >= x2 or not (_drawable(start) and _drawable(end)):
        return None
    inside = [0.0, 1.0]
    if start == end:
        if not box.low <= start <= box.high:
            return None
    else:
        crossings = sorted(((box.low - start) / (end - start), (box.high - start) / (end - start)))
        inside = [max(0.0, crossings[0]), min(1.0, crossings[1])]
        if inside[0] >= inside[1]:
            return None
    (a, b), width, rise = inside, x2 - x1, end - start
    return Segment(
        round(x1 + a * width, 1), box.y(start + a * rise), round(x1 + b * width, 1), box.y(start + b * rise)
    )
