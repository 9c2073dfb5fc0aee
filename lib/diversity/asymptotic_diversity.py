"""Diversity of the whole community, unseen species included: the limit that a growing sample would approach."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances
from lib.diversity.sample import Sample, abundance_sample

# Below so many individuals the estimates of different orders contradict each other; see `asymptotic`.
SMALLEST_SAMPLE = 5
# The gamma functions are taken from their series this far up.
_SHIFT = 16
_NEAR_ONE = 1e-7


def asymptote(sample: Sample, q: float) -> float:
    """Estimated Hill number of order `q` of the community; infinite where no finite estimate exists.

    That is for q >= 2 when no species was found twice (or q times), and for an order above the number of units.
    """
    if q == 0:
        return sample.observed + sample.unseen
    if q > sample.units:
        return math.inf
    q = float(q)
    units, mean = sample.units, sample.total / sample.units
    order = 1.0 if abs(q - 1) < _NEAR_ONE else q
    known = float(np.sum(sample.species * known_part(sample.values, units, order)))
    if not (order.is_integer() and order > 1):
        known += tail(units, sample.once, sample.rarity, order)
    if order == 1:
        return math.exp(known / mean + math.log(mean))
    return math.exp((math.log(known) - q * math.log(mean)) / (1 - q)) if known > 0 else math.inf


def known_part(values: Abundances, units: float, q: float) -> Abundances:
    """What each seen species adds to the estimated sum of p**q, at q = 1 to the entropy; see `tail`."""
    if q == 1:
        return np.asarray(values / units * _digamma_from(values, units))
    return _power(values, units, q)


def tail(units: float, once: float, rarity: float, q: float) -> float:
    """What the unseen species add to the estimated sum of p**q, at q = 1 to the entropy.

    (f1/n)(1-A) sin(pi q)/pi times the integral over 0..1 of t**(n-q) (1-t)**(q-1) / (1 - (1-A) t), which is
    Chao and Jost's infinite series (2015) and keeps all its digits at any n; at q = 1 without the sine.
    """
    if once == 0 or rarity == 1:
        return 0.0
    factor = 1.0 if q == 1 else math.sin(math.pi * q) / math.pi
    # With t = exp(-exp(u)) the trapezoid rule converges geometrically; step 0.2 gives all 16 digits.
    step, rate = 0.2, units - q + 1
    first = math.log(min(rarity, 1 / units)) - 40
    u = np.arange(first, math.log(750 / rate) + step, step)
    s = np.exp(u)
    rest = -np.expm1(-s)
    terms = np.exp(-rate * s + (q - 1) * np.log(rest)) * s / (rarity + (1 - rarity) * rest)
    # Below the first point the terms fall by exp(-q step) each: the rest of them in one go.
    integral = step * (float(terms.sum()) + float(terms[0]) / math.expm1(q * step))
    return once / units * (1 - rarity) * factor * integral


def asymptotic(counts: ArrayLike, q: float) -> float | None:
    """Asymptotic Hill number of order `q`, the unseen species included, in effective species.

    q = 0 is Chao1; q = 1 the exponential of Chao, Wang and Jost's entropy (2013); q = 2 the reciprocal of the
    unbiased Simpson concentration, n(n-1) / sum x(x-1); other orders after Chao and Jost 2015. None for fewer
    than 5 individuals, where the orders contradict each other ([1, 1] gives 2.5 species but infinitely many
    of order 2), and where the estimate is infinite (q >= 2 and no species found twice). ValueError for
    a negative or infinite order and for counts that are not whole.

    >>> round(asymptotic([7, 3, 1, 1], 1), 6)
    3.570471
    """
    check_order(q)
    sample = abundance_sample(counts)
    if sample is None or sample.units < SMALLEST_SAMPLE:
        return None
    value = asymptote(sample, q)
    return value if math.isfinite(value) else None


def check_order(q: float) -> None:
    """ValueError unless `q` is a finite order of 0 or more."""
    if not (math.isfinite(q) and q >= 0):
        raise ValueError("the order of a Hill number must be finite and 0 or more")


def _digamma_from(values: Abundances, units: float) -> Abundances:
    """Sum of 1/k for k from x to units - 1, for every x of `values`."""
    steps = np.arange(_SHIFT)
    small = (1 / (values[:, None] + steps) - 1 / (units + steps)).sum(axis=1)
    x, n = values + _SHIFT, units + _SHIFT
    return np.asarray(small + np.log1p((n - x) / x) - (_digamma_rest(n) - _digamma_rest(x)))


def _digamma_rest(z: Abundances | float) -> Abundances | float:
    """ln z minus the digamma of z, for z of 16 and more."""
    w = 1 / (z * z)
    return 1 / (2 * z) + w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w * (1 / 240 - w / 132))))


def _power(values: Abundances, units: float, q: float) -> Abundances:
    """Estimate of p**q for a species found in x of n units, unseen ones aside: G(x) / G(n), G(z) = z! / Γ(z-q+1).

    At a whole q that is the falling product x(x-1)… over n(n-1)…, and 0 for x below q.
    """
    if q.is_integer():
        steps = np.arange(q)
        return np.asarray(np.prod(np.maximum(values[:, None] - steps, 0) / (units - steps), axis=1))
    logs, factors = _gamma_ratio(np.append(values, units), q)
    return np.asarray(np.exp(logs[:-1] - logs[-1]) * factors[:-1] / factors[-1])


def _gamma_ratio(z: Abundances, q: float) -> tuple[Abundances, Abundances]:
    """Γ(z+1) / Γ(z-q+1) as the logarithm of one factor and another factor that may be negative."""
    shift = _SHIFT + math.ceil(q)
    steps = np.arange(shift)
    factors = np.prod((z[:, None] - q + 1 + steps) / (z[:, None] + 1 + steps), axis=1)
    a = z + shift + 1
    b = a - q
    logs = q * np.log(a) - q - (b - 0.5) * np.log1p(-q / a) + _stirling_rest(a) - _stirling_rest(b)
    return np.asarray(logs), np.asarray(factors)


def _stirling_rest(z: Abundances) -> Abundances:
    """ln Γ(z) minus Stirling's leading terms, for z of 16 and more."""
    w = 1 / (z * z)
    return np.asarray((1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z)
