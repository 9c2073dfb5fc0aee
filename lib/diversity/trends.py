"""Is there a trend, and how steep: the Mann-Kendall test and the Theil-Sen slope, free of any distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.ranks import finite_values, tie_sizes
from lib.diversity.richness_estimators import Estimate

# Up to this many values p is exact; above it the normal approximation is good to three digits.
EXACT_VALUES = 50


@dataclass(frozen=True, slots=True)
class MannKendall:
    """Mann-Kendall test of a trend.

    `s`: pairs that rise minus pairs that fall. `variance`: of s without a trend, ties accounted for. `tau`:
    Kendall's tau-b, -1 to 1, None when all values are equal. `z`: s in standard deviations, one unit closer
    to 0 for continuity. `p`: two-sided, by `method`.
    """

    s: int
    variance: float
    tau: float | None
    z: float
    p: float
    method: Literal["exact", "normal"]


@dataclass(frozen=True, slots=True)
class TheilSen(Estimate):
    """Theil-Sen line: `value` is the slope per day (per unit of numeric dates), with its interval.

    `intercept` is the height of the line at `reference`, the earliest date.
    """

    intercept: float
    reference: date | float


def mann_kendall(values: ArrayLike) -> MannKendall | None:
    """Mann-Kendall test of whether `values`, in the order of time, rise or fall (Mann 1945; Kendall 1975).

    Two-sided. Up to 50 values p is exact, with or without ties: the chance of an |s| at least as large among
    all orders of these values, counted by their inversions. Above, normal with the variance
    (n(n-1)(2n+5) - sum t(t-1)(2t+5)) / 18 over the sizes t of groups of equal values, and continuity
    correction. The test takes values to be independent of each other: days close in time are not quite, and
    then p is too small.

    None for fewer than two values; all values equal: s = 0, p = 1. ValueError unless `values` is
    one-dimensional and finite.

    >>> mann_kendall([1, 2, 3, 4, 5]).p  # 2 of the 120 orders
    0.016666666666666666
    """
    series = finite_values(values)
    n = series.size
    if n < 2:
        return None
    # Row by row: five years of days make millions of pairs, too many to hold at once on a small machine.
    s = int(sum(np.sign(series[i + 1 :] - series[i]).sum() for i in range(n - 1)))
    ties = tie_sizes(series)
    variance = _kendall_variance(n, ties)
    untied = n * (n - 1) // 2 - sum(t * (t - 1) // 2 for t in ties)
    tau = s / math.sqrt(untied) / math.sqrt(n * (n - 1) / 2) if untied else None
    z = math.copysign((abs(s) - 1) / math.sqrt(variance), s) if s else 0.0
    if n > EXACT_VALUES:
        return MannKendall(s, variance, tau, z, math.erfc(abs(z) / math.sqrt(2)), "normal")
    orders = orders_by_inversions(ties)
    # An order with i inversions has s = untied - 2 i, and the counts are the same from both ends.
    tail = sum(orders[: (untied - abs(s)) // 2 + 1])
    p = min(1.0, 2 * tail / sum(orders)) if s else 1.0
    return MannKendall(s, variance, tau, z, p, "exact")


def theil_sen(
    dates: Sequence[date] | ArrayLike, values: ArrayLike, level: float = 0.95, inflation: float = 1.0
) -> TheilSen | None:
    """Theil-Sen slope: the median of the slopes between every two dates (Theil 1950; Sen 1968).

    `dates`: datetime.date (the slope is then per day) or numbers, in any order, not necessarily distinct;
    `values`: one per date. The interval holds the slopes that Mann-Kendall would not refuse at `level`: of N
    slopes in order, the round((N - C) / 2)-th to the (round((N + C) / 2) + 1)-th, C = z sqrt(var s), cut to
    the first and the last (Sen 1968; the rounding of SciPy's theilslopes and of R's trend). With fewer than
    six points even the full range of slopes covers less than 95 %. `inflation` multiplies var s, for values
    that are not independent of their neighbours (Hamed and Rao 1998). `se` is the width of the interval over
    2z. `intercept`: median of value - slope x days since `reference`.

    None with fewer than three points or fewer than two distinct dates; ValueError for unequal lengths,
    non-finite numbers, a level outside 0 to 1 or an inflation that is not positive.

    >>> theil_sen([0, 1, 2, 3, 4], [1.0, 3.0, 5.0, 7.0, 30.0]).value  # the last day does not sway it
    2.0
    """
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    if not 0 < inflation < math.inf:
        raise ValueError("inflation must be positive")
    first, days = _days(dates)
    heights = finite_values(values)
    if days.size != heights.size:
        raise ValueError(f"as many values as dates: {heights.size} values, {days.size} dates")
    if days.size < 3 or not days.any():
        return None
    slopes = _slopes(days, heights)
    slope = float(np.median(slopes))
    z = NormalDist().inv_cdf(0.5 + level / 2)
    width = z * math.sqrt(inflation * _kendall_variance(days.size, tie_sizes(heights), tie_sizes(days)))
    lowest = max(round((slopes.size - width) / 2) - 1, 0)
    highest = min(round((slopes.size + width) / 2), slopes.size - 1)
    slopes.partition((lowest, highest))
    # Rounding to few slopes must not put the median outside.
    low, high = min(float(slopes[lowest]), slope), max(float(slopes[highest]), slope)
    return TheilSen(
        value=slope,
        se=(high - low) / (2 * z),
        low=low,
        high=high,
        intercept=float(np.median(heights - slope * days)),
        reference=first,
    )


def orders_by_inversions(ties: Sequence[int]) -> list[int]:
    """How many orders of values with `ties` (group sizes, 1 for a value of its own) have 0, 1, 2 ... inversions.

    The coefficients of the Gaussian multinomial [n]! / prod [t]!, in whole numbers without limit
    (MacMahon 1913): each value put into place multiplies by 1 - x**k, each value of its group divides.
    """
    n = sum(ties)
    size = (n * (n - 1) - sum(t * (t - 1) for t in ties)) // 2 + 1
    counts = [1] + [0] * (size - 1)
    placed = 0
    for group in sorted(ties):
        for k in range(1, group + 1):
            placed += 1
            if placed == k:
                continue
            for i in range(size - 1, placed - 1, -1):
                counts[i] -= counts[i - placed]
            for i in range(k, size):
                counts[i] += counts[i - k]
    return counts


def _slopes(days: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The slope between every two points on different days."""
    order = np.argsort(days, kind="stable")
    days, heights = days[order], heights[order]
    # In the order of time, those on a later day are the rest of the series.
    later = np.searchsorted(days, days, side="right")
    slopes = np.empty(int((days.size - later).sum()))
    filled = 0
    for i, start in enumerate(later.tolist()):
        end = filled + days.size - start
        slopes[filled:end] = (heights[start:] - heights[i]) / (days[start:] - days[i])
        filled = end
    return slopes


