"""Two samples made comparable by thinning: the better covered one cut down to the coverage of the other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.day_sums import Counts
from lib.diversity.paired_rows import dissimilarities
from lib.diversity.sample import Sample, abundance_sample
from lib.diversity.sample_coverage import covered, size_covering

# Smaller samples of the side with the higher coverage, over all labellings together.
THINNINGS = 200
# NumPy draws without replacement from fewer than this; no field has as many plants, but a file may say so.
_EXACT_BELOW = 10**9
_SEED = 20_250_602


@dataclass(frozen=True, slots=True)
class Thinned:
    """The dissimilarities after the better-covered side was thinned to the coverage of the other: the mean over
    random thinnings. Nothing is extrapolated. Without an interval: that of the whole samples stands beside it."""

    coverage: float
    size_a: float
    size_b: float
    bray_curtis: float
    jaccard: float
    jaccard_turnover: float
    jaccard_nestedness: float
    sorensen: float
    sorensen_turnover: float
    sorensen_nestedness: float


def thinned(a: Counts, b: Counts) -> Thinned:
    """Both sides (D, S) at equal coverage, labelling by labelling; the random numbers are fixed.

    Only the side with the higher coverage is thinned, by drawing units without replacement, so that nothing is
    estimated of species that nobody saw.
    """
    generator = np.random.default_rng(_SEED)
    each = max(3, math.ceil(THINNINGS / len(a)))
    lower: list[float] = []
    sizes: list[tuple[int, int]] = []
    found: list[dict[str, NDArray[np.float64]]] = []
    for counts_a, counts_b in zip(a, b, strict=True):
        of_a, of_b = as_sample(counts_a), as_sample(counts_b)
        coverages = covered(of_a, of_a.units), covered(of_b, of_b.units)
        rows_a, rows_b = counts_a[np.newaxis], counts_b[np.newaxis]
        if coverages[0] > coverages[1]:
            rows_a = _thin(counts_a, covering_size(of_a, coverages[1]), each, generator)
            rows_b = np.repeat(rows_b, each, axis=0)
        elif coverages[1] > coverages[0]:
            rows_b = _thin(counts_b, covering_size(of_b, coverages[0]), each, generator)
            rows_a = np.repeat(rows_a, each, axis=0)
        lower.append(min(coverages))
        sizes.append((int(rows_a[0].sum()), int(rows_b[0].sum())))
        found.append(dissimilarities(rows_a, rows_b))
    means = {
        name: float(np.mean([np.mean(each[name]) for each in found]))
        for name in found[0]
        if name != "bray_curtis_raw"
    }
    size_a, size_b = np.mean(sizes, axis=0)
    return Thinned(coverage=float(np.mean(lower)), size_a=float(size_a), size_b=float(size_b), **means)


def _thin(counts: NDArray[np.int64], size: float, number: int, generator: np.random.Generator) -> Counts:
    """`number` samples of about `size` of the units of `counts`, drawn without replacement."""
    whole = max(1, round(size))
    if counts.sum() >= _EXACT_BELOW:
        return generator.multinomial(whole, counts / counts.sum(), size=number)
    return generator.multivariate_hypergeometric(counts, whole, size=number, method="marginals")


def as_sample(counts: NDArray[np.int64]) -> Sample:
    """One labelling, which is not empty, as a sample."""
    sample = abundance_sample(counts)
    assert sample is not None
    return sample


def covering_size(sample: Sample, coverage: float) -> float:
    """The size that has the coverage; the sample's own where only an endless one would."""
    size = size_covering(sample, coverage)
    return sample.units if size is None else size
