"""Where one metric is going: its trend over the surveyed days, and the shape of its season.

Everything follows from the rows of the days; no photo is read. Days are points in time with gaps between them:
nothing is filled in. Days with too little effort are left out and counted, except for the metrics that tell of
the effort itself. Neighbouring days resemble each other, so that a trend is less certain than the same values
from independent days would make it: the variance is widened by what the ranks' autocorrelation says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import Literal

import numpy as np

from lib.calendars import standardised_of, value_of
from lib.diversity import mann_kendall, theil_sen
from lib.diversity.ranks import doubled_ranks
from lib.diversity.trends import TheilSen
from lib.seasons import (
    Point,
    Season,
    SeasonalTest,
    SeasonLength,
    SeasonOfYear,
    Verdict,
    normal_test,
    seasonal_shape,
    seasonal_test,
    verdict_of,
)
from lib.store.records import MINIMUM_UNITS, DayRow

LEVEL = 0.95
# Below it neither the autocorrelation nor the normal approximation can be relied upon.
MINIMUM_DAYS = 10
# Days that cling together more than this cannot be told from a course that wanders without end.
STRONGEST = 0.95
_ROUNDING = 1e-9
# What these metrics tell is the effort: leaving out the days with little of it would falsify them. Coverage needs a
# few plants all the same, to be estimated at all.
EFFORT_METRICS = ("total_images", "coverage_estimate")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Surveyed days that are not used: with no counted plant, with too few, or where the metric is undefined."""

    none: int
    low: int
    undefined: int


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """How much neighbouring survey days resemble each other, as correlations of ranks around the line.

    `lag_1` is that of one survey day and the next; `lags` how many in a row are above chance. `inflation` is what
    the variance of the Mann–Kendall S is multiplied by, `effective_days` the number of independent days that
    would tell as much.
    """

    lag_1: float | None
    lags: int
    inflation: float
    effective_days: float


@dataclass(frozen=True, slots=True)
class TrendTest:
    """Mann–Kendall: `tau` −1 to 1, `p` of no trend, with the autocorrelation in it; `p_independent` without.

    `verdict` is `rising` or `falling` when p is below 0.05, else `none`; `too_few` with too few values.
    """

    s: int
    tau: float | None
    z: float | None
    p: float | None
    p_independent: float | None
    method: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Slope:
    """Theil–Sen: the median of the slopes between all pairs, with its interval, per day and per thirty days."""

    per_day: float
    low: float
    high: float
    per_30_days: float
    low_30_days: float
    high_30_days: float
    level: float


@dataclass(frozen=True, slots=True)
class Line:
    """The Theil–Sen line from its first to its last point, ready to draw."""

    start: Point
    end: Point


@dataclass(frozen=True, slots=True)
class Trend:
    """All that is known of one metric's course; lists are ordered by date or season.

    `verdict` is that of the seasonal test when there are three years or more, else that of the days.
    """

    points: list[Point]
    left_out: LeftOut
    verdict: Verdict
    verdict_from: Literal["mann_kendall", "seasonal"]
    mann_kendall: TrendTest
    autocorrelation: Autocorrelation
    slope: Slope | None
    line: Line | None
    season_length: SeasonLength
    seasons: list[Season]
    seasons_of_years: list[SeasonOfYear]
    seasonal: SeasonalTest


def build(
    rows: Sequence[DayRow], metric: str, season_length: SeasonLength = "month", *, standardised: bool = False
) -> Trend:
    """The trend of `metric` over `rows`, ordered by date; `standardised`: of its values at equal coverage.

    Mann–Kendall over the days in their order, with the variance of Hamed and Rao (1998) for autocorrelated
    values (see `autocorrelation`); Theil–Sen over calendar days, its interval widened by the same factor
    (Sen 1968); seasons by month or ISO week, and the seasonal test of Hirsch, Slack and Smith (1982).
    """
    points, left_out = usable(rows, metric, standardised=standardised)
    dates, values = [point.date for point in points], [point.value for point in points]
    fitted = theil_sen(dates, values, LEVEL)
    found = autocorrelation(dates, values, fitted.value if fitted else 0.0)
    slope = line = None
    if fitted is not None:
        if found.inflation > 1:
            fitted = theil_sen(dates, values, LEVEL, inflation=found.inflation) or fitted
        slope = _slope(fitted)
        line = _line(points, fitted)
    test = _test(values, found.inflation)
    seasons, by_year = seasonal_shape(points, season_length)
    seasonal = seasonal_test(by_year)
    enough_years = seasonal.verdict != "too_few"
    return Trend(
        points=points,
        left_out=left_out,
        verdict=seasonal.verdict if enough_years else test.verdict,
        verdict_from="seasonal" if enough_years else "mann_kendall",
        mann_kendall=test,
        autocorrelation=found,
        slope=slope,
        line=line,
        season_length=season_length,
        seasons=seasons,
        seasons_of_years=by_year,
        seasonal=seasonal,
    )


