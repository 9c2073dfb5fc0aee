"""The definitions themselves, summed over every subsample in exact fractions: slow, and hard to get wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction


def chance(x: int, units: int, size: int, k: int) -> Fraction:
    """Chance that k of `size` units hold a species that x of `units` hold."""
    if not max(0, size - (units - x)) <= k <= min(x, size):
        return Fraction(0)
    return Fraction(math.comb(x, k) * math.comb(units - x, size - k), math.comb(units, size))


def mean(x: int, units: int, size: int, g: Callable[[int], float]) -> float:
    """Mean of g over these chances."""
    return math.fsum(float(chance(x, units, size, k)) * g(k) for k in range(min(x, size) + 1))


def richness(counts: list[int], size: int) -> float:
    """Hurlbert's expected richness of `size` individuals."""
    n = sum(counts)
    return float(sum(1 - chance(x, n, size, 0) for x in counts))


def hill(counts: list[int], size: int, q: float) -> float:
    """Expected Hill number, from the expected number of species with each frequency."""
    n = sum(counts)
    if q == 1:
        return math.exp(
            math.fsum(
                mean(x, n, size, lambda k: -k / size * math.log(k / size) if k else 0.0) for x in counts
            )
        )
    power = math.fsum(mean(x, n, size, lambda k: (k / size) ** q if k else 0.0) for x in counts)
    return power ** (1 / (1 - q))


def coverage(counts: list[int], size: int) -> float:
    """Expected coverage of a subsample, the share of the whole that one more individual could add included."""
    n = sum(counts)
    return float(1 - sum(Fraction(x, n) * chance(x - 1, n - 1, size, 0) for x in counts if x))
