"""The figures that say how good a classifier is: accuracy with intervals, calibration, confusions; NumPy alone."""

from __future__ import annotations

import math

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Row-wise probabilities, float64 (N, K)."""
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the likeliest class over equal-width bins (Naeini et al. 2015), 0 to 1."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return float(error)


def wilson(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(successes: int, trials: int) -> dict[str, float | int | None]:
    """A share with its count and interval, as the card prints it; its value is None without trials."""
    low, high = wilson(successes, trials)
    return {"value": successes / trials if trials else None, "low": low, "high": high, "n": trials}


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> int:
    """How many labels are among the k likeliest classes."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return int((best == labels[:, None]).any(1).sum())


def recalls(predicted: np.ndarray, labels: np.ndarray, classes: int) -> list[tuple[int, int]]:
    """For each class: how many of its photos were named right, and how many there are."""
    return [(int(((predicted == c) & (labels == c)).sum()), int((labels == c).sum())) for c in range(classes)]


def confusions(predicted: np.ndarray, labels: np.ndarray, classes: int) -> list[tuple[int, int, int]]:
    """(true, predicted, count) of every mistake made, most frequent first."""
    table = np.zeros((classes, classes), int)
    np.add.at(table, (labels, predicted), 1)
    np.fill_diagonal(table, 0)
    pairs = [(int(t), int(p), int(table[t, p])) for t, p in zip(*np.nonzero(table), strict=True)]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))
