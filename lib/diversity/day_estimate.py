"""The diversity of a day labelled by a classifier: values, and intervals for its doubt and the sampling both.

For each of several labellings (lib.diversity.label_draws) the indices are computed, and samples are drawn anew
from the community that the labelling points to, its unseen species included (Chao et al. 2014, appendix G). What
the labellings say is pooled by Rubin's rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.label_draws import Candidates, draw_labels, keep_likeliest
from lib.diversity.labelling_samples import STANDARD_COVERAGE, LabellingSamples, evenness, of_one_size
from lib.diversity.pooling import pool, total_variance
from lib.diversity.resamples import Resamples
from lib.diversity.richness_estimators import Estimate, chao1

LEAST_UNITS = 0.5  # expected plants of known class: with fewer there is none, and nothing has a value
FEWEST_UNITS = 5  # below, no interval means anything: see `too_few`
LEAST_COVERAGE = 0.5
DRAWS = 20
_TAILS = (0.025, 0.975)
_Z = NormalDist().inv_cdf(_TAILS[1])
_ROUNDING = 1e-3  # probabilities come as float32, or with four digits
METRICS = ("richness", "hill_q1", "hill_q2", "shannon", "simpson", "pielou", "chao1", "coverage")


@dataclass(frozen=True, slots=True)
class DayEstimate:
    """What a day's probabilities come to.

    `units`: plants looked at; `unknown`: how many of them are expected to be of none of the classes;
    `expected_counts` (K + further confirmed classes,): how many of each class. `values`: the mean over the
    labellings of each index in `METRICS`, with no regard to effort; empty when no plant has a known class. The
    Estimates have these values; their 95 % intervals are for the community that was photographed, and None with
    too few plants. `standardised`: Hill numbers of order 0, 1, 2 at coverage 0.8, None where more than twice the
    plants would be needed. `too_few`: None, or `no_plants`, `few_plants` (under `FEWEST_UNITS` of known class) or
    `low_coverage` (more than half of the community unseen). `classes` (C,) and `draws` (D, C): the labellings as
    whole counts.
    """

    units: int
    unknown: float
    expected_counts: NDArray[np.float64]
    values: Mapping[str, float]
    too_few: str | None
    classes: NDArray[np.int64]
    draws: NDArray[np.int64]
    richness: Estimate | None = None
    hill_q1: Estimate | None = None
    hill_q2: Estimate | None = None
    shannon: Estimate | None = None
    simpson: Estimate | None = None
    pielou: Estimate | None = None
    chao1: Estimate | None = None
    coverage: Estimate | None = None
    standardised: tuple[Estimate | None, Estimate | None, Estimate | None] = (None, None, None)


def day_estimate(
    probabilities: ArrayLike,
    prior: ArrayLike | None = None,
    confirmed: Sequence[int | None] | None = None,
    units: Sequence[int] | None = None,
    concentration: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
    *,
    unknown: ArrayLike | None = None,
) -> DayEstimate:
    """Diversity of N photos from calibrated class probabilities (N, K), rows summing to at most 1.

    Of each row the five largest are kept and what is missing from 1 is spread evenly over the other classes;
    `prior` (K,) is the share of each class in training, divided out. `confirmed` (N) holds the class a person
    named, None where nobody did; a number from K on stands for a species that the model does not know. Photos
    with the same entry in `units` (N) show one plant: their probabilities are averaged, the confirmed class
    counts. `unknown` (N,) is the part of what is missing that belongs to none of the classes: such plants are left
    out of a labelling with this probability. `concentration` is that of the Dirichlet prior, for each class.
    The same arguments give the same result. ValueError for arguments that do not fit each other.

    >>> sure = np.eye(4)[[0, 0, 0, 1, 1, 2]]
    >>> estimate = day_estimate(sure)
    >>> estimate.richness.value, round(estimate.hill_q1.value, 4)
    (3.0, 2.7495)
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError("probabilities must have two dimensions, photos and classes")
    count = len(rows)
    missing = np.zeros(count) if unknown is None else np.asarray(unknown, dtype=np.float64)
    named = _named([None] * count if confirmed is None else confirmed)
    if missing.shape != (count,) or named.shape != (count,):
        raise ValueError("confirmed and unknown must have one entry a photo")
    _check(rows, missing)
    if units is not None:
        rows, missing, named = _one_row_a_plant(rows, missing, named, units)
    return estimate_day(
        keep_likeliest(rows, missing), named, prior, concentration=concentration, draws=draws, seed=seed
    )