def usable(rows: Sequence[DayRow], metric: str, *, standardised: bool = False) -> tuple[list[Point], LeftOut]:
    """The days of `rows` whose value of `metric` can be compared with other days', and how many cannot.

    `standardised`: the value at equal coverage, which is undefined where a day cannot be brought there.
    """
    points = []
    left_out = {"none": 0, "low": 0, "undefined": 0}
    for row in rows:
        value = _standardised(row, metric) if standardised else value_of(row, metric)
        if metric not in EFFORT_METRICS and row.effort != "ok":
            left_out[row.effort] += 1
        elif metric == "coverage_estimate" and value is not None and row.plants < MINIMUM_UNITS:
            left_out["low"] += 1  # a single plant says that all there is was seen
        elif value is None:
            left_out["undefined"] += 1
        else:
            points.append(Point(row.date, value))
    return points, LeftOut(**left_out)


def _standardised(row: DayRow, metric: str) -> float | None:
    found = standardised_of(row, metric)
    return found.value if found else None


def _slope(fitted: TheilSen) -> Slope:
    return Slope(
        per_day=fitted.value,
        low=fitted.low,
        high=fitted.high,
        per_30_days=30 * fitted.value,
        low_30_days=30 * fitted.low,
        high_30_days=30 * fitted.high,
        level=LEVEL,
    )


def _line(points: Sequence[Point], fitted: TheilSen) -> Line:
    first, last = points[0].date, points[-1].date
    return Line(
        Point(first, fitted.intercept), Point(last, fitted.intercept + fitted.value * (last - first).days)
    )


def autocorrelation(dates: Sequence[date], values: Sequence[float], slope: float) -> Autocorrelation:
    """How much less `values` (in the order of `dates`) say of a trend than independent ones would.

    Hamed and Rao (1998): var S is multiplied by n/n* = 1 + 2 / (n(n−1)(n−2)) · Σ (n−i)(n−i−1)(n−i−2) r_i, with
    r_i the autocorrelation of the ranks of what is left when the line of `slope` is taken away. A lag is one
    survey day on, not one calendar day. The larger of two factors is taken:

    - r_i as measured, up to the first that is not above its 95 % bound 1.96/√n: those beyond are noise, and the
      swing of the season in them would take back what the near ones say;
    - r_i = ρ^i, as when each day depends on the one before, with ρ = (n r_1 + 2) / (n − 4): what is left around a
      series' own line seems less correlated than it is, by about (2 + 4ρ)/n, and in a short one no lag
      ever passes its bound.

    Neither alone will do: of 80 days of such noise with ρ = 0.6 and no trend, plain Mann–Kendall sees one in 29 %,
    with the first factor in 12 %, with both in 8 %. The factor is never below 1, and 1 with fewer than
    MINIMUM_DAYS values, where there is nothing to tell it from.
    """
    n = len(values)
    heights = np.asarray(values, dtype=np.float64)
    independent = Autocorrelation(None, 0, 1.0, float(n))
    if n < MINIMUM_DAYS:
        return independent
    rest = heights - slope * np.array([(day - dates[0]).days for day in dates])
    if np.ptp(rest) <= _ROUNDING * np.ptp(heights):  # all on one line: what is left is rounding
        return independent
    doubled = doubled_ranks(rest)
    ranks = doubled - doubled.mean()
    lags = np.arange(1, n - 2)
    weights = 2.0 * (n - lags) * (n - lags - 1) * (n - lags - 2) / (n * (n - 1) * (n - 2))
    bound = NormalDist().inv_cdf(0.5 + LEVEL / 2) / math.sqrt(n)
    power = ranks @ ranks
    near: list[float] = []
    # They sum to −1/2 over all lags, so that not all can be above the bound.
    while (r := float(ranks[: -len(near) - 1] @ ranks[len(near) + 1 :] / power)) > bound:
        near.append(r)
    lag_1 = float(ranks[:-1] @ ranks[1:] / power)
    rho = min(max((n * lag_1 + 2) / (n - 4), 0.0), STRONGEST)
    inflation = 1 + max(float(weights[: len(near)] @ near), float(weights @ rho**lags))
    return Autocorrelation(lag_1, len(near), inflation, n / inflation)


def _test(values: Sequence[float], inflation: float) -> TrendTest:
    """Mann–Kendall over the days, with the variance widened by `inflation`."""
    found = mann_kendall(values)
    if found is None:
        return TrendTest(0, None, None, None, None, "Mann–Kendall", "too_few")
    z, p, method = found.z, found.p, f"Mann–Kendall, {found.method}"
    if inflation > 1 and found.variance > 0:
        z, p = normal_test(found.s, found.variance * inflation)
        method = "Mann–Kendall, variance for autocorrelated values (Hamed and Rao 1998)"
    return TrendTest(
        s=found.s,
        tau=found.tau,
        z=z,
        p=p,
        p_independent=found.p,
        method=method,
        verdict=verdict_of(found.s, p) if len(values) >= MINIMUM_DAYS else "too_few",
    )
