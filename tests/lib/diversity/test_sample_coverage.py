"""Coverage by sample size, and the size that a coverage takes."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import sample_coverage
from tests.lib.diversity import brute_force

samples = st.lists(st.integers(1, 12), min_size=1, max_size=8)


@given(samples, st.data())
def test_coverage_of_a_subsample_is_that_of_all_subsamples(counts: list[int], data: st.DataObject) -> None:
    n = sum(counts)
    size = data.draw(st.integers(0, n - 1))
    assert diversity.coverage_at(counts, size) == pytest.approx(brute_force.coverage(counts, size), abs=1e-12)


@given(samples)
def test_goods_coverage_is_the_curve_one_individual_before_the_end(counts: list[int]) -> None:
    assert diversity.coverage_at(counts, sum(counts) - 1) == pytest.approx(
        diversity.coverage_good(counts), abs=1e-12
    )
    assert diversity.coverage_at(counts, sum(counts)) == diversity.coverage(counts)


@given(samples, st.floats(0, 1))
def test_the_size_for_a_coverage_has_that_coverage(counts: list[int], target: float) -> None:
    size = diversity.size_at_coverage(counts, target)
    if size is None:
        assert target == 1
        assert diversity.coverage(counts) < 1
    elif size == 1:
        assert diversity.coverage_at(counts, 1) >= target - 1e-12
    else:
        assert size > 1
        assert diversity.coverage_at(counts, size) == pytest.approx(target, abs=1e-9)


@given(samples, st.floats(0, 0.99), st.floats(0, 0.99))
def test_more_coverage_takes_more_individuals(counts: list[int], one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert diversity.size_at_coverage(counts, low) <= diversity.size_at_coverage(counts, high)


def test_a_flat_curve_gives_its_first_size() -> None:
    # One individual of 19 is of the second species: from 2 to 18 individuals cover the same.
    assert diversity.size_at_coverage([18, 1], 18 / 19) == pytest.approx(2)
    assert diversity.size_at_coverage([18, 1], 0.95) == pytest.approx(18.05)
    assert diversity.size_at_coverage([50], 1) == 1


def test_a_full_coverage_that_only_an_endless_sample_has_is_none() -> None:
    assert diversity.coverage([5, 1, 1]) < 1
    assert diversity.size_at_coverage([5, 1, 1], 1) is None
    assert diversity.diversity_at_coverage([5, 1, 1], 1, 0) is None
    assert diversity.size_at_coverage([5, 3, 2], 1) == pytest.approx(9)


def test_huge_samples_lose_nothing() -> None:
    counts = [1_000_000_000, 999_999_999, 5, 2, 1, 1]
    assert diversity.size_at_coverage(counts, diversity.coverage_at(counts, 3)) == pytest.approx(3, rel=1e-6)
    assert diversity.coverage_at(counts, 4e9) > diversity.coverage(counts)


@pytest.mark.parametrize("size", [-1, math.nan, math.inf])
def test_it_refuses_a_size_that_is_none(size: float) -> None:
    with pytest.raises(ValueError, match="size"):
        diversity.coverage_at([3, 1], size)


@pytest.mark.parametrize("target", [-0.1, 1.1, math.nan])
def test_it_refuses_a_coverage_that_is_none(target: float) -> None:
    with pytest.raises(ValueError, match="coverage"):
        diversity.size_at_coverage([3, 1], target)
    with pytest.raises(ValueError, match="coverage"):
        diversity.diversity_at_coverage([3, 1], target, 0)


def test_the_examples_hold() -> None:
    assert doctest.testmod(sample_coverage).failed == 0
