"""Diversity at another size: exact below n, and along iNEXT's rule above."""

from __future__ import annotations

import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import rarefaction
from tests.lib.diversity import brute_force

samples = st.lists(st.integers(1, 12), min_size=1, max_size=8)
orders = st.sampled_from([0, 0.5, 1, 1.7, 2, 3])


@given(samples, orders, st.data())
def test_below_n_it_is_the_expectation_over_all_subsamples(
    counts: list[int], q: float, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, sum(counts)))
    exact = brute_force.richness(counts, size) if q == 0 else brute_force.hill(counts, size, q)
    assert diversity.diversity_at_size(counts, size, q) == pytest.approx(exact, rel=1e-10)


@given(samples, orders)
def test_at_n_it_is_the_sample_and_above_it_goes_on_without_a_jump(counts: list[int], q: float) -> None:
    n = sum(counts)
    observed = diversity.hill(counts, q)
    assert diversity.diversity_at_size(counts, n, q) == pytest.approx(observed, rel=1e-10)
    just_below = diversity.diversity_at_size(counts, max(1, n - 1e-7), q)
    assert just_below == pytest.approx(observed, rel=1e-6)
    assert diversity.diversity_at_size(counts, n + 1e-7, q) == pytest.approx(observed, rel=1e-6)


@given(samples, orders, st.lists(st.floats(1, 60), min_size=2, max_size=6))
def test_more_individuals_never_have_less_diversity(counts: list[int], q: float, sizes: list[float]) -> None:
    found = [diversity.diversity_at_size(counts, size, q) for size in sorted(sizes)]
    assert all(later >= earlier * (1 - 1e-9) for earlier, later in itertools.pairwise(found))
    assert found[0] >= 1 - 1e-12


@given(st.lists(st.integers(1, 12), min_size=2, max_size=8), st.sampled_from([0, 1]))
def test_far_above_n_it_comes_to_the_asymptote(counts: list[int], q: float) -> None:
    limit = diversity.asymptotic(counts, q)
    if limit is not None and limit > diversity.hill(counts, q):
        assert diversity.diversity_at_size(counts, 1e9, q) == pytest.approx(limit, rel=1e-6)


def test_between_whole_sizes_below_n_it_lies_on_the_line() -> None:
    counts = [7, 3, 1, 1]
    two, three = (diversity.diversity_at_size(counts, size, 1) for size in (2, 3))
    assert diversity.diversity_at_size(counts, 2.25, 1) == pytest.approx(0.75 * two + 0.25 * three)


def test_without_any_pair_it_goes_on_as_the_last_individual_did() -> None:
    assert diversity.diversity_at_size([1, 1], 5, 2) == pytest.approx(5)
    assert diversity.diversity_at_size([1, 1, 1], 6, 3) == pytest.approx(6, rel=0.2)
    assert diversity.diversity_at_size([1], 5, 1) == 1
    assert diversity.diversity_at_size([1], 5, 2) == 1


@pytest.mark.parametrize("counts", [[], [0, 0]])
def test_an_empty_sample_has_none(counts: list[int]) -> None:
    assert diversity.diversity_at_size(counts, 5, 1) is None
    assert diversity.diversity_at_coverage(counts, 0.5, 1) is None
    assert diversity.rarefaction_se(counts, 0) is None


def test_less_than_one_individual_has_no_diversity() -> None:
    assert diversity.diversity_at_size([3, 2], 0, 0) is None
    assert diversity.diversity_at_size([3, 2], 0.99, 0) is None


@pytest.mark.parametrize("size", [-1, math.nan, math.inf])
def test_it_refuses_a_size_that_is_none(size: float) -> None:
    with pytest.raises(ValueError, match="size"):
        diversity.diversity_at_size([3, 1], size, 0)


@pytest.mark.parametrize("q", [-1, math.nan, math.inf])
def test_it_refuses_an_order_that_is_none(q: float) -> None:
    with pytest.raises(ValueError, match="order"):
        diversity.diversity_at_size([3, 1], 2, q)
    with pytest.raises(ValueError, match="order"):
        diversity.diversity_at_coverage([3, 1], 0.5, q)


def test_the_error_of_rarefied_richness_is_that_of_its_subsamples() -> None:
    counts = [4, 2, 1, 1]
    individuals = np.repeat(np.arange(4), counts)
    for size in range(1, 9):
        found = [len({*chosen}) for chosen in itertools.combinations(individuals.tolist(), size)]
        assert diversity.rarefaction_se(counts, size) == pytest.approx(float(np.std(found)), abs=1e-12)


@pytest.mark.parametrize("size", [-1, 9, 2.5, math.nan])
def test_the_error_is_refused_beyond_the_sample(size: float) -> None:
    with pytest.raises(ValueError, match="size"):
        diversity.rarefaction_se([4, 2, 1, 1], size)


def test_a_billion_individuals_are_rarefied_like_any_others() -> None:
    counts = [1_000_000_000, 999_999_999, 5, 2, 1, 1]
    profile = [diversity.diversity_at_size(counts, 1e9, q) for q in (0, 1, 2)]
    assert profile[0] == pytest.approx(2 + (1 - 0.5**5) + (1 - 0.5**2) + 1, rel=1e-8)
    assert profile[1:] == pytest.approx([2, 2], rel=1e-6)


def test_the_examples_hold() -> None:
    assert doctest.testmod(rarefaction).failed == 0
