"""The in-domain probability that softmax cannot give."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib.classifier import domain, folder
from lib.classifier.refusals import ModelUnavailable
from tests.lib.classifier.conftest import MakeFolder, digest


def test_without_a_block_every_photo_is_in_the_domain(make_folder: MakeFolder) -> None:
    path = make_folder()
    read = domain.read(folder.read(path), path)
    assert read.probability(np.array([-50.0, -50.0]), None) == 1.0


def test_energy_is_the_log_sum_exp_and_does_not_overflow() -> None:
    assert domain.energy(np.array([0.0, 0.0])) == pytest.approx(math.log(2))
    assert domain.energy(np.array([1000.0, 0.0], np.float32)) == pytest.approx(1000)


def test_similarity_is_the_best_cosine() -> None:
    prototypes = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert domain.similarity(np.array([3.0, 4.0]), prototypes) == pytest.approx(0.8)
    assert domain.similarity(np.zeros(2), prototypes) == 0.0


def test_the_probability_is_the_logistic_of_the_weighted_features() -> None:
    inside = domain.Domain(-1.0, {"energy": 0.5, "similarity": 2.0}, np.array([[1.0, 0.0]]))
    logits, embedding = np.array([2.0, 2.0]), np.array([2.0, 0.0])
    expected = 1 / (1 + math.exp(-(-1.0 + 0.5 * (2 + math.log(2)) + 2.0)))
    assert inside.probability(logits, embedding) == pytest.approx(expected)


@pytest.mark.parametrize(("logit", "expected"), [(1e6, 1.0), (-1e6, 0.0)])
def test_extreme_logits_give_certainty_without_overflow(logit: float, expected: float) -> None:
    assert domain.Domain(0.0, {"energy": 1.0}).probability(np.array([logit]), None) == pytest.approx(expected)


def with_block(make_folder: MakeFolder, block: dict[str, Any], prototypes: Any = None) -> Path:
    path = make_folder()
    digests = {name: digest(path / name) for name in ("model.onnx", "labels.csv")}
    if prototypes is not None:
        data = prototypes if isinstance(prototypes, bytes) else None
        if data is None:
            np.save(path / "prototypes.npy", prototypes)
            data = (path / "prototypes.npy").read_bytes()
        digests["prototypes.npy"] = hashlib.sha256(data).hexdigest()
    path = make_folder(out_of_domain=block, sha256=digests)
    if isinstance(prototypes, bytes):
        (path / "prototypes.npy").write_bytes(prototypes)
    return path


def test_prototypes_are_read_and_made_unit_length(make_folder: MakeFolder) -> None:
    block = {"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}, "prototypes": "prototypes.npy"}
    path = with_block(make_folder, block, np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]))
    read = domain.read(folder.read(path), path)
    assert read.prototypes is not None
    assert read.prototypes == pytest.approx(np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]))


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ({"kind": "oracle"}, "kind must be none or logistic"),
        ({"kind": "logistic"}, "intercept and weights"),
        ({"kind": "logistic", "intercept": 0, "weights": {}}, "intercept and weights"),
        ({"kind": "logistic", "intercept": "0", "weights": {"energy": 1}}, "intercept and weights"),
        ({"kind": "logistic", "intercept": 0, "weights": {"colour": 1}}, "intercept and weights"),
        ({"kind": "logistic", "intercept": 0, "weights": {"energy": True}}, "intercept and weights"),
        ({"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}}, "listed under sha256"),
        (
            {"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}, "prototypes": "other.npy"},
            "listed under sha256",
        ),
    ],
)
def test_an_unusable_block_is_refused(make_folder: MakeFolder, block: dict[str, Any], reason: str) -> None:
    path = with_block(make_folder, block)
    with pytest.raises(ModelUnavailable, match=reason):
        domain.read(folder.read(path), path)


@pytest.mark.parametrize(
    ("prototypes", "reason"),
    [
        (b"not numpy", "cannot be read"),
        (np.zeros(3), "one vector a row"),
        (np.array([[np.nan, 0, 0]]), "one vector a row"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_unusable_prototypes_are_refused(make_folder: MakeFolder, prototypes: Any, reason: str) -> None:
    block = {"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}, "prototypes": "prototypes.npy"}
    path = with_block(make_folder, block, prototypes)
    with pytest.raises(ModelUnavailable, match=reason):
        domain.read(folder.read(path), path)
