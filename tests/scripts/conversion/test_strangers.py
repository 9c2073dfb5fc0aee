"""The energy goes beside the probability of a converted model where it measures better, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lib.classifier import figures
from lib.classifier.domain import Domain
from scripts.conversion import Refused, strangers

CLASSES = 8


def known(count: int, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose true class stands out by `strength`, and the classes."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, CLASSES, count)
    logits = generator.normal(0, 1, (count, CLASSES))
    logits[np.arange(count), targets] += strength
    return logits, targets


def test_strangers_of_low_energy_are_told_and_shown_as_less_sure() -> None:
    logits, targets = known(400, 8.0, 1)
    # Sure of one class, but all logits far lower: a softmax cannot see that.
    others = known(200, 8.0, 2)[0] - 6
    found = strangers.judge(logits, targets, others, 1.0)
    assert found.figure["used"] is True
    assert found.block["kind"] == "logistic"
    assert found.block["weights"]["energy"] > 0
    alone, shown = found.figure["softmax_alone"], found.figure["with_energy"]
    assert alone["strangers_named"]["value"] > 0.9
    assert shown["strangers_named"]["value"] < 0.05
    assert shown["known_named"]["value"] > 0.9
    assert shown["brier"] < alone["brier"] / 5
    assert found.figure["area_under_roc"] > 0.99
    assert (found.figure["photos_fitted"], found.figure["photos_measured"]) == (300, 300)
    # The server computes the same probability from the block.
    served = Domain(found.block["intercept"], found.block["weights"])
    assert np.mean([served.probability(row, None) for row in logits]) > 0.95
    assert np.mean([served.probability(row, None) for row in others]) < 0.05


def test_the_brier_score_by_hand() -> None:
    found = strangers._figures(np.array([0.9, 0.6]), np.array([True, False]), np.array([0.5]))
    assert found["brier"] == pytest.approx(0.8 * (0.01 + 0.36) / 2 + 0.2 * 0.25)
    assert found["known_named"] == figures.share(1, 2)


def test_an_energy_that_points_the_wrong_way_is_not_used() -> None:
    logits, targets = known(400, 8.0, 3)
    others = known(200, 8.0, 4)[0] + 6
    found = strangers.judge(logits, targets, others, 1.0)
    assert found.figure["used"] is False
    assert found.block == {"kind": "none"}


def test_too_few_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="0 photos of other things; at least 20"):
        strangers.find(tmp_path)
