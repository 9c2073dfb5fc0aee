"""Sample coverage: the share of the community's individuals whose species the sample has seen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import frequencies, whole_abundances
from lib.diversity.hypergeometric import missed
from lib.diversity.sample import Sample, abundance_sample

# A coverage that rounding leaves this little below the target has reached it.
_ROUNDING = 8 * 2.0**-53


def coverage(counts: ArrayLike) -> float | None:
    """Chao-Jost estimate of coverage, 0 to 1, from whole `counts`; None for an empty sample.

    1 - f1/n * A with A = (n-1) f1 / ((n-1) f1 + 2 f2), and A = (n-1)(f1-1) / ((n-1)(f1-1) + 2) when f2 = 0
    (Chao and Jost 2012, eq. 4a; iNEXT). One singleton without a doubleton gives exactly 1.
    """
    sample = abundance_sample(counts)
    return None if sample is None else covered(sample, sample.units)


def coverage_good(counts: ArrayLike) -> float | None:
    """Good-Turing coverage 1 - f1/n, 0 to 1 (Good 1953), from whole `counts`; None for an empty sample."""
    values = whole_abundances(counts)
    if not values.size:
        return None
    sample = frequencies(values)
    return 1 - sample.f1 / sample.n


def coverage_at(counts: ArrayLike, size: float) -> float | None:
    """Expected coverage of a sample of `size` individuals, 0 to 1; None for an empty sample.

    Below the sample's n: 1 - sum x/n C(n-x, m) / C(n-1, m); at n: `coverage`; above:
    1 - f1/n A**(size-n+1) (Chao and Jost 2012, eq. 4b and 12). Between whole sizes below n on the straight
    line, as iNEXT. Size 0 covers nothing. ValueError for a size that is negative or not finite.

    >>> round(coverage_at([7, 3, 1, 1], 6), 6)
    0.787879
    """
    check_size(size)
    sample = abundance_sample(counts)
    return None if sample is None else covered(sample, size)


def size_at_coverage(counts: ArrayLike, coverage: float) -> float | None:
    """Sample size, 1 or more and seldom whole, whose expected coverage is `coverage`.

    The smallest whole size that reaches the coverage by bisection, then the straight line from the size
    before it; beyond the sample's n the inverse of the extrapolation. A coverage below that of a single
    individual gives 1. There is no limit upwards, though above twice n the extrapolation is little worth.
    None for an empty sample, and for a coverage of 1 that only an endless sample would reach. ValueError
    unless `coverage` lies within 0 and 1.

    >>> round(size_at_coverage([7, 3, 1, 1], 0.8), 6)
    6.666667
    """
    check_coverage(coverage)
    sample = abundance_sample(counts)
    return None if sample is None else size_covering(sample, coverage)


def covered(sample: Sample, size: float) -> float:
    """Expected coverage of `size` units."""
    units = sample.units
    if size >= units:
        return 1 - _deficit(sample) * _kept(sample, size - units)
    below = math.floor(size)
    lower = _covered_whole(sample, below)
    if below == size:
        return lower
    upper = 1 - _deficit(sample) if below + 1 == units else _covered_whole(sample, below + 1)
    return lower + (size - below) * (upper - lower)


def size_covering(sample: Sample, coverage: float) -> float | None:
    """The size whose expected coverage is `coverage`; None where no finite one has it."""
    units, target = sample.units, coverage - _ROUNDING
    if covered(sample, units) < target:
        if coverage >= 1:
            return None
        return units + math.log((1 - coverage) / _deficit(sample)) / math.log1p(-sample.rarity)
    low, high = 0.0, units
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        if covered(sample, middle) >= target:
            high = middle
        else:
            low = middle
    if high <= 1:
        return 1.0
    before, after = covered(sample, low), covered(sample, high)
    return low + min(1.0, max(0.0, (coverage - before) / (after - before)))


def check_size(size: float) -> None:
    """ValueError unless `size` is a finite number of 0 or more."""
    if not (math.isfinite(size) and size >= 0):
        raise ValueError("a sample size must be finite and 0 or more")


def check_coverage(coverage: float) -> None:
    """ValueError unless `coverage` lies within 0 and 1."""
    if not 0 <= coverage <= 1:
        raise ValueError("coverage must lie within 0 and 1")


def _deficit(sample: Sample) -> float:
    """What the sample itself leaves uncovered."""
    return sample.once / sample.total * _kept(sample, 1.0)


def _kept(sample: Sample, more: float) -> float:
    """The share of the deficit that is left after `more` units, (1 - A)**more."""
    if sample.rarity == 1:
        return 1.0 if more == 0 else 0.0
    return math.exp(more * math.log1p(-sample.rarity))


def _covered_whole(sample: Sample, size: float) -> float:
    """Expected coverage of a whole number of units below the sample's own."""
    absent = missed(sample.values - 1, sample.units - 1, size)
    uncovered = float(np.sum(sample.species * sample.values * absent)) / sample.total
    return min(1.0, max(0.0, 1 - uncovered))
