"""Mann-Kendall and Theil-Sen: exact p against every order, large samples against SciPy and pymannkendall."""

from __future__ import annotations

import doctest
import itertools
import math
from collections import Counter
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import trends
from tests.lib.diversity.published_series import NILE

few_values = st.lists(st.integers(0, 5), min_size=2, max_size=6)
values = st.lists(st.integers(-1000, 1000), min_size=2, max_size=70)


def kendall_s(series: tuple[float, ...]) -> int:
    return sum((b > a) - (b < a) for a, b in itertools.combinations(series, 2))


@given(few_values)
def test_exact_p_is_the_share_of_orders_with_as_strong_a_trend(series: list[int]) -> None:
    found = diversity.mann_kendall(series)
    trends_of_orders = [kendall_s(order) for order in itertools.permutations(series)]
    as_strong = sum(abs(s) >= abs(found.s) for s in trends_of_orders)
    assert found.method == "exact"
    assert found.s == kendall_s(tuple(series))
    assert found.p == pytest.approx(as_strong / len(trends_of_orders), rel=1e-12)
    # The variance over all orders, ties and all, is the published one.
    assert found.variance == pytest.approx(np.var(trends_of_orders), abs=1e-9)


@given(few_values)
def test_inversions_are_counted_as_by_hand(series: list[int]) -> None:
    """Of the distinct orders of values with these ties, how many have 0, 1, 2 ... inversions."""
    by_hand = Counter(
        sum(a > b for a, b in itertools.combinations(order, 2))
        for order in set(itertools.permutations(series))
    )
    ties = list(Counter(series).values())
    assert trends.orders_by_inversions(ties) == [by_hand[i] for i in range(max(by_hand) + 1)]


@given(values)
def test_reversed_a_rise_is_a_fall(series: list[int]) -> None:
    forwards, backwards = diversity.mann_kendall(series), diversity.mann_kendall(series[::-1])
    negated = diversity.mann_kendall([-value for value in series])
    for other in (backwards, negated):
        assert (other.s, other.z, other.p) == (-forwards.s, -forwards.z, forwards.p)
    assert 0 <= forwards.p <= 1
    if forwards.tau is None:
        assert len(set(series)) == 1
    else:
        assert -1 - 1e-12 <= forwards.tau <= 1 + 1e-12
        assert backwards.tau == -forwards.tau


@given(values, st.integers(1, 9))
def test_only_ranks_count(series: list[int], factor: int) -> None:
    assert diversity.mann_kendall([factor * value**3 + 7 for value in series]) == diversity.mann_kendall(
        series
    )


def test_mann_kendall_in_tables() -> None:
    """Chances of Kendall's S: Gilbert 1987, table A18, one-sided, to three digits."""
    rising = list(range(10))
    assert diversity.mann_kendall([1, 2, 3, 4]).p / 2 == pytest.approx(0.042, abs=5e-4)  # n = 4, S = 6
    series = [2, 1, 0, 3, 4, 9, 8, 7, 6, 5]
    found = diversity.mann_kendall(series)
    assert sorted(series) == rising
    assert found.s == 19
    assert found.p / 2 == pytest.approx(0.054, abs=5e-4)  # n = 10, S = 19
    # scipy 1.17.1, kendalltau(range(15), values, method="exact")
    fifteen = diversity.mann_kendall([41, 36, 12, 18, 28, 23, 19, 8, 7, 16, 11, 14, 34, 6, 30])
    assert fifteen.tau == pytest.approx(-0.29523809523809524)
    assert fifteen.p == pytest.approx(0.13946285911906778, rel=1e-12)


def test_a_long_series_as_published() -> None:
    """pymannkendall 1.4.3, original_test(Nile); tau-b of scipy 1.17.1, kendalltau."""
    found = diversity.mann_kendall(NILE)
    assert (found.s, found.method) == (-1387, "normal")
    assert found.variance == pytest.approx(112728.33333333333, rel=1e-12)
    assert found.z == pytest.approx(-4.128066522844101, rel=1e-12)
    assert found.p == pytest.approx(3.658262921657496e-05, rel=1e-9)
    assert found.tau == pytest.approx(-0.2807413347246131, rel=1e-12)


