"""The in-domain probability of an adapted model: it must know the new species, and the field's light and soil.

Nobody can photograph what the model will meet and does not know. So each species in turn plays the stranger: its
validation photos, asked without its own logit and prototypes, are what a photo of something else looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.adaptation.asking import Answers
from scripts.training import measure

FEATURES = ("energy", "similarity")
# As in the starter model's training: what strangers weigh against the known photos, together 1.
NEAR, FAR = 0.5, 0.25
LEAST_PHOTOS, LEAST_SPECIES = 30, 3


@dataclass(frozen=True)
class Prototypes:
    """Unit directions (P, D) and the class that each stands for (P,), -1 where not known."""

    directions: np.ndarray
    classes: np.ndarray

    def without(self, labels: np.ndarray) -> Prototypes:
        """Without those of these classes."""
        kept = ~np.isin(self.classes, labels)
        return Prototypes(self.directions[kept], self.classes[kept])

    def with_photos(self, embeddings: np.ndarray, labels: np.ndarray) -> Prototypes:
        """And one more for each class of these photos: the mean direction of its embeddings."""
        found = np.unique(labels)
        numbers = np.searchsorted(found, labels)
        more = measure.prototypes(embeddings, numbers, len(found))
        return Prototypes(np.concatenate([self.directions, more]), np.concatenate([self.classes, found]))


def known_prototypes(directions: np.ndarray, classes: int, block: Mapping[str, Any]) -> Prototypes:
    """Those of a model folder: their classes as an earlier adaptation noted them in the `out_of_domain` block, else
    in the order of the classes when there is one for each.
    """
    noted = block.get("prototype_classes")
    if isinstance(noted, list) and len(noted) == len(directions):
        return Prototypes(directions, np.array(noted, int))
    order = np.arange(classes) if len(directions) == classes else np.full(len(directions), -1)
    return Prototypes(directions, order)


def features(
    answers: Answers, names: tuple[str, ...], prototypes: Prototypes | None, without: np.ndarray | None = None
) -> np.ndarray:
    """The features (N, F) of photos; `without` (N,) is a class that each photo's answer leaves out."""
    columns = []
    for name in names:
        if name == "energy":
            logits = answers.logits.astype(np.float64)
            if without is not None:
                logits = logits.copy()
                logits[np.arange(len(logits)), without] = -np.inf
            columns.append(measure.energies(logits))
        else:
            assert prototypes is not None
            lengths = np.maximum(np.linalg.norm(answers.embeddings, axis=1, keepdims=True), 1e-12)
            cosines = answers.embeddings / lengths @ prototypes.directions.T
            if without is not None:
                cosines = np.where(prototypes.classes[None] == without[:, None], -1.0, cosines)
            columns.append(cosines.max(1))
    return np.column_stack(columns)


def refitted(
    block: dict[str, Any],
    known: Answers,
    labels: np.ndarray,
    others: Answers,
    prototypes: Prototypes | None,
) -> tuple[dict[str, Any], str]:
    """The `out_of_domain` block for the adapted model, and a sentence for its card.

    `known`: validation photos, with `labels` (N,); `others`: photos that show no plant, none needed. A block of
    another kind, or one that there are too few photos to fit, stays as it is.
    """
    if block.get("kind", "none") == "none":
        return block, "The model has no in-domain probability, before as after."
    names = tuple(block.get("weights", ()))
    if block.get("kind") != "logistic" or not names or any(name not in FEATURES for name in names):
        return block, "The in-domain probability is that of the old model."
    unclear = "similarity" in names and (prototypes is None or (prototypes.classes < 0).any())
    if len(labels) < LEAST_PHOTOS or len(set(labels.tolist())) < LEAST_SPECIES or unclear:
        return block, (
            "The in-domain probability is that of the old model, because the validation photos are too few to fit "
            "one; the new species' mean photos were added to what it knows."
        )
    near = features(known, names, prototypes, labels)
    parts = [(features(known, names, prototypes), 1.0, 1.0), (near, 0.0, NEAR)]
    if len(others.photo):
        parts.append((features(others, names, prototypes), 0.0, FAR))
    x = np.concatenate([part for part, _, _ in parts])
    targets = np.concatenate([np.full(len(part), target) for part, target, _ in parts])
    weights = np.concatenate([np.full(len(part), weight / len(part)) for part, _, weight in parts])
    intercept, coefficients = measure.fit_logistic(x, targets, weights)
    if (coefficients < 0).any():  # a photo that resembles the known ones more must not be trusted less
        return block, "The in-domain probability is that of the old model: the photos gave no usable one."
    fitted = block | {"intercept": intercept, "weights": dict(zip(names, coefficients.tolist(), strict=True))}
    return fitted, (
        f"The in-domain probability was fitted anew on {len(labels)} validation photos, each species once in the "
        f"part of the stranger, and {len(others.photo)} photos that show no plant."
    )


def probability(block: dict[str, Any], answers: Answers, prototypes: Prototypes | None) -> np.ndarray:
    """P(in domain) of photos (N,), as lib.classifier.domain computes it for one."""
    weights = block.get("weights")
    if block.get("kind", "none") == "none" or not weights:
        return np.ones(len(answers.photo))
    names = tuple(weights)
    return measure.logistic(
        float(block["intercept"]),
        np.array([weights[name] for name in names]),
        features(answers, names, prototypes),
    )
