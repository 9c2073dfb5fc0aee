"""Bootstrap samples of a day's labellings: drawn anew from the community that each labelling points to."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.diversity.bootstrap import CommunityShares, community_samples, community_shares
from lib.diversity.resamples import Resamples

RESAMPLES = 50  # bootstrap samples for each labelling: a thousand in all
STANDARD_COVERAGE = 0.8  # days of different effort are compared at this coverage


def of_one_size(counts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each total: a labelling has fewer plants where some are drawn as unknown."""
    totals = counts.sum(axis=1)
    return [np.flatnonzero(totals == total) for total in np.unique(totals)]


class _Group(NamedTuple):
    """Labellings of one size: which ones, their communities, and RESAMPLES samples of each, one after the other."""

    rows: NDArray[np.int64]
    communities: list[CommunityShares]
    samples: Resamples

    def table(self, column: NDArray[Any]) -> NDArray[Any]:
        """A column over the samples as (labellings, RESAMPLES, …)."""
        return column.reshape(len(self.rows), RESAMPLES, *column.shape[1:])

    def species(self) -> NDArray[np.float64]:
        """How many species each community has."""
        return np.array([len(each.seen) + each.unseen for each in self.communities], dtype=np.float64)

    def entropy(self) -> NDArray[np.float64]:
        """Shannon entropy of each community."""
        return np.array([each.entropy() for each in self.communities])


class LabellingSamples:
    """Samples of D labellings, and what they say when asked; variances are of one labelling's sampling."""

    def __init__(self, counts: NDArray[np.int64], generator: np.random.Generator) -> None:
        self.counts = counts
        self._groups = [_drawn(rows, counts, generator) for rows in of_one_size(counts)]

    def missed(self) -> NDArray[np.float64]:
        """Species of the community that a sample has not, (D, RESAMPLES)."""
        return self._gathered(lambda group: group.species()[:, None] - group.table(group.samples.observed))

    def pivots(self) -> NDArray[np.float64]:
        """Error of the logarithms of Hill numbers 1 and 2 over the standard error that the sample itself shows,
        (D, RESAMPLES, 2)."""

        def of(group: _Group) -> NDArray[np.float64]:
            # A sample of one species alone shows no error; half an individual is then the least there can be.
            errors = np.maximum(group.samples.log_errors(), 0.5 / group.samples.n)
            pairs = np.array([each.concentration() for each in group.communities])
            truth = np.stack([group.entropy(), -np.log(pairs)], axis=1)
            return np.asarray(
                (group.table(group.samples.log_community()) - truth[:, None]) / group.table(errors)
            )

        return self._gathered(of)

    def evenness_errors(self) -> NDArray[np.float64]:
        """Pielou's evenness of a sample less that of its community, (D, RESAMPLES)."""

        def of(group: _Group) -> NDArray[np.float64]:
            found = group.table(evenness(group.samples.entropy(), group.samples.observed))
            return np.asarray(found - evenness(group.entropy(), group.species())[:, None])

        return self._gathered(of)

    def coverage_variance(self) -> NDArray[np.float64]:
        """Mean squared error of the estimated coverage, (D,): of a sample's it is known what it covers."""

        def of(group: _Group) -> NDArray[np.float64]:
            counts = group.table(group.samples.counts)
            covered = [each.covered(rows) for each, rows in zip(group.communities, counts, strict=True)]
            return np.asarray(((group.table(group.samples.coverage()) - np.stack(covered)) ** 2).mean(axis=1))

        return self._gathered(of)

    def standardised_variance(self) -> NDArray[np.float64]:
        """Of the logarithms of the standardised Hill numbers, (D, 3); NaN where too few samples have them."""

        def of(group: _Group) -> NDArray[np.float64]:
            logs = np.log(group.table(group.samples.at_coverage(STANDARD_COVERAGE)))
            enough = np.isfinite(logs).sum(axis=1) >= RESAMPLES / 2
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # columns without a finite entry
                return np.where(enough, np.nanvar(logs, axis=1, ddof=1), np.nan)

        return self._gathered(of)

    def _gathered(self, of: Callable[[_Group], NDArray[np.float64]]) -> NDArray[np.float64]:
        """What `of` says of every group, in the order of the labellings."""
        parts = [of(group) for group in self._groups]
        found = np.empty((len(self.counts), *parts[0].shape[1:]))
        for group, part in zip(self._groups, parts, strict=True):
            found[group.rows] = part
        return found


def _drawn(rows: NDArray[np.int64], counts: NDArray[np.int64], generator: np.random.Generator) -> _Group:
    samples = [community_samples(counts[row], RESAMPLES, generator) for row in rows]
    width = max(each.shape[1] for each in samples)
    padded = np.zeros((len(rows), RESAMPLES, width), dtype=np.int64)
    for place, each in enumerate(samples):
        padded[place, :, : each.shape[1]] = each
    communities = [community_shares(counts[row]) for row in rows]
    return _Group(rows, communities, Resamples(padded.reshape(-1, width)))


def evenness(entropy: NDArray[np.float64], species: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pielou's evenness; 1 for a single species."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(species > 1, np.minimum(entropy / np.log(species), 1.0), 1.0)