def test_exact_and_normal_meet() -> None:
    for start in range(0, 50, 10):
        exact = diversity.mann_kendall(NILE[start : start + trends.EXACT_VALUES])
        assert exact.method == "exact"
        assert math.erfc(abs(exact.z) / math.sqrt(2)) == pytest.approx(exact.p, abs=2e-3)
    assert diversity.mann_kendall(NILE[: trends.EXACT_VALUES + 1]).method == "normal"


@pytest.mark.parametrize("length", [2, 10, 60])
def test_all_values_equal_is_no_trend(length: int) -> None:
    found = diversity.mann_kendall([3.5] * length)
    assert (found.s, found.variance, found.tau, found.z, found.p) == (0, 0, None, 0, 1)


@pytest.mark.parametrize("series", [[], [1.0]], ids=repr)
def test_too_few_values_for_a_trend(series: list[float]) -> None:
    assert diversity.mann_kendall(series) is None


@pytest.mark.parametrize("bad", [[1, math.nan], [1, math.inf], [[1, 2]], 3, ["a", "b"], [1, None]], ids=str)
def test_it_refuses_what_is_no_series(bad: object) -> None:
    with pytest.raises(ValueError, match="values must"):
        diversity.mann_kendall(bad)
    with pytest.raises(ValueError, match="values must"):
        diversity.theil_sen([1, 2], bad)


@pytest.mark.parametrize(
    ("dates", "series", "level", "slope", "intercept", "low", "high"),
    [
        (range(1871, 1971), NILE, 0.95, -2.6, 5890.3, -3.627906976744186, -1.4285714285714286),
        (range(30), NILE[:30], 0.95, -10 / 9, 1126.6666666666665, -9.470588235294118, 4.444444444444445),
        (range(12), NILE[:12], 0.9, -2.8055555555555554, 1164.0277777777778, -33.0, 24.4),
        ([0, 0, 1, 2, 3, 3, 4, 5], [3, 1, 4, 1, 5, 9, 2, 6], 0.9, 0.55, 3.125, -0.25, 2.0),
    ],
    ids=["Nile", "30 years", "12 years at 90 %", "dates and values with ties"],
)
def test_slope_and_interval_of_scipy(
    dates: list[int],
    series: list[int],
    level: float,
    slope: float,
    intercept: float,
    low: float,
    high: float,
) -> None:
    """scipy 1.17.1, theilslopes(series, dates, level, method="joint")."""
    found = diversity.theil_sen(dates, series, level)
    assert (found.value, found.low, found.high) == pytest.approx((slope, low, high), rel=1e-12)
    assert found.intercept - found.value * found.reference == pytest.approx(intercept, rel=1e-12)
    assert found.reference == min(dates)


points = st.lists(st.tuples(st.integers(0, 40), st.integers(-50, 50)), min_size=3, max_size=25).filter(
    lambda rows: len({day for day, _ in rows}) > 1
)


