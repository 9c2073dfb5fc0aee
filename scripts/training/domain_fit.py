"""Fit and judge the in-domain probability: left-out species and made negatives against known species.

The logistic is fitted in the run that never saw two of the species, on features measured in standard
deviations of that run's own validation photos, and carried over to the main run by the main run's
validation photos: the two networks do not share a scale, but a photo three deviations below what is usual
means the same in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.classifier import figures
from lib.classifier.taxonomy import Label, Taxon, decide
from scripts.training import measure

# The weight of all left-out plants and of all made negatives, against 1 for all photos of known species. The first
# is the choice between caution and usefulness: at 1 a third fewer strangers pass for a species, and a tenth fewer
# known plants are named as one. The made negatives are told apart anyway.
NEAR, FAR = 0.5, 0.25
# Of the variants that are measured, the shipped one: as good as energy and similarity together, and simpler.
SHIPPED = ("similarity",)


@dataclass(frozen=True)
class Outputs:
    """What a network says of a set of photos: raw logits (N, K) and the features of the in-domain
    probability.
    """

    logits: np.ndarray
    energy: np.ndarray
    similarity: np.ndarray

    def features(self, names: Sequence[str]) -> np.ndarray:
        return np.column_stack([getattr(self, name) for name in names])


def outputs(logits: np.ndarray, embeddings: np.ndarray, prototypes: np.ndarray) -> Outputs:
    return Outputs(logits, measure.energies(logits), measure.similarities(embeddings, prototypes))


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


def fit(names: tuple[str, ...], known: Outputs, near: Sequence[Outputs], far: Outputs) -> Gate:
    """A gate from photos of known species, of left-out species (each species weighs the same) and made
    negatives.
    """
    x = np.concatenate([o.features(names) for o in (known, *near, far)])
    targets = np.concatenate([np.ones(len(known.logits)), np.zeros(len(x) - len(known.logits))])
    weights = np.concatenate(
        [
            np.full(len(known.logits), 1 / len(known.logits)),
            *(np.full(len(o.logits), NEAR / len(near) / len(o.logits)) for o in near),
            np.full(len(far.logits), FAR / len(far.logits)),
        ]
    )
    intercept, coefficients = measure.fit_logistic(x, targets, weights)
    return Gate(names, intercept, tuple(coefficients.tolist()))


def labels(photos: Outputs, gate: Gate, temperature: float, taxa: Sequence[Taxon]) -> list[Label]:
    """The label rule on every photo of a set."""
    probabilities = figures.softmax(photos.logits, temperature) * gate(photos)[:, None]
    return [decide(row, taxa) for row in probabilities.tolist()]


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
