"""Sample coverage: the share of the community's individuals whose species the sample has seen."""

from __future__ import annotations

from numpy.typing import ArrayLike

from lib.diversity.abundance import frequencies, whole_abundances


def coverage(counts: ArrayLike) -> float | None:
    """Chao-Jost estimate of coverage, 0 to 1, from whole `counts`; None for an empty sample.

    1 - f1/n * A with A = (n-1) f1 / ((n-1) f1 + 2 f2), and A = (n-1)(f1-1) / ((n-1)(f1-1) + 2) when f2 = 0
    (Chao and Jost 2012, eq. 4a; iNEXT). One singleton without a doubleton gives exactly 1.
    """
    values = whole_abundances(counts)
    if not values.size:
        return None
    n, _, f1, f2 = frequencies(values)
    if f1 == 0:
        return 1.0
    rare = (n - 1) * f1 if f2 > 0 else (n - 1) * (f1 - 1)
    return 1 - f1 / n * rare / (rare + (2 * f2 if f2 > 0 else 2))


def coverage_good(counts: ArrayLike) -> float | None:
    """Good-Turing coverage 1 - f1/n, 0 to 1 (Good 1953), from whole `counts`; None for an empty sample."""
    values = whole_abundances(counts)
    if not values.size:
        return None
    sample = frequencies(values)
    return 1 - sample.f1 / sample.n
