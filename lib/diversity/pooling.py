"""Rubin's rules: one estimate from several that were made of different draws of the labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from lib.diversity.richness_estimators import Estimate

_SERIES_FROM = 20
_ROUNDING = 1e-12


def pool(values: Sequence[float], variances: Sequence[float], level: float = 0.95) -> Estimate | None:
    """The estimate over D draws: the mean, and an interval that holds sampling and labelling (Rubin 1987).

    `values` and their sampling `variances` have one entry a draw. Total variance T = W + (1 + 1/D) B, W the mean
    of the variances, B the variance between the values; interval by Student's t with (D-1)(1 + W / ((1+1/D) B))**2
    degrees of freedom. None without a draw; ValueError for lists of different lengths or negative variances.

    >>> estimate = pool([4.0, 5.0, 6.0], [0.25, 0.25, 0.25])
    >>> round(estimate.value, 3), round(estimate.se, 3)
    (5.0, 1.258)
    """
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    given, within = np.asarray(values, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if given.shape != within.shape or given.ndim != 1:
        raise ValueError("values and variances must have one entry a draw each")
    if not (np.isfinite(given).all() and np.isfinite(within).all() and (within >= 0).all()):
        raise ValueError("values and variances must be finite, variances not negative")
    if not given.size:
        return None
    value, se = float(given.mean()), math.sqrt(total_variance(given, within))
    between = (1 + 1 / given.size) * float(given.var(ddof=1)) if given.size > 1 else 0.0
    sampling = float(within.mean())
    # Draws that differ by rounding alone have no spread of their own.
    differ = between > _ROUNDING * sampling
    freedom = (given.size - 1) * (1 + sampling / between) ** 2 if differ else math.inf
    reach = student_quantile(0.5 + level / 2, freedom) * se
    return Estimate(value, se, value - reach, value + reach)


def total_variance(values: np.ndarray, variances: np.ndarray) -> float:
    """Rubin's total variance W + (1 + 1/D) B of D values and the sampling variance of each."""
    between = float(values.var(ddof=1)) if values.size > 1 else 0.0
    return float(variances.mean()) + (1 + 1 / values.size) * between


def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t, to five digits, for 1 degree of freedom and more; they need not be whole.

    From 20 degrees by the Cornish-Fisher series (Abramowitz and Stegun 26.7.5). Below, the series strays, and the
    distribution is inverted itself: with t = sqrt(v) tan(a) its density is in proportion to cos(a)**(v-1).
    """
    z = NormalDist().inv_cdf(probability)
    if math.isinf(freedom):
        return z
    v = max(freedom, 1.0)
    if v < _SERIES_FROM:
        angles = np.linspace(0.0, math.pi / 2, 20_001)
        density = np.cos(angles) ** (v - 1)
        mass = np.concatenate(([0.0], np.cumsum(density[1:] + density[:-1])))
        angle = float(np.interp(abs(2 * probability - 1), mass / mass[-1], angles))
        return math.copysign(math.sqrt(v) * math.tan(angle), z)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / v**power for power, term in enumerate(terms, start=1))
