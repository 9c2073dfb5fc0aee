"""Whether an adapted model is better than the old one, on days that neither chose: the figures and the rule.

The rule, all three:
1. of the test photos the new model names more rightly, and one-sided exact McNemar p < 0.05;
2. its log-loss on them is not higher. A species that the old model does not have counts for it as named by chance,
   which is kinder to it than it deserves;
3. of the species that the old model knows, it does not name significantly fewer rightly (the same test the other
   way round).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.classifier import figures
from lib.classifier.taxonomy import Taxon, decide

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Said:
    """What a model says of the test photos: probabilities (N, K) at its temperature, and P(in domain) (N,)."""

    probabilities: np.ndarray
    in_domain: np.ndarray
    taxa: Sequence[Taxon]


@dataclass(frozen=True)
class Verdict:
    """`better` when the rule holds; else `reasons` says which part does not. `report` holds all figures."""

    better: bool
    reasons: list[str]
    report: dict[str, Any]


def verdict(old: Said, new: Said, labels: np.ndarray) -> Verdict:
    """Judge two models by the same photos. The old model's classes are the first of the new one's.

    `labels` (N,): the class of every photo among the new model's. A photo of a class that the old model does not
    have is wrong for it.
    """
    known = labels < old.probabilities.shape[1]
    old_right, new_right = old.probabilities.argmax(1) == labels, new.probabilities.argmax(1) == labels
    everything, familiar = (
        figures.paired(old_right[chosen], new_right[chosen]) for chosen in (np.full(len(labels), True), known)
    )
    losses = {"old": log_loss(old.probabilities, labels), "new": log_loss(new.probabilities, labels)}
    reasons = []
    if not _more(everything["only_b"], everything["only_a"]):
        chance = one_sided(everything["only_b"], everything["only_a"])
        reasons.append(
            f"it names {new_right.sum()} of {len(labels)} test photos rightly, the old one {old_right.sum()}: "
            f"not clearly more (one-sided exact McNemar p {chance:.2g}, {SIGNIFICANT} is needed)"
        )
    if losses["new"] > losses["old"]:
        reasons.append(f"its log-loss is higher ({losses['new']:.3f}, the old one's {losses['old']:.3f})")
    if _more(familiar["only_a"], familiar["only_b"]):
        reasons.append(
            f"of the species that the old model knows it names clearly fewer rightly "
            f"({familiar['only_a']} photos lost, {familiar['only_b']} won)"
        )
    report = {
        "photos": len(labels),
        "old": _figures(old, labels),
        "new": _figures(new, labels),
        "all": everything | {"one_sided_p": one_sided(everything["only_b"], everything["only_a"])},
        "species_of_the_old_model": dict(familiar),
        "log_loss": losses,
        "log_loss_of_the_old_species": {
            "old": log_loss(old.probabilities[known], labels[known]),
            "new": log_loss(new.probabilities[known], labels[known]),
        },
        "recall": _recalls(old_right, new_right, labels, new.taxa),
    }
    return Verdict(not reasons, reasons, report)


def one_sided(won: int, lost: int) -> float:
    """P(so many or more of the disagreements are won | both are equally good), exact."""
    both = figures.mcnemar(won, lost)
    return both / 2 if won > lost else 1.0 if won == lost else 1 - both / 2


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean negative log-probability of the right classes; one that the model has not counts as chance, 1 / K."""
    if not len(labels):
        return None
    classes = probabilities.shape[1]
    known = labels < classes
    right = probabilities[np.arange(len(labels)), np.where(known, labels, 0)]
    return float(-np.log(np.maximum(np.where(known, right, 1 / classes), 1e-12)).mean())


def _more(won: int, lost: int) -> bool:
    return won > lost and one_sided(won, lost) < SIGNIFICANT


def _figures(said: Said, labels: np.ndarray) -> dict[str, Any]:
    count = len(labels)
    certain = said.probabilities * said.in_domain[:, None]
    found = [decide(row, said.taxa) for row in certain.tolist()]
    names = {i: taxon.species for i, taxon in enumerate(said.taxa)}
    named = [
        label.name == names.get(right)
        for label, right in zip(found, labels, strict=True)
        if label.level == "species"
    ]
    return {
        "top_1": figures.share(figures.top_k(said.probabilities, labels, 1), count),
        "top_3": figures.share(figures.top_k(said.probabilities, labels, 3), count),
        "calibration_error": figures.calibration_error(said.probabilities, labels),
        "named_as_a_species": figures.share(len(named), count),
        "of_these_right": figures.share(sum(named), len(named)),
    }


def _recalls(
    old_right: np.ndarray, new_right: np.ndarray, labels: np.ndarray, taxa: Sequence[Taxon]
) -> dict[str, dict[str, Any]]:
    return {
        taxa[each].species: {
            "old": figures.share(int(old_right[labels == each].sum()), int((labels == each).sum())),
            "new": figures.share(int(new_right[labels == each].sum()), int((labels == each).sum())),
        }
        for each in np.unique(labels).tolist()
    }
