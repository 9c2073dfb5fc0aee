"""A multinomial logistic regression that starts from what a model says already, in NumPy alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS, MEMORY = 400, 10
# What the intercept pays for a change, against a weight: little, but enough to keep a class without a photo finite.
INTERCEPT_RIDGE = 0.01


@dataclass(frozen=True)
class Examples:
    """What is learned from: `features` (N, D), `before` (N, A) the scores of the A classes that may change, `rest`
    (N,) the log-sum-exp of all other classes' scores, `targets` (N, A) the probabilities these classes should have
    (what is missing from 1 belongs to the others), and `weights` (N,).
    """

    features: np.ndarray
    before: np.ndarray
    rest: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def fit(examples: Examples, ridge: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Changes of weight (A, D) and intercept (A,) that minimise

        sum_i w_i CE(target_i, softmax(before_i + W x_i + b, others)) / sum_i w_i
            + sum_a ridge_a / 2 (|W_a|^2 + 0.01 b_a^2).

    `ridge` (A,) is what each class pays for a change. The problem is strictly convex, so there is one answer
    whatever the way there; at an endless ridge it is 0, the model as it was.
    """
    count, dimensions = examples.targets.shape[1], examples.features.shape[1]
    x = np.column_stack([examples.features, np.ones(len(examples.features))])
    weights = (examples.weights / examples.weights.sum())[:, None]
    penalty = ridge[:, None] * np.append(np.ones(dimensions), INTERCEPT_RIDGE)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        change = flat.reshape(count, dimensions + 1)
        scores = examples.before + x @ change.T
        highest = np.maximum(scores.max(1), examples.rest)[:, None]
        shares = np.exp(scores - highest)
        total = shares.sum(1, keepdims=True) + np.exp(examples.rest[:, None] - highest)
        loss = weights[:, 0] @ (highest + np.log(total))[:, 0] - (weights * examples.targets * scores).sum()
        gradient = (weights * (shares / total - examples.targets)).T @ x + penalty * change
        return float(loss + 0.5 * (penalty * change**2).sum()), gradient.ravel()

    change = minimise(cost, np.zeros(count * (dimensions + 1))).reshape(count, dimensions + 1)
    return change[:, :-1], change[:, -1]


def minimise(
    cost: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray, tolerance: float = 1e-7
) -> np.ndarray:
    """The minimum of a smooth convex function that answers (value, gradient): L-BFGS with halved steps.

    Nocedal and Wright (2006), Numerical Optimization, algorithms 7.4 and 3.1. Stops where the largest partial
    derivative is below `tolerance`, or after 400 steps.
    """
    at, (value, gradient) = start.astype(np.float64), cost(start)
    moves: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MEMORY)
    for _ in range(STEPS):
        if np.abs(gradient).max() < tolerance:
            break
        direction = -_inverse_hessian(moves, gradient)
        slope = float(direction @ gradient)
        length = 1.0 if moves else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        while True:
            there = at + length * direction
            reached, slopes = cost(there)
            if reached <= value + 1e-4 * length * slope:
                break
            length /= 2
            if length < 1e-12:  # no lower value can be told apart any more
                return at
        step, bend = there - at, slopes - gradient
        if float(step @ bend) > 1e-12 * float(bend @ bend):
            moves.append((step, bend))
        at, value, gradient = there, reached, slopes
    return at


def _inverse_hessian(moves: deque[tuple[np.ndarray, np.ndarray]], gradient: np.ndarray) -> np.ndarray:
    """The remembered curvature's inverse times the gradient."""
    left, shares = gradient.copy(), []
    for step, bend in reversed(moves):
        share = float(step @ left) / float(bend @ step)
        left -= share * bend
        shares.append(share)
    if moves:
        step, bend = moves[-1]
        left *= float(step @ bend) / float(bend @ bend)
    for (step, bend), share in zip(moves, reversed(shares), strict=True):
        left += step * (share - float(bend @ left) / float(bend @ step))
    return left
