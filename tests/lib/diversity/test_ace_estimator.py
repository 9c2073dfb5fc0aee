"""ACE: what counts as rare, and where Chao1 takes over."""

from __future__ import annotations

import doctest

import pytest

from lib import diversity
from lib.diversity import ace_estimator


def test_it_is_worked_out_by_hand() -> None:
    # Rare: 1 1 3 7, n = 12, C = 10/12; g = 4.8 * 48/132 - 1; no species above ten.
    variation = 4 / (10 / 12) * (6 + 42) / (12 * 11) - 1
    assert diversity.ace([7, 3, 1, 1]).value == pytest.approx(4.8 + 2.4 * variation)


def test_an_abundant_species_counts_as_one_however_large() -> None:
    assert diversity.ace([7, 3, 1, 1, 11]).value == pytest.approx(diversity.ace([7, 3, 1, 1, 10**9]).value)
    assert diversity.ace([7, 3, 1, 1, 11], rare=11) != diversity.ace([7, 3, 1, 1, 11])


@pytest.mark.parametrize("counts", [[1, 1], [1, 1, 1, 40], [50], [20, 30], [2, 2, 5], [1]], ids=str)
def test_chao1_takes_over_where_rarity_says_nothing(counts: list[int]) -> None:
    assert diversity.ace(counts) == diversity.chao1(counts)


def test_an_empty_sample_has_none() -> None:
    assert diversity.ace([]) is None
    assert diversity.ace([0, 0]) is None


@pytest.mark.parametrize("bad", [{"rare": 1}, {"level": 0}, {"level": 1.5}])
def test_it_refuses_what_defines_no_estimate(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"rare|level"):
        diversity.ace([7, 3, 1, 1], **bad)


def test_the_examples_hold() -> None:
    assert doctest.testmod(ace_estimator).failed == 0
