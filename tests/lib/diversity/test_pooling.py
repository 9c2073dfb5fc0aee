"""Rubin's rules against figures worked out by hand, and Student's quantiles against printed tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.diversity import pool, pooling

# Two-sided 95 % and 99 % points of Student's t by degrees of freedom: NIST/SEMATECH e-Handbook, 1.3.6.7.2.
TABLE = {
    1: (12.706, 63.657),
    2: (4.303, 9.925),
    3: (3.182, 5.841),
    4: (2.776, 4.604),
    5: (2.571, 4.032),
    8: (2.306, 3.355),
    10: (2.228, 3.169),
    15: (2.131, 2.947),
    19: (2.093, 2.861),
    20: (2.086, 2.845),
    30: (2.042, 2.750),
    60: (2.000, 2.660),
    100: (1.984, 2.626),
}

finite = st.floats(-1e3, 1e3)


@pytest.mark.parametrize("freedom", TABLE)
def test_students_quantiles_are_the_printed_ones(freedom: int):
    found = pooling.student_quantile(0.975, freedom), pooling.student_quantile(0.995, freedom)
    assert found == pytest.approx(TABLE[freedom], abs=0.0006)


def test_students_quantile_is_symmetric_falls_with_the_freedom_and_ends_at_the_normal():
    freedoms = [1, 1.5, 2, 2.82, 4, 9.5, 19.999, 20.001, 50, 1e4, 1e9, math.inf]
    found = [pooling.student_quantile(0.975, freedom) for freedom in freedoms]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(1.959964, abs=1e-6)
    assert found[-2] == pytest.approx(found[-1], abs=1e-6)
    for freedom in freedoms:
        upper, lower = (pooling.student_quantile(each, freedom) for each in (0.9, 0.1))
        assert lower == pytest.approx(-upper)


def test_the_series_goes_on_where_the_inversion_ends():
    below, above = (pooling.student_quantile(0.975, pooling._SERIES_FROM + step) for step in (-1e-9, 1e-9))
    assert below == pytest.approx(above, abs=2e-5)


def test_it_pools_as_worked_out_by_hand():
    # W = 0.3; B = (4 + 0 + 0 + 1 + 1) / 4 = 1.5; T = 0.3 + 1.2 * 1.5 = 2.1; freedom 4 (1 + 0.3 / 1.8)**2 = 49/9.
    estimate = pool([8.0, 10.0, 10.0, 11.0, 11.0], [0.2, 0.3, 0.4, 0.3, 0.3])
    assert estimate.value == pytest.approx(10)
    assert estimate.se == pytest.approx(math.sqrt(2.1))
    # Between the printed 2.571 for 5 and 2.447 for 6 degrees.
    reach = (estimate.high - 10) / math.sqrt(2.1)
    assert 2.447 < reach < 2.571
    assert reach == pytest.approx(2.509, abs=0.003)
    assert estimate.low == pytest.approx(20 - estimate.high)


def test_two_draws_have_one_degree_of_freedom():
    # No sampling error at all: T = 1.5 * 0.5, and Student's t with one degree is 12.706 wide.
    estimate = pool([1.0, 2.0], [0.0, 0.0])
    assert estimate.high - estimate.value == pytest.approx(12.706 * math.sqrt(0.75), rel=1e-4)


@pytest.mark.parametrize(("values", "variances"), [([5.0, 5.0, 5.0], [4.0, 1.0, 1.0]), ([5.0], [2.0])])
def test_draws_that_agree_leave_the_sampling_alone(values: list[float], variances: list[float]):
    estimate = pool(values, variances)
    assert estimate.se == pytest.approx(math.sqrt(2))
    assert estimate.high == pytest.approx(5 + 1.959964 * math.sqrt(2))


@pytest.mark.parametrize("difference", [1e-15, 1e-45, 1e-111, 1e-160])
def test_draws_that_differ_by_rounding_agree(difference: float):
    estimate = pool([0.0, difference], [1.0, 1.0])
    assert estimate.high == pytest.approx(1.959964)


def test_without_a_draw_there_is_no_estimate():
    assert pool([], []) is None


@given(
    st.lists(st.tuples(finite, st.floats(0, 1e4)), min_size=2, max_size=30),
    st.floats(0.05, 0.99),
    st.floats(-100, 100),
    st.floats(0.01, 100),
)
def test_it_keeps_order_and_moves_with_its_values(
    draws: list[tuple[float, float]], level: float, shift: float, scale: float
):
    values, variances = np.array(draws).T
    estimate = pool(values, variances, level)
    assert all(map(math.isfinite, (estimate.value, estimate.se, estimate.low, estimate.high)))
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.se**2 >= variances.mean() * (1 - 1e-9)
    wider = pool(values, variances, (1 + level) / 2)
    assert wider.low <= estimate.low
    assert wider.high >= estimate.high
    moved = pool(values * scale + shift, variances * scale**2, level)
    # Where the values hardly differ, their variance is what rounding makes it.
    if values.std() > 1e-3 or variances.mean() > 1e-3:
        assert moved.value == pytest.approx(estimate.value * scale + shift, abs=1e-6 * scale, rel=1e-6)
        assert moved.high == pytest.approx(estimate.high * scale + shift, abs=1e-3 * scale, rel=1e-4)


@pytest.mark.parametrize(
    ("values", "variances", "level"),
    [
        ([1.0, 2.0], [1.0], 0.95),
        ([[1.0, 2.0]], [[1.0, 2.0]], 0.95),
        ([1.0], [-0.1], 0.95),
        ([math.nan], [1.0], 0.95),
        ([1.0], [math.inf], 0.95),
        ([1.0], [1.0], 0.0),
        ([1.0], [1.0], 1.0),
        ([1.0], [1.0], 95),
    ],
    ids=str,
)
def test_it_refuses_what_cannot_be_pooled(values: list[float], variances: list[float], level: float):
    with pytest.raises(ValueError, match="must"):
        pool(values, variances, level)


def test_the_documented_example_holds():
    import doctest

    outcome = doctest.testmod(pooling)
    assert outcome.attempted > 0
    assert outcome.failed == 0
