"""Whether a converted model is better off with a probability that a photo shows any of its species at all.

A softmax gives all its probability to the model's species, whatever the photo shows. From photos of known species
and of other things, P(in domain) is fitted as a logistic of the energy, the log-sum-exp of the logits (Liu et al.
2020, arXiv:2010.03759), for a mixture of which a fifth are strangers. It is used only if, on photos that it was not
fitted on, the confidence that is then shown says better than the softmax alone whether the name is right (Brier
score).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.classifier import figures
from lib.classifier.taxonomy import Thresholds
from scripts.conversion import Refused, photos
from scripts.training import measure

FEWEST = 20
SHARE = 0.2  # of strangers among the photos; the starter model assumes the same


@dataclass(frozen=True)
class Judged:
    """`block`: model.json's `out_of_domain`; `figure`: what was measured, as model.json holds it."""

    block: dict[str, Any]
    figure: dict[str, Any]


def find(where: Path) -> list[Path]:
    """Photos of what the model does not know; raises Refused when there are too few to fit and to judge."""
    paths = photos.found(where)
    if len(paths) < FEWEST:
        raise Refused(f"{where}: {len(paths)} photos of other things; at least {FEWEST} are needed.")
    return paths


def judge(logits: np.ndarray, targets: np.ndarray, others: np.ndarray, temperature: float) -> Judged:
    """Fit on every other photo and judge by the rest.

    `logits` (N, G) of photos of known species `targets` (N,), `others` (M, G) of other things.
    """
    half, other_half = np.arange(len(logits)) % 2 == 0, np.arange(len(others)) % 2 == 0
    energies = np.concatenate([measure.energies(logits[half]), measure.energies(others[other_half])])
    known = np.arange(len(energies)) < half.sum()
    weights = np.where(known, (1 - SHARE) / half.sum(), SHARE / other_half.sum())
    intercept, (slope,) = measure.fit_logistic(energies[:, None], known.astype(float), weights)

    sure, sure_others = (figures.softmax(rows, temperature) for rows in (logits[~half], others[~other_half]))
    right = sure.argmax(1) == targets[~half]
    factor, factor_others = (
        measure.logistic(intercept, np.array([slope]), measure.energies(rows)[:, None])
        for rows in (logits[~half], others[~other_half])
    )
    alone = _figures(sure.max(1), right, sure_others.max(1))
    shown = _figures(sure.max(1) * factor, right, sure_others.max(1) * factor_others)
    used = bool(slope > 0 and shown["brier"] < alone["brier"])
    block: dict[str, Any] = {"kind": "none"}
    if used:
        block = {
            "kind": "logistic",
            "intercept": intercept,
            "weights": {"energy": float(slope)},
            "strangers_assumed": SHARE,
        }
    separation = measure.auroc(measure.energies(logits[~half]), measure.energies(others[~other_half]))
    return Judged(
        block,
        {
            "used": used,
            "strangers_assumed": SHARE,
            "photos_fitted": len(energies),
            "photos_measured": len(right) + int((~other_half).sum()),
            "area_under_roc": separation,
            "softmax_alone": alone,
            "with_energy": shown,
        },
    )


def _figures(sure: np.ndarray, right: np.ndarray, sure_others: np.ndarray) -> dict[str, Any]:
    """Brier score of the mixture, and the shares that the label rule's bar for a species lets through."""
    bar = Thresholds().species
    brier = (1 - SHARE) * float(((sure - right) ** 2).mean()) + SHARE * float((sure_others**2).mean())
    return {
        "brier": brier,
        "known_named": figures.share(int((sure >= bar).sum()), len(sure)),
        "strangers_named": figures.share(int((sure_others >= bar).sum()), len(sure_others)),
    }
