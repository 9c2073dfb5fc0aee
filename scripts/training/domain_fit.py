"""Fit and judge the in-domain probability: left-out species and made negatives against known species.

The logistic is fitted in the run that never saw two of the species, on features measured in standard
deviations of that run's own validation photos, and carried over to the main run by the main run's
validation photos: the two networks do not share a scale, but a photo three deviations below what is usual
means the same in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lib.classifier import domain, figures
from lib.classifier.taxonomy import Label, Taxon, decide
from scripts.training import calibration, measure

FEATURES = ("energy", "similarity", "density")
# Of the variants that are measured, the shipped one.
SHIPPED = ("density",)
# The directions that cosines are taken along, which keep the folder small, and the concentration of the density's
# kernels: from 7 to 20 it hardly matters.
DIRECTIONS, CONCENTRATION = 64, 10.0
# A score is read where this share of known photos is above it.
KEPT = 0.9


@dataclass(frozen=True)
class Shares:
    """The mixture of photos that P(in domain), and with it the confidence shown, is a probability for."""

    known: float
    plants: float
    made: float

    @property
    def strangers(self) -> float:
        return (self.plants + self.made) / (self.known + self.plants + self.made)


# One photo in five shows something else, mostly another plant. More would make known plants less sure, fewer would
# let more strangers pass: with these shares neither is worse than in version 1.0.0, which had assumed FORMER.
SHARES = Shares(0.80, 0.16, 0.04)
FORMER = Shares(1.0, 0.5, 0.25)


@dataclass(frozen=True)
class Reference:
    """What photos are compared with: the mean direction of every class, and the training photos as examples."""

    prototypes: np.ndarray
    examples: domain.Examples


def reference(embeddings: np.ndarray, labels: np.ndarray, classes: int) -> Reference:
    """From the training photos' embeddings (N, D) and labels (N,)."""
    return Reference(
        measure.prototypes(embeddings, labels, classes),
        measure.examples(embeddings, DIRECTIONS, CONCENTRATION),
    )


@dataclass(frozen=True)
class Outputs:
    """What a network says of a set of photos: raw logits (N, K) and the features of the in-domain
    probability.
    """

    logits: np.ndarray
    energy: np.ndarray
    similarity: np.ndarray
    density: np.ndarray

    def features(self, names: Sequence[str]) -> np.ndarray:
        return np.column_stack([getattr(self, name) for name in names])


def outputs(logits: np.ndarray, embeddings: np.ndarray, known: Reference) -> Outputs:
    return Outputs(
        logits,
        measure.energies(logits),
        measure.similarities(embeddings, known.prototypes),
        domain.densities(embeddings, known.examples),
    )


@dataclass(frozen=True)
class Gate:
    """P(in domain) as a logistic of features; no features: always 1."""

    names: tuple[str, ...] = ()
    intercept: float = 0.0
    weights: tuple[float, ...] = ()

    def __call__(self, photos: Outputs) -> np.ndarray:
        if not self.names:
            return np.ones(len(photos.logits))
        return measure.logistic(self.intercept, np.array(self.weights), photos.features(self.names))

    def carried(self, here: Outputs, there: Outputs) -> Gate:
        """The gate for another network: equal where features are equally many deviations from its known
        photos.
        """
        if not self.names:
            return self
        x, y = here.features(self.names), there.features(self.names)
        weights = np.array(self.weights) * x.std(0) / y.std(0)
        intercept = self.intercept + float(np.dot(self.weights, x.mean(0)) - np.dot(weights, y.mean(0)))
        return Gate(self.names, intercept, tuple(weights.tolist()))


# What the network learned by itself: in training, the refusal's logit was fixed at 0.
OWN_REFUSAL = Gate(("energy",), 0.0, (1.0,))


