"""Where a metric is going: which days count, the test, its widened variance, the line."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import trends
from lib.diversity import theil_sen
from lib.store.records import DayRow
from lib.trends import autocorrelation, build, usable

START = date(2025, 5, 1)
# Enough of it to be compared with other days.
EFFORT: dict[str, Any] = {"species_counts": {"Poa annua": 20, "Zea mays": 10}, "coverage_estimate": 1.0}


def day(number: int, value: float | None, **fields: Any) -> DayRow:
    return DayRow(START + timedelta(days=number), **(EFFORT | {"hill_q1": value} | fields))


def days(*values: float) -> list[DayRow]:
    return [day(number, value) for number, value in enumerate(values)]


class TestUsable:
    def test_days_with_too_little_effort_are_left_out_and_counted(self) -> None:
        rows = [
            day(0, 3.0),
            day(1, 1.0, species_counts={"Poa annua": 2}),
            day(2, None, species_counts={}, coverage_estimate=None),
            day(3, None),
            day(4, 2.0, coverage_estimate=0.4),
            day(5, 4.0),
        ]
        points, left_out = usable(rows, "hill_q1")
        assert [(point.date.day, point.value) for point in points] == [(1, 3.0), (6, 4.0)]
        assert left_out == trends.LeftOut(none=1, low=2, undefined=1)

    def test_at_equal_coverage_a_day_that_cannot_be_brought_there_is_undefined(self) -> None:
        fair = {"hill_q1_standardised": {"value": 2.5, "low": 2.0, "high": 3.1, "coverage": 0.8}}
        rows = [day(0, 4.0, confidence_intervals=fair), day(1, 5.0), day(2, 5.0, coverage_estimate=0.4)]
        points, left_out = usable(rows, "hill_q1", standardised=True)
        assert [point.value for point in points] == [2.5]
        assert left_out == trends.LeftOut(none=0, low=1, undefined=1)
        assert build(rows, "hill_q1", standardised=True).points == points
        assert [point.value for point in usable(rows, "hill_q1")[0]] == [4.0, 5.0]

    @pytest.mark.parametrize("metric", ["total_images", "coverage_estimate"])
    def test_what_tells_of_the_effort_is_of_all_days(self, metric: str) -> None:
        rows = [
            day(0, 1.0, total_images=3, coverage_estimate=0.1),
            day(1, 1.0, total_images=9, coverage_estimate=0.9, species_counts={"Poa annua": 5}),
        ]
        points, left_out = usable(rows, metric)
        assert len(points) == 2
        assert left_out == trends.LeftOut(0, 0, 0)

    def test_the_coverage_of_a_single_plant_tells_nothing(self) -> None:
        rows = [day(0, 1.0, coverage_estimate=1.0, known_units=1.0), day(1, 1.0, coverage_estimate=0.8)]
        points, left_out = usable(rows, "coverage_estimate")
        assert [point.value for point in points] == [0.8]
        assert left_out == trends.LeftOut(none=0, low=1, undefined=0)


class TestBuild:
    def test_a_rise_is_a_rise(self) -> None:
        found = build(days(*(2.0 + 0.25 * n for n in range(12))), "hill_q1")
        assert (found.verdict, found.verdict_from) == ("rising", "mann_kendall")
        assert found.mann_kendall.s == 66  # all 12 · 11 / 2 pairs rise
        assert found.mann_kendall.tau == pytest.approx(1.0)
        assert found.slope is not None
        assert found.slope.per_day == pytest.approx(0.25)
        assert found.slope.per_30_days == pytest.approx(7.5)
        assert found.line is not None
        assert (found.line.start.date, found.line.end.date) == (START, START + timedelta(days=11))
        assert (found.line.start.value, found.line.end.value) == pytest.approx((2.0, 4.75))

    def test_the_same_days_backwards_fall(self) -> None:
        found = build(days(*(5.0 - 0.25 * n for n in range(12))), "hill_q1")
        assert found.verdict == "falling"
        assert found.mann_kendall.s == -66

    def test_what_goes_nowhere_has_no_trend(self) -> None:
        assert build(days(*[1.0, 2.0] * 8), "hill_q1").verdict == "none"
        level = build(days(*[1.0] * 12), "hill_q1")
        assert (level.verdict, level.mann_kendall.p, level.mann_kendall.tau) == ("none", 1.0, None)

    def test_nine_days_are_too_few_for_a_verdict(self) -> None:
        found = build(days(*range(9)), "hill_q1")
        assert (found.verdict, found.mann_kendall.verdict) == ("too_few", "too_few")
        assert found.mann_kendall.p is not None
        assert found.mann_kendall.p < 0.05  # the figures are there all the same
        assert build(days(*range(10)), "hill_q1").verdict == "rising"

    def test_gaps_are_gaps(self) -> None:
        rows = [day(number, float(number)) for number in (0, 1, 2, 3, 40, 41, 42, 43, 80, 81)]
        found = build(rows, "hill_q1")
        assert len(found.points) == 10
        assert found.slope is not None
        assert found.slope.per_day == pytest.approx(1.0)  # a calendar day, not a survey

    @pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0)])
    def test_with_hardly_a_day_nothing_is_claimed(self, values: tuple[float, ...]) -> None:
        found = build(days(*values), "hill_q1")
        assert (found.verdict, found.slope, found.line) == ("too_few", None, None)
        assert found.autocorrelation.inflation == 1.0

    def test_three_years_are_judged_season_by_season(self) -> None:
        rows = [
            DayRow(date(year, month, 5 + n), hill_q1=100 - 10.0 * month + year - 2020 + n / 10, **EFFORT)
            for year in (2021, 2022, 2023, 2024)
            for month in (5, 7, 9)
            for n in range(3)
        ]
        found = build(rows, "hill_q1")
        assert (found.verdict, found.verdict_from) == ("rising", "seasonal")
        assert found.seasonal.per_year == pytest.approx(1.0)
        assert (
            found.mann_kendall.verdict == "none"
        )  # each season falls, which hides it from the days in their order

    def test_clinging_days_widen_test_and_interval(self) -> None:
        rng = np.random.default_rng(1)
        noise, values = 0.0, []
        for n in range(80):
            noise = 0.8 * noise + rng.normal()
            values.append(50 + 0.02 * n + noise)
        found = build(days(*values), "hill_q1")
        assert found.autocorrelation.lag_1 is not None
        assert found.autocorrelation.lag_1 > 0.5
        assert found.autocorrelation.inflation > 2
        test = found.mann_kendall
        assert test.p is not None
        assert test.p_independent is not None
        assert test.p > test.p_independent
        assert "Hamed" in test.method
        independent = theil_sen([p.date for p in found.points], values)
        assert independent is not None
        assert found.slope is not None
        assert found.slope.low < independent.low < found.slope.per_day < independent.high < found.slope.high

    def test_false_alarms_are_rare_even_when_days_cling(self) -> None:
        """Autoregressive noise without a trend, which plain Mann–Kendall takes for one in 4 of 10 seasons."""
        rng = np.random.default_rng(7)
        alarms = plain = 0
        for _ in range(100):
            noise, values = 0.0, []
            for _ in range(70):
                noise = 0.6 * noise + rng.normal()
                values.append(10 + noise)
            found = build(days(*values), "hill_q1")
            alarms += found.verdict != "none"
            plain += (found.mann_kendall.p_independent or 0.0) < 0.05
        assert plain >= 25
        assert alarms <= 12


def factor(n: int, correlations: list[float]) -> float:
    """n/n* of Hamed and Rao, term by term."""
    terms = [(n - i) * (n - i - 1) * (n - i - 2) * r for i, r in enumerate(correlations, start=1)]
    return 1 + 2 / (n * (n - 1) * (n - 2)) * sum(terms)


def dates(number: int) -> list[date]:
    return [START + timedelta(days=n) for n in range(number)]


class TestAutocorrelation:
    def test_a_day_that_depends_on_the_one_before(self) -> None:
        """1 1 0 0, three times, around ½: r_1 = (6 − 5)/12, r_2 = −10/12; no lag is above chance."""
        found = autocorrelation(dates(12), [1.0, 1.0, 0.0, 0.0] * 3, slope=0.0)
        assert found.lag_1 == pytest.approx(1 / 12)
        assert found.lags == 0
        rho = (12 / 12 + 2) / 8
        assert found.inflation == pytest.approx(factor(12, [rho**i for i in range(1, 10)]))
        assert found.effective_days == pytest.approx(12 / found.inflation)

    def test_a_slow_swing(self) -> None:
        """Twenty high days, then twenty low: r_i falls by 3/40 a lag, and lies above the bound for a while."""
        values = [1.0] * 20 + [0.0] * 20
        found = autocorrelation(dates(40), values, slope=0.0)
        # r_i = ((40 − i) − 2 · i) / 40 for i up to 20; the bound is 1.96 / √40 = 0.31.
        assert found.lag_1 == pytest.approx(37 / 40)
        assert found.lags == 9
        near = factor(40, [(40 - 3 * i) / 40 for i in range(1, 10)])
        far = factor(40, [0.95**i for i in range(1, 38)])
        assert found.inflation == pytest.approx(max(near, far))

    def test_a_season_reaches_further_than_from_one_day_to_the_next(self) -> None:
        rng = np.random.default_rng(3)
        values = [math.sin(math.pi * n / 75) + rng.normal() for n in range(150)]
        found = autocorrelation(dates(150), values, slope=0.0)
        assert found.lag_1 is not None
        assert found.lag_1 < 0.5  # the noise hides it from the next day
        assert found.lags > 5
        rho = (150 * found.lag_1 + 2) / 146
        assert found.inflation > 1.5 * factor(150, [rho**i for i in range(1, 148)])

    def test_days_that_swing_to_and_fro_say_no_more_than_independent_ones(self) -> None:
        assert autocorrelation(dates(20), [0.0, 1.0] * 10, slope=0.0).inflation == 1.0

    def test_the_line_is_taken_away_first(self) -> None:
        values = [float(n) + (-1) ** n / 10 for n in range(20)]
        assert autocorrelation(dates(20), values, slope=0.0).inflation > 3
        assert autocorrelation(dates(20), values, slope=1.0).inflation == 1.0

    def test_days_that_all_lie_on_the_line_say_nothing(self) -> None:
        for slope in (2.0, 0.1):  # of which the second leaves rounding behind
            found = autocorrelation(dates(12), [slope * n for n in range(12)], slope)
            assert (found.lag_1, found.inflation) == (None, 1.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 1500), st.floats(-1e6, 1e6, allow_subnormal=False)),
        max_size=40,
        unique_by=lambda each: each[0],
    ),
    st.sampled_from(["month", "week"]),
)
def test_no_course_of_values_breaks_it(found: list[tuple[int, float]], length: Any) -> None:
    rows = [day(number, value) for number, value in sorted(found)]
    trend = build(rows, "hill_q1", length)
    assert len(trend.points) == len(rows)
    for p in (trend.mann_kendall.p, trend.mann_kendall.p_independent, trend.seasonal.p):
        assert p is None or 0 <= p <= 1
    assert trend.autocorrelation.inflation >= 1
    assert sum(season.days for season in trend.seasons) == len(rows)
    if trend.slope is not None:
        assert trend.slope.low <= trend.slope.per_day <= trend.slope.high
        assert all(math.isfinite(each) for each in (trend.slope.low, trend.slope.high))
    mirrored = build([day(number, -value) for number, value in sorted(found)], "hill_q1", length)
    opposite = {"rising": "falling", "falling": "rising"}
    assert mirrored.mann_kendall.s == -trend.mann_kendall.s
    assert mirrored.seasonal.s == -trend.seasonal.s
    if trend.mann_kendall.p == mirrored.mann_kendall.p:
        assert mirrored.verdict == opposite.get(trend.verdict, trend.verdict)
