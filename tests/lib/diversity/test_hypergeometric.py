"""Chances of a subsample: as exact as the fractions they stand for, at any count."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.diversity.hypergeometric import expected, missed, missed_together
from tests.lib.diversity import brute_force

units_and_size = st.integers(1, 80).flatmap(lambda units: st.tuples(st.just(units), st.integers(1, units)))


@given(units_and_size)
def test_absence_is_exact_for_every_frequency(drawn: tuple[int, int]) -> None:
    units, size = drawn
    values = np.arange(1.0, units + 1)
    exact = [float(brute_force.chance(x, units, size, 0)) for x in range(1, units + 1)]
    np.testing.assert_allclose(missed(values, units, size), exact, rtol=1e-13, atol=0)


@given(units_and_size)
def test_means_are_exact_for_every_frequency(drawn: tuple[int, int]) -> None:
    units, size = drawn
    values = np.arange(1.0, units + 1)
    exact = [brute_force.mean(x, units, size, math.sqrt) for x in range(1, units + 1)]
    np.testing.assert_allclose(expected(values, units, size, np.sqrt), exact, rtol=1e-12)


@pytest.mark.parametrize("x", [1, 7, 4096, 4097, 30_000])
@pytest.mark.parametrize("size", [1, 50, 4096, 5000, 60_000])
def test_no_digit_is_lost_among_large_counts(x: int, size: int) -> None:
    units = 1_000_000
    exact = float(Fraction(math.comb(units - x, size), math.comb(units, size)))
    # exp(-745) is the smallest double: below, any tiny number will do.
    assert missed(np.array([float(x)]), units, size)[0] == pytest.approx(exact, rel=1e-11, abs=1e-300)


def test_a_billion_is_no_matter() -> None:
    values = np.array([1.0, 2.0, 1e9])
    assert missed(values, 2e9, 1e9).tolist() == pytest.approx(
        [0.5, (1e9 - 1) / (2e9 - 1) / 2, 0.0], rel=1e-14
    )
    means = expected(values, 2e9, 1e9, lambda counts: counts)
    np.testing.assert_allclose(means, values / 2, rtol=1e-12)


def test_a_species_too_frequent_to_be_missed_is_not() -> None:
    assert missed(np.array([8.0]), 10, 3).tolist() == [0.0]
    assert missed(np.array([7.0]), 10, 3).tolist() == pytest.approx([1 / 120])
    assert missed(np.array([0.0, 3.0]), 10, 0).tolist() == [1.0, 1.0]


@given(st.integers(2, 40), st.data())
def test_joint_absence_is_exact_for_every_pair(units: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, units - 1))
    values = np.arange(1.0, units // 2 + 1)
    exact = [
        [
            float(
                brute_force.chance(x + y, units, size, 0)
                - brute_force.chance(x, units, size, 0) * brute_force.chance(y, units, size, 0)
            )
            for y in range(1, len(values) + 1)
        ]
        for x in range(1, len(values) + 1)
    ]
    np.testing.assert_allclose(missed_together(values, units, size), exact, rtol=1e-10, atol=1e-300)


def test_joint_absence_of_two_very_frequent_species() -> None:
    units, size, x, y = 100_000, 20, 5000, 9000

    def absent(values: int) -> Fraction:
        return Fraction(math.comb(units - values, size), math.comb(units, size))

    exact = [[float(absent(a + b) - absent(a) * absent(b)) for b in (x, y)] for a in (x, y)]
    np.testing.assert_allclose(missed_together(np.array([x, y], dtype=float), units, size), exact, rtol=1e-9)
