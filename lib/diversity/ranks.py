"""Ranks with ties, as the tests of trend and of difference need them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def finite_values(values: ArrayLike) -> NDArray[np.float64]:
    """`values` as a float64 vector; ValueError unless it is one-dimensional and every entry finite."""
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("values must be numbers in one dimension") from None
    if vector.ndim != 1:
        raise ValueError(f"values must have one dimension, not {vector.ndim}")
    if not np.all(np.isfinite(vector)):
        raise ValueError("values must be finite")
    return vector


def tie_sizes(values: NDArray[np.float64]) -> list[int]:
    """How many of `values` share each distinct value, from the lowest up; 1 for a value of its own."""
    return [int(size) for size in np.unique(values, return_counts=True)[1]]


def doubled_ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Twice the rank of every value, equal ones sharing the mean of theirs: doubled, ranks are whole numbers."""
    _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    return np.asarray((2 * ends - sizes + 1)[place], dtype=np.int64)
