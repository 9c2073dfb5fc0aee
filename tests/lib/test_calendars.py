"""The heat-map of a year: levels, thresholds, gaps and effort."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import calendars
from lib.problems import Problem
from lib.store.records import METRICS, DayRow

FIXED = {
    "species_richness": (5, 10, 15, 20),
    "shannon_diversity": (1.0, 1.5, 2.0, 2.5),
    "pielou_evenness": (0.25, 0.5, 0.75, 1.0),
    "simpson_diversity": (0.25, 0.5, 0.75, 1.0),
    "coverage_estimate": (0.25, 0.5, 0.75, 1.0),
}
BY_YEAR = sorted(set(METRICS) - set(FIXED))


def row(day: date, **values: Any) -> DayRow:
    return DayRow(day, **({"total_images": 10, "processed_images": 10} | values))


def year_of(*values: float | None, metric: str = "hill_q1") -> calendars.Calendar:
    rows = [
        row(date.fromordinal(date(2025, 5, 1).toordinal() + n), **{metric: v}) for n, v in enumerate(values)
    ]
    return calendars.build(rows, metric, 2025, False, 2025)


def levels(calendar: calendars.Calendar) -> list[int]:
    return [cell.level for cell in calendar.data.values()]


def test_every_metric_is_presented() -> None:
    assert list(calendars.PRESENTED) == list(METRICS)
    assert all(metric.unit and metric.description for metric in calendars.PRESENTED.values())


@pytest.mark.parametrize("metric", FIXED)
def test_the_fixed_thresholds_are_the_specified_ones(metric: str) -> None:
    scale = year_of(1.0, metric=metric).scale
    assert (scale.thresholds, scale.method) == ([float(each) for each in FIXED[metric]], "fixed")


@pytest.mark.parametrize(
    ("value", "level"), [(None, 0), (0.0, 0), (0.99, 0), (1.0, 1), (1.7, 2), (2.0, 3), (2.5, 4), (9.0, 4)]
)
def test_a_level_is_the_number_of_thresholds_reached(value: float | None, level: int) -> None:
    assert levels(year_of(value, metric="shannon_diversity")) == [level]


@pytest.mark.parametrize("metric", BY_YEAR)
def test_the_others_go_by_the_quarters_of_the_year(metric: str) -> None:
    calendar = year_of(*range(1, 9), metric=metric)
    assert calendar.scale.thresholds == [1, 2.75, 4.5, 6.25]
    assert levels(calendar) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_another_years_values_move_no_threshold() -> None:
    rows = [row(date(2024, 6, 1), hill_q1=100.0), row(date(2025, 6, 1), hill_q1=2.0)]
    calendar = calendars.build(rows, "hill_q1", 2025, False, 2025)
    assert calendar.scale.thresholds == [2.0] * 4
    assert list(calendar.data) == ["2025-06-01"]
    assert calendar.years == [2024, 2025]


def test_zero_and_undefined_reach_no_level() -> None:
    calendar = year_of(0.0, None, 0.0)
    assert levels(calendar) == [0, 0, 0]
    assert [cell.value for cell in calendar.data.values()] == [0.0, None, 0.0]


def test_a_year_without_a_survey_is_empty() -> None:
    calendar = calendars.build([], "hill_q1", 1999, True, 2025)
    assert (calendar.year, calendar.total_days, calendar.data, calendar.years) == (1999, 0, {}, [])
    assert calendar.scale.thresholds == [0.0] * 4
    assert calendar.sample


def test_without_a_year_it_is_the_newest_with_a_survey_else_this_one() -> None:
    rows = [row(date(2023, 6, 1)), row(date(2024, 6, 1))]
    assert calendars.build(rows, "hill_q1", None, False, 2026).year == 2024
    assert calendars.build([], "hill_q1", None, False, 2026).year == 2026


def test_missing_days_are_absent_and_surveyed_ones_say_how_much_was_done() -> None:
    many = row(
        date(2025, 6, 1), shannon_diversity=1.2, species_richness=3, coverage_estimate=0.9,
        species_counts={"Poa annua": 4, "Stellaria media": 3, "Zea mays": 2},
        confidence_intervals={"shannon_diversity": {"low": 1.0, "high": 1.4}},
    )  # fmt: skip
    bare = row(date(2025, 6, 3))
    few = row(date(2025, 6, 5), species_counts={"Poa annua": 1}, coverage_estimate=1.0)
    calendar = calendars.build([many, bare, few], "shannon_diversity", 2025, False, 2025)
    assert list(calendar.data) == ["2025-06-01", "2025-06-03", "2025-06-05"]
    assert calendar.total_days == 3
    cell = calendar.data["2025-06-01"]
    assert (cell.value, cell.low, cell.high, cell.level) == (1.2, 1.0, 1.4, 1)
    assert (cell.total_images, cell.species_richness, cell.coverage) == (10, 3, 0.9)
    assert [each.effort for each in calendar.data.values()] == ["ok", "none", "low"]


def test_an_interval_that_was_not_computed_is_none() -> None:
    for intervals in ({}, {"hill_q1": None}, {"hill_q1": {}}, {"hill_q1": [1, 2]}):
        found = calendars.interval_of(row(date(2025, 6, 1), confidence_intervals=intervals), "hill_q1")
        assert found == (None, None)


def test_a_metric_that_is_none_names_those_that_are() -> None:
    with pytest.raises(Problem) as caught:
        calendars.check_metric("beauty")
    assert caught.value.status == 404
    assert caught.value.extensions["metrics"] == list(METRICS)
    assert all(metric in caught.value.detail for metric in METRICS)
    with pytest.raises(Problem):
        calendars.build([], "inputs_digest", 2025, False, 2025)


VALUES = st.lists(st.none() | st.floats(0, 1e6), max_size=60)


@given(st.sampled_from(METRICS), VALUES)
def test_levels_follow_values_and_every_number_is_finite(metric: str, values: list[float | None]) -> None:
    whole = metric in ("total_images", "species_richness")
    given_values = [int(v or 0) if whole else v for v in values]
    calendar = year_of(*given_values, metric=metric)
    thresholds = calendar.scale.thresholds
    assert len(thresholds) == 4
    assert all(map(math.isfinite, thresholds))
    assert thresholds == sorted(thresholds)
    assert all(0 <= level <= 4 for level in levels(calendar))
    ranked = sorted((cell.value, cell.level) for cell in calendar.data.values() if cell.value is not None)
    assert [level for _, level in ranked] == sorted(level for _, level in ranked)
    assert "NaN" not in json.dumps(msgspec.to_builtins(calendar))


@given(st.lists(st.floats(0.1, 1e6), min_size=4, max_size=80, unique=True))
def test_each_level_of_distinct_values_holds_a_quarter_of_the_days(values: list[float]) -> None:
    found = levels(year_of(*values))
    for level in (1, 2, 3, 4):
        assert abs(found.count(level) - len(values) / 4) <= 1


@pytest.mark.parametrize("value", [10**400, "5", None, [], 0.5, 10.5])
def test_a_standardised_value_that_is_none_is_left_out(value: object) -> None:
    """Files of other tools may hold anything there, and one of them must not take the calendar down."""
    interval = {"value": value, "low": 1.0, "high": 10**401 if value == 10**400 else 10.0, "coverage": 0.8}
    assert calendars.standardised_in({"hill_q1_standardised": interval}, "hill_q1") is None
