"""Diversity from incidence: in how many plots (photos, days) each species was found, not how many plants of it.

Every function but `incidence_frequencies` takes `frequencies`, for each species the number of sampling units
that hold it, zeros allowed, and `units`, how many sampling units there were, empty ones too. A frequency above
`units`, or one that is not whole, is a ValueError. The formulas are those of the abundance forms with units in
place of individuals (Chao et al. 2014, the right-hand columns), followed as iNEXT has them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.abundance import whole_abundances
from lib.diversity.asymptotic_diversity import SMALLEST_SAMPLE, asymptote, check_order
from lib.diversity.rarefaction import diversity
from lib.diversity.richness_estimators import Estimate, chao_estimate
from lib.diversity.sample import Sample, sample_of
from lib.diversity.sample_coverage import check_coverage, check_size, covered, size_covering


def incidence_frequencies(matrix: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """Frequencies (species) and number of units from a matrix (units, species): anything above 0 is a find.

    ValueError unless the matrix has two dimensions and finite entries that are not negative.

    >>> frequencies, units = incidence_frequencies([[1, 0, 2], [0, 0, 1]])
    >>> frequencies.tolist(), units
    ([1, 0, 2], 2)
    """
    try:
        found = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("the matrix must be numbers in two dimensions, units and species") from None
    if found.ndim != 2:
        raise ValueError(f"the matrix must have two dimensions, units and species, not {found.ndim}")
    if not np.all(np.isfinite(found)) or np.any(found < 0):
        raise ValueError("the matrix must be finite and not negative")
    return np.count_nonzero(found, axis=0).astype(np.int64), found.shape[0]


def incidence_richness(frequencies: ArrayLike, units: int) -> int:
    """Number of species found in at least one unit; 0 when nothing was found."""
    sample = incidence_sample(frequencies, units)
    return 0 if sample is None else int(sample.observed)


def incidence_coverage(frequencies: ArrayLike, units: int) -> float | None:
    """Share of all finds in the community that are of species found, 0 to 1; None when nothing was found.

    1 - Q1/U (1 - A), where Q1 species were found once, U is the number of finds, and A = 2 Q2 / ((T-1) Q1 + 2 Q2),
    2 / ((T-1)(Q1-1) + 2) at Q2 = 0 (Chao and Jost 2012).
    """
    sample = incidence_sample(frequencies, units)
    return None if sample is None else covered(sample, sample.units)


def incidence_coverage_at(frequencies: ArrayLike, units: int, size: float) -> float | None:
    """Expected coverage of `size` units; as `coverage_at`. None when nothing was found.

    >>> round(incidence_coverage_at([7, 7, 5, 3, 2, 1, 1, 1], 7, 3), 6)
    0.82963
    """
    check_size(size)
    sample = incidence_sample(frequencies, units)
    return None if sample is None else covered(sample, size)


def incidence_size_at_coverage(frequencies: ArrayLike, units: int, coverage: float) -> float | None:
    """Number of units, 1 or more and seldom whole, whose expected coverage is `coverage`; as `size_at_coverage`."""
    check_coverage(coverage)
    sample = incidence_sample(frequencies, units)
    return None if sample is None else size_covering(sample, coverage)


def incidence_diversity_at_size(frequencies: ArrayLike, units: int, size: float, q: float) -> float | None:
    """Expected Hill number of order `q` in `size` units, rarefied or extrapolated; as `diversity_at_size`.

    None when nothing was found and for a size below 1.
    """
    check_size(size)
    check_order(q)
    sample = incidence_sample(frequencies, units)
    return None if sample is None or size < 1 else diversity(sample, size, q)


def incidence_diversity_at_coverage(
    frequencies: ArrayLike, units: int, coverage: float, q: float
) -> float | None:
    """Hill number of order `q` at equal coverage; as `diversity_at_coverage`."""
    size = incidence_size_at_coverage(frequencies, units, coverage)
    return None if size is None else incidence_diversity_at_size(frequencies, units, size, q)


def incidence_asymptotic(frequencies: ArrayLike, units: int, q: float) -> float | None:
    """Hill number of order `q` of the community, species never found included; q = 0 is Chao2.

    None when nothing was found, for fewer than 5 units, and where the estimate is infinite (q >= 2 and no species
    found in two units); as `asymptotic`.
    """
    check_order(q)
    sample = incidence_sample(frequencies, units)
    if sample is None or sample.units < SMALLEST_SAMPLE:
        return None
    value = asymptote(sample, q)
    return value if math.isfinite(value) else None


def chao2(frequencies: ArrayLike, units: int, level: float = 0.95) -> Estimate | None:
    """Chao2 lower bound of species richness with its log-normal interval; None when nothing was found.

    S + k Q1**2 / (2 Q2) with k = (T-1)/T, and S + k Q1 (Q1-1) / 2 when Q2 = 0 (Chao 1987; iNEXT). Variance and
    interval as `chao1`, also where the estimate adds no species.

    >>> estimate = chao2([7, 7, 5, 3, 2, 1, 1, 1], 7)
    >>> round(estimate.value, 3)
    11.857
    """
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    sample = incidence_sample(frequencies, units)
    return None if sample is None else chao_estimate(sample, level)


def incidence_sample(frequencies: ArrayLike, units: int) -> Sample | None:
    """The sample with these frequencies over so many units; None when nothing was found."""
    if units != int(units) or units < 0:
        raise ValueError("the number of units must be whole and not negative")
    values = whole_abundances(frequencies)
    if np.any(values > units):
        raise ValueError("counts must not exceed the number of units: a unit holds a species once")
    return sample_of(values, float(units)) if values.size else None
