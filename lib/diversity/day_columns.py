"""The columns of a day's row that follow from its species counts: which form of each statistic is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.diversity.indices import hill, pielou, richness, shannon, simpson
from lib.diversity.richness_estimators import chao1
from lib.diversity.sample_coverage import coverage

INTERVAL_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class DayColumns:
    """Columns of `diversity_metrics` by their names.

    A metric is None where undefined: on a day without a plant, all but richness. `confidence_intervals` maps
    a metric to low, high, level, se and method; species come most frequent first, equal ones by name.
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
    species_counts: dict[str, int]
    species_frequencies: dict[str, float]
    top_species: list[dict[str, Any]]


def day_columns(counts: Mapping[str, int], confidences: Mapping[str, float]) -> DayColumns:
    """Columns of a day with `counts` (species to units, whole, above 0) and mean `confidences` (0 to 1)."""
    species = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    total = sum(counts.values())
    # In the order of the counts: sums of floats depend on it in the last digit, and a row must not.
    values = [count for _, count in species]
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
    return DayColumns(
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
        species_counts=dict(species),
        species_frequencies={name: count / total for name, count in species},
        top_species=[
            {
                "species_name": name,
                "count": count,
                "frequency": count / total,
                "average_confidence": confidences.get(name),
            }
            for name, count in species
        ],
    )
