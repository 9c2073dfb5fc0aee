"""Figures of a model's run over labelled photos, and of two models' runs over the same ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lib.answers import canonical, figures_of, is_right
from lib.classifier import figures
from lib.memory import process_memory
from lib.performance import latency_of
from scripts.evaluation.asking import Run, Said, plants_of
from scripts.training.measure import fit_temperature

FEWEST_TO_FIT = 20  # plants; a temperature of fewer says more of them than of the model
SPECIES_SHOWN = 20


def report(run: Run, photos: int) -> dict[str, Any]:
    """Everything that is known of a model after its run over some of `photos`, as JSON has it."""
    plants = plants_of(run.said)
    ranks = {taxon.species: (taxon.genus, taxon.family) for taxon in run.labels}
    found = figures_of([each.answer for each in plants], ranks)
    return {
        "model": run.model | {"classes": len(run.labels)},
        "photos": photos,
        "asked": run.asked,
        "plants": len(plants),
        "interrupted": run.interrupted,
        "unreadable": len(run.unreadable),
        "possible_classes": run.mask.count if run.mask else len(run.labels),
        "figures": asdict(found),
        "temperature": temperature_of(run, plants),
        "latency": asdict(latency_of(np.array([each.seconds for each in run.said], float))),
        "load_seconds": run.load_seconds,
        "memory": asdict(process_memory()),
    }


def temperature_of(run: Run, plants: Sequence[Said]) -> dict[str, Any]:
    """The temperature on these plants: calibration error (15 bins) without it, with it, and with a refitted one.

    Of the plants whose species the model can name at all; in-domain probabilities are left out, which no
    temperature mends. The refitted one is measured on plants that it was not fitted on (each half by the other's).
    """
    logits, labels = _of_known(run, plants)
    n = len(labels)
    errors: dict[str, float | None] = {"none": None, "folder": None, "refitted": None}
    refitted = None
    if n:
        for name, temperature in (("none", 1.0), ("folder", run.temperature)):
            errors[name] = _error(figures.softmax(logits, temperature), labels)
    if n >= FEWEST_TO_FIT:
        refitted = fit_temperature(logits, labels)
        errors["refitted"] = _error(_by_the_other_half(logits, labels), labels)
    return {"plants": n, "folder": run.temperature, "refitted": refitted, "calibration_error": errors}


def comparison(one: Run, other: Run) -> dict[str, Any]:
    """Two models on the plants that both were asked about: `a` the first, `b` the second.

    Over plants of species that at least one of them has: a species that only one has is wrong for the other.
    `likeliest`: whether the likeliest species is right; `as_species`: whether the label rule named it, and rightly.
    """
    by_case = {each.case.name: each for each in other.said}
    # The photos decide what is one plant, not the models: it is the same for both.
    shared = plants_of([each for each in one.said if each.case.name in by_case])
    pairs = [(each.answer, by_case[each.case.name].answer) for each in shared]
    pairs = [(a, b) for a, b in pairs if a.level == "species" and (a.known or b.known)]
    right = np.array([[is_right(a), is_right(b)] for a, b in pairs], bool).reshape(-1, 2)
    rule = [[each.label_level == "species" and is_right(each) for each in pair] for pair in pairs]
    as_species = np.array(rule, bool).reshape(-1, 2)
    both = np.array([bool(a.known and b.known) for a, b in pairs], bool)
    changed = Counter(
        (canonical(a.truth), bool(new))
        for (a, _), (old, new) in zip(pairs, right.tolist(), strict=True)
        if old != new
    )
    species = sorted(
        {name for name, _ in changed}, key=lambda name: (-changed[name, True] - changed[name, False], name)
    )
    return {
        "plants": len(pairs),
        "likeliest": figures.paired(right[:, 0], right[:, 1]),
        "likeliest_of_shared_species": figures.paired(right[both, 0], right[both, 1]),
        "as_species": figures.paired(as_species[:, 0], as_species[:, 1]),
        "species": [
            {"species": name, "only_a": changed[name, False], "only_b": changed[name, True]}
            for name in species[:SPECIES_SHOWN]
        ],
    }


def _of_known(run: Run, plants: Sequence[Said]) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, K') and labels (N,) of the plants whose species is among the K' possible classes."""
    possible = np.flatnonzero(run.mask.possible) if run.mask else np.arange(len(run.labels))
    place: dict[str, int] = {}
    for column, index in enumerate(possible.tolist()):
        place.setdefault(canonical(run.labels[index].species), column)
    chosen = [
        (each, place.get(canonical(each.case.truth))) for each in plants if each.case.level == "species"
    ]
    known = [(each.logits[possible], column) for each, column in chosen if column is not None]
    if not known:
        return np.zeros((0, len(possible))), np.zeros(0, int)
    return np.stack([row for row, _ in known]), np.array([column for _, column in known], int)


def _by_the_other_half(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities at the temperature that fits the other half of the plants, every second one."""
    probabilities = np.zeros(logits.shape)
    for half in (0, 1):
        mine = np.arange(len(labels)) % 2 == half
        probabilities[mine] = figures.softmax(logits[mine], fit_temperature(logits[~mine], labels[~mine]))
    return probabilities


def _error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return figures.calibration_error(probabilities, labels)
