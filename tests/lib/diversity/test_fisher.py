"""Fisher's alpha solves its equation, and the unbiased Simpson forms count pairs."""

from __future__ import annotations

import doctest
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import fisher

samples = st.lists(st.integers(1, 10**6), min_size=1, max_size=40)


@given(samples)
def test_alpha_gives_back_the_species(counts: list[int]) -> None:
    alpha = diversity.fisher_alpha(counts)
    if sum(counts) == len(counts):
        assert alpha is None
    else:
        assert alpha * math.log1p(sum(counts) / alpha) == pytest.approx(len(counts), rel=1e-9)


def test_one_species_among_a_billion_has_a_small_alpha() -> None:
    alpha = diversity.fisher_alpha([10**9])
    assert alpha * math.log1p(10**9 / alpha) == pytest.approx(1, rel=1e-9)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_the_unbiased_simpson_index_is_the_share_of_unlike_pairs(counts: list[int]) -> None:
    individuals = [species for species, count in enumerate(counts) for _ in range(count)]
    pairs = list(itertools.combinations(individuals, 2))
    unlike = sum(a != b for a, b in pairs)
    if not pairs:
        assert diversity.simpson_unbiased(counts) is None
        assert diversity.inverse_simpson_unbiased(counts) is None
        return
    assert diversity.simpson_unbiased(counts) == pytest.approx(unlike / len(pairs))
    inverse = diversity.inverse_simpson_unbiased(counts)
    assert inverse == (pytest.approx(len(pairs) / (len(pairs) - unlike)) if unlike < len(pairs) else None)


def test_an_empty_sample_has_none() -> None:
    assert diversity.fisher_alpha([]) is None
    assert diversity.simpson_unbiased([0]) is None
    assert diversity.inverse_simpson_unbiased([]) is None


def test_the_examples_hold() -> None:
    assert doctest.testmod(fisher).failed == 0