def fit(
    names: tuple[str, ...], known: Outputs, near: Sequence[Outputs], far: Outputs, shares: Shares = SHARES
) -> Gate:
    """A gate from photos of known species, of left-out species (each species weighs the same) and made
    negatives, each kind at its share.
    """
    x = np.concatenate([o.features(names) for o in (known, *near, far)])
    targets = np.concatenate([np.ones(len(known.logits)), np.zeros(len(x) - len(known.logits))])
    weights = np.concatenate(
        [
            np.full(len(known.logits), shares.known / len(known.logits)),
            *(np.full(len(o.logits), shares.plants / len(near) / len(o.logits)) for o in near),
            np.full(len(far.logits), shares.made / len(far.logits)),
        ]
    )
    intercept, coefficients = measure.fit_logistic(x, targets, weights)
    return Gate(names, intercept, tuple(coefficients.tolist()))


def probabilities(photos: Outputs, gate: Gate, temperature: float) -> np.ndarray:
    """The probabilities (N, K) of the species, as the runtime shows them."""
    return np.asarray(figures.softmax(photos.logits, temperature) * gate(photos)[:, None])


def labels(photos: Outputs, gate: Gate, temperature: float, taxa: Sequence[Taxon]) -> list[Label]:
    """The label rule on every photo of a set."""
    return [decide(row, taxa) for row in probabilities(photos, gate, temperature).tolist()]


def part(
    share: float,
    photos: Outputs,
    gate: Gate,
    temperature: float,
    taxa: Sequence[Taxon],
    truth: Sequence[Taxon | None],
) -> calibration.Part:
    """A set of photos as a part of a mixture."""
    found = probabilities(photos, gate, temperature)
    return calibration.part(share, found, [decide(row, taxa) for row in found.tolist()], truth, taxa)


def levels(found: Sequence[Label]) -> dict[str, Any]:
    """How many photos were named at each level, and the share named as a species (for strangers: falsely
    confident).
    """
    counts = Counter(label.level for label in found)
    named = Counter(label.name for label in found if label.level != "unknown")
    return {
        "n": len(found),
        "levels": {level: counts[level] for level in ("species", "genus", "family", "unknown")},
        "species_level": figures.share(counts["species"], len(found)),
        "most_frequent_names": named.most_common(4),
    }


def right(found: Sequence[Label], truth: Sequence[Taxon]) -> int:
    """How many labels are true at their own level; unknown is never wrong and not counted."""
    return sum(
        label.level != "unknown" and getattr(taxon, label.level) == label.name
        for label, taxon in zip(found, truth, strict=True)
    )


def known_photos(found: Sequence[Label], truth: Sequence[Taxon]) -> dict[str, Any]:
    """`levels` of photos of known species, with how many species-level and all named labels are true."""
    summary = levels(found)
    pairs = list(zip(found, truth, strict=True))
    at_species = [pair for pair in pairs if pair[0].level == "species"]
    named = [pair for pair in pairs if pair[0].level != "unknown"]
    for key, chosen in (("true_of_species_level", at_species), ("true_of_named", named)):
        true = right([label for label, _ in chosen], [taxon for _, taxon in chosen])
        summary[key] = figures.share(true, len(chosen))
    return summary


def each_in_turn(
    known: Reference, trained: np.ndarray, embeddings: np.ndarray, labels: np.ndarray
) -> dict[str, dict[str, float]]:
    """Every species once in the part of the stranger, its prototype and examples taken away: the means over species
    of the area under the ROC curve, and of the share of the stranger's photos above what KEPT of the others exceed.

    `trained` (P,) are the classes of the examples; the test photos have `embeddings` (N, D) and `labels` (N,).
    """
    found: dict[str, list[tuple[float, float]]] = {"similarity": [], "density": []}
    for species in np.unique(labels).tolist():
        left = Reference(
            np.delete(known.prototypes, species, axis=0),
            replace(known.examples, photos=known.examples.photos[trained != species]),
        )
        strange = labels == species
        for name, score in (
            ("similarity", measure.similarities(embeddings, left.prototypes)),
            ("density", domain.densities(embeddings, left.examples)),
        ):
            limit = np.quantile(score[~strange], 1 - KEPT)
            found[name].append(
                (measure.auroc(score[~strange], score[strange]), float((score[strange] > limit).mean()))
            )
    return {
        name: dict(zip(("auroc", "above"), np.mean(pairs, axis=0).tolist(), strict=True))
        for name, pairs in found.items()
    }