def estimate_day(
    candidates: Candidates,
    confirmed: NDArray[np.int64],
    prior: ArrayLike | None = None,
    *,
    concentration: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> DayEstimate:
    """As `day_estimate`, for plants of which only the likeliest classes are known: one row a plant."""
    if not (math.isfinite(concentration) and concentration > 0):
        raise ValueError("concentration must be positive")
    if draws < 2:
        raise ValueError("there must be two draws at least")
    generator = np.random.default_rng(seed)
    classes, counts = draw_labels(candidates, confirmed, prior, concentration, draws, generator)
    length = max(candidates.size, int(confirmed.max(initial=-1)) + 1)
    expected = np.zeros(length)
    expected[classes] = counts.mean(axis=0)
    made = DayEstimate(
        units=len(confirmed),
        unknown=float(candidates.unknown[confirmed < 0].sum()),
        expected_counts=expected,
        values={},
        too_few="no_plants",
        classes=classes,
        draws=counts,
    )
    return _estimated(made, generator, _all_intervals)


def estimate_counts(draws: NDArray[np.int64], seed: int = 0) -> DayEstimate:
    """As `day_estimate`, from labellings that are known already: whole counts (D, C), one column a class.

    With the intervals of richness and Hill numbers 1 and 2 only.
    """
    size = draws.shape[1]
    totals = draws.sum(axis=1)
    units = int(totals.max(initial=0))
    made = DayEstimate(
        units=units,
        unknown=float(units - totals.mean()) if len(draws) else 0.0,
        expected_counts=draws.mean(axis=0) if len(draws) else np.zeros(size),
        values={},
        too_few="no_plants",
        classes=np.arange(size),
        draws=draws,
    )
    return _estimated(made, np.random.default_rng(seed), _hill_intervals)


def _estimated(
    made: DayEstimate,
    generator: np.random.Generator,
    intervals: Callable[[DayEstimate, _Points, LabellingSamples], DayEstimate],
) -> DayEstimate:
    """The estimate with what its labellings come to; those without a plant of known class say nothing."""
    counts = made.draws[made.draws.any(axis=1)]
    if not len(counts) or made.units - made.unknown < LEAST_UNITS:
        return made
    points = _points(counts)
    made = replace(made, values=points.means(), too_few=_too_few(made.units - made.unknown, points))
    return made if made.too_few else intervals(made, points, LabellingSamples(counts, generator))


@dataclass(frozen=True, slots=True)
class _Points:
    """The indices of every labelling: columns (D,) by name; of the community's Hill numbers 1 and 2 the logarithms
    and their standard errors, (D, 2)."""

    columns: dict[str, NDArray[np.float64]]
    log_community: NDArray[np.float64]
    log_errors: NDArray[np.float64]

    def means(self) -> dict[str, float]:
        return {name: float(column.mean()) for name, column in self.columns.items()}


def _points(counts: NDArray[np.int64]) -> _Points:
    """The statistics of the labellings themselves."""
    size = len(counts)
    columns = {name: np.empty(size) for name in METRICS}
    logs, errors = np.empty((size, 2)), np.empty((size, 2))
    for rows in of_one_size(counts):
        part = Resamples(counts[rows])
        entropy, concentration = part.entropy(), part.concentration()
        columns["richness"][rows] = part.observed
        columns["shannon"][rows] = entropy
        columns["hill_q1"][rows] = np.exp(entropy)
        columns["hill_q2"][rows] = 1 / concentration
        columns["simpson"][rows] = 1 - concentration
        columns["pielou"][rows] = evenness(entropy, part.observed)
        columns["chao1"][rows] = part.observed + part.unseen()
        columns["coverage"][rows] = part.coverage()
        logs[rows], errors[rows] = part.log_community(), part.log_errors()
    return _Points(columns, logs, errors)


def _hill_intervals(made: DayEstimate, points: _Points, resampled: LabellingSamples) -> DayEstimate:
    richness, first, second = _richness_and_hill(made, points, resampled)
    return replace(made, richness=richness, hill_q1=first, hill_q2=second)


def _all_intervals(made: DayEstimate, points: _Points, resampled: LabellingSamples) -> DayEstimate:
    richness, first, second = _richness_and_hill(made, points, resampled)
    columns, values = points.columns, made.values
    uneven = resampled.evenness_errors()
    return replace(
        made,
        richness=richness,
        hill_q1=first,
        hill_q2=second,
        shannon=_mapped(first, values["shannon"], math.log, lambda value: 1 / value),
        simpson=_mapped(second, values["simpson"], lambda value: 1 - 1 / value, lambda value: value**-2),
        pielou=_bounded(columns["pielou"], uneven.mean(axis=1), uneven.var(axis=1, ddof=1)),
        chao1=_chao1_interval(resampled.counts, columns["chao1"]),
        coverage=_bounded(columns["coverage"], 0.0, resampled.coverage_variance()),
        standardised=_standardised(resampled.counts, resampled.standardised_variance()),
    )


def _richness_and_hill(
    made: DayEstimate, points: _Points, resampled: LabellingSamples
) -> tuple[Estimate, Estimate, Estimate]:
    pivots = resampled.pivots()
    return (
        _richness_interval(points.columns["richness"], resampled.missed()),
        _hill_interval(points, pivots, 0, made.values["hill_q1"]),
        _hill_interval(points, pivots, 1, made.values["hill_q2"]),
    )


def _hill_interval(points: _Points, pivots: NDArray[np.float64], order: int, value: float) -> Estimate:
    """Bootstrap-t on the logarithm: the error of the community's estimate in terms of its standard error.

    The spread over labellings widens the standard error by Rubin's rules and leaves the shape as it is.
    """
    logs = points.log_community[:, order]
    spread = math.sqrt(total_variance(logs, points.log_errors[:, order] ** 2))
    lower, upper = np.quantile(pivots[:, :, order], _TAILS)
    centre = float(logs.mean())
    low, high = math.exp(centre - upper * spread), math.exp(centre - lower * spread)
    return Estimate(value, value * spread, max(1.0, min(low, value)), max(high, value))


def _richness_interval(richness: NDArray[np.float64], missed: NDArray[np.float64]) -> Estimate:
    """No fewer species than the labellings have, and as many more as samples of such communities miss."""
    value = float(richness.mean())
    low = float(np.quantile(richness, _TAILS[0], method="lower"))
    high = float(np.quantile(richness[:, None] + missed, _TAILS[1], method="higher"))
    spread = math.sqrt(total_variance(richness, missed.var(axis=1, ddof=1)))
    return Estimate(value, spread, min(low, value), max(high, value))


def _chao1_interval(counts: NDArray[np.int64], values: NDArray[np.float64]) -> Estimate:
    """Log-normal as Chao's (1987), above the fewest species that the labellings allow."""
    estimates = [estimate for row in counts if (estimate := chao1(row)) is not None]
    value = float(values.mean())
    variance = total_variance(values, np.array([each.se**2 for each in estimates]))
    richness = np.count_nonzero(counts, axis=1)
    least = float(np.quantile(richness, _TAILS[0], method="lower"))
    if value <= least:
        ends = [float(np.mean([getattr(each, end) for each in estimates])) for end in ("low", "high")]
        return Estimate(value, math.sqrt(variance), min(ends[0], value), max(ends[1], value))
    spread = math.exp(_Z * math.sqrt(math.log1p(variance / (value - least) ** 2)))
    return Estimate(
        value, math.sqrt(variance), least + (value - least) / spread, least + (value - least) * spread
    )


def _bounded(
    values: NDArray[np.float64], bias: NDArray[np.float64] | float, variances: NDArray[np.float64]
) -> Estimate:
    """Rubin's interval for a share, its bias taken out, within 0 and 1."""
    pooled = pool((values - bias).tolist(), variances.tolist())
    value = float(values.mean())
    if pooled is None:
        raise ValueError("there is no labelling to pool")
    low, high = (min(1.0, max(0.0, end)) for end in (pooled.low, pooled.high))
    return Estimate(value, pooled.se, min(low, value), max(high, value))


def _standardised(
    counts: NDArray[np.int64], variances: NDArray[np.float64]
) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    """Hill numbers at the standard coverage, pooled on the logarithm; None when most labellings cannot reach it."""
    values = np.empty((len(counts), 3))
    for rows in of_one_size(counts):
        values[rows] = Resamples(counts[rows]).at_coverage(STANDARD_COVERAGE)
    made: list[Estimate | None] = []
    for order in range(3):
        usable = np.isfinite(values[:, order]) & np.isfinite(variances[:, order])
        pooled = (
            pool(np.log(values[usable, order]).tolist(), variances[usable, order].tolist())
            if usable.sum() >= len(values) / 2
            else None
        )
        if pooled is None:
            made.append(None)
            continue
        value = float(values[usable, order].mean())
        low, high = math.exp(pooled.low), math.exp(pooled.high)
        made.append(Estimate(value, value * pooled.se, max(1.0, min(low, value)), max(high, value)))
    return made[0], made[1], made[2]


def _mapped(
    estimate: Estimate, value: float, to: Callable[[float], float], slope: Callable[[float], float]
) -> Estimate:
    """The estimate of an increasing function of an estimated number."""
    low, high = to(estimate.low), to(estimate.high)
    return Estimate(value, estimate.se * slope(estimate.value), min(low, value), max(high, value))


def _too_few(plants: float, points: _Points) -> str | None:
    if plants < FEWEST_UNITS:
        return "few_plants"
    return "low_coverage" if points.columns["coverage"].mean() < LEAST_COVERAGE else None


def _check(rows: NDArray[np.float64], unknown: NDArray[np.float64]) -> None:
    if not np.isfinite(rows).all() or (rows < 0).any():
        raise ValueError("probabilities must be finite and not negative")
    if not np.isfinite(unknown).all() or (unknown < 0).any():
        raise ValueError("unknown must hold probabilities")
    if (rows.sum(axis=1) + unknown > 1 + _ROUNDING).any():
        raise ValueError("the probabilities of a photo must not sum to more than 1")


def _named(confirmed: Sequence[int | None]) -> NDArray[np.int64]:
    """The class that a person named, -1 where nobody did."""
    named = np.full(len(confirmed), -1, dtype=np.int64)
    for row, each in enumerate(confirmed):
        if each is not None and (int(each) != each or each < 0):
            raise ValueError("confirmed must hold the number of a class, or None")
        named[row] = -1 if each is None else int(each)
    return named


def _one_row_a_plant(
    rows: NDArray[np.float64],
    unknown: NDArray[np.float64],
    confirmed: NDArray[np.int64],
    units: Sequence[int],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Photos of one plant as one row: the mean of their probabilities, and what a person said of any of them."""
    names, place = np.unique(np.asarray(units), return_inverse=True)
    if place.shape != (len(rows),):
        raise ValueError("units must have one entry a photo")
    times = np.bincount(place, minlength=len(names))
    if len(names) == len(rows):
        order = np.argsort(place, kind="stable")
        return rows[order], unknown[order], confirmed[order]
    merged = np.zeros((len(names), rows.shape[1]))
    np.add.at(merged, place, rows)
    named = np.full(len(names), -1, dtype=np.int64)
    for plant, label in zip(place.tolist(), confirmed.tolist(), strict=True):
        if label >= 0 and named[plant] >= 0 and named[plant] != label:
            raise ValueError("photos of one unit were confirmed as different classes")
        named[plant] = max(named[plant], label)
    return merged / times[:, None], np.bincount(place, unknown, len(names)) / times, named
