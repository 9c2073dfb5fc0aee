"""What a new head learns from embeddings: changes of the old logits, for the species that there are photos of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lib.classifier import figures
from scripts.adaptation import logistic
from scripts.adaptation.asking import Answers
from scripts.training import measure

# What a new class pays for a change, and how many times as much one of the old model, which was learned already.
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
TIMES = (1.0, 10.0, 100.0)
# What all anchors together weigh against the photos, at most.
ANCHORS_SHARE = 0.5


@dataclass(frozen=True)
class Head:
    """`weights` (A, D) x embedding + `intercepts` (A,) are added to the logits of the classes `changed` (A,), after
    `added` new classes were put behind the old ones, each with their mean logit.
    """

    changed: np.ndarray
    added: int
    weights: np.ndarray
    intercepts: np.ndarray
    ridge: float
    ridge_of_old: float

    def logits(self, answers: Answers) -> np.ndarray:
        """The new logits (N, K + added) of photos from the old model's answers."""
        logits = with_new_classes(answers.logits, self.added)
        logits[:, self.changed] += answers.embeddings @ self.weights.T + self.intercepts
        return logits


def with_new_classes(logits: np.ndarray, added: int) -> np.ndarray:
    """Old logits (N, K), and their mean for each of `added` classes; float64."""
    wide = logits.astype(np.float64)
    return np.concatenate([wide, np.repeat(wide.mean(1, keepdims=True), added, 1)], axis=1)


def fit(
    training: Answers,
    labels: np.ndarray,
    validation: Answers,
    validation_labels: np.ndarray,
    *,
    added: int,
    temperature: float,
    anchors: Answers | None = None,
) -> Head:
    """Learn from views of the training photos (`labels` (N,), a class of the new model for each row).

    Only classes with photos change. How much a change costs is chosen by the log-loss of the validation photos: of
    all costs that are not clearly worse than the best (by one standard error of the difference; Breiman et al.
    1984), the one that changes the old model's classes least. `anchors` are embeddings that stand for classes
    without photos, with the old model's logits: on them the new model is to say what the old one said.
    """
    changed = np.unique(labels)
    centre = training.embeddings.mean(0)
    # One scale for all dimensions, so that nothing but the ridge decides which of them count.
    scale = float(np.sqrt(training.embeddings.var(0).sum())) or 1.0
    views = np.bincount(training.photo)[training.photo]
    examples = _examples(training, labels, 1 / views, changed, added, temperature)
    if anchors is not None and len(anchors.photo):
        examples = _with_anchors(examples, anchors, changed, added, temperature)
    scaled = logistic.Examples(
        (examples.features - centre) / scale,
        examples.before,
        examples.rest,
        examples.targets,
        examples.weights,
    )
    is_old = changed < training.logits.shape[1]
    heads, losses = [], []
    for ridge, ridge_of_old in sorted({(ridge, ridge * times) for ridge in RIDGES for times in TIMES}):
        weights, intercepts = logistic.fit(scaled, np.where(is_old, ridge_of_old, ridge))
        # Learned on logits at the old temperature, given back on the logits' own scale.
        weights = weights / scale * temperature
        head = Head(changed, added, weights, intercepts * temperature - weights @ centre, ridge, ridge_of_old)
        shares = figures.softmax(head.logits(validation), temperature)
        right = shares[np.arange(len(validation_labels)), validation_labels]
        heads.append(head)
        losses.append(-np.log(np.maximum(right, 1e-300)))
    best = losses[int(np.argmin([loss.mean() for loss in losses]))]
    good = [
        head
        for head, loss in zip(heads, losses, strict=True)
        if (loss - best).mean() <= (loss - best).std() / math.sqrt(len(best))
    ]
    return max(good, key=lambda head: (head.ridge_of_old, head.ridge))


def _examples(
    answers: Answers,
    labels: np.ndarray,
    weights: np.ndarray,
    changed: np.ndarray,
    added: int,
    temperature: float,
) -> logistic.Examples:
    wide = with_new_classes(answers.logits, added) / temperature
    targets = (labels[:, None] == changed[None]).astype(np.float64)
    return logistic.Examples(
        answers.embeddings.astype(np.float64), wide[:, changed], _rest(wide, changed), targets, weights
    )


def _with_anchors(
    examples: logistic.Examples, anchors: Answers, changed: np.ndarray, added: int, temperature: float
) -> logistic.Examples:
    """The same with anchors, whose targets are what the old model says of them; a new class has no share."""
    wide = with_new_classes(anchors.logits, added) / temperature
    targets = np.zeros_like(wide)
    targets[:, : wide.shape[1] - added] = figures.softmax(anchors.logits, temperature)
    weight = min(1.0, ANCHORS_SHARE * float(examples.weights.sum()) / len(wide))
    return logistic.Examples(
        np.concatenate([examples.features, anchors.embeddings]),
        np.concatenate([examples.before, wide[:, changed]]),
        np.concatenate([examples.rest, _rest(wide, changed)]),
        np.concatenate([examples.targets, targets[:, changed]]),
        np.concatenate([examples.weights, np.full(len(wide), weight)]),
    )


def _rest(logits: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """log-sum-exp of the classes that do not change (N,); minus infinity where there are none."""
    others = np.delete(logits, changed, axis=1)
    return measure.energies(others) if others.shape[1] else np.full(len(logits), -np.inf)
