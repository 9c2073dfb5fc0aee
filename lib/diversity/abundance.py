"""Abundance vectors: checks what comes in, and gives the quantities that the estimators share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Abundances = NDArray[np.float64]


class Frequencies(NamedTuple):
    """Sample size n, species observed s, singletons f1 and doubletons f2 of whole-number counts."""

    n: float
    s: int
    f1: int
    f2: int


def abundances(counts: ArrayLike) -> Abundances:
    """The positive entries of `counts` as a float64 vector, in their order.

    Raises ValueError unless `counts` is one-dimensional and every entry a finite number that is not negative.
    Floats hold whole numbers exactly up to 2**53, far above any count of plants.
    """
    try:
        values = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("counts must be numbers in one dimension") from None
    if values.ndim != 1:
        raise ValueError(f"counts must have one dimension, not {values.ndim}")
    if not np.all(np.isfinite(values)):
        raise ValueError("counts must be finite")
    if np.any(values < 0):
        raise ValueError("counts must not be negative")
    positive = values[values > 0]
    with np.errstate(over="ignore"):
        total = positive.sum()
    if not np.isfinite(total):
        raise ValueError("counts must have a finite sum")
    return positive


def whole_abundances(counts: ArrayLike) -> Abundances:
    """As `abundances`, and every entry a whole number: estimators from singletons mean nothing otherwise."""
    values = abundances(counts)
    if np.any(values != np.floor(values)):
        raise ValueError("counts must be whole numbers for an estimate from singletons and doubletons")
    return values


def frequencies(values: Abundances) -> Frequencies:
    """n, S, f1 and f2 of `values`, as `whole_abundances` gives them."""
    return Frequencies(
        n=float(values.sum()),
        s=int(values.size),
        f1=int(np.count_nonzero(values == 1)),
        f2=int(np.count_nonzero(values == 2)),
    )
