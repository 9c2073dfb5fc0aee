"""The in-domain probability that softmax cannot give."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib.classifier import domain, folder
from lib.classifier.model import Classifier
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


def examples(photos: Any, concentration: float = 10.0) -> domain.Examples:
    """Examples along the first two of three directions."""
    return domain.Examples(np.eye(3)[:2], np.array(photos), concentration)


def test_the_density_is_the_mean_kernel_over_the_examples() -> None:
    known = examples([[1.0, 0.0], [0.0, 1.0]])
    # Cosines 0.6 and 0.8 with the two examples.
    expected = math.log((math.exp(6) + math.exp(8)) / 2) / 10
    assert domain.densities(np.array([[3.0, 4.0, 0.0]]), known) == pytest.approx([expected])
    assert domain.densities(np.zeros((1, 3)), known) == pytest.approx([0.0])


def test_what_lies_across_the_directions_makes_a_photo_less_dense() -> None:
    inside, across = domain.densities(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 5.0]]), examples([[1.0, 0.0]]))
    assert inside == pytest.approx(1.0)
    assert across == pytest.approx(1 / math.sqrt(26))


def test_the_density_does_not_overflow_and_narrows_to_the_nearest_example() -> None:
    known = examples([[1.0, 0.0], [0.0, 1.0]], concentration=1000.0)
    assert domain.densities(np.array([[3.0, 4.0, 0.0]]), known) == pytest.approx([0.8], abs=1e-3)


def test_examples_can_be_left_out_of_the_density() -> None:
    known = examples([[1.0, 0.0], [0.0, 1.0]])
    photos = np.array([[3.0, 4.0, 0.0], [3.0, 4.0, 0.0]])
    allowed = np.array([[True, False], [False, True]])
    assert domain.densities(photos, known, allowed) == pytest.approx([0.6, 0.8])


def test_the_density_has_its_part_in_the_probability() -> None:
    inside = domain.Domain(-1.0, {"density": 4.0}, examples=examples([[1.0, 0.0]]))
    expected = 1 / (1 + math.exp(-(-1.0 + 4.0 * 0.6)))
    assert inside.probability(np.zeros(2), np.array([3.0, 0.0, 4.0])) == pytest.approx(expected)


@pytest.mark.parametrize(("logit", "expected"), [(1e6, 1.0), (-1e6, 0.0)])
def test_extreme_logits_give_certainty_without_overflow(logit: float, expected: float) -> None:
    assert domain.Domain(0.0, {"energy": 1.0}).probability(np.array([logit]), None) == pytest.approx(expected)


def with_block(make_folder: MakeFolder, block: dict[str, Any], **vectors: Any) -> Path:
    """A model folder with this block and, for each keyword, a file of these vectors (or of these bytes)."""
    path = make_folder()
    digests = {name: digest(path / name) for name in ("model.onnx", "labels.csv")}
    for name, rows in vectors.items():
        file = path / f"{name}.npy"
        if isinstance(rows, bytes):
            file.write_bytes(rows)
        else:
            np.save(file, rows)
        digests[file.name] = digest(file)
    return make_folder(out_of_domain=block, sha256=digests)


def test_prototypes_are_read_and_made_unit_length(make_folder: MakeFolder) -> None:
    block = {"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}, "prototypes": "prototypes.npy"}
    path = with_block(make_folder, block, prototypes=np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]))
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
        (np.array([["a", "b"]]), "one vector a row"),
        (np.zeros((0, 3)), "one vector a row"),
    ],
)
def test_unusable_prototypes_are_refused(make_folder: MakeFolder, prototypes: Any, reason: str) -> None:
    block = {"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}, "prototypes": "prototypes.npy"}
    path = with_block(make_folder, block, prototypes=prototypes)
    with pytest.raises(ModelUnavailable, match=reason):
        domain.read(folder.read(path), path)


DENSITY = {
    "kind": "logistic",
    "intercept": 0,
    "weights": {"density": 1},
    "directions": "directions.npy",
    "examples": "examples.npy",
    "concentration": 10,
}
DIRECTIONS, EXAMPLES = np.eye(3, dtype=np.float16)[:2], np.array([[0.6, 0.8], [1, 0]], np.float16)


def test_the_examples_of_a_density_are_read(make_folder: MakeFolder) -> None:
    path = with_block(make_folder, DENSITY, directions=DIRECTIONS, examples=EXAMPLES)
    found = domain.read(folder.read(path), path)
    assert found.examples is not None
    assert found.examples.concentration == 10
    assert found.examples.photos.dtype == np.float32
    assert found.examples.photos == pytest.approx(EXAMPLES.astype(np.float32))
    assert found.lengths == {3}
    assert found.probability(np.zeros(4), np.array([1.0, 0, 0])) == pytest.approx(
        1 / (1 + math.exp(-math.log((math.exp(6) + math.exp(10)) / 2) / 10)), rel=1e-3
    )


def test_class_means_beside_a_density_are_read_too(make_folder: MakeFolder) -> None:
    block = DENSITY | {"prototypes": "prototypes.npy"}
    path = with_block(make_folder, block, directions=DIRECTIONS, examples=EXAMPLES, prototypes=np.eye(4))
    assert domain.read(folder.read(path), path).lengths == {3, 4}
    with pytest.raises(ModelUnavailable, match=r"length of model\.onnx's embedding"):
        Classifier(path)


@pytest.mark.parametrize("concentration", [None, 0, -1, True, "10", math.nan, math.inf, 1e4])
def test_an_unusable_concentration_is_refused(make_folder: MakeFolder, concentration: Any) -> None:
    block = DENSITY | {"concentration": concentration}
    path = with_block(make_folder, block, directions=DIRECTIONS, examples=EXAMPLES)
    with pytest.raises(ModelUnavailable, match="concentration must be a number above 0, 1000 at most"):
        domain.read(folder.read(path), path)


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        ({"directions": DIRECTIONS}, "out_of_domain.examples must be a file listed under sha256"),
        ({"examples": EXAMPLES}, "out_of_domain.directions must be a file listed under sha256"),
        ({"directions": DIRECTIONS, "examples": b"?"}, "examples.npy cannot be read"),
        (
            {"directions": DIRECTIONS + np.float16(np.inf), "examples": EXAMPLES},
            "directions.npy must hold one vector",
        ),
        ({"directions": np.eye(3), "examples": EXAMPLES}, "one number for each of the directions"),
    ],
)
def test_unusable_examples_are_refused(make_folder: MakeFolder, vectors: dict[str, Any], reason: str) -> None:
    path = with_block(make_folder, DENSITY, **vectors)
    with pytest.raises(ModelUnavailable, match=reason):
        domain.read(folder.read(path), path)
