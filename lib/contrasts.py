"""What sets two communities apart, from their counts in each possible labelling, with intervals.

Every statistic is computed in each labelling; its sampling variance there is that of samples drawn anew from the
community that the labelling points to, its unseen species included; both are pooled by Rubin's rules
(lib.diversity.pool). The random numbers are fixed: the same rows give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lib.day_sums import Counts
from lib.diversity import Estimate
from lib.diversity.bootstrap import community_samples
from lib.diversity.paired_rows import ORDERS, dissimilarities, gamma_and_alpha
from lib.diversity.pooling import pool
from lib.diversity.rarefaction import diversity
from lib.diversity.sample import Sample, abundance_sample
from lib.diversity.sample_coverage import covered
from lib.thinning import Thinned, as_sample, covering_size, thinned

LEVEL = 0.95
ALPHA = 0.05
# Samples drawn anew, over all labellings together. What rests on a coverage costs a millisecond for each.
RESAMPLES = 400
COVERAGE_RESAMPLES = 60
# From here on a whole size will do: what lies between two of them is computed from both, in twice the time.
WHOLE_FROM = 200
_SEED = 20_250_601
_ROUNDING = 1e-9  # logarithms of Hill numbers that differ by less are equal
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)

Direction = Literal["higher", "lower", "none"]
Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HillContrast:
    """Hill number of one order at the common coverage, on both sides, and the test of their difference.

    `ratio` is b over a, with its interval on the log scale. `p` is two-sided, of a ratio of 1: normal, scaled so
    that it lies below 0.05 just when the interval leaves 1 out. `verdict` says how b is: higher, lower or none.
    """

    order: int
    a: Estimate
    b: Estimate
    ratio: Estimate
    p: float
    verdict: Direction


@dataclass(frozen=True, slots=True)
class Standardised:
    """Diversity at equal coverage. `size_a` and `size_b` are the units that have this coverage, on average over
    the labellings; a side is extrapolated when that is more than it has."""

    coverage: float
    size_a: float
    size_b: float
    extrapolated_a: bool
    extrapolated_b: bool
    hill: list[HillContrast]


@dataclass(frozen=True, slots=True)
class GammaAlphaBeta:
    """Of one order: the diversity of both sides together, of one side on average, and gamma over alpha, which
    runs from 1 (alike) to 2 (nothing in common). The sides have equal weight, whatever their effort."""

    order: int
    gamma: Estimate
    alpha: Estimate
    beta: Estimate


@dataclass(frozen=True, slots=True)
class Dissimilarity:
    """How unlike the sides are, 0 (alike) to 1 (nothing in common), of all their units.

    `bray_curtis` compares shares, so that effort does not count; `bray_curtis_raw` compares counts. Jaccard and
    Sørensen are of presence, each the sum of its turnover (species replaced) and nestedness (species merely
    lost), after Baselga (2010, 2012). A species missed on one side makes the sides look less alike than they are:
    `at_equal_coverage` gives both sides the same chance to have missed it.
    """

    bray_curtis: Estimate
    bray_curtis_raw: Estimate
    jaccard: Estimate
    jaccard_turnover: Estimate
    jaccard_nestedness: Estimate
    sorensen: Estimate
    sorensen_turnover: Estimate
    sorensen_nestedness: Estimate
    at_equal_coverage: Thinned


def samples_of(labellings: Counts) -> list[Sample]:
    """Each labelling (D, S) as a sample; none may be empty."""
    found = [abundance_sample(counts) for counts in labellings]
    return [sample for sample in found if sample is not None]


def redrawn(a: Counts, b: Counts) -> tuple[list[Counts], list[Counts]]:
    """For every labelling of both sides, samples drawn anew, as (R, S) on the same species for both.

    Unseen species are each side's own. The sides have random numbers of their own, given out by their counts
    and not by their names, so that b against a is a against b.
    """
    each = max(3, math.ceil(RESAMPLES / len(a)))
    generators = [np.random.default_rng([_SEED, number]) for number in (0, 1)]
    if (b.sum(), b.tobytes()) < (a.sum(), a.tobytes()):
        generators.reverse()
    rows_a, rows_b = [], []
    for counts_a, counts_b in zip(a, b, strict=True):
        seen_a, new_a = _drawn(counts_a, each, generators[0])
        seen_b, new_b = _drawn(counts_b, each, generators[1])
        none_a, none_b = np.zeros_like(new_a), np.zeros_like(new_b)
        rows_a.append(np.hstack([seen_a, new_a, none_b]))
        rows_b.append(np.hstack([seen_b, none_a, new_b]))
    return rows_a, rows_b


def _drawn(counts: NDArray[np.int64], number: int, generator: np.random.Generator) -> tuple[Counts, Counts]:
    """Samples of the size of `counts` from its community: the species of `counts`, and the unseen ones."""
    seen = counts > 0
    drawn = community_samples(counts, number, generator)
    species = np.zeros((number, counts.size), dtype=np.int64)
    species[:, seen] = drawn[:, : int(seen.sum())]
    return species, drawn[:, int(seen.sum()) :]


def common_coverage(a: Sequence[Sample], b: Sequence[Sample]) -> float:
    """The coverage at which the sides are compared: the lower of what each would have at twice its size.

    The rule of iNEXT's estimateD: up to twice the sample extrapolation can be trusted, richness included
    (Chao et al. 2014). Of each side it is the mean over its labellings.
    """
    return min(float(np.mean([covered(each, 2 * each.units) for each in side])) for side in (a, b))


def standardise(
    a: Sequence[Sample], b: Sequence[Sample], rows_a: Sequence[Counts], rows_b: Sequence[Counts]
) -> Standardised:
    """Hill numbers of order 0, 1 and 2 of both sides at their common coverage, their ratios and tests."""
    coverage = common_coverage(a, b)
    sizes = [np.array([covering_size(sample, coverage) for sample in side]) for side in (a, b)]
    each = max(3, math.ceil(COVERAGE_RESAMPLES / len(a)))
    logs = [np.array([_log_hills(sample, coverage) for sample in side]) for side in (a, b)]
    again = [
        np.array([[_log_hills(as_sample(row), coverage) for row in rows[:each]] for rows in side])
        for side in (rows_a, rows_b)
    ]
    contrasts = []
    for place, order in enumerate(ORDERS):
        side_a, side_b = (_pooled(logs[i][:, place], again[i][:, :, place]) for i in (0, 1))
        ratio = _pooled(logs[1][:, place] - logs[0][:, place], again[1][:, :, place] - again[0][:, :, place])
        p = _p_value(ratio)
        contrasts.append(
            HillContrast(
                order=order,
                a=_of_logs(side_a, 1.0),
                b=_of_logs(side_b, 1.0),
                ratio=_of_logs(ratio, 0.0),
                p=p,
                verdict="none" if p >= ALPHA else "higher" if ratio.value > 0 else "lower",
            )
        )
    size_a, size_b = (float(each.mean()) for each in sizes)
    return Standardised(
        coverage=coverage,
        size_a=size_a,
        size_b=size_b,
        extrapolated_a=size_a > _mean_units(a),
        extrapolated_b=size_b > _mean_units(b),
        hill=contrasts,
    )


def _mean_units(samples: Sequence[Sample]) -> float:
    return float(np.mean([sample.units for sample in samples]))


def _log_hills(sample: Sample, coverage: float) -> list[float]:
    size = covering_size(sample, coverage)
    if WHOLE_FROM <= size < sample.units:
        size = float(round(size))
    return [math.log(diversity(sample, size, order)) for order in ORDERS]


def gamma_alpha_beta(
    a: Counts, b: Counts, rows_a: Sequence[Counts], rows_b: Sequence[Counts]
) -> list[GammaAlphaBeta]:
    """Gamma, alpha and beta diversity of order 0, 1 and 2 of the units of both sides."""
    gamma, alpha = gamma_and_alpha(a, b)
    again = [gamma_and_alpha(one, other) for one, other in zip(rows_a, rows_b, strict=True)]
    gammas, alphas = np.array([g for g, _ in again]), np.array([h for _, h in again])
    found = []
    for place, order in enumerate(ORDERS):
        g, h, many_g, many_h = (each[..., place] for each in (gamma, alpha, gammas, alphas))
        found.append(
            GammaAlphaBeta(
                order=order,
                gamma=_within(_pooled(g, many_g), 1.0, math.inf),
                alpha=_within(_pooled(h, many_h), 0.0, math.inf),
                beta=_within(_pooled(g / h, many_g / many_h), 1.0, 2.0),
            )
        )
    return found


def dissimilarity(a: Counts, b: Counts, rows_a: Sequence[Counts], rows_b: Sequence[Counts]) -> Dissimilarity:
    """The dissimilarities of all units, and of the sides thinned to equal coverage."""
    found = dissimilarities(a, b)
    again = [dissimilarities(one, other) for one, other in zip(rows_a, rows_b, strict=True)]
    estimates = {
        name: _within(_pooled(values, np.array([each[name] for each in again])), 0.0, 1.0)
        for name, values in found.items()
    }
    return Dissimilarity(**estimates, at_equal_coverage=thinned(a, b))


def _pooled(values: Column, again: Column) -> Estimate:
    """Values (D,) of the labellings, with the variance of each from its samples drawn anew (D, R)."""
    estimate = pool(list(values), list(again.var(axis=1, ddof=1)), LEVEL)
    assert estimate is not None
    return estimate


def _within(estimate: Estimate, lowest: float, highest: float) -> Estimate:
    """The estimate with an interval that does not leave what is possible."""
    value = min(max(estimate.value, lowest), highest)
    return Estimate(
        value, estimate.se, min(max(estimate.low, lowest), value), max(min(estimate.high, highest), value)
    )


def _of_logs(estimate: Estimate, lowest: float) -> Estimate:
    """An estimate on the log scale as one of the thing itself; its standard error to first order."""
    if estimate.se < _ROUNDING:
        estimate = Estimate(estimate.value, 0.0, estimate.value, estimate.value)
    value = math.exp(estimate.value)
    return _within(
        Estimate(value, value * estimate.se, math.exp(estimate.low), math.exp(estimate.high)),
        lowest,
        math.inf,
    )


def _p_value(log_ratio: Estimate) -> float:
    """Two-sided p of a log ratio of 0, in units of its interval's half width."""
    half = (log_ratio.high - log_ratio.low) / 2
    if half < _ROUNDING:
        return 1.0 if abs(log_ratio.value) < _ROUNDING else 0.0
    return math.erfc(_Z * abs(log_ratio.value) / half / math.sqrt(2))
