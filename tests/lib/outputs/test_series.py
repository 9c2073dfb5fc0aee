"""Time series and calendars over many days: the earlier tool's shapes, with the levels that the site shows."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from math import log
from pathlib import Path
from statistics import fmean, pstdev

import pytest

from lib import __version__
from lib.definitions import definitions
from lib.outputs import series
from lib.store.records import METRICS, DayRow, ProcessingRow
from lib.store.sample import SampleStore

STORE = SampleStore()
DAYS: series.Days = [(row, processing) for row in STORE.days() if (processing := STORE.processing(row.date))]
EMPTY = (DayRow(date(2026, 1, 2), total_images=4), ProcessingRow(date(2026, 1, 2)))


def test_the_time_series_has_lists_of_equal_length(tmp_path: Path) -> None:
    assert series.write_time_series(tmp_path, DAYS, "1") is True
    path = tmp_path / "json" / f"time_series_{DAYS[0][0].date}_to_{DAYS[-1][0].date}.json"
    document = json.loads(path.read_text("utf-8"))
    assert set(document) == {
        "period", "diversity_trends", "species_trends", "processing_trends", "summary_statistics", "metadata",
        "confidence_intervals", "standardised", "standard_coverage", "effort", "definitions", "terms",
    }  # fmt: skip
    assert document["period"]["total_days"] == len(DAYS)
    for trend in ("diversity_trends", "processing_trends"):
        assert {len(values) for values in document[trend].values()} == {len(DAYS)}
    assert set(METRICS) < set(document["diversity_trends"])
    assert document["diversity_trends"]["shannon_diversity"][3] == DAYS[3][0].shannon_diversity
    assert document["species_trends"]["total_unique_species"] == STORE.counts()["species"]
    assert document["metadata"]["analysis_version"] == "1"
    assert document["metadata"]["product_version"] == __version__
    assert document["metadata"]["model_names"] == ["sample"]
    assert set(document["definitions"]) == set(METRICS)
    assert len(document["effort"]) == len(DAYS)


def test_intervals_stand_beside_the_values_and_are_null_where_there_is_none() -> None:
    first, second = DAYS[3:5]
    known = replace(first[0], confidence_intervals={"hill_q1": {"low": 2.5, "high": 4.5, "level": 0.95}})
    unknown = replace(second[0], confidence_intervals={})
    intervals = series.time_series([(known, first[1]), (unknown, second[1])], "1")["confidence_intervals"]
    assert set(intervals) == set(METRICS)
    assert intervals["hill_q1"] == {"low": [2.5, None], "high": [4.5, None]}
    assert intervals["hill_q2"] == {"low": [None, None], "high": [None, None]}
    entry = series.github_calendar([known], "hill_q1", "1")["data"][0]
    assert (entry["low"], entry["high"]) == (2.5, 4.5)


def test_days_can_be_compared_at_equal_coverage() -> None:
    first, second = DAYS[3:5]
    hill = {"value": 4.0, "low": 2.0, "high": 8.0, "coverage": 0.8}
    known = replace(first[0], confidence_intervals={"hill_q1_standardised": hill})
    unknown = replace(second[0], confidence_intervals={})
    document = series.time_series([(known, first[1]), (unknown, second[1])], "1")
    assert document["standard_coverage"] == 0.8
    assert document["standardised"]["hill_q1"] == {
        "value": [4.0, None],
        "low": [2.0, None],
        "high": [8.0, None],
    }
    assert document["standardised"]["shannon_diversity"]["value"] == [pytest.approx(log(4)), None]
    assert "pielou_evenness" not in document["standardised"]
    entry = series.github_calendar([known], "hill_q1", "1")["data"][0]
    assert entry["standardised"] == {"value": 4.0, "low": 2.0, "high": 8.0}


def test_statistics_leave_out_days_on_which_a_metric_is_undefined() -> None:
    values = [row.shannon_diversity for row, _ in DAYS if row.shannon_diversity is not None]
    assert len(values) < len(DAYS)
    found = series.time_series(DAYS, "1")["summary_statistics"]["shannon_diversity"]
    assert found == {
        "mean": pytest.approx(fmean(values)),
        "std": pytest.approx(pstdev(values)),
        "min": min(values),
        "max": max(values),
    }
    nothing = series.time_series([EMPTY], "1")["summary_statistics"]["shannon_diversity"]
    assert set(nothing.values()) == {None}


@pytest.mark.parametrize("metric", METRICS)
def test_the_calendar_has_an_entry_a_day(tmp_path: Path, metric: str) -> None:
    assert series.write_calendar(tmp_path, DAYS, metric, "1") is True
    assert series.write_calendar(tmp_path, DAYS, metric, "1") is False
    document = json.loads((tmp_path / "json" / f"github_calendar_{metric}.json").read_text("utf-8"))
    assert [entry["date"] for entry in document["data"]] == [row.date.isoformat() for row, _ in DAYS]
    entry = document["data"][3]
    assert set(entry) == {
        "date", "value", "level", "species_count", "total_images", "low", "high", "effort", "standardised",
    }  # fmt: skip
    assert entry["value"] == getattr(DAYS[3][0], metric)
    assert all(each["level"] in range(5) for each in document["data"])
    scale = document["scale"]
    assert scale["min"] <= scale["q25"] <= scale["q50"] <= scale["q75"] <= scale["max"]
    assert document["metadata"]["total_days"] == len(DAYS)
    assert document["metadata"]["metric_description"]
    assert document["metadata"]["analysis_version"] == "1"
    assert document["definitions"] == definitions([metric])


def test_a_day_without_plants_is_shown_without_a_value() -> None:
    document = series.github_calendar([EMPTY[0]], "shannon_diversity", "1")
    assert document["data"] == [
        {
            "date": "2026-01-02",
            "value": None,
            "level": 0,
            "species_count": 0,
            "total_images": 4,
            "low": None,
            "high": None,
            "effort": "none",
            "standardised": None,
        }
    ]
    assert document["scale"] == {"min": 0.0, "q25": 0.25, "q50": 0.5, "q75": 0.75, "max": 1.0}
