"""The daily summary: the earlier tool's keys, all of a row back again, and no day from what is none."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import __version__
from lib.definitions import definitions
from lib.outputs import summaries
from lib.store.records import DayRow, ProcessingRow
from lib.store.sample import SampleStore

DAY = date(2025, 8, 24)
MODEL = summaries.ModelInfo("starter", "1.0", "lite0", 12)
SAMPLE = SampleStore()
# What the earlier tool wrote: floats for counts, pairs for intervals, the ten likeliest species, local time.
EARLIER: dict[str, Any] = {
    "date": "2025-08-24",
    "timestamp": "2025-08-24T18:30:00.123456",
    "diversity_metrics": {
        "date": "2025-08-24T00:00:00",
        "total_images": 10.0,
        "processed_images": 8.0,
        "species_richness": 5.0,
        "shannon_diversity": 1.5,
        "pielou_evenness": 0.8,
        "simpson_diversity": 0.7,
        "hill_q0": 5.0,
        "hill_q1": 4.5,
        "hill_q2": 3.8,
        "chao1_estimate": 6.2,
        "coverage_estimate": 0.85,
        "richness_ci": None,
        "species_counts": {},
        "species_frequencies": {},
        "top_species": [],
    },
    "confidence_intervals": {
        "shannon_diversity": [1.2, 1.8],
        "species_richness": [4.0, 6.0],
        "hill_q1": None,
    },
    "top_species": [
        {"species_name": "Stellaria media", "count": 6, "frequency": 0.75, "average_confidence": 0.85},
        {"species_name": "Zea mays", "count": 2, "frequency": 0.25, "average_confidence": 0.7},
    ],
    "processing_info": {
        "total_processing_time": 2.5,
        "average_processing_time": 0.25,
        "total_predictions": 8,
    },
    "model_info": {"name": "inatag", "size": "base", "lora_enabled": False},
    "quality_assessment": {"total_images": 10},
    "clustering_info": {"clusters_formed": 3},
    "metadata": {
        "total_images_processed": 8,
        "inatag_species_count": 2959,
        "analysis_version": "1.0.0",
        "export_timestamp": "2025-08-24T18:30:00.123456",
    },
}


def read(document: Any, day: date = DAY) -> tuple[DayRow, ProcessingRow]:
    return summaries.read_summary(json.dumps(document).encode(), day)


def earlier(**changes: Any) -> dict[str, Any]:
    return EARLIER | changes


def with_metric(name: str, value: Any) -> dict[str, Any]:
    return earlier(diversity_metrics=EARLIER["diversity_metrics"] | {name: value})


def test_it_has_the_keys_of_the_shape() -> None:
    row = SAMPLE.days()[8]
    processing = SAMPLE.processing(row.date)
    assert processing is not None
    document = summaries.summary(row, processing, MODEL)
    assert set(EARLIER) <= set(document)
    assert set(EARLIER["metadata"]) <= set(document["metadata"])
    assert set(document["top_species"][0]) == {*EARLIER["top_species"][0], "expected_count"}
    for name in ("species_richness", "shannon_diversity", "hill_q2", "chao1_estimate", "coverage_estimate"):
        assert document["diversity_metrics"][name] == getattr(row, name)
    assert document["metadata"]["inatag_species_count"] == 12
    assert document["model_info"]["name"] == "sample"
    assert document["definitions"] == definitions()
    assert document["metadata"]["product_version"] == __version__
    assert document["metadata"]["effort"] == row.effort
    assert document["timestamp"] == document["metadata"]["export_timestamp"] == f"{row.date}T12:00:00+00:00"


@pytest.mark.parametrize("row", SAMPLE.days()[::7], ids=lambda row: row.date.isoformat())
def test_a_row_comes_back_as_it_was(tmp_path: Path, row: DayRow) -> None:
    processing = SAMPLE.processing(row.date)
    assert processing is not None
    assert summaries.write_summary(tmp_path, row, processing, MODEL) is True
    path = summaries.summary_path(tmp_path, row.date)
    assert path == tmp_path / "json" / f"daily_summary_{row.date}.json"
    assert summaries.read_summary(path.read_bytes(), row.date) == (row, processing)
    later = replace(row, computed_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert summaries.write_summary(tmp_path, later, processing, MODEL) is False


def test_a_day_without_plants_comes_back_with_nothing_in_it() -> None:
    row = DayRow(DAY, total_images=3, top_species=[], computed_at=datetime(2025, 8, 24, tzinfo=UTC))
    document = summaries.summary(row, ProcessingRow(DAY, input_images_count=3), MODEL)
    assert read(document) == (row, ProcessingRow(DAY, input_images_count=3))
    assert document["diversity_metrics"]["shannon_diversity"] is None


def test_a_row_without_a_time_gets_the_present_one() -> None:
    document = summaries.summary(DayRow(DAY), ProcessingRow(DAY), MODEL)
    assert datetime.fromisoformat(document["timestamp"]).tzinfo is not None


def test_files_of_the_earlier_tool_are_read() -> None:
    row, processing = read(EARLIER)
    assert (row.total_images, row.processed_images, row.species_richness) == (10, 8, 5)
    assert isinstance(row.species_richness, int)
    assert row.shannon_diversity == 1.5
    assert row.confidence_intervals == {
        "shannon_diversity": {"low": 1.2, "high": 1.8},
        "species_richness": {"low": 4.0, "high": 6.0},
    }
    assert row.species_counts == {"Stellaria media": 6, "Zea mays": 2}
    assert row.species_frequencies == {"Stellaria media": 0.75, "Zea mays": 0.25}
    assert row.top_species[0]["average_confidence"] == 0.85
    assert row.model_name == "inatag"
    assert row.computed_at == datetime(2025, 8, 24, 18, 30, 0, 123456, tzinfo=UTC)
    assert row.effort == "ok"
    assert processing.clusters_found == 3
    assert processing.predictions_count == 8
    assert processing.processing_time_total == 2.5


def test_fuller_counts_win_over_the_ten_likeliest() -> None:
    counts = {"Stellaria media": 6, "Zea mays": 2, "Poa annua": 1}
    row, _ = read(earlier(species_counts=counts))
    assert row.species_counts == counts
    inside, _ = read(with_metric("species_counts", counts))
    assert inside.species_counts == counts


def test_unknown_keys_are_ignored_and_most_known_ones_may_be_missing() -> None:
    row, processing = read({"date": "2025-08-24", "diversity_metrics": {}, "weather": {"rain": [1, 2]}})
    assert row == DayRow(DAY, top_species=[])
    assert processing == ProcessingRow(DAY)
    row, _ = read(
        {"date": "2025-08-24T09:00:00", "diversity_metrics": {"shannon_diversity": 1, "tea": "cold"}}
    )
    assert row.shannon_diversity == 1.0
    unknown, _ = read(earlier(timestamp="yesterday", model_info=None))
    assert (unknown.computed_at, unknown.model_name) == (None, "")
    assert read(earlier(timestamp=5))[0].computed_at is None


TOP = EARLIER["top_species"][0]
BROKEN: dict[str, tuple[Any, str]] = {
    "a list": ([], "not an object"),
    "another day": (earlier(date="2025-08-25"), "date"),
    "no date": ({"diversity_metrics": {}}, "date"),
    "a date that is a number": (earlier(date=20250824), "date"),
    "no metrics": ({"date": "2025-08-24"}, "diversity_metrics"),
    "metrics in a list": (earlier(diversity_metrics=[]), "diversity_metrics"),
    "a metric in words": (with_metric("shannon_diversity", "1.5"), "shannon_diversity"),
    "a metric that is true": (with_metric("hill_q1", True), "hill_q1"),
    "a negative metric": (with_metric("shannon_diversity", -1), "out of its range"),
    "evenness above one": (with_metric("pielou_evenness", 1.5), "out of its range"),
    "half a species": (with_metric("species_richness", 2.5), "count"),
    "minus two photos": (with_metric("total_images", -2), "count"),
    "more photos than there are": (with_metric("total_images", 10**30), "count"),
    "an endless number": (with_metric("chao1_estimate", 10**400), "finite"),
    "top species in an object": (earlier(top_species={"a": 1}), "top_species"),
    "a top species in words": (earlier(top_species=["Zea mays"]), "top_species"),
    "a top species without a name": (earlier(top_species=[TOP | {"species_name": ""}]), "species_name"),
    "a top species without a count": (earlier(top_species=[TOP | {"count": None}]), "count"),
    "counts in a list": (earlier(species_counts=[1]), "species_counts"),
    "a count in words": (earlier(species_counts={"Zea mays": "2"}), "species_counts"),
    "frequencies in words": (
        with_metric("species_frequencies", {"Zea mays": "often"}),
        "species_frequencies",
    ),
    "intervals in a list": (earlier(confidence_intervals=[1]), "confidence_intervals"),
    "an interval with one end": (earlier(confidence_intervals={"hill_q1": [1, None]}), "interval"),
    "an interval with three": (earlier(confidence_intervals={"hill_q1": [1, 2, 3]}), "interval"),
    "an interval turned round": (earlier(confidence_intervals={"hill_q1": [5, 1]}), "ends before it begins"),
    "more plants than there are": (earlier(estimate={"draws": {"Zea mays": [2**53]}}), "draw"),
    "fewer than no plants": (earlier(estimate={"unknown": -1}), "below zero"),
    "an expected count below none": (earlier(estimate={"expected_counts": {"Zea mays": -0.5}}), "below zero"),
    "metadata in words": (earlier(metadata="none"), "metadata"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_day_is_refused_with_its_reason(name: str) -> None:
    document, reason = BROKEN[name]
    with pytest.raises(summaries.Broken, match=reason):
        read(document)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b'{"date": ', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested|not JSON"),
        (b'{"date": "2025-08-24", "diversity_metrics": {"hill_q1": NaN}}', "NaN"),
        (b'{"date": "2025-08-24", "diversity_metrics": {"hill_q1": -Infinity}}', "Infinity"),
        (b'{"date": "2025-08-24", "diversity_metrics": {"hill_q1": 1e999}}', "finite"),
        (
            b'{"date": "2025-08-24", "diversity_metrics": {}, "estimate": {"ranks": {"genus": 1e999}}}',
            "finite",
        ),
        (
            b'{"date": "2025-08-24", "diversity_metrics": {"hill_q1": ' + b"9" * 5000 + b"}}",
            "not JSON|finite",
        ),
    ],
)
def test_what_is_not_even_json_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(summaries.Broken, match=reason):
        summaries.read_summary(data, DAY)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(EARLIER)), json_values)
def test_whatever_a_key_holds_it_is_a_sound_day_or_refused(name: str, value: Any) -> None:
    try:
        row, processing = read(earlier(**{name: value}))
    except summaries.Broken:
        return
    numbers = [getattr(row, name) for name in ("shannon_diversity", "hill_q1", "chao1_estimate")]
    assert all(number is None or math.isfinite(number) for number in numbers)
    again = summaries.summary(row, processing, MODEL)
    json.dumps(again, allow_nan=False)


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(summaries.Broken):
        summaries.read_summary(data, DAY)


@pytest.mark.parametrize(
    "name", ["daily_summary_2025-13-01.json", "daily_summary_x.json", "daily_summary_2025-8-4.json"]
)
def test_a_name_with_a_bad_date_is_named(name: str) -> None:
    with pytest.raises(summaries.Broken, match="name"):
        summaries.date_of(name)


def test_only_summaries_have_a_day() -> None:
    assert summaries.is_summary("daily_summary_2025-08-24.json")
    assert summaries.date_of("daily_summary_2025-08-24.json") == DAY
    assert not summaries.is_summary("time_series_2025-08-24_to_2025-08-25.json")
    assert not summaries.is_summary(".daily_summary_2025-08-24.json.1a2b.tmp")
