"""Diversity of the sample as it is: richness, Shannon, Simpson, Pielou and Hill numbers of any order."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances, abundances, whole_abundances

# Closer than this to order 1 the power sum loses digits to cancellation, and the series form is used instead.
_NEAR_ONE = 0.05


def richness(counts: ArrayLike) -> int:
    """Number of species with a positive count, S; 0 for an empty sample."""
    return int(abundances(counts).size)


def shannon(counts: ArrayLike) -> float | None:
    """Shannon entropy H' = -sum p ln p, in nats (Shannon 1948). None for an empty sample.

    >>> round(shannon([10, 10, 10, 10]), 6)  # ln 4
    1.386294
    """
    values = abundances(counts)
    return _entropy(values) if values.size else None


def simpson(counts: ArrayLike) -> float | None:
    """Gini-Simpson index 1 - sum p**2: the chance that two draws differ (Simpson 1949). None when empty."""
    values = abundances(counts)
    if not values.size:
        return None
    # sum p (1 - p) is the same number without the cancellation that 1 - sum p**2 suffers under dominance.
    shares = values / values.sum()
    return float(np.sum(shares * _rest(values)))


def inverse_simpson(counts: ArrayLike) -> float | None:
    """Inverse Simpson concentration 1 / sum p**2, the Hill number of order 2. None for an empty sample."""
    values = abundances(counts)
    if not values.size:
        return None
    shares = values / values.sum()
    return float(1.0 / np.sum(shares**2))


def simpson_unbiased(counts: ArrayLike) -> float | None:
    """Unbiased Gini-Simpson index 1 - sum x(x-1) / (n(n-1)) of whole `counts` (Simpson 1949; Hurlbert 1971).

    None for an empty sample and for a single individual, of which no pair can be drawn.
    """
    values = whole_abundances(counts)
    n = float(values.sum())
    return None if n < 2 else float(np.sum(values / n * ((n - values) / (n - 1))))


def inverse_simpson_unbiased(counts: ArrayLike) -> float | None:
    """Reciprocal of the unbiased Simpson concentration, n(n-1) / sum x(x-1), of whole `counts`.

    None for an empty sample, and where no two individuals are of one species: it would be infinite.
    """
    values = whole_abundances(counts)
    n = float(values.sum())
    pairs = float(np.sum(values / n * ((values - 1) / (n - 1)))) if n > 1 else 0.0
    return 1 / pairs if pairs > 0 else None


def pielou(counts: ArrayLike) -> float | None:
    """Pielou evenness J = H' / ln S, 0 to 1 (Pielou 1966); 1 when S = 1 by convention, None when empty."""
    values = abundances(counts)
    if not values.size:
        return None
    if values.size == 1:
        return 1.0
    return min(1.0, _entropy(values) / math.log(values.size))


def hill(counts: ArrayLike, q: float) -> float | None:
    """Hill number of order `q` >= 0, (sum p**q)**(1/(1-q)), in effective species (Hill 1973, Jost 2006).

    q = 0 is richness, the limit at q = 1 is exp(H'), q = 2 inverse Simpson, q = inf 1 / max p. None for an
    empty sample; ValueError for a negative or undefined order.
    """
    if math.isnan(q) or q < 0:
        raise ValueError("the order of a Hill number must be 0 or more")
    values = abundances(counts)
    if not values.size:
        return None
    if q == 0:
        return float(values.size)
    total = values.sum()
    if math.isinf(q):
        return float(total / values.max())
    logs = _log_shares(values)
    if abs(q - 1) < _NEAR_ONE:
        if q == 1:
            return math.exp(_entropy(values))
        # With sum p = 1: sum p**q = 1 + sum p (p**(q-1) - 1); no digits are lost as q comes close to 1.
        return math.exp(math.log1p(float(np.sum(values / total * np.expm1((q - 1) * logs)))) / (1 - q))
    powers = q * logs
    highest = float(powers.max())
    return math.exp((highest + math.log(float(np.sum(np.exp(powers - highest))))) / (1 - q))


def _entropy(values: Abundances) -> float:
    # Adding 0.0 turns the -0.0 of a single species into 0.0.
    return float(-np.sum(values / values.sum() * _log_shares(values))) + 0.0


def _rest(values: Abundances) -> Abundances:
    """1 - p of every species, exact for whole counts however dominant one is."""
    total = values.sum()
    return np.asarray((total - values) / total, dtype=np.float64)


def _log_shares(values: Abundances) -> Abundances:
    """ln p of every species; for p above one half from 1 - p, which keeps all its digits."""
    with np.errstate(divide="ignore"):
        return np.where(
            values > values.sum() / 2, np.log1p(-_rest(values)), np.log(values) - math.log(values.sum())
        )
