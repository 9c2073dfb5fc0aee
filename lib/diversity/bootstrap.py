"""Intervals by resampling: from the community that a sample suggests, the species it missed included."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.abundance import Abundances, whole_abundances
from lib.diversity.asymptotic_diversity import asymptotic as asymptotic_value
from lib.diversity.asymptotic_diversity import check_order
from lib.diversity.indices import hill
from lib.diversity.many_samples import asymptotes, hills, hills_at_size
from lib.diversity.rarefaction import diversity_at_coverage, diversity_at_size
from lib.diversity.richness_estimators import Estimate
from lib.diversity.sample import sample_of
from lib.diversity.sample_coverage import covered


def bootstrap(
    counts: ArrayLike,
    q: float,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    *,
    asymptotic: bool = False,
) -> Estimate | None:
    """Hill number of order `q` with its bootstrap standard error and interval, in effective species.

    The value is that of the sample, `hill`, or of the whole community, `asymptotic`, if asked for. The standard
    error is that of `draws` samples of the same size from the bootstrap community (`community`: lowered shares
    of the seen species, and the unseen ones; Chao et al. 2014, appendix G; iNEXT), never of the sample itself,
    whose resamples can only lose species. The interval is normal at `level`, and no lower than 1, for an
    asymptotic q = 0 no lower than the species seen. None for an empty sample and where the value is None;
    for an asymptotic order of 2 and more, samples that hold no species twice are left out. The same seed gives
    the same result. ValueError for whole counts that are none, an order that is none, fewer than 2 draws.

    >>> estimate = bootstrap([7, 3, 1, 1], 1)
    >>> round(estimate.value, 4), estimate.low < estimate.value < estimate.high
    (2.9304, True)
    """
    check_order(q)
    value = asymptotic_value(counts, q) if asymptotic else hill(counts, q)
    if asymptotic:
        return _estimate(counts, value, lambda rows: asymptotes(rows, q), draws, level, seed, least=q == 0)
    return _estimate(counts, value, lambda rows: hills(rows, q), draws, level, seed)


def bootstrap_at_size(
    counts: ArrayLike, size: float, q: float, draws: int = 200, level: float = 0.95, seed: int = 0
) -> Estimate | None:
    """`diversity_at_size` with its bootstrap standard error and interval; see `bootstrap`."""
    value = diversity_at_size(counts, size, q)
    return _estimate(counts, value, lambda rows: hills_at_size(rows, size, q), draws, level, seed)


def bootstrap_at_coverage(
    counts: ArrayLike, coverage: float, q: float, draws: int = 200, level: float = 0.95, seed: int = 0
) -> Estimate | None:
    """`diversity_at_coverage` with its bootstrap standard error and interval; see `bootstrap`.

    Every sample is brought to the coverage by a size of its own. Takes a third of a millisecond a draw.
    """
    value = diversity_at_coverage(counts, coverage, q)

    def at_coverage(rows: NDArray[np.int64]) -> Abundances:
        found = (diversity_at_coverage(row, coverage, q) for row in rows)
        return np.array([math.inf if each is None else each for each in found])

    return _estimate(counts, value, at_coverage, draws, level, seed)


class CommunityShares(NamedTuple):
    """Shares of the species that were seen, what they leave, and the number of unseen species that share it."""

    seen: Abundances
    deficit: float
    unseen: int

    def entropy(self) -> float:
        """Shannon entropy of the community, in nats."""
        known = float(-np.sum(self.seen * np.log(self.seen)))
        return known - (self.deficit * math.log(self.deficit / self.unseen) if self.unseen else 0.0)

    def concentration(self) -> float:
        """Sum of the squared shares."""
        return float(np.sum(self.seen**2)) + (self.deficit**2 / self.unseen if self.unseen else 0.0)

    def covered(self, samples: NDArray[np.int64]) -> Abundances:
        """Share of the community that each row of `community_samples` has found."""
        known = self.seen.size
        found = (samples[:, :known] > 0) @ self.seen
        rare = np.count_nonzero(samples[:, known:], axis=1)
        return np.asarray(found + rare * (self.deficit / max(self.unseen, 1)))


def community_shares(counts: ArrayLike) -> CommunityShares:
    """The bootstrap community of a sample without a vector of its unseen species, which may be a great many.

    ValueError for an empty sample.
    """
    values = _positive(counts)
    sample = sample_of(values, float(values.sum()))
    shares = values / sample.units
    unseen = math.ceil(sample.unseen)
    if unseen == 0:
        return CommunityShares(shares, 0.0, 0)
    deficit = 1 - covered(sample, sample.units)
    with np.errstate(divide="ignore"):
        missed = np.exp(sample.units * np.log1p(-shares))
    lowered = shares * (1 - deficit / np.sum(shares * missed) * missed)
    return CommunityShares(np.asarray(lowered), deficit, unseen)


def community(counts: ArrayLike) -> Abundances:
    """Estimated shares of the species in the community: those seen, in their order, then the unseen ones.

    The f0 species that Chao1 adds, rounded up, share the coverage deficit equally; the share x/n of a seen
    species is lowered by w (1 - x/n)**n of itself, so that all sum to 1 (Chao et al. 2014, appendix G; iNEXT).
    Zeros of `counts` are left out. ValueError when nothing is left.
    """
    seen, deficit, unseen = community_shares(counts)
    return np.concatenate([seen, np.full(unseen, deficit / max(unseen, 1))])


def community_samples(counts: ArrayLike, draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """`draws` samples of the size of `counts`, drawn from its bootstrap community: one sample a row.

    The first columns are the species of `counts` in their order, zeros left out; further columns hold unseen
    species, in each row others, as many columns as the richest row needs. ValueError for an empty sample.
    """
    values = _positive(counts)
    size = int(values.sum())
    seen, deficit, unseen = community_shares(values)
    if unseen == 0:
        return generator.multinomial(size, seen, size=draws)
    # As many classes as there are, or individual by individual: whatever is less work. A sample of
    # singletons alone suggests so many unseen species that a matrix of them all would fill the memory.
    if unseen <= size * deficit:
        shares = np.concatenate([seen, np.full(unseen, deficit / unseen)])
        return generator.multinomial(size, shares, size=draws)
    pooled = generator.multinomial(size, np.append(seen, deficit), size=draws)
    rare = _scattered(pooled[:, -1], unseen, generator)
    return np.concatenate([pooled[:, :-1], rare], axis=1)


def normal_estimate(value: float, values: Abundances, level: float, least: float) -> Estimate | None:
    """The estimate with the standard deviation of `values` as error; None if under half of them are finite."""
    finite = values[np.isfinite(values)]
    if finite.size < max(2, values.size / 2):
        return None
    se = float(np.std(finite, ddof=1))
    reach = NormalDist().inv_cdf(0.5 + level / 2) * se
    return Estimate(value=value, se=se, low=max(min(least, value), value - reach), high=value + reach)


def check_draws(draws: int, level: float) -> None:
    """ValueError for a number of draws or a level that gives no interval."""
    if draws < 2:
        raise ValueError("draws must be 2 or more")
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")


def _estimate(
    counts: ArrayLike,
    value: float | None,
    statistic: Callable[[NDArray[np.int64]], Abundances],
    draws: int,
    level: float,
    seed: int,
    least: bool = False,
) -> Estimate | None:
    """`value` with the error that `statistic` shows over bootstrap samples; `least`: no fewer than were seen."""
    check_draws(draws, level)
    values = whole_abundances(counts)
    if value is None or not values.size:
        return None
    rows = community_samples(values, draws, np.random.default_rng(seed))
    return normal_estimate(value, statistic(rows), level, float(values.size) if least else 1.0)


def _positive(counts: ArrayLike) -> Abundances:
    values = whole_abundances(counts)
    if not values.size:
        raise ValueError("counts must hold at least one individual to draw from")
    return values


def _scattered(
    individuals: NDArray[np.int64], species: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Spreads each row's individuals over equally frequent species: the positive counts, zeros behind."""
    rows = np.repeat(np.arange(individuals.size), individuals)
    keys, counts = np.unique(rows * species + generator.integers(species, size=rows.size), return_counts=True)
    rows = keys // species
    found = np.bincount(rows, minlength=individuals.size)
    matrix = np.zeros((individuals.size, int(found.max(initial=0))), dtype=np.int64)
    matrix[rows, np.arange(rows.size) - np.repeat(np.cumsum(found) - found, found)] = counts
    return matrix