def _kendall_variance(n: int, ties: Sequence[int], other_ties: Sequence[int] = ()) -> float:
    """Variance of s for n pairs, with groups of equal values in one or both of the variables (Kendall 1970)."""

    def sums(groups: Sequence[int]) -> tuple[int, int, int]:
        return (
            sum(t * (t - 1) * (2 * t + 5) for t in groups),
            sum(t * (t - 1) for t in groups),
            sum(t * (t - 1) * (t - 2) for t in groups),
        )

    (v, pairs, triples), (w, other_pairs, other_triples) = sums(ties), sums(other_ties)
    single, double, triple = n * (n - 1) * (2 * n + 5) - v - w, pairs * other_pairs, triples * other_triples
    if n == 2:
        return single / 18 + double / 4
    # Over one denominator, in whole numbers: the sum is 0 when all are equal, and rounding must not pass it.
    return (single * n * (n - 1) * (n - 2) + 9 * double * (n - 2) + 2 * triple) / (18 * n * (n - 1) * (n - 2))


def _days(dates: Sequence[date] | ArrayLike) -> tuple[date | float, NDArray[np.float64]]:
    """The earliest of `dates`, and the days of each since then."""
    try:
        given: list[Any] = list(dates)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("dates must be dates or numbers in one dimension") from None
    if any(isinstance(day, datetime) for day in given):
        raise ValueError("dates must be days without a time of day")
    if given and all(isinstance(day, date) for day in given):
        first: date = min(given)
        return first, np.array([(day - first).days for day in given], dtype=np.float64)
    numbers = finite_values(given)
    start = float(numbers.min()) if numbers.size else 0.0
    return start, numbers - start
