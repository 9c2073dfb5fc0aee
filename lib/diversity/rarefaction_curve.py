"""The curve of diversity over sample size, with coverage and interval: rarefied, observed, extrapolated to 2 n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import whole_abundances
from lib.diversity.asymptotic_diversity import check_order
from lib.diversity.bootstrap import check_draws, community_samples, normal_estimate
from lib.diversity.many_samples import hills_at_sizes
from lib.diversity.rarefaction import diversity
from lib.diversity.richness_estimators import Estimate
from lib.diversity.sample import abundance_sample
from lib.diversity.sample_coverage import covered

Part = Literal["interpolated", "observed", "extrapolated"]


@dataclass(frozen=True, slots=True)
class RarefactionCurve:
    """Knots of a curve of order `q`, by rising size: the same place in every tuple is the same knot.

    `sizes` are whole, from 1 over the sample's n to 2 n; `coverages` what samples of these sizes are expected to
    cover; `estimates` the expected Hill numbers with their intervals at `level`; `parts` on which side of n.
    """

    q: float
    level: float
    sizes: tuple[int, ...]
    coverages: tuple[float, ...]
    estimates: tuple[Estimate, ...]
    parts: tuple[Part, ...]


def rarefaction_curve(
    counts: ArrayLike,
    q: float,
    knots: int = 40,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> RarefactionCurve | None:
    """Rarefaction and extrapolation curve of the Hill number of order `q`; None for an empty sample.

    Up to `knots` whole sizes, half of them up to the sample's n and half from there to 2 n, beyond which an
    extrapolation is little worth (Chao et al. 2014). Values as `diversity_at_size`, coverage as `coverage_at`,
    intervals from `draws` bootstrap samples as `bootstrap_at_size`, each followed along the whole curve.
    ValueError for fewer than 2 knots or draws.

    >>> curve = rarefaction_curve([7, 3, 1, 1], 0, knots=6)
    >>> curve.sizes
    (1, 6, 12, 16, 20, 24)
    >>> [round(estimate.value, 2) for estimate in curve.estimates]
    [1.0, 2.91, 4.0, 4.45, 4.68, 4.79]
    """
    check_order(q)
    check_draws(draws, level)
    if knots < 2:
        raise ValueError("knots must be 2 or more")
    values = whole_abundances(counts)
    sample = abundance_sample(values)
    if sample is None:
        return None
    n = int(sample.units)
    rising = np.linspace(1, n, knots // 2)
    going_on = np.linspace(n, 2 * n, knots - knots // 2 + 1)
    sizes = sorted({n, *(int(size) for size in np.concatenate([rising, going_on]))})
    rows = community_samples(values, draws, np.random.default_rng(seed))
    estimates = []
    for size, resampled in zip(sizes, hills_at_sizes(rows, sizes, q), strict=True):
        estimate = normal_estimate(diversity(sample, size, q), resampled, level, 1.0)
        assert estimate is not None  # at a finite size every Hill number is finite
        estimates.append(estimate)
    return RarefactionCurve(
        q=q,
        level=level,
        sizes=tuple(sizes),
        coverages=tuple(covered(sample, size) for size in sizes),
        estimates=tuple(estimates),
        parts=tuple(_part(size, n) for size in sizes),
    )


def _part(size: int, n: int) -> Part:
    if size == n:
        return "observed"
    return "interpolated" if size < n else "extrapolated"
