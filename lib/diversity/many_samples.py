"""Hill numbers of many samples of one size at once, as a bootstrap draws them: one sample a row.

`counts` is a matrix of whole numbers, a row a sample, a column a species, all rows of the same sum of 1 or more.
Every count that occurs is computed once, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.diversity.abundance import Abundances
from lib.diversity.asymptotic_diversity import known_part, tail
from lib.diversity.hypergeometric import expected, missed
from lib.diversity.rarefaction import entropy_of_shares, power_of_shares
from lib.diversity.sample import singleton_rarity, unseen_species

Rows = NDArray[np.int64]


def hills(counts: Rows, q: float) -> Abundances:
    """Hill number of order `q` of every row."""
    return hills_at_size(counts, float(counts[0].sum()), q)


def asymptotes(counts: Rows, q: float) -> Abundances:
    """Estimated Hill number of order `q` of every row's community; infinite where `asymptote` is."""
    units = float(counts[0].sum())
    once, twice = _found(counts, 1), _found(counts, 2)
    if q == 0:
        return _observed(counts) + unseen_species(units, once, twice)
    if q > units:
        return np.full(len(counts), math.inf)
    known = _summed(counts, lambda values: known_part(values, units, float(q)))
    if not (float(q).is_integer() and q > 1):
        # A few dozen pairs of f1 and f2 cover a thousand rows.
        pairs, row = np.unique(np.stack([once, twice]), axis=1, return_inverse=True)
        rarities = singleton_rarity(units, *pairs)
        added = [tail(units, f1, a, float(q)) for f1, a in zip(pairs[0], rarities, strict=True)]
        known = known + np.array(added)[row.reshape(-1)]
    if q == 1:
        return np.exp(known)
    with np.errstate(divide="ignore"):
        return np.exp(np.log(np.maximum(known, 0.0)) / (1 - q))


def hills_at_size(counts: Rows, size: float, q: float) -> Abundances:
    """Expected Hill number of order `q` in `size` individuals of every row's community."""
    return hills_at_sizes(counts, [size], q)[0]


def hills_at_sizes(counts: Rows, sizes: Sequence[float], q: float) -> list[Abundances]:
    """As `hills_at_size`, for several sizes: what they share is computed once."""
    units = float(counts[0].sum())
    if units < 2:
        return [np.ones(len(counts)) for _ in sizes]
    beyond = any(size > units for size in sizes) and q != 2
    course = _course(counts, units, q) if beyond else None
    return [_hills_at(counts, units, size, q, course) for size in sizes]


def _hills_at(counts: Rows, units: float, size: float, q: float, course: _Course | None) -> Abundances:
    if size <= units:
        below = math.floor(size)
        lower = _rarefied(counts, units, below, q)
        if below == size:
            return lower
        return np.asarray(lower + (size - below) * (_rarefied(counts, units, below + 1, q) - lower))
    if course is None:
        return _rarefied(counts, units, size, q)
    more = size - units
    return course.observed + np.where(
        course.endless, course.rise * more, -course.gap * np.expm1(more * course.log_kept)
    )


class _Course(NamedTuple):
    """How every row's curve goes on beyond its n: `gap` above `observed`, of which a step leaves exp(log_kept).

    A row without a finite asymptote (`endless`) goes on as it rose last.
    """

    observed: Abundances
    gap: Abundances
    endless: NDArray[np.bool_]
    rise: Abundances
    log_kept: Abundances


def _course(counts: Rows, units: float, q: float) -> _Course:
    observed = _rarefied(counts, units, units, q)
    limit = asymptotes(counts, q)
    endless = np.isinf(limit)
    gap = np.where(endless, 0.0, np.maximum(limit - observed, 0.0))
    rise = _found(counts, 1) / units
    if q != 0:
        rise = observed - _rarefied(counts, units, units - 1, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_kept = np.where(gap > 0, np.log1p(-rise / (gap + rise)), 0.0)
    return _Course(observed, gap, endless, rise, log_kept)


def _rarefied(counts: Rows, units: float, size: float, q: float) -> Abundances:
    """Expected Hill number of a whole number of individuals up to n; at q = 2 of any number."""
    if size == 1:
        return np.ones(len(counts))
    if q == 0:
        return _summed(counts, lambda values: 1 - missed(values, units, size))
    if q == 2:
        pairs = _summed(counts, lambda values: values / units * ((values - 1) / max(units - 1, 1.0)))
        return np.asarray(1 / (1 / size + (size - 1) / size * pairs))
    if q == 1:
        of_shares = entropy_of_shares(size)
        return np.exp(_summed(counts, lambda values: expected(values, units, size, of_shares)))
    of_shares = power_of_shares(size, q)
    powers = _summed(counts, lambda values: expected(values, units, size, of_shares))
    return np.exp(np.log(powers) / (1 - q))


def _observed(counts: Rows) -> Abundances:
    return np.asarray(np.count_nonzero(counts, axis=1), dtype=np.float64)


def _found(counts: Rows, times: int) -> Abundances:
    return np.asarray(np.count_nonzero(counts == times, axis=1), dtype=np.float64)


def _summed(counts: Rows, of: Callable[[Abundances], Abundances]) -> Abundances:
    """Sum over every row's species of a function of the count, which is computed once for each count."""
    values, place = np.unique(counts, return_inverse=True)
    table = np.zeros(values.size)
    table[values > 0] = of(values[values > 0].astype(np.float64))
    return np.asarray(table[place.reshape(counts.shape)].sum(axis=1))
