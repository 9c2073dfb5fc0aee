"""Diversity at a fixed number of individuals, by drawing so many of them again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.abundance import Abundances, whole_abundances
from lib.diversity.bootstrap import check_draws
from lib.diversity.many_samples import hills
from lib.diversity.richness_estimators import Estimate

# The generator counts individuals in 32 bits.
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Subsample:
    """Indices of `size` individuals drawn without replacement: means over the draws, their spread, and the middle.

    In every Estimate `se` is the standard deviation over the draws; `low` and `high` are their quantiles.
    """

    size: int
    draws: int
    richness: Estimate
    shannon: Estimate
    simpson: Estimate
    pielou: Estimate
    hill_q1: Estimate
    hill_q2: Estimate


def subsample(
    counts: ArrayLike, size: int = 30, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Subsample | None:
    """Indices at a fixed `size`, so that days of different effort can be compared; None for a smaller sample.

    `draws` times `size` individuals are drawn without replacement (multivariate hypergeometric). The mean of
    richness tends to `diversity_at_size`; that function is exact, this one also shows how far single samples of
    the size lie apart: the quantiles at `level` hold that share of them. The spread is conditional on the sample
    and shrinks to nothing as `size` comes close to its n. The same seed gives the same result. ValueError for
    a size that is not whole and positive, and for a billion individuals or more.

    >>> round(subsample([37, 12, 5, 5, 2, 1, 1, 1], size=30).richness.value, 1)  # exactly 6.0548
    6.1
    """
    check_draws(draws, level)
    if size != int(size) or size < 1:
        raise ValueError("the size must be whole and 1 or more")
    values = whole_abundances(counts)
    if values.sum() < size:
        return None
    if values.sum() >= _MOST:
        raise ValueError("counts must sum to less than a billion to draw from them")
    generator = np.random.default_rng(seed)
    rows = generator.multivariate_hypergeometric(values.astype(np.int64), int(size), size=draws)
    observed, first, second = (hills(rows, q) for q in (0, 1, 2))
    return Subsample(
        size=int(size),
        draws=draws,
        richness=_spread(observed, level),
        shannon=_spread(np.log(first), level),
        simpson=_spread(1 - 1 / second, level),
        pielou=_spread(_evenness(rows, first), level),
        hill_q1=_spread(first, level),
        hill_q2=_spread(second, level),
    )


def _evenness(rows: NDArray[np.int64], first: Abundances) -> Abundances:
    """Pielou's J of every row, 1 for a single species."""
    observed = np.count_nonzero(rows, axis=1)
    return np.where(observed > 1, np.minimum(np.log(first) / np.log(np.maximum(observed, 2)), 1.0), 1.0)


def _spread(values: Abundances, level: float) -> Estimate:
    """Mean, standard deviation and middle of the draws; the mean may lie beyond a skewed middle."""
    mean = float(values.mean())
    low, high = (float(np.quantile(values, 0.5 + side * level / 2)) for side in (-1, 1))
    return Estimate(value=mean, se=float(np.std(values, ddof=1)), low=min(low, mean), high=max(high, mean))
