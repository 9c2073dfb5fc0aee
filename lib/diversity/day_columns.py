"""The columns of a day's row that follow from its plants: which form of each statistic is shown."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.diversity.day_estimate import DayEstimate, estimate_counts
from lib.diversity.labelling_samples import STANDARD_COVERAGE
from lib.diversity.richness_estimators import Estimate

INTERVAL_LEVEL = 0.95
# Column, and the estimate it shows.
_SHOWN = (
    ("species_richness", "richness"),
    ("shannon_diversity", "shannon"),
    ("pielou_evenness", "pielou"),
    ("simpson_diversity", "simpson"),
    ("hill_q0", "richness"),
    ("hill_q1", "hill_q1"),
    ("hill_q2", "hill_q2"),
    ("chao1_estimate", "chao1"),
    ("coverage_estimate", "coverage"),
)
RANKS = ("genus", "family")
_SHOWN_DIGITS = 6  # of intervals
_DIGITS = 4  # of expected counts: their Monte Carlo error is larger by far


@dataclass(frozen=True, slots=True)
class DayColumns:
    """Columns of `diversity_metrics` by their names.

    A metric is None where undefined: on a day without a plant of known species, all but richness.
    `confidence_intervals` maps a metric to low, high, level and se, and `hill_q0_standardised` (q1, q2) to
    the same with value and coverage; it is empty with too few plants. `species_counts` and what follows from them
    count labels; `estimate` holds what the labels are drawn from. The most frequent species come first.
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
    known_units: float
    confidence_intervals: dict[str, dict[str, float]]
    species_counts: dict[str, int]
    species_frequencies: dict[str, float]
    top_species: list[dict[str, Any]]
    estimate: dict[str, Any]


def day_columns(
    estimate: DayEstimate,
    species: Mapping[int, str],
    counts: Mapping[str, int],
    confidences: Mapping[str, float],
    taxa: Mapping[str, Mapping[str, str]] | None = None,
    coarse: Sequence[tuple[str, str]] = (),
) -> DayColumns:
    """Columns of a day; `species` are the names of the classes, by number, as far as they have one.

    `counts` (species to units whose label it is, above 0) and mean `confidences` (0 to 1) are what the labels say.
    `taxa` gives for each of `RANKS` the taxon of a species, empty where unknown; `coarse` are units known to a
    rank only, as (rank, taxon).
    """
    labelled = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    total = sum(counts.values())
    values = estimate.values
    expected = {
        name: round(float(estimate.expected_counts[number]), _DIGITS) for number, name in species.items()
    }
    return DayColumns(
        species_richness=int(values.get("richness", 0.0) + 0.5),
        shannon_diversity=values.get("shannon"),
        pielou_evenness=values.get("pielou"),
        simpson_diversity=values.get("simpson"),
        hill_q0=values.get("richness"),
        hill_q1=values.get("hill_q1"),
        hill_q2=values.get("hill_q2"),
        chao1_estimate=values.get("chao1"),
        coverage_estimate=values.get("coverage"),
        known_units=estimate.units - estimate.unknown,
        confidence_intervals=_intervals(estimate),
        species_counts=dict(labelled),
        species_frequencies={name: count / total for name, count in labelled},
        top_species=[
            {
                "species_name": name,
                "count": count,
                "frequency": count / total,
                "average_confidence": confidences.get(name),
                "expected_count": expected.get(name, 0.0),
            }
            for name, count in labelled
        ],
        estimate={
            "units": estimate.units,
            "unknown": round(estimate.unknown, _DIGITS),
            "too_few": estimate.too_few,
            "expected_counts": dict(
                sorted(
                    ((name, number) for name, number in expected.items() if number > 0),
                    key=lambda item: (-item[1], item[0]),
                )
            ),
            "draws": _draws(estimate, species),
            "ranks": {
                rank: _at_rank(estimate, species, (taxa or {}).get(rank, {}), rank, coarse) for rank in RANKS
            },
        },
    )


def _intervals(estimate: DayEstimate) -> dict[str, dict[str, float]]:
    intervals: dict[str, dict[str, float]] = {}
    for column, name in _SHOWN:
        found: Estimate | None = getattr(estimate, name)
        if found is not None:
            intervals[column] = _interval(found)
    for order, standardised in enumerate(estimate.standardised):
        if standardised is not None:
            intervals[f"hill_q{order}_standardised"] = {
                "value": round(standardised.value, _SHOWN_DIGITS),
                "coverage": STANDARD_COVERAGE,
                **_interval(standardised),
            }
    return intervals


def _interval(estimate: Estimate) -> dict[str, float]:
    """Rounded outwards: a calendar reads a thousand of these, and their Monte Carlo error is larger by far."""
    scale = 10**_SHOWN_DIGITS
    return {
        "low": math.floor(estimate.low * scale) / scale,
        "high": math.ceil(estimate.high * scale) / scale,
        "level": INTERVAL_LEVEL,
        "se": round(estimate.se, _SHOWN_DIGITS),
    }


def _draws(estimate: DayEstimate, species: Mapping[int, str]) -> dict[str, list[int]]:
    """The labellings by species; a single one where all agree, as on a day of confirmed labels."""
    draws = estimate.draws
    if len(draws) and (draws == draws[0]).all():
        draws = draws[:1]
    return {
        species[number]: draws[:, column].tolist()
        for column, number in enumerate(estimate.classes.tolist())
        if number in species
    }


def _at_rank(
    estimate: DayEstimate,
    species: Mapping[int, str],
    taxa: Mapping[str, str],
    rank: str,
    coarse: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Expected counts of the taxa of a rank, and their richness and Hill numbers with intervals.

    A unit that a person named to a rank only counts there and above, unless the labellings hold it already.
    """
    named = [(place, number) for place, number in enumerate(estimate.classes.tolist()) if number in species]
    columns: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(estimate.draws), dtype=np.int64))
    for place, number in named:
        if taxon := taxa.get(species[number], ""):
            columns[taxon] = columns[taxon] + estimate.draws[:, place]
    for known_rank, taxon in coarse:
        if known_rank == rank:
            columns[taxon] = columns[taxon] + 1
    names = sorted(columns)
    counts = (
        np.stack([columns[name] for name in names], axis=1) if names else np.zeros((0, 0), dtype=np.int64)
    )
    same = counts.shape == estimate.draws.shape and {*map(bytes, counts.T)} == {*map(bytes, estimate.draws.T)}
    found = estimate if same else estimate_counts(counts)
    means = counts.mean(axis=0) if len(counts) else []
    order = sorted(zip(names, means, strict=True), key=lambda item: (-item[1], item[0]))
    return {
        "counts": {name: round(float(mean), _DIGITS) for name, mean in order if mean > 0},
        **{
            name: None if name not in found.values else {"value": found.values[name], **_ends(found, name)}
            for name in ("richness", "hill_q1", "hill_q2")
        },
    }


def _ends(found: DayEstimate, name: str) -> dict[str, float | None]:
    estimate: Estimate | None = getattr(found, name)
    return {"low": None, "high": None} if estimate is None else {"low": estimate.low, "high": estimate.high}
