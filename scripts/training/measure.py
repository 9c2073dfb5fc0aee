"""The small fits behind the model card: temperature, in-domain logistic, prototypes, examples; in NumPy alone."""

from __future__ import annotations

import math

import numpy as np

from lib.classifier.domain import Examples
from lib.classifier.figures import softmax


def energies(logits: np.ndarray) -> np.ndarray:
    """log-sum-exp of every row (N,)."""
    highest = logits.max(1)
    return np.asarray(highest + np.log(np.exp(logits - highest[:, None]).sum(1)))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Mean negative log-likelihood of the labels."""
    right = softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, 1e-300)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray, low: float = 0.05, high: float = 20.0) -> float:
    """The temperature with the smallest negative log-likelihood (Guo et al. 2017, arXiv:1706.04599).

    The likelihood has one minimum in the logarithm of the temperature, so a golden-section search finds it.
    """
    golden = (math.sqrt(5) - 1) / 2
    a, b = math.log(low), math.log(high)

    def cost(x: float) -> float:
        return negative_log_likelihood(logits, labels, math.exp(x))

    c, d = b - golden * (b - a), a + golden * (b - a)
    at_c, at_d = cost(c), cost(d)
    while b - a > 1e-6:
        if at_c < at_d:
            b, d, at_d = d, c, at_c
            c = b - golden * (b - a)
            at_c = cost(c)
        else:
            a, c, at_c = c, d, at_d
            d = a + golden * (b - a)
            at_d = cost(d)
    return math.exp((a + b) / 2)


def fit_logistic(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None, ridge: float = 1e-3
) -> tuple[float, np.ndarray]:
    """Intercept and coefficients (F,) of a weighted logistic regression of 0/1 targets on features (N, F).

    Newton's method on standardised features with a small ridge on the coefficients, answered on the
    features' own scale.
    """
    w = np.ones(len(features)) if weights is None else weights / weights.mean()
    mean = np.average(features, axis=0, weights=w)
    scale = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=w)) + 1e-12
    x = np.column_stack([np.ones(len(features)), (features - mean) / scale])
    penalty = ridge * w.sum() * np.diag([0.0] + [1.0] * features.shape[1])
    beta = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -40, 40)))
        gradient = x.T @ (w * (p - targets)) + penalty @ beta
        curvature = (x * (w * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x + penalty
        step = np.linalg.solve(curvature, gradient)
        beta -= step * min(1.0, 5.0 / (np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    coefficients = beta[1:] / scale
    return float(beta[0] - (coefficients * mean).sum()), coefficients


def logistic(intercept: float, coefficients: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Fitted probabilities (N,) of features (N, F)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(intercept + features @ coefficients, -40, 40))))


def auroc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Probability that a random positive scores higher than a random negative; ties count half."""
    order = np.sort(negatives)
    below = np.searchsorted(order, positives, "left")
    upto = np.searchsorted(order, positives, "right")
    return float(((below + upto) / 2).mean() / len(negatives))


def prototypes(embeddings: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean direction of every class's embeddings, unit length, float32 (K, D)."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    means = np.stack([unit[labels == c].mean(0) for c in range(classes)])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def similarities(embeddings: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Largest cosine of every embedding (N, D) with the unit prototypes (P, D)."""
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1), 1e-12)
    return np.asarray((embeddings @ directions.T).max(1) / lengths)


def examples(embeddings: np.ndarray, count: int, concentration: float) -> Examples:
    """These photos as the in-domain density's examples, along their `count` main directions (uncentred, so that
    cosines keep their meaning), rounded to what a half-precision file holds.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(unit.T.astype(np.float64) @ unit / len(unit))
    directions = vectors[:, ::-1][:, :count].T
    # The sign of an eigenvector is free: the largest part is made positive, so that files repeat.
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(1)]
    directions = _half(directions * np.sign(largest)[:, None])
    return Examples(directions, _half(unit @ directions.T), concentration)


def _half(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows.astype(np.float16), np.float32)
