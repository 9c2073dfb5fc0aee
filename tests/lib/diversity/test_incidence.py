"""Incidence: species over plots or photos, several in each."""

from __future__ import annotations

import doctest
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import incidence

WEEK = ([7, 7, 5, 3, 2, 1, 1, 1], 7)
matrices = st.integers(1, 5).flatmap(
    lambda species: st.lists(
        st.lists(st.integers(0, 1), min_size=species, max_size=species), min_size=1, max_size=6
    )
)


@given(matrices, st.sampled_from([0, 1, 2]), st.data())
def test_fewer_units_hold_what_all_choices_of_them_hold_on_average(
    matrix: list[list[int]], q: float, data: st.DataObject
) -> None:
    frequencies, units = diversity.incidence_frequencies(matrix)
    size = data.draw(st.integers(1, units))
    choices = list(itertools.combinations(matrix, size))
    found = diversity.incidence_diversity_at_size(frequencies, units, size, q)
    if not frequencies.any():
        assert found is None
        return
    sums = np.array([np.sum(choice, axis=0) for choice in choices])
    finds = size * frequencies.sum() / units
    if q == 0:
        expected = float(np.count_nonzero(sums, axis=1).mean())
    elif q == 1:
        shares = sums / finds
        expected = math.exp(float(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).mean()))
    else:
        expected = 1 / float(((sums / finds) ** 2).sum(axis=1).mean())
    assert found == pytest.approx(expected)


def test_one_find_in_the_mean_is_not_one_species() -> None:
    # Two of four units, two of which hold the only species: one pair in six has none.
    assert diversity.incidence_diversity_at_size([2], 4, 2, 0) == pytest.approx(5 / 6)


@given(matrices)
def test_at_all_units_it_is_what_was_found(matrix: list[list[int]]) -> None:
    frequencies, units = diversity.incidence_frequencies(matrix)
    assert diversity.incidence_richness(frequencies, units) == np.count_nonzero(np.any(matrix, axis=0))
    if frequencies.any():
        assert diversity.chao2(frequencies, units).value >= diversity.incidence_richness(frequencies, units)
        assert diversity.incidence_coverage_at(frequencies, units, units) == diversity.incidence_coverage(
            frequencies, units
        )


def test_chao2_is_worked_out_by_hand() -> None:
    # k = 6/7, Q1 = 3, Q2 = 1: 8 + 6/7 * 9/2.
    assert diversity.chao2(*WEEK).value == pytest.approx(8 + 27 / 7)
    assert diversity.incidence_asymptotic(*WEEK, 0) == pytest.approx(8 + 27 / 7)
    assert diversity.incidence_asymptotic(*WEEK, 2) == pytest.approx(27**2 * 6 / (7 * 112))


def test_a_coverage_takes_its_number_of_units() -> None:
    size = diversity.incidence_size_at_coverage(*WEEK, 0.8)
    assert diversity.incidence_coverage_at(*WEEK, size) == pytest.approx(0.8)
    assert diversity.incidence_diversity_at_coverage(*WEEK, 0.8, 1) == pytest.approx(
        diversity.incidence_diversity_at_size(*WEEK, size, 1)
    )
    assert diversity.incidence_size_at_coverage(*WEEK, 1) is None
    assert diversity.incidence_diversity_at_coverage(*WEEK, 1, 0) is None


@pytest.mark.parametrize("units", [0, 3])
def test_nothing_found_has_no_diversity(units: int) -> None:
    assert diversity.incidence_richness([0, 0], units) == 0
    assert diversity.incidence_coverage([], units) is None
    assert diversity.incidence_coverage_at([], units, 1) is None
    assert diversity.incidence_size_at_coverage([], units, 0.5) is None
    assert diversity.incidence_diversity_at_size([], units, 1, 0) is None
    assert diversity.incidence_asymptotic([], units, 0) is None
    assert diversity.chao2([], units) is None


def test_few_units_have_no_asymptote() -> None:
    assert diversity.incidence_asymptotic([4, 2, 1], 4, 1) is None
    assert diversity.incidence_asymptotic([1, 1], 5, 2) is None
    assert diversity.incidence_diversity_at_size([2, 1], 2, 0.5, 0) is None


@pytest.mark.parametrize(
    ("frequencies", "units"), [([3], 2), ([1.5], 2), ([-1], 2), ([1], -1), ([1], 1.5), ([[1]], 2)]
)
def test_it_refuses_what_no_units_can_give(frequencies: list[float], units: float) -> None:
    with pytest.raises(ValueError, match=r"counts|units"):
        diversity.incidence_richness(frequencies, units)
    with pytest.raises(ValueError, match=r"counts|units"):
        diversity.chao2(frequencies, units)


@pytest.mark.parametrize("matrix", [[1, 2], [[1], [1, 2]], [[math.nan]], [[-1]], [["a"]], [[[1]]]])
def test_it_refuses_what_is_no_matrix(matrix: object) -> None:
    with pytest.raises(ValueError, match="matrix"):
        diversity.incidence_frequencies(matrix)


def test_it_refuses_a_level_that_is_none() -> None:
    with pytest.raises(ValueError, match="level"):
        diversity.chao2(*WEEK, level=95)


def test_the_examples_hold() -> None:
    assert doctest.testmod(incidence).failed == 0
