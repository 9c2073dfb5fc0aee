"""How probable it is that a photo shows one of the model's species at all.

A softmax shares out all its probability whatever the photo shows. The card's `out_of_domain` block says how
to tell: P(in domain) = logistic(intercept + sum of weight x feature), and every species' probability is
multiplied by it, so that the mass that is missing from 1 means *something else*.

Features: `energy`, the log-sum-exp of the raw logits (Liu et al. 2020, arXiv:2010.03759); `similarity`, the
largest cosine between the photo's embedding and the prototypes, unit vectors in a file of the folder; `density`,
how thick the training photos lie around the embedding, by their cosines along a few main directions.

The block names the files, all of them listed under `sha256`: `prototypes` (P x D); for the density `directions`
(M x D) and `examples` (E x M), with the `concentration` of its kernels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib.classifier.refusals import ModelUnavailable

if TYPE_CHECKING:
    from lib.classifier.folder import Card

FEATURES = ("energy", "similarity", "density")
# Beyond it the kernel is narrower than rounding, and its exponentials say nothing.
MOST_CONCENTRATED = 1000.0


@dataclass(frozen=True)
class Examples:
    """Training photos that a photo is compared with: `photos` float32 (P, M), their unit embeddings along the main
    `directions` float32 (M, D); `concentration` is that of the kernel around each of them.
    """

    directions: np.ndarray
    photos: np.ndarray
    concentration: float


@dataclass(frozen=True)
class Domain:
    """A fitted in-domain probability; with no weights it is 1 for every photo."""

    intercept: float = 0.0
    weights: dict[str, float] | None = None
    prototypes: np.ndarray | None = None
    examples: Examples | None = None

    def probability(self, logits: np.ndarray, embedding: np.ndarray | None) -> float:
        """P(in domain) of one photo from its raw logits (K,) and embedding (D,)."""
        if not self.weights:
            return 1.0
        score = self.intercept
        if "energy" in self.weights:
            score += self.weights["energy"] * energy(logits)
        if "similarity" in self.weights and self.prototypes is not None and embedding is not None:
            score += self.weights["similarity"] * similarity(embedding, self.prototypes)
        if "density" in self.weights and self.examples is not None and embedding is not None:
            score += self.weights["density"] * float(densities(embedding[None], self.examples)[0])
        # Beyond 40 the logistic is 0 or 1 to double precision, and exp would overflow.
        return 1 / (1 + math.exp(-min(max(score, -40.0), 40.0)))

    @property
    def lengths(self) -> set[int]:
        """The lengths D that the embedding must have, one and the same in a folder whose files fit together."""
        vectors = (self.prototypes, self.examples.directions if self.examples else None)
        return {rows.shape[1] for rows in vectors if rows is not None}


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


def densities(embeddings: np.ndarray, examples: Examples, allowed: np.ndarray | None = None) -> np.ndarray:
    """log(mean(exp(c x cosine)))/c over the examples, of every embedding (N, D), at the concentration c; (N,).

    But for a constant, the log of a kernel density with von Mises-Fisher kernels on the sphere. A cosine is taken
    along the main directions alone, over the whole length: what of a photo lies across them makes it less alike.
    `allowed` (N, P), where given, says which examples count for which embedding. An embedding of zeros has 0.
    """
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    along = (embeddings / np.maximum(lengths, 1e-12)) @ examples.directions.T
    exponents = (along @ examples.photos.T).astype(np.float64) * examples.concentration
    if allowed is None:
        allowed = np.ones((1, exponents.shape[1]), bool)
    exponents = np.where(allowed, exponents, -np.inf)
    highest = exponents.max(1, keepdims=True)
    kernels = np.exp(exponents - highest)
    means = kernels.sum(1) / allowed.sum(1)
    return np.asarray((highest[:, 0] + np.log(means)) / examples.concentration)


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
    if "similarity" in weights or "prototypes" in block:
        prototypes = _rows(card, folder, block, "prototypes")
        prototypes /= np.maximum(np.linalg.norm(prototypes, axis=1, keepdims=True), 1e-12)
    return Domain(
        float(block["intercept"]),
        {name: float(weight) for name, weight in weights.items()},
        prototypes,
        _examples(card, folder, block) if "density" in weights else None,
    )


def _examples(card: Card, folder: Path, block: Mapping[str, Any]) -> Examples:
    """The `directions`, `examples` and `concentration` of a block whose weights name the density."""
    concentration = block.get("concentration")
    if (
        isinstance(concentration, bool)
        or not isinstance(concentration, int | float)
        or not 0 < concentration <= MOST_CONCENTRATED
    ):
        raise ModelUnavailable(
            f"model.json: out_of_domain.concentration must be a number above 0, {MOST_CONCENTRATED:g} at most."
        )
    directions = _rows(card, folder, block, "directions")
    photos = _rows(card, folder, block, "examples")
    if photos.shape[1] != len(directions):
        raise ModelUnavailable("out_of_domain: the examples must have one number for each of the directions.")
    return Examples(directions, photos, float(concentration))


def _rows(card: Card, folder: Path, block: Mapping[str, Any], field: str) -> np.ndarray:
    """The vectors of the file that a field of the block names, float32, one a row."""
    name = block.get(field)
    if not isinstance(name, str) or name not in card.digests:
        raise ModelUnavailable(f"model.json: out_of_domain.{field} must be a file listed under sha256.")
    try:
        rows = np.load(folder / name, allow_pickle=False)
    except (OSError, ValueError):
        raise ModelUnavailable(f"{name} cannot be read.") from None
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiu" or not np.isfinite(rows).all():
        raise ModelUnavailable(f"{name} must hold one vector a row.")
    return np.asarray(rows, np.float32)
