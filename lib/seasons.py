"""The shape of a metric's season, and whether years differ once it is taken out."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lib.calendars import quantile
from lib.diversity import mann_kendall

ALPHA = 0.05
# Two years differ or they do not; from the third on there is a direction (Hirsch, Slack and Smith 1982).
MINIMUM_YEARS = 3

Verdict = Literal["rising", "falling", "none", "too_few"]
SeasonLength = Literal["month", "week"]


@dataclass(frozen=True, slots=True)
class Point:
    """One surveyed day that is used."""

    date: dt.date
    value: float


@dataclass(frozen=True, slots=True)
class Season:
    """One month (1 to 12) or ISO week (1 to 53) over all years; the quartiles are of its days."""

    season: int
    days: int
    years: int
    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float


@dataclass(frozen=True, slots=True)
class SeasonOfYear:
    """One month or ISO week of one year: the median of its days."""

    year: int
    season: int
    days: int
    median: float


@dataclass(frozen=True, slots=True)
class SeasonalTest:
    """Seasonal Mann–Kendall: each month or week compared with itself in other years only.

    `per_year` is the median of the slopes within seasons, null when no season was seen in two years.
    """

    years: int
    seasons: int
    s: int
    tau: float | None
    z: float | None
    p: float | None
    per_year: float | None
    method: str
    verdict: Verdict


def seasonal_shape(
    points: Sequence[Point], season_length: SeasonLength
) -> tuple[list[Season], list[SeasonOfYear]]:
    """Each month or ISO week over all years, and in each year; only those with a day.

    The days around New Year belong to the ISO year of their week, else the last week of a year would mix
    its December with its January.
    """
    seasons: dict[int, list[float]] = {}
    years_of: dict[int, set[int]] = {}
    each_year: dict[tuple[int, int], list[float]] = {}
    for point in points:
        year, season = _season(point.date, season_length)
        seasons.setdefault(season, []).append(point.value)
        years_of.setdefault(season, set()).add(year)
        each_year.setdefault((year, season), []).append(point.value)
    return [
        _summary(season, len(years_of[season]), sorted(values)) for season, values in sorted(seasons.items())
    ], [
        SeasonOfYear(year, season, len(values), quantile(sorted(values), 0.5))
        for (year, season), values in sorted(each_year.items())
    ]


def _season(day: dt.date, season_length: SeasonLength) -> tuple[int, int]:
    if season_length == "month":
        return day.year, day.month
    calendar = day.isocalendar()
    return calendar.year, calendar.week


def _summary(season: int, years: int, values: Sequence[float]) -> Season:
    return Season(
        season=season,
        days=len(values),
        years=years,
        minimum=values[0],
        lower_quartile=quantile(values, 0.25),
        median=quantile(values, 0.5),
        upper_quartile=quantile(values, 0.75),
        maximum=values[-1],
    )


def seasonal_test(medians: Sequence[SeasonOfYear]) -> SeasonalTest:
    """Is a metric rising or falling from year to year, its season taken out (Hirsch, Slack and Smith 1982)?

    One value per season and year, their medians; S and its variance are those of each season's own
    Mann–Kendall, added up; z = (S ∓ 1) / √var. The seasons of one year are taken as independent.
    """
    by_season: dict[int, list[tuple[int, float]]] = {}
    for each in sorted(medians, key=lambda each: each.year):
        by_season.setdefault(each.season, []).append((each.year, each.median))
    s = used = pairs = 0
    variance = 0.0
    slopes: list[float] = []
    for series in by_season.values():
        if len(series) < 2:
            continue
        found = mann_kendall([median for _, median in series])
        assert found is not None  # it has two values
        used += 1
        s += found.s
        variance += found.variance
        pairs += math.comb(len(series), 2)
        slopes += [
            (later - earlier) / (year - before)
            for (before, earlier), (year, later) in itertools.combinations(series, 2)
        ]
    years = len({each.year for each in medians})
    z = p = None
    if variance > 0:
        z, p = normal_test(s, variance)
    # Three years that share no season are not three years of anything.
    longest = max((len(series) for series in by_season.values()), default=0)
    return SeasonalTest(
        years=years,
        seasons=used,
        s=s,
        tau=s / pairs if pairs else None,
        z=z,
        p=p,
        per_year=quantile(sorted(slopes), 0.5) if slopes else None,
        method="seasonal Mann–Kendall (Hirsch, Slack and Smith 1982), normal approximation",
        verdict=verdict_of(s, p) if longest >= MINIMUM_YEARS else "too_few",
    )


def normal_test(s: int, variance: float) -> tuple[float, float]:
    """The continuity-corrected normal score of S, and the two-sided p."""
    z = (s - math.copysign(1.0, s)) / math.sqrt(variance) if s else 0.0
    return z, math.erfc(abs(z) / math.sqrt(2))


def verdict_of(s: int, p: float | None) -> Verdict:
    if p is None or p >= ALPHA:
        return "none"
    return "rising" if s > 0 else "falling"
