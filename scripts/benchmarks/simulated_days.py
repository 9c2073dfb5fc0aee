"""Simulated days of known species, seen through a classifier whose probabilities are calibrated by construction.

The classes stand in look-alike pairs. A photo is the point of its class in a small space, plus standard normal
noise; the classifier knows the points and answers by Bayes' rule for equal class shares, so its probabilities
are the right ones wherever all classes are as frequent as each other, as in a balanced training set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = 30  # 0 and 1 look alike, 2 and 3, …
SPECIES = 8
OUTSIDE = 0.5  # part of the errors that go to another species than the look-alike
COMMUNITIES = {
    "geometric": 0.7 ** np.arange(SPECIES),
    "log-normal": np.exp(np.linspace(1.6, -1.6, SPECIES)),
}
_TRIALS = 20_000  # photos that show how accurate a classifier is
_HALVINGS = 24

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Classifier:
    """The points (CLASSES, pairs + 1) of the classes: one axis for each pair, one within all pairs."""

    points: NDArray[np.float64]

    def seen(
        self, species: NDArray[np.int64], generator: np.random.Generator, photos: int = 1, alike: float = 0.0
    ) -> Probabilities:
        """Probabilities (plants * photos, CLASSES); the photos of a plant share the part `alike` of the noise."""
        shape = (len(species), photos, self.points.shape[1])
        shared = generator.normal(size=(shape[0], 1, shape[2]))
        own = generator.normal(size=shape)
        at = self.points[species][:, None] + np.sqrt(alike) * shared + np.sqrt(1 - alike) * own
        at = at.reshape(-1, shape[2])
        logs = at @ self.points.T - 0.5 * (self.points**2).sum(axis=1)
        return _shares(logs)

    def accuracy(self) -> tuple[float, float]:
        """Share of photos with the right class, and with the right pair, when all classes are as frequent."""
        species = np.arange(_TRIALS) % CLASSES
        named = self.seen(species, np.random.default_rng(0)).argmax(axis=1)
        return float((named == species).mean()), float((named // 2 == species // 2).mean())


def classifier(accuracy: float) -> Classifier:
    """The calibrated classifier of this accuracy, of whose errors the part `OUTSIDE` leave the pair."""
    right_pair = 1 - (1 - accuracy) * OUTSIDE
    between = _halved(lambda distance: _placed(8.0, distance).accuracy()[1], right_pair)
    within = _halved(lambda distance: _placed(distance, between).accuracy()[0], accuracy)
    return _placed(within, between)


def sharpened(probabilities: Probabilities, temperature: float) -> Probabilities:
    """What a classifier says that is surer (temperature below 1) than it should be."""
    with np.errstate(divide="ignore"):
        return _shares(np.log(probabilities) / temperature)


def species_of(kind: str, generator: np.random.Generator) -> NDArray[np.int64]:
    """Eight classes, the most frequent first: any eight ("random"), or both members of four pairs ("pairs")."""
    if kind == "random":
        return generator.permutation(CLASSES)[:SPECIES]
    first = generator.permutation(CLASSES // 2)[: SPECIES // 2] * 2
    return generator.permutation(np.concatenate([first, first + 1]))


def hill_numbers(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Richness and Hill numbers of order 1 and 2 of every row of (…, S), in a last axis of three."""
    shares = counts / counts.sum(axis=-1, keepdims=True)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)
    return np.stack([(shares > 0).sum(axis=-1), np.exp(entropy), 1 / (shares**2).sum(axis=-1)], axis=-1)


def _placed(within: float, between: float) -> Classifier:
    pairs = CLASSES // 2
    points = np.zeros((CLASSES, pairs + 1))
    each = np.arange(CLASSES)
    points[each, each // 2] = between / np.sqrt(2)
    points[:, pairs] = np.where(each % 2, within, -within) / 2
    return Classifier(points)


def _halved(reached: Callable[[float], float], aim: float) -> float:
    """The distance at which an accuracy that grows with it is `aim`."""
    low, high = 0.2, 12.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) > aim else (middle, high)
    return (low + high) / 2


def _shares(logs: NDArray[np.float64]) -> Probabilities:
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
