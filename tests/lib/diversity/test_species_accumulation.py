"""Accumulation and richness of an area: against every choice of sites, and the jackknife itself."""

from __future__ import annotations

import doctest
import itertools
import math
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import species_accumulation

matrices = st.integers(1, 5).flatmap(
    lambda species: st.lists(
        st.lists(st.sampled_from([0, 0, 1, 4]), min_size=species, max_size=species), min_size=1, max_size=6
    )
)
several = matrices.filter(lambda matrix: len(matrix) > 1 and np.any(matrix))


@given(matrices)
def test_mean_and_deviation_are_those_over_all_choices_of_sites(matrix: list[list[int]]) -> None:
    curve = diversity.accumulation(matrix)
    assert [step.sites for step in curve] == list(range(1, len(matrix) + 1))
    for step in curve:
        seen = [
            diversity.richness(np.sum(choice, axis=0))
            for choice in itertools.combinations(matrix, step.sites)
        ]
        assert step.richness == pytest.approx(fmean(seen))
        assert step.sd == pytest.approx(pstdev(seen), abs=1e-6)


@given(matrices)
def test_the_curve_rises_ever_more_slowly_to_all_species(matrix: list[list[int]]) -> None:
    means = [0.0] + [step.richness for step in diversity.accumulation(matrix)]
    steps = np.diff(means)
    assert means[-1] == pytest.approx(diversity.richness(np.sum(matrix, axis=0)))
    assert np.all(steps >= -1e-9)
    assert np.all(np.diff(steps) <= 1e-9)


@given(several)
def test_the_first_jackknife_is_the_jackknife(matrix: list[list[int]]) -> None:
    found = diversity.species_pool(matrix)
    n, observed = len(matrix), diversity.richness(np.sum(matrix, axis=0))
    without = [
        diversity.richness(np.sum(matrix[:i] + matrix[i + 1 :], axis=0)) for i in range(n)
    ]  # each site left out in turn
    pseudo = [n * observed - (n - 1) * left for left in without]
    assert (found.observed, found.sites) == (observed, n)
    assert found.jackknife1 == pytest.approx(fmean(pseudo))
    assert found.jackknife1_se == pytest.approx(math.sqrt(np.var(pseudo, ddof=1) / n), abs=1e-6)


@given(several)
def test_the_bootstrap_is_what_drawing_sites_again_would_miss(matrix: list[list[int]]) -> None:
    if len(matrix) > 4:
        matrix = [*matrix[:3], np.sum(matrix[3:], axis=0).tolist()]
    found = diversity.species_pool(matrix)
    seen = [
        diversity.richness(np.sum(draw, axis=0)) for draw in itertools.product(matrix, repeat=len(matrix))
    ]
    assert found.bootstrap == pytest.approx(2 * found.observed - fmean(seen))
    assert found.bootstrap_se == pytest.approx(pstdev(seen), abs=1e-6)


def test_figures_by_hand() -> None:
    """Sites {1, 2}, {1, 3}, {1, 2, 4}: a1 = 2, a2 = 1, N = 3."""
    found = diversity.species_pool([[5, 1, 0, 0], [2, 0, 1, 0], [1, 3, 0, 2]])
    assert found.jackknife1 == pytest.approx(4 + 2 * 2 / 3)
    assert found.jackknife2 == pytest.approx(4 + 2 * 3 / 3 - 1 / 6)
    assert found.bootstrap == pytest.approx(4 + (1 / 3) ** 3 + 2 * (2 / 3) ** 3)


def test_too_little_for_an_estimate() -> None:
    assert diversity.species_pool([[1, 2]]) is None
    assert diversity.species_pool([[0], [0]]) is None
    assert diversity.species_pool([]) is None
    assert diversity.accumulation([]) == []
    assert diversity.accumulation([[0, 0]]) == [diversity.Accumulated(1, 0, 0)]


def test_it_refuses_what_is_no_matrix() -> None:
    for call in (diversity.species_pool, diversity.accumulation):
        with pytest.raises(ValueError, match="counts must"):
            call([[1, 2], [1]])


def test_the_documented_examples_hold() -> None:
    outcome = doctest.testmod(species_accumulation)
    assert outcome.attempted > 0
    assert outcome.failed == 0
