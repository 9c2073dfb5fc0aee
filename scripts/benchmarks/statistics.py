"""Bias and coverage of a day's intervals on simulated days, against the plain count; then time, memory, import."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from lib.diversity import day_estimate
from scripts.benchmarks import day_costs
from scripts.benchmarks.simulated_days import (
    CLASSES,
    COMMUNITIES,
    SPECIES,
    Classifier,
    classifier,
    hill_numbers,
    sharpened,
    species_of,
)

PHOTOS = 80
ACCURACIES = (0.95, 0.85, 0.70)
METRICS = ("richness", "hill_q1", "hill_q2")
LEAST_COVERAGE = (0.95, 0.93, 0.93)
LARGEST_BIAS = 5.0  # percent
OVERCONFIDENT = 0.5  # temperature
COPIES, ALIKE = 4, 0.9  # photos of one plant, and the part of what disturbs them that they share
PLAIN_RESAMPLES = 1000
_FIRST_SEED = 10_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of day. `case` is "aim" for the days that the aim is about, else what is different."""

    case: str
    community: str
    accuracy: float

    def day(
        self, seen_by: Classifier, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], list[int] | None]:
        """The species of every plant, the probabilities of every photo, and which plant each photo shows."""
        shares = COMMUNITIES[self.community] / COMMUNITIES[self.community].sum()
        kind = "pairs" if self.case == "look-alikes" else "random"
        copies = COPIES if self.case.startswith("copies") else 1
        species = species_of(kind, generator)
        plants = generator.choice(species, PHOTOS // copies, p=shares)
        probabilities = seen_by.seen(plants, generator, copies, ALIKE if copies > 1 else 0.0)
        if self.case == "overconfident":
            probabilities = sharpened(probabilities, OVERCONFIDENT)
        units = np.repeat(np.arange(len(plants)), copies).tolist() if self.case == "copies as units" else None
        return plants, probabilities, units


CELLS = (
    *(Cell("aim", community, accuracy) for community in COMMUNITIES for accuracy in ACCURACIES),
    *(Cell("look-alikes", community, accuracy) for community in COMMUNITIES for accuracy in ACCURACIES),
    *(Cell("overconfident", "geometric", accuracy) for accuracy in ACCURACIES),
    Cell("copies apart", "geometric", 0.85),
    Cell("copies as units", "geometric", 0.85),
)


def measure(replicates: int) -> dict[str, Any]:
    """`replicates` days of every cell; then what one day costs."""
    known = {accuracy: classifier(accuracy) for accuracy in ACCURACIES}
    bar = tqdm(total=len(CELLS) * replicates, unit="day", disable=not sys.stderr.isatty())
    with bar:
        cells = [_cell(each, known[each.accuracy], replicates, bar) for each in CELLS]
    return {
        "benchmark": "statistics",
        "photos": PHOTOS,
        "classes": CLASSES,
        "species": SPECIES,
        "replicates": replicates,
        "cells": cells,
        **day_costs.measure(),
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words: a table of the simulated days, then what a day costs."""
    heading = (
        f"{found['replicates']} simulated days a line, {found['photos']} photos, {found['classes']} classes in "
        f"look-alike pairs, {found['species']} species. Of richness, Hill 1, Hill 2: bias to the community and "
        "(in brackets) to the plants photographed, in percent; share of 95 % intervals that hold the "
        "community's value; width of the interval over that value. true_label is what one would count knowing "
        "every plant. * misses the aim (coverage "
        f"{LEAST_COVERAGE[0]}, {LEAST_COVERAGE[1]}, {LEAST_COVERAGE[2]}; bias under {LARGEST_BIAS:g} %)."
    )
    lines = [
        f"  {cell['case']:<16}{cell['community']:<11}{cell['accuracy']:.2f}  {name:<13}{_figures(cell[name])}"
        for cell in found["cells"]
        for name in ("day_estimate", "top_label", "true_label")
    ]
    missed = [cell for cell in found["cells"] if cell["case"] == "aim" and cell["day_estimate"]["misses"]]
    aimed = sum(cell["case"] == "aim" for cell in found["cells"])
    reached = f"day_estimate reaches the aim in {aimed - len(missed)} of {aimed} kinds of day."
    return "\n".join([heading, *lines, reached, day_costs.describe(found)])


def _figures(side: dict[str, Any]) -> str:
    """One line's figures; for the true labels no more than their bias, which is that of any sample so small."""
    bias = f"bias {_three(side, 'bias_percent', '{:+.1f}')}"
    if "coverage" not in side:
        return bias
    return (
        f"{bias} ({_three(side, 'bias_to_plants_percent', '{:+.1f}')})  "
        f"coverage {_three(side, 'coverage', '{:.3f}')}  width {_three(side, 'width', '{:.2f}')}"
    )


def _three(side: dict[str, Any], what: str, form: str) -> str:
    """The three figures, those that miss the aim marked."""
    marked = {"coverage": "coverage", "bias_percent": "bias"}.get(what)
    return " ".join(
        form.format(value) + ("*" if f"{metric} {marked}" in side["misses"] else "")
        for metric, value in zip(METRICS, side[what], strict=True)
    )


def _cell(cell: Cell, seen_by: Classifier, replicates: int, bar: Any) -> dict[str, Any]:
    """Both ways of counting on the same days. Every cell has the same seeds."""
    shares = COMMUNITIES[cell.community] / COMMUNITIES[cell.community].sum()
    truth = hill_numbers(shares)
    of_plants = np.empty((replicates, 3))
    sides = {name: np.empty((replicates, 3, 3)) for name in ("day_estimate", "top_label")}
    silent = 0
    for replicate in range(replicates):
        generator = np.random.default_rng(_FIRST_SEED + replicate)
        plants, probabilities, units = cell.day(seen_by, generator)
        of_plants[replicate] = hill_numbers(np.bincount(plants, minlength=CLASSES))
        made = day_estimate(probabilities, units=units)
        for place, metric in enumerate(METRICS):
            estimate = getattr(made, metric)
            silent += estimate is None
            sides["day_estimate"][replicate, place] = (
                (np.nan,) * 3 if estimate is None else (estimate.value, estimate.low, estimate.high)
            )
        labels = np.bincount(probabilities.argmax(axis=1), minlength=CLASSES)
        sides["top_label"][replicate] = plain_bootstrap(labels, generator)
        bar.update()
    return {
        "case": cell.case,
        "community": cell.community,
        "accuracy": cell.accuracy,
        "true_values": np.round(truth, 3).tolist(),
        "without_interval": silent,
        **{name: _judged(side, truth, of_plants) for name, side in sides.items()},
        "true_label": {
            "bias_percent": np.round(100 * (of_plants.mean(axis=0) / truth - 1), 2).tolist(),
            "misses": [],
        },
    }


def plain_bootstrap(labels: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.float64]:
    """What is usually done: indices of the top labels, percentiles of resamples; (3 metrics, value low high)."""
    total = int(labels.sum())
    resamples = hill_numbers(generator.multinomial(total, labels / total, size=PLAIN_RESAMPLES))
    return np.column_stack([hill_numbers(labels), *np.quantile(resamples, (0.025, 0.975), axis=0)])


def _judged(
    found: NDArray[np.float64], truth: NDArray[np.float64], of_plants: NDArray[np.float64]
) -> dict[str, Any]:
    """Figures of (replicates, 3 metrics, value low high), three each; days without an interval count nowhere."""
    values, low, high = np.moveaxis(found, 2, 0)
    bias = 100 * (np.nanmean(values, axis=0) / truth - 1)
    # An interval that ends at the very truth holds it, rounding or not.
    held = np.where(np.isnan(low), np.nan, (low <= truth + 1e-9) & (truth <= high + 1e-9))
    coverage = np.nanmean(held, axis=0)
    return {
        "bias_percent": np.round(bias, 2).tolist(),
        "bias_to_plants_percent": np.round(100 * (np.nanmean(values / of_plants, axis=0) - 1), 2).tolist(),
        "coverage": np.round(coverage, 4).tolist(),
        "width": np.round(np.nanmean((high - low) / truth, axis=0), 3).tolist(),
        "misses": [
            f"{metric} {what}"
            for place, metric in enumerate(METRICS)
            for what, missed in (
                ("coverage", coverage[place] < LEAST_COVERAGE[place]),
                ("bias", abs(bias[place]) >= LARGEST_BIAS),
            )
            if missed
        ],
    }
