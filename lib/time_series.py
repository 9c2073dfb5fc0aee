"""Metrics day by day: values, intervals, and the same at equal coverage, as the API and the pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lib import calendars
from lib.problems import malformed
from lib.store.records import METRICS, DayRow

DEFAULT_METRICS = ("shannon_diversity", "species_richness", "pielou_evenness")


class Interval(msgspec.Struct):
    """Bounds day by day; null where none was computed."""

    low: list[float | None]
    high: list[float | None]


class StandardisedSeries(msgspec.Struct):
    """A metric at the same coverage on every day; null where a day cannot be brought there."""

    value: list[float | None]
    low: list[float | None]
    high: list[float | None]


class TimeSeries(msgspec.Struct):
    """Lists of equal length, ordered by date; days without a survey are absent.

    `effort` (none, low or ok) says which days can be compared at all; `standardised` has the metrics that can be
    brought to `standard_coverage`.
    """

    dates: list[str]
    metrics: dict[str, list[float | None]]
    intervals: dict[str, Interval]
    standardised: dict[str, StandardisedSeries]
    standard_coverage: float
    coverage: list[float | None]
    effort: list[str]
    total_points: int
    sample: bool


_NAME = f"(?:{'|'.join(METRICS)})"
# For the API's description: what `metrics_of` takes. It says itself what is wrong with another text.
LIST_PATTERN = rf"^[\s,]*{_NAME}\s*(?:,\s*(?:{_NAME}\s*)?)*$"


def metrics_of(listed: Iterable[str]) -> list[str]:
    """The metrics named in texts with commas, each once; the default ones for no text, 400 for no known name."""
    texts = list(listed)
    if not texts:
        return list(DEFAULT_METRICS)
    names = list(dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        reason = f"must be names from: {', '.join(METRICS)}"
        raise malformed([{"field": "metrics", "reason": reason}], metrics=list(METRICS))
    return names


def columns(metrics: Iterable[str]) -> list[str]:
    """The fields of a row that a series of these metrics reads."""
    return [*metrics, *calendars.EFFORT, "confidence_intervals"]


def build(rows: Sequence[DayRow], metrics: Sequence[str], sample: bool) -> TimeSeries:
    """The series of `rows`, ordered by date."""
    days = [row.confidence_intervals for row in rows]  # read once: what it holds is decoded JSON
    intervals = {}
    for metric in metrics:
        bounds = [calendars.interval_in(day, metric) for day in days]
        intervals[metric] = Interval([low for low, _ in bounds], [high for _, high in bounds])
    return TimeSeries(
        dates=[row.date.isoformat() for row in rows],
        metrics={metric: [calendars.value_of(row, metric) for row in rows] for metric in metrics},
        intervals=intervals,
        standardised={
            metric: _standardised(days, metric) for metric in metrics if metric in calendars.STANDARDISED
        },
        standard_coverage=calendars.STANDARD_COVERAGE,
        coverage=[row.coverage_estimate for row in rows],
        effort=[row.effort for row in rows],
        total_points=len(rows),
        sample=sample,
    )


def _standardised(days: Sequence[Mapping[str, Any]], metric: str) -> StandardisedSeries:
    found = [calendars.standardised_in(day, metric) for day in days]
    return StandardisedSeries(
        value=[each.value if each else None for each in found],
        low=[each.low if each else None for each in found],
        high=[each.high if each else None for each in found],
    )
