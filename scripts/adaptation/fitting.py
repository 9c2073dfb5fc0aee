"""What is fitted after the weights: temperature and prior, held near the old model's where photos are few."""

from __future__ import annotations

import numpy as np

from scripts.training import measure

# How far a temperature may move without much evidence: the standard deviation of its logarithm.
LOOSE = 0.35


def temperature(logits: np.ndarray, labels: np.ndarray, before: float) -> float:
    """The likeliest temperature given the validation photos and that it is near `before`.

    The logarithm of the change has a normal prior: a few photos, all named rightly, would else ask for a model that
    is never in doubt.
    """
    moves = np.linspace(-2.0, 2.0, 801)
    costs = [
        len(labels) * measure.negative_log_likelihood(logits, labels, before * float(np.exp(move)))
        + 0.5 * (move / LOOSE) ** 2
        for move in moves
    ]
    return before * float(np.exp(moves[int(np.argmin(costs))]))


def prior(before: np.ndarray, labels: np.ndarray, classes: int) -> list[float]:
    """Half the old model's shares (0 for a new class), half those of the photos learned from; every one above 0."""
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    old = np.concatenate([before, np.zeros(classes - len(before))])
    mixed = 0.5 * old / old.sum() + 0.5 * counts / counts.sum()
    return (mixed / mixed.sum()).tolist()
