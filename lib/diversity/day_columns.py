"""The metric columns of one day from its species counts: the one place that says which form of each is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.diversity.indices import hill, pielou, richness, shannon, simpson
from lib.diversity.richness_estimators import chao1
from lib.diversity.sample_coverage import coverage

INTERVAL_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class DayMetrics:
    """Metrics by their column names; None where undefined, which on a day without a plant is all but richness.

    `confidence_intervals` maps a metric to low, high, level, se and method.
    """

    species_richness: int
    shannon_diversity: float | None
    pielou_evenness: float | None
    simpson_diversity: float | None
    hill_q0: float | None
    hill_q1: float | None
    hill_q2: float | None
    chao1_estimate: float | None
    coverage_estimate: float | None
    confidence_intervals: dict[str, dict[str, float | str]]


def day_metrics(counts: Mapping[str, int]) -> DayMetrics:
    """Metrics of `counts`, species to number of units (whole, not negative; zeros change nothing)."""
    # Sums of floats depend on their order in the last digit; sorted, the same day always gives the same row.
    values = sorted(counts.values())
    estimate = chao1(values, level=INTERVAL_LEVEL)
    intervals: dict[str, dict[str, float | str]] = {}
    if estimate is not None:
        intervals["chao1_estimate"] = {
            "low": estimate.low,
            "high": estimate.high,
            "level": INTERVAL_LEVEL,
            "se": estimate.se,
            "method": "log-normal (Chao 1987)",
        }
    return DayMetrics(
        species_richness=richness(values),
        shannon_diversity=shannon(values),
        pielou_evenness=pielou(values),
        simpson_diversity=simpson(values),
        hill_q0=hill(values, 0),
        hill_q1=hill(values, 1),
        hill_q2=hill(values, 2),
        chao1_estimate=None if estimate is None else estimate.value,
        coverage_estimate=coverage(values),
        confidence_intervals=intervals,
    )
