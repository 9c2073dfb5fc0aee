"""How probable it is that a photo shows one of the model's species at all.

A softmax shares out all its probability whatever the photo shows. The card's `out_of_domain` block says how
to tell: P(in domain) = logistic(intercept + sum of weight x feature), and every species' probability is
multiplied by it, so that the mass that is missing from 1 means *something else*.

Features: `energy`, the log-sum-exp of the raw logits (Liu et al. 2020, arXiv:2010.03759); `similarity`, the
largest cosine between the photo's embedding and the prototypes, unit vectors in a file of the folder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.classifier.refusals import ModelUnavailable

if TYPE_CHECKING:
    from lib.classifier.folder import Card

FEATURES = ("energy", "similarity")


@dataclass(frozen=True)
class Domain:
    """A fitted in-domain probability; with no weights it is 1 for every photo."""

    intercept: float = 0.0
    weights: dict[str, float] | None = None
    prototypes: np.ndarray | None = None

    def probability(self, logits: np.ndarray, embedding: np.ndarray | None) -> float:
        """P(in domain) of one photo from its raw logits (K,) and embedding (D,)."""
        if not self.weights:
            return 1.0
        score = self.intercept
        if "energy" in self.weights:
            score += self.weights["energy"] * energy(logits)
        if "similarity" in self.weights and self.prototypes is not None and embedding is not None:
            score += self.weights["similarity"] * similarity(embedding, self.prototypes)
        # Beyond 40 the logistic is 0 or 1 to double precision, and exp would overflow.
        return 1 / (1 + math.exp(-min(max(score, -40.0), 40.0)))


def energy(logits: np.ndarray) -> float:
    """log(sum(exp(logits))) of one photo's logits (K,), computed without overflow."""
    highest = float(logits.max())
    return highest + math.log(float(np.exp(logits - highest).sum()))


def similarity(embedding: np.ndarray, prototypes: np.ndarray) -> float:
    """Largest cosine between an embedding (D,) and unit-length prototypes (P, D); 0 for an embedding of
    zeros.
    """
    length = float(np.linalg.norm(embedding))
    return float((prototypes @ embedding).max()) / length if length > 0 else 0.0


def read(card: Card, folder: Path) -> Domain:
    """The in-domain probability of a model folder; raises ModelUnavailable when the card's block is not
    usable.
    """
    block = card.out_of_domain
    kind = block.get("kind", "none")
    if kind == "none":
        return Domain()
    if kind != "logistic":
        raise ModelUnavailable("model.json: out_of_domain.kind must be none or logistic.")
    weights = block.get("weights")
    numbers = [block.get("intercept"), *(weights.values() if isinstance(weights, dict) else [None])]
    if (
        not isinstance(weights, dict)
        or not weights
        or any(name not in FEATURES for name in weights)
        or any(isinstance(n, bool) or not isinstance(n, int | float) or not math.isfinite(n) for n in numbers)
    ):
        raise ModelUnavailable("model.json: out_of_domain needs an intercept and weights of known features.")
    prototypes = None
    if "similarity" in weights:
        name = block.get("prototypes")
        if not isinstance(name, str) or name not in card.digests:
            raise ModelUnavailable("model.json: out_of_domain.prototypes must be a file listed under sha256.")
        try:
            prototypes = np.load(folder / name, allow_pickle=False)
        except (OSError, ValueError):
            raise ModelUnavailable(f"{name} cannot be read.") from None
        if prototypes.ndim != 2 or not np.isfinite(prototypes).all():
            raise ModelUnavailable(f"{name} must hold one vector a row.")
        prototypes = prototypes.astype(np.float32)
        prototypes /= np.maximum(np.linalg.norm(prototypes, axis=1, keepdims=True), 1e-12)
    return Domain(
        float(block["intercept"]), {name: float(weight) for name, weight in weights.items()}, prototypes
    )
