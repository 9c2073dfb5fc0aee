"""How many species there are, from all that are rare: the abundance-based coverage estimator ACE."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances, whole_abundances
from lib.diversity.richness_estimators import Estimate, chao1


def ace(counts: ArrayLike, rare: int = 10, level: float = 0.95) -> Estimate | None:
    """ACE lower bound of species richness, from whole `counts`; None for an empty sample.

    S_abundant + S_rare / C + f1 / C g, where species with up to `rare` individuals are rare, n individuals in
    all, C = 1 - f1 / n is their coverage and g = max(0, S_rare / C sum i(i-1) f_i / (n(n-1)) - 1) their squared
    coefficient of variation (Chao and Lee 1992). The standard error is of first order in the f_i, which
    vary as a multinomial sample of all species, unseen ones too; the interval is log-normal at `level`
    (SpadeR; vegan's error is smaller, for it takes the observed richness as fixed). When all rare species
    are singletons it is the bias-corrected Chao1 with the factor (n-1)/n, when there is no singleton
    or no rare species S, both with error and interval of Chao1 (SpadeR). ValueError for `rare` under 2.

    >>> estimate = ace([7, 3, 1, 1])
    >>> round(estimate.value, 4), round(estimate.se, 4)
    (6.5891, 4.0338)
    """
    if rare < 2:
        raise ValueError("rare must be 2 or more")
    values = whole_abundances(counts)
    few = values[values <= rare]
    once = np.count_nonzero(few == 1)
    if once in (0, int(few.sum())):
        # Without a doubleton the classic form of Chao1 is the bias-corrected one with (n-1)/n.
        return chao1(counts, level=level)
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    value, variance = _estimate(few, float(values.size))
    added = value - values.size
    spread = math.exp(NormalDist().inv_cdf(0.5 + level / 2) * math.sqrt(math.log1p(variance / added**2)))
    return Estimate(
        value=value,
        se=math.sqrt(variance),
        low=values.size + added / spread,
        high=values.size + added * spread,
    )


def _estimate(few: Abundances, observed: float) -> tuple[float, float]:
    """Species in all, and the variance, from the counts of the rare ones and the number of all observed."""
    i, f = np.unique(few, return_counts=True)
    n, s, f1 = float(few.sum()), float(few.size), float(np.count_nonzero(few == 1))
    single = (i == 1).astype(np.float64)
    cover, pairs, repeats = 1 - f1 / n, n * (n - 1), float(np.sum(few * (few - 1)))
    variation = max(0.0, s / cover * repeats / pairs - 1)
    abundant = observed - s
    value = abundant + s / cover + f1 / cover * variation
    # The derivatives of C, S_rare/C, f1/C and the variation by each f_i.
    of_cover = (f1 * i - n * single) / n**2
    of_seen = 1 / cover - s / cover**2 * of_cover
    of_single = single / cover - f1 / cover**2 * of_cover
    of_variation = (
        of_seen * repeats / pairs + s / cover * (i * (i - 1) * pairs - repeats * (2 * n - 1) * i) / pairs**2
    )
    slopes = of_seen + of_single * variation + (f1 / cover * of_variation if variation > 0 else 0.0)
    # An abundant species adds one, whatever its count.
    variance = float(np.sum(slopes**2 * f)) + abundant - (float(np.sum(slopes * f)) + abundant) ** 2 / value
    return value, max(0.0, variance)
