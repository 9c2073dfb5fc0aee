"""Bootstrap samples of labellings: in the labellings' order whatever their sizes, and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from lib.diversity.bootstrap import community_shares
from lib.diversity.labelling_samples import RESAMPLES, LabellingSamples, evenness, of_one_size

# Of two sizes, the second one between two of the other.
COUNTS = np.array([[30, 6, 3, 1], [20, 12, 4, 2], [30, 8, 1, 1]])


def samples(seed: int = 0) -> LabellingSamples:
    return LabellingSamples(COUNTS, np.random.default_rng(seed))


def test_labellings_of_one_size_stand_together() -> None:
    assert [rows.tolist() for rows in of_one_size(COUNTS)] == [[1], [0, 2]]


def test_everything_comes_in_the_order_of_the_labellings() -> None:
    made = samples()
    assert made.missed().shape == made.evenness_errors().shape == (3, RESAMPLES)
    assert made.pivots().shape == (3, RESAMPLES, 2)
    assert made.coverage_variance().shape == (3,)
    assert made.standardised_variance().shape == (3, 3)
    for place, counts in enumerate(COUNTS):
        community = community_shares(counts)
        most = len(community.seen) + community.unseen
        # A sample misses none or some of its own community's species, and has one at least.
        assert 0 <= made.missed()[place].min() <= made.missed()[place].max() < most


def test_the_same_random_numbers_give_the_same_samples() -> None:
    first, again, other = samples(), samples(), samples(1)
    assert np.array_equal(first.pivots(), again.pivots())
    assert not np.array_equal(first.pivots(), other.pivots())
    assert np.array_equal(first.missed(), first.missed())  # asking changes nothing


def test_errors_scatter_around_nothing() -> None:
    pivots = LabellingSamples(np.array([[40, 30, 20, 10]] * 20), np.random.default_rng(2)).pivots()
    assert np.abs(pivots.mean(axis=(0, 1))) == pytest.approx([0, 0], abs=0.25)
    assert pivots.std(axis=(0, 1)) == pytest.approx([1, 1], abs=0.25)


def test_a_single_species_has_no_error_and_is_even() -> None:
    made = LabellingSamples(np.array([[12]]), np.random.default_rng(0))
    assert not made.pivots().any()
    assert not made.missed().any()
    assert evenness(np.array([0.0]), np.array([1.0])).tolist() == [1.0]


def test_a_coverage_out_of_reach_has_no_variance() -> None:
    made = LabellingSamples(np.array([[1] * 12]), np.random.default_rng(0))
    assert np.isnan(made.standardised_variance()).all()
