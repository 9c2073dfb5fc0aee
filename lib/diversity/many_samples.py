"""Hill numbers of many samples of one size at once, as a bootstrap draws them: one sample a row.

`counts` is a matrix of whole numbers, a row a sample, a column a species, all rows of the same sum of 1 or more.
Every count that occurs is computed once, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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
    units = float(counts[0].sum())
    if size <= units:
        below = math.floor(size)
        lower = _rarefied(counts, units, below, q)
        if below == size:
            return lower
        return lower + (size - below) * (_rarefied(counts, units, below + 1, q) - lower)
    if q == 2:
        return _rarefied(counts, units, size, q)
    observed, limit = _rarefied(counts, units, units, q), asymptotes(counts, q)
    if units < 2:
        return observed
    rise = _found(counts, 1) / units if q == 0 else observed - _rarefied(counts, units, units - 1, q)
    gap = np.maximum(limit - observed, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(gap > 0, rise / (gap + rise), 0.0)
        grown = observed - gap * np.expm1((size - units) * np.log1p(-rate))
    return np.where(np.isinf(gap), observed + rise * (size - units), np.where(gap > 0, grown, observed))


def _rarefied(counts: Rows, units: float, size: float, q: float) -> Abundances:
    """Expected Hill number of a whole number of individuals up to n; at q = 2 of any number."""
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
