"""Diversity of a smaller or larger sample: rarefaction and extrapolation to a size or to a coverage."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances
from lib.diversity.asymptotic_diversity import asymptote, check_order
from lib.diversity.hypergeometric import expected, missed, missed_together
from lib.diversity.sample import Sample, abundance_sample
from lib.diversity.sample_coverage import check_coverage, check_size, size_covering


def diversity_at_size(counts: ArrayLike, size: float, q: float) -> float | None:
    """Expected Hill number of order `q` in a sample of `size` individuals, in effective species.

    Up to the sample's n: from the exact expected number of species with each frequency in a subsample drawn
    without replacement (Chao et al. 2014, eq. 4), between whole sizes on the straight line. Above: for q = 2
    the unbiased form 1 / (1/m + (m-1)/m sum x(x-1) / (n(n-1))), otherwise from the observed value towards the
    asymptotic one as fast as the curve rises at n (iNEXT). None for an empty sample and for a size below 1.
    ValueError for a size that is negative or not finite and for a negative or infinite order. Above twice n
    richness rests on the extrapolation alone.

    >>> round(diversity_at_size([7, 3, 1, 1], 6, 0), 6), round(diversity_at_size([7, 3, 1, 1], 24, 0), 6)
    (2.909091, 4.793185)
    """
    check_size(size)
    check_order(q)
    sample = abundance_sample(counts)
    return None if sample is None or size < 1 else diversity(sample, size, q)


def diversity_at_coverage(counts: ArrayLike, coverage: float, q: float) -> float | None:
    """Hill number of order `q` at equal coverage: `diversity_at_size` of `size_at_coverage`.

    The fair way to compare samples of different effort (Chao and Jost 2012). None where the size is None,
    ValueError as for those two.

    >>> round(diversity_at_coverage([7, 3, 1, 1], 0.8, 1), 6)
    2.527382
    """
    check_coverage(coverage)
    check_order(q)
    sample = abundance_sample(counts)
    size = None if sample is None else size_covering(sample, coverage)
    return None if sample is None or size is None else diversity(sample, size, q)


def rarefaction_se(counts: ArrayLike, size: int) -> float | None:
    """Standard error of the rarefied richness at a whole `size` up to n (Heck et al. 1975; vegan's `rarefy`).

    It is conditional: the spread over subsamples of this very sample, 0 at n. None for an empty sample;
    ValueError for a size that is not whole or not within 0 and n.
    """
    sample = abundance_sample(counts)
    if sample is None:
        return None
    if not 0 <= size <= sample.units or size != math.floor(size):
        raise ValueError("the size must be whole and within 0 and the number of individuals")
    if size <= 1 or size == sample.units:
        return 0.0
    absent = missed(sample.values, sample.units, size)
    both = missed_together(sample.values, sample.units, size)
    pairs = sample.species[:, None] * sample.species - np.diag(sample.species)
    variance = float(np.sum(sample.species * absent * (1 - absent)) + np.sum(pairs * both))
    return math.sqrt(max(0.0, variance))


def diversity(sample: Sample, size: float, q: float) -> float:
    """Expected Hill number of `size` units, 1 or more."""
    if size > sample.units:
        return _extrapolated(sample, size, q)
    below = math.floor(size)
    lower = _rarefied(sample, below, q)
    return lower if below == size else lower + (size - below) * (_rarefied(sample, below + 1, q) - lower)


def entropy_of_shares(finds: float) -> Callable[[Abundances], Abundances]:
    """-p ln p of the share p that a count has of `finds`."""

    def entropy(counts: Abundances) -> Abundances:
        shares = counts / finds
        return np.asarray(-shares * np.log(np.where(counts > 0, shares, 1.0)))

    return entropy


def power_of_shares(finds: float, q: float) -> Callable[[Abundances], Abundances]:
    """p**q of the share p that a count has of `finds`."""
    return lambda counts: np.asarray((counts / finds) ** q)


def _rarefied(sample: Sample, size: float, q: float) -> float:
    """Expected Hill number of a whole number of units, 1 up to the sample's own."""
    values, species, units = sample.values, sample.species, sample.units
    finds = sample.total * (size / units)
    if size == 1 and finds == 1:
        return 1.0
    if q == 0:
        return sample.observed - float(np.sum(species * missed(values, units, size)))
    if q == 2:
        return 1 / _concentration(sample, size)

    of_shares = entropy_of_shares(finds) if q == 1 else power_of_shares(finds, q)
    mean = float(np.sum(species * expected(values, units, size, of_shares)))
    return math.exp(mean if q == 1 else math.log(mean) / (1 - q))


def _concentration(sample: Sample, size: float) -> float:
    """Expected sum of squared shares in `size` units, fewer or more than the sample has."""
    values, units = sample.values, sample.units
    twice = float(np.sum(sample.species * values * (values - 1))) / max(units - 1, 1.0)
    # Shares of `finds` = total size / units: E K = x size/units, E K(K-1) = x(x-1) size(size-1)/units(units-1).
    return units / size / sample.total + (size - 1) / size * units / sample.total * twice / sample.total


def _extrapolated(sample: Sample, size: float, q: float) -> float:
    """Hill number expected of more units than the sample has."""
    units, more = sample.units, size - sample.units
    observed = _rarefied(sample, units, q)
    # One unit says nothing about how the next would differ.
    if units < 2:
        return observed
    if q == 2:
        return 1 / _concentration(sample, size)
    limit = asymptote(sample, q)
    if limit <= observed:
        return observed
    # The rise of the last unit; of richness it is known to all digits.
    rise = sample.once / units if q == 0 else observed - _rarefied(sample, units - 1, q)
    if math.isinf(limit):
        return observed + rise * more
    rate = rise / (limit - observed + rise)
    return observed - (limit - observed) * math.expm1(more * math.log1p(-rate))
