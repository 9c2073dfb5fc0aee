"""One year of one metric as a heat-map: values, five levels, and how much effort stands behind each day."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lib.problems import Problem
from lib.store.records import METRICS, DayRow

QUARTERS = (0.25, 0.5, 0.75, 1.0)
STANDARD_COVERAGE = 0.8  # as lib.diversity.day_estimate, which a read must not load
EFFORT = ("coverage_estimate", "known_units", "species_counts")  # the fields that DayRow.effort is made of


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is presented; without fixed `thresholds` the shown year's quartiles are used."""

    unit: str
    description: str
    thresholds: tuple[float, ...] | None = None


PRESENTED = {
    "species_richness": Metric(
        "species", "Number of species, estimated from the labels' probabilities.", (5, 10, 15, 20)
    ),
    "shannon_diversity": Metric("nats", "Shannon entropy H′ = −Σ p ln p.", (1.0, 1.5, 2.0, 2.5)),
    "pielou_evenness": Metric("index 0–1", "Pielou evenness J = H′ / ln S.", QUARTERS),
    "simpson_diversity": Metric("index 0–1", "Gini–Simpson index 1 − Σ p².", QUARTERS),
    "hill_q0": Metric("effective species", "Hill number of order 0: species richness."),
    "hill_q1": Metric("effective species", "Hill number of order 1: exp(H′), the common species."),
    "hill_q2": Metric("effective species", "Hill number of order 2: 1 / Σ p², the dominant species."),
    "chao1_estimate": Metric("species", "Chao1: species richness with the unseen species estimated."),
    "coverage_estimate": Metric(
        "index 0–1", "Sample coverage (Chao–Jost): share of the plants whose species was seen.", QUARTERS
    ),
    "total_images": Metric("photos", "Photos taken."),
}


class Standardised(msgspec.Struct):
    """A metric as if every day had found the same share of its community: fair to compare, whatever the effort."""

    coverage: float
    value: float
    low: float
    high: float


class Cell(msgspec.Struct):
    """One surveyed day. `value` is null where the metric is undefined; `effort` is none, low or ok.

    `low` and `high` are the ends of the 95 % interval; they and `standardised` are null with too little effort,
    and `standardised` also for metrics that have no such form.
    """

    value: float | None
    level: int
    low: float | None
    high: float | None
    total_images: int
    species_richness: int
    coverage: float | None
    effort: str
    standardised: Standardised | None


class Scale(msgspec.Struct):
    """A day's level is the number of thresholds that its value reaches; zero reaches none."""

    thresholds: list[float]
    method: str


class Calendar(msgspec.Struct):
    """A year of one metric; days without a survey are absent from `data`."""

    metric: str
    unit: str
    description: str
    year: int
    years: list[int]
    total_days: int
    scale: Scale
    data: dict[str, Cell]
    sample: bool


def check_metric(metric: str) -> str:
    """`metric` when it is one; else 404 listing them all."""
    if metric not in PRESENTED:
        detail = f"There is no metric of this name. The metrics are: {', '.join(METRICS)}."
        raise Problem(404, detail=detail, kind="unknown-metric", metrics=list(METRICS))
    return metric


def columns(metric: str) -> tuple[str, ...]:
    """The fields of a row that its cell is made of."""
    return (metric, *EFFORT, "confidence_intervals", "total_images", "species_richness")


def value_of(row: DayRow, metric: str) -> float | None:
    """The day's value of a metric, None where it is undefined."""
    value = getattr(row, metric)
    return None if value is None else float(value)


def interval_of(row: DayRow, metric: str) -> tuple[float | None, float | None]:
    """The day's interval of a metric, (None, None) where none was computed."""
    return interval_in(row.confidence_intervals, metric)


def interval_in(intervals: Mapping[str, Any], metric: str) -> tuple[float | None, float | None]:
    """The interval of a metric among those of a day."""
    found = intervals.get(metric)
    if not isinstance(found, dict):
        return None, None
    return found.get("low"), found.get("high")


# The Hill number that a metric is made of, and how.
_OF_HILL: dict[str, tuple[str, Callable[[float], float]]] = {
    "species_richness": ("hill_q0_standardised", float),
    "hill_q0": ("hill_q0_standardised", float),
    "shannon_diversity": ("hill_q1_standardised", math.log),
    "hill_q1": ("hill_q1_standardised", float),
    "simpson_diversity": ("hill_q2_standardised", lambda number: 1 - 1 / number),
    "hill_q2": ("hill_q2_standardised", float),
}
STANDARDISED = tuple(_OF_HILL)


def standardised_of(row: DayRow, metric: str) -> Standardised | None:
    """The day's value of a metric at the common coverage; None where it cannot be had or has no such form."""
    return standardised_in(row.confidence_intervals, metric)


def standardised_in(intervals: Mapping[str, Any], metric: str) -> Standardised | None:
    """The standardised form of a metric among the intervals of a day."""
    name, of = _OF_HILL.get(metric, ("", float))
    found = intervals.get(name)
    if found is None:
        return None
    try:
        value, low, high = found["value"], found["low"], found["high"]
        if not 1 <= low <= value <= high:
            return None
        return Standardised(float(found["coverage"]), of(value), of(low), of(high))
    except (KeyError, TypeError, ValueError, OverflowError):  # files of other tools may hold anything here
        return None


def build(rows: Sequence[DayRow], metric: str, year: int | None, sample: bool, this_year: int) -> Calendar:
    """The calendar of `year` from all of an owner's rows, ordered by date.

    Without a year, the newest year with a survey, else `this_year`.
    """
    presented = PRESENTED[check_metric(metric)]
    years = sorted({row.date.year for row in rows})
    shown = year if year is not None else (years[-1] if years else this_year)
    days = [row for row in rows if row.date.year == shown]
    values = sorted(value for row in days if (value := value_of(row, metric)) is not None)
    scale = _scale(presented, values)
    return Calendar(
        metric=metric,
        unit=presented.unit,
        description=presented.description,
        year=shown,
        years=years,
        total_days=len(days),
        scale=scale,
        data={row.date.isoformat(): _cell(row, metric, scale) for row in days},
        sample=sample,
    )


def _cell(row: DayRow, metric: str, scale: Scale) -> Cell:
    value = value_of(row, metric)
    low, high = interval_of(row, metric)
    return Cell(
        value=value,
        level=bisect_right(scale.thresholds, value) if value else 0,
        low=low,
        high=high,
        total_images=row.total_images,
        species_richness=row.species_richness,
        coverage=row.coverage_estimate,
        effort=row.effort,
        standardised=standardised_of(row, metric),
    )


def _scale(presented: Metric, values: Sequence[float]) -> Scale:
    if presented.thresholds is not None:
        return Scale([float(threshold) for threshold in presented.thresholds], "fixed")
    # Lower bounds of the four quarters of the year's days, so that each of levels 1 to 4 holds a quarter of them.
    return Scale(
        [quantile(values, quarter / 4) for quarter in range(4)] if values else [0.0] * 4,
        "quartiles of the year",
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The linear-interpolation quantile of sorted values (Hyndman & Fan type 7)."""
    position = share * (len(values) - 1)
    below = int(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (position - below)
