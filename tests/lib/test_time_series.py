"""The series of days that the API and the pages show: the metrics asked for, and lists of equal length."""

from __future__ import annotations

from datetime import date

import pytest

from lib import calendars, time_series
from lib.problems import Problem
from lib.store.records import METRICS, DayRow


def test_without_a_name_the_default_metrics_are_meant() -> None:
    assert time_series.metrics_of([]) == list(time_series.DEFAULT_METRICS)
    assert set(time_series.DEFAULT_METRICS) <= set(METRICS)


@pytest.mark.parametrize(
    "listed",
    [
        ["hill_q1,total_images"],
        [" hill_q1 , total_images,"],
        ["hill_q1", "total_images"],
        ["hill_q1,total_images", "hill_q1"],
    ],
)
def test_names_come_with_commas_or_one_by_one_and_count_once(listed: list[str]) -> None:
    assert time_series.metrics_of(listed) == ["hill_q1", "total_images"]


@pytest.mark.parametrize("listed", [[""], [" , "], ["hill_q1,hill_q9"], ["Hill_q1"]])
def test_what_names_no_metric_is_refused(listed: list[str]) -> None:
    with pytest.raises(Problem) as raised:
        time_series.metrics_of(listed)
    assert raised.value.status == 400


def test_each_day_has_its_place_in_every_list() -> None:
    fair = {"value": 2.5, "low": 2.0, "high": 3.1, "coverage": 0.8}
    rows = [
        DayRow(
            date(2025, 6, 1),
            hill_q1=4.0,
            species_richness=5,
            species_counts={"Poa annua": 20},
            coverage_estimate=0.9,
            confidence_intervals={"hill_q1": {"low": 3.0, "high": 5.0}, "hill_q1_standardised": fair},
        ),
        DayRow(date(2025, 6, 3), species_counts={}),
    ]
    found = time_series.build(rows, ["hill_q1", "species_richness", "pielou_evenness"], sample=False)
    assert found.dates == ["2025-06-01", "2025-06-03"]
    assert found.total_points == 2
    assert found.metrics["hill_q1"] == [4.0, None]
    assert found.metrics["species_richness"] == [5.0, 0.0]
    assert (found.intervals["hill_q1"].low, found.intervals["hill_q1"].high) == ([3.0, None], [5.0, None])
    assert found.standardised["hill_q1"].value == [2.5, None]
    assert found.standardised["species_richness"].high == [None, None]
    assert "pielou_evenness" not in found.standardised  # it has no such form
    assert found.standard_coverage == calendars.STANDARD_COVERAGE
    assert (found.coverage, found.effort) == ([0.9, None], ["ok", "none"])
    assert time_series.build([], ["hill_q1"], sample=True).metrics == {"hill_q1": []}


def test_the_fields_to_read_are_those_that_are_shown() -> None:
    """A store leaves out what is not named: whoever reads more would read defaults."""
    named = time_series.columns(["hill_q1"])
    assert {"hill_q1", "confidence_intervals", "species_counts", "known_units", "coverage_estimate"} <= set(
        named
    )
    assert set(named) <= set(DayRow.__dataclass_fields__)
