"""Samples side by side: checks of abundance vectors and matrices over the same species."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances, abundances

# Samples in rows, species in columns.
SampleMatrix = Abundances


def sample_pair(a: ArrayLike, b: ArrayLike) -> tuple[Abundances, Abundances]:
    """Both vectors as float64, zeros kept: entry i of both is the same species.

    Raises ValueError for what `abundances` refuses, for unequal lengths, and when the two cannot be added up.
    """
    first, second = _vector(a), _vector(b)
    if first.size != second.size:
        raise ValueError(f"counts must be of the same species: {first.size} and {second.size} entries")
    _check_total(first, second)
    return first, second


def sample_matrix(samples: ArrayLike) -> SampleMatrix:
    """A matrix of samples (rows) by species (columns) as float64; no samples at all give 0 rows.

    Raises ValueError for what `abundances` refuses, and for rows of unequal length.
    """
    rows = [_vector(row) for row in _rows(samples)]
    if len({row.size for row in rows}) > 1:
        raise ValueError("counts must be of the same species: samples of unequal length")
    _check_total(*rows)
    return np.array(rows, dtype=np.float64).reshape(len(rows), rows[0].size if rows else 0)


def _rows(samples: ArrayLike) -> list[ArrayLike]:
    if isinstance(samples, str | bytes | dict):
        raise ValueError("counts must be numbers, a row for each sample")
    try:
        return list(samples)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("counts must be numbers, a row for each sample") from None


def _vector(counts: ArrayLike) -> Abundances:
    abundances(counts)  # refuses what is no sample
    return np.asarray(counts, dtype=np.float64)


def _check_total(*vectors: Abundances) -> None:
    with np.errstate(over="ignore"):
        total = sum(float(vector.sum()) for vector in vectors)
    if not np.isfinite(total):
        raise ValueError("counts must have a finite sum")