@given(points, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_the_interval_holds_the_slope(
    rows: list[tuple[int, int]], random: object
) -> None:
    found = diversity.theil_sen(*zip(*rows, strict=True))
    assert found.low <= found.value <= found.high
    assert found.se >= 0
    assert all(map(math.isfinite, (found.value, found.se, found.low, found.high, found.intercept)))
    assert isinstance(found, diversity.Estimate)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert diversity.theil_sen(*zip(*rows, strict=True)) == found


@given(points, st.integers(-5, 5), st.integers(-9, 9), st.integers(-100, 100))
def test_it_follows_a_change_of_scale_and_an_added_trend(
    rows: list[tuple[int, int]], factor: int, trend: int, shift: int
) -> None:
    days, series = zip(*rows, strict=True)
    found = diversity.theil_sen(days, series)
    tilted = diversity.theil_sen(days, [y + trend * day + shift for day, y in rows])
    assert tilted.value == pytest.approx(found.value + trend, abs=1e-9)
    assert tilted.intercept == pytest.approx(found.intercept + shift + trend * min(days), abs=1e-9)
    assume(factor)
    scaled = diversity.theil_sen(days, [factor * y for y in series])
    ends = sorted((factor * found.low, factor * found.high))
    assert (scaled.low, scaled.high) == pytest.approx(ends, abs=1e-9)
    assert scaled.se == pytest.approx(abs(factor) * found.se, abs=1e-9)


@given(points)
def test_dates_are_days_since_the_earliest(rows: list[tuple[int, int]]) -> None:
    days, series = zip(*rows, strict=True)
    first = date(2025, 3, 30)
    dated = diversity.theil_sen([first + timedelta(days=day) for day in days], series)
    numbered = diversity.theil_sen(days, series)
    assert (dated.value, dated.low, dated.high) == (numbered.value, numbered.low, numbered.high)
    assert dated.intercept == numbered.intercept
    assert dated.reference == first + timedelta(days=min(days))


def test_the_interval_covers_the_true_slope_as_often_as_it_says() -> None:
    random = np.random.default_rng(20251)
    days = np.sort(random.choice(120, size=(600, 25)), axis=1)
    series = 0.3 * days + random.standard_t(3, size=days.shape)  # heavy tails
    found = [diversity.theil_sen(*row) for row in zip(days, series, strict=True)]
    covered = sum(line.low <= 0.3 <= line.high for line in found) / len(found)
    assert 0.93 <= covered <= 0.98


def test_equal_values_on_equal_days_are_flat_and_certain() -> None:
    for n in range(3, 30):
        found = diversity.theil_sen([day // 2 for day in range(n)], [7] * n)
        assert (found.value, found.se, found.low, found.high, found.intercept) == (0, 0, 0, 0, 7)


@given(points)
def test_the_variance_of_s_is_that_over_all_orders(rows: list[tuple[int, int]]) -> None:
    """Ties among the dates as well: against the orders of at most six points."""
    rows = rows[:6]
    days, series = ([value // 20 for value in column] for column in zip(*rows, strict=True))
    sign = lambda x: (x > 0) - (x < 0)  # noqa: E731
    pairs = list(itertools.combinations(range(len(rows)), 2))
    every = [
        sum(sign(days[j] - days[i]) * sign(order[j] - order[i]) for i, j in pairs)
        for order in itertools.permutations(series)
    ]
    variance = trends._kendall_variance(
        len(rows), list(Counter(series).values()), list(Counter(days).values())
    )
    assert variance == pytest.approx(np.var(every), abs=1e-9)


def test_a_wild_day_does_not_sway_it_and_neighbours_alike_widen_it() -> None:
    series = [2 * day for day in range(20)]
    assert diversity.theil_sen(range(20), [*series[:-1], 10**9]).value == 2
    plain, wide = diversity.theil_sen(range(100), NILE), diversity.theil_sen(range(100), NILE, inflation=4)
    assert wide.low < plain.low < plain.value == wide.value < plain.high < wide.high
    assert wide.se == pytest.approx(2 * plain.se, rel=0.1)
    narrow = diversity.theil_sen(range(100), NILE, level=0.5)
    assert plain.low < narrow.low < narrow.high < plain.high


@pytest.mark.parametrize(
    ("dates", "series"), [([], []), ([1], [1]), ([1, 2], [1, 2]), ([4, 4, 4], [1, 2, 3])], ids=str
)
def test_too_few_points_for_a_slope(dates: list[int], series: list[int]) -> None:
    assert diversity.theil_sen(dates, series) is None


def test_it_refuses_what_are_no_dates() -> None:
    days = [date(2025, 6, 1), date(2025, 6, 2)]
    with pytest.raises(ValueError, match="as many values as dates"):
        diversity.theil_sen([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="dates must"):
        diversity.theil_sen(5, [1, 2])
    with pytest.raises(ValueError, match="without a time of day"):
        diversity.theil_sen([*days, datetime(2025, 6, 3, 12)], [1, 2, 3])  # noqa: DTZ001 - a clock without a zone
    with pytest.raises(ValueError, match="values must"):
        diversity.theil_sen([*days, 3], [1, 2, 3])
    for level in (0, 1, 95, math.nan):
        with pytest.raises(ValueError, match="level"):
            diversity.theil_sen([1, 2, 3], [1, 2, 3], level)
    for inflation in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="inflation"):
            diversity.theil_sen([1, 2, 3], [1, 2, 3], inflation=inflation)


def test_the_documented_examples_hold() -> None:
    outcome = doctest.testmod(trends)
    assert outcome.attempted > 0
    assert outcome.failed == 0
