"""What a new head learns, the graph that carries it, the fits after it, and the in-domain probability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lib.classifier import domain, figures
from lib.classifier.taxonomy import Taxon, read_labels
from lib.config import STARTER_MODEL
from scripts.adaptation import classes, fitting, gate, graph, head, logistic
from scripts.adaptation.asking import Answers

DIMENSIONS, CLASSES = 6, 4
# Embeddings are far from zero in a direction that the old head does not look at, and the new class lies along.
FAR_OFF = np.array([1.0, 1, 1, 1, 30, 1])


def answers(embeddings: np.ndarray, weights: np.ndarray) -> Answers:
    return Answers(embeddings @ weights.T, embeddings, np.arange(len(embeddings)))


def drawn(
    count: int, seed: int, spread: float = 0.6, middle: float | np.ndarray = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings around a direction for each of five species, and the species."""
    g = np.random.default_rng(seed)
    labels = np.arange(count) % 5
    return np.eye(5, DIMENSIONS)[labels] * 2 + g.normal(0, spread, (count, DIMENSIONS)) + middle, labels


def test_the_fit_finds_the_minimum_whose_gradient_is_zero() -> None:
    g = np.random.default_rng(1)
    n, active = 60, 3
    examples = logistic.Examples(
        g.normal(size=(n, DIMENSIONS)),
        g.normal(size=(n, active)),
        g.normal(size=n),
        np.eye(active + 1)[g.integers(0, active + 1, n)][:, :active],
        g.random(n) + 0.1,
    )
    ridge = np.array([0.01, 0.1, 1.0])
    weights, intercepts = logistic.fit(examples, ridge)

    def cost(w: np.ndarray, b: np.ndarray) -> float:
        z = np.column_stack([examples.before + examples.features @ w.T + b, examples.rest])
        p = np.log(figures.softmax(z))
        t = np.column_stack([examples.targets, 1 - examples.targets.sum(1)])
        # The scores of the other classes are one number, so that their part of the cross-entropy is a constant.
        loss = -(t * p).sum(1) @ examples.weights / examples.weights.sum()
        return float(loss + 0.5 * (ridge * ((w**2).sum(1) + logistic.INTERCEPT_RIDGE * b**2)).sum())

    least = cost(weights, intercepts)
    for _ in range(200):
        step = g.normal(size=weights.shape) * 10.0 ** g.uniform(-4, 0)
        shift = g.normal(size=intercepts.shape) * 10.0 ** g.uniform(-4, 0)
        assert cost(weights + step, intercepts + shift) >= least - 1e-9


def test_an_endless_ridge_changes_nothing_and_a_quadratic_is_minimised_exactly() -> None:
    g = np.random.default_rng(2)
    examples = logistic.Examples(
        g.normal(size=(30, 3)),
        g.normal(size=(30, 2)),
        g.normal(size=30),
        np.eye(2)[g.integers(0, 2, 30)],
        np.ones(30),
    )
    weights, intercepts = logistic.fit(examples, np.full(2, 1e12))
    assert np.abs(weights).max() < 1e-9
    assert np.abs(intercepts).max() < 1e-6
    a = g.normal(size=(8, 8))
    a, b = a @ a.T + np.eye(8), g.normal(size=8)
    found = logistic.minimise(lambda x: (float(0.5 * x @ a @ x - b @ x), a @ x - b), np.zeros(8))
    assert found == pytest.approx(np.linalg.solve(a, b), abs=1e-5)


def test_the_head_learns_a_new_class_and_leaves_those_without_photos_as_they_are() -> None:
    old = np.eye(CLASSES, DIMENSIONS) * 3
    embeddings, labels = drawn(200, 1, middle=FAR_OFF)
    kept = labels != 1  # no photo of the old model's class 1
    training = answers(embeddings[kept], old)
    more, more_labels = drawn(100, 2, middle=FAR_OFF)
    validation = answers(more[more_labels != 1], old)
    found = head.fit(
        training, labels[kept], validation, more_labels[more_labels != 1], added=1, temperature=0.8
    )
    assert found.changed.tolist() == [0, 2, 3, 4]
    test, test_labels = drawn(300, 3, middle=FAR_OFF)
    logits = found.logits(answers(test, old))
    assert logits.shape == (300, 5)
    assert (logits[:, 1] == answers(test, old).logits[:, 1]).all()
    chosen = test_labels != 1
    before = (answers(test, old).logits.argmax(1) == test_labels)[chosen].mean()
    after = (logits.argmax(1) == test_labels)[chosen].mean()
    assert before < 0.8
    assert after > before + 0.15


def test_anchors_keep_a_class_without_photos_from_being_forgotten() -> None:
    g = np.random.default_rng(4)
    old = np.eye(CLASSES, DIMENSIONS)
    # The new class looks much like the old class 1, of which there are no photos.
    embeddings = np.concatenate(
        [np.eye(DIMENSIONS)[[0] * 20] * 3, np.tile([0.0, 2.6, 0, 0, 1.2, 0], (20, 1))]
    )
    embeddings = embeddings + g.normal(0, 0.1, embeddings.shape)
    labels = np.repeat([0, 4], 20)
    training = answers(embeddings, old)
    place = np.eye(DIMENSIONS)[[1]] * 3
    anchors = Answers(place @ old.T, place, np.zeros(1, int))
    given = {"added": 1, "temperature": 1.0}
    without = head.fit(training, labels, training, labels, **given)
    with_anchors = head.fit(training, labels, training, labels, anchors=anchors, **given)
    share = [figures.softmax(found.logits(anchors))[0, 1] for found in (without, with_anchors)]
    assert share[1] > share[0] + 0.1


def small_graph(path: Path, weights: np.ndarray, external: bool = False) -> Path:
    """A model whose embedding is the mean colour of the image and two more numbers, and whose head is `weights`."""
    lift = np.random.default_rng(0).normal(size=(3, DIMENSIONS)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "lift"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "head.weight", "head.bias"], ["logits"], transB=1),
    ]
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(weights)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIMENSIONS]),
        ],
        [
            numpy_helper.from_array(lift, "lift"),
            numpy_helper.from_array(weights.astype(np.float32), "head.weight"),
            numpy_helper.from_array(np.arange(len(weights), dtype=np.float32), "head.bias"),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path, save_as_external_data=external, location="model.onnx.data", size_threshold=0)
    return path


def asked(path: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    z, e = session.run(["logits", "embedding"], {"image": image})
    return z[0], e[0]


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("added", [0, 2])
def test_the_graph_gives_what_was_learned_and_can_be_extended_again(
    tmp_path: Path, external: bool, added: int
) -> None:
    g = np.random.default_rng(3)
    path = small_graph(tmp_path / "model.onnx", g.normal(size=(CLASSES, DIMENSIONS)), external)
    image = g.random((1, 3, 16, 16), np.float32)
    for turn in range(2):
        before, embedding = asked(path, image)
        classes_before = len(before)
        changed = np.array([1, classes_before + added - 1])
        weights, intercepts = g.normal(size=(2, DIMENSIONS)), g.normal(size=2)
        made = graph.extended(path, classes_before, added, changed, weights, intercepts)
        onnx.checker.check_model(made if not external else onnx.load(path), full_check=True)
        path.write_bytes(made.SerializeToString())
        after, same = asked(path, image)
        learned = head.Head(changed, added, weights, intercepts, 1.0, 1.0)
        expected = learned.logits(Answers(before[None], embedding[None], np.zeros(1, int)))[0]
        assert (same == embedding).all()
        assert after == pytest.approx(expected, abs=1e-5), turn
        assert len(after) == CLASSES + added * (turn + 1)
    assert (tmp_path / "model.onnx.data").exists() == external


def test_a_head_is_asked_about_embeddings_of_no_photo_where_it_can_be(tmp_path: Path) -> None:
    weights = np.random.default_rng(5).normal(size=(CLASSES, DIMENSIONS))
    for external in (False, True):
        path = small_graph(tmp_path / f"{external}.onnx", weights, external)
        found = graph.head_answers(path, np.eye(DIMENSIONS)[:2])
        assert found is not None
        assert found == pytest.approx(weights.T[:2] + np.arange(CLASSES), abs=1e-5)
    model = onnx.load(tmp_path / "False.onnx")
    model.graph.node[3].input[0] = "flatter"
    model.graph.node.insert(3, helper.make_node("MatMul", ["flat", "lift"], ["flatter"]))
    onnx.save(model, tmp_path / "beside.onnx")
    assert graph.head_answers(tmp_path / "beside.onnx", np.eye(DIMENSIONS)) is None
    starter = graph.head_answers(STARTER_MODEL / "model.onnx", np.load(STARTER_MODEL / "prototypes.npy") * 20)
    assert starter is not None
    assert starter.argmax(1).tolist() == list(range(12))


def test_a_graph_without_an_embedding_is_refused(tmp_path: Path) -> None:
    model = onnx.load(small_graph(tmp_path / "model.onnx", np.eye(CLASSES, DIMENSIONS)))
    del model.graph.output[1]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(graph.Unsuitable, match="embedding"):
        graph.extended(
            tmp_path / "model.onnx", CLASSES, 0, np.array([0]), np.ones((1, DIMENSIONS)), np.ones(1)
        )


def test_a_temperature_follows_many_photos_and_hardly_a_few() -> None:
    g = np.random.default_rng(6)
    z = g.normal(0, 2, (3000, 5))
    labels = (figures.softmax(z).cumsum(1) > g.random((3000, 1))).argmax(1)
    assert fitting.temperature(z * 3, labels, 1.0) == pytest.approx(3.0, rel=0.1)
    # Eight photos named rightly by far would ask for no doubt at all.
    sure = np.eye(5)[np.arange(8) % 5] * 4
    assert 0.5 < fitting.temperature(sure, np.arange(8) % 5, 1.0) < 1.0


def test_the_prior_is_half_old_and_half_learned_and_never_zero() -> None:
    found = fitting.prior(np.array([0.25, 0.75]), np.array([0, 2, 2, 2]), 3)
    assert found == pytest.approx([0.25, 0.375, 0.375])
    assert sum(found) == pytest.approx(1)


def block(**weights: float) -> dict[str, object]:
    return {"kind": "logistic", "intercept": -5.0, "weights": weights or {"energy": 0.5, "similarity": 4.0}}


def examples(count: int = 30) -> domain.Examples:
    """Photos of the first three of `drawn`'s species along three directions."""
    embeddings, labels = drawn(count, 11, spread=0.2)
    unit = embeddings[labels < 3] / np.linalg.norm(embeddings[labels < 3], axis=1, keepdims=True)
    directions = np.linalg.svd(unit, full_matrices=False)[2][:3].astype(np.float32)
    return domain.Examples(directions, (unit @ directions.T).astype(np.float32), 10.0)


def test_the_in_domain_probability_is_that_of_the_server() -> None:
    g = np.random.default_rng(7)
    found = answers(g.normal(size=(5, DIMENSIONS)), g.normal(size=(CLASSES, DIMENSIONS)))
    weights = {"energy": 0.5, "similarity": 4.0, "density": 3.0}
    served = domain.Domain(-5.0, weights, np.eye(CLASSES, DIMENSIONS), examples())
    known = gate.reference(served, CLASSES, {})
    ours = gate.probability(block(**weights), found, known)
    for i in range(5):
        assert ours[i] == pytest.approx(served.probability(found.logits[i], found.embeddings[i]))
    assert (gate.probability({"kind": "none"}, found, gate.Reference()) == 1).all()


@pytest.mark.parametrize("names", [("energy", "similarity"), ("similarity",), ("density",)])
def test_a_refitted_gate_tells_known_species_from_a_left_out_one(names: tuple[str, ...]) -> None:
    embeddings, labels = drawn(100, 8, spread=0.2)
    seen = answers(embeddings, np.eye(5, DIMENSIONS) * 2)
    # The model knew the species 0 to 2; its owner's photos add 3 and 4.
    means = np.stack([embeddings[labels == each].mean(0) for each in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    old = gate.reference(domain.Domain(0.0, {"energy": 1.0}, means, examples()), 3, {})
    assert old.clear
    known = old.with_photos(embeddings, labels)
    assert known.prototype_classes is not None
    assert known.prototype_classes.tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    fitted, text = gate.refitted(
        block(**dict.fromkeys(names, 1.0)), seen, labels, seen.of(np.zeros(100, bool)), known
    )
    assert "fitted anew on 100" in text
    stranger = answers(np.eye(DIMENSIONS)[[5] * 20] * 2 + 1, np.eye(5, DIMENSIONS) * 2)
    assert gate.probability(fitted, seen, known).mean() > 0.8
    assert gate.probability(fitted, stranger, known).mean() < 0.5


def test_photos_asked_without_their_species_are_strangers() -> None:
    embeddings, labels = drawn(100, 8, spread=0.2)
    seen = answers(embeddings, np.eye(5, DIMENSIONS) * 8)
    known = gate.Reference(np.zeros((0, DIMENSIONS)), np.zeros(0, int)).with_photos(embeddings, labels)
    taxa = [Taxon(f"Genus{i} species", f"Genus{i}", "") for i in range(5)]
    shut = block(similarity=60.0) | {"intercept": -57.0}
    assert gate.falsely_named(shut, seen, labels, known, 1.0, taxa) == 0
    open_ = {"kind": "none"}
    # Without a gate the softmax shares out everything among the four that are left.
    assert (gate.falsely_named(open_, seen, labels, known, 1.0, taxa) or 0) > 20
    # A class that the model does not have is left out already.
    beyond = np.full(100, 5)
    assert gate.falsely_named(shut, seen, beyond, known, 1.0, taxa) == 100
    unclear = gate.Reference(np.eye(DIMENSIONS), np.full(DIMENSIONS, -1))
    assert gate.falsely_named(shut, seen, labels, unclear, 1.0, taxa) is None


def test_own_photos_become_examples_along_directions_of_their_own() -> None:
    embeddings, labels = drawn(100, 8, spread=0.2)
    before = examples()
    old = gate.reference(domain.Domain(0.0, {"density": 1.0}, None, before), 3, {})
    assert not old.clear  # without prototypes nothing tells the class of an example
    new = gate.Reference(None, None, before, np.zeros(len(before.photos), int)).with_photos(
        embeddings, labels
    )
    assert new.examples is not None
    assert len(new.examples.photos) == len(before.photos) + 100
    rows = new.examples.directions
    assert rows @ rows.T == pytest.approx(np.eye(len(rows)), abs=1e-5)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert new.examples.photos[-100:] @ rows == pytest.approx(unit, abs=1e-5)
    assert new.examples.photos[: len(before.photos), 3:].any() == np.False_
    chosen = labels > 2
    assert (
        domain.densities(embeddings[chosen], new.examples) > domain.densities(embeddings[chosen], before)
    ).all()
    gone = new.without(np.array([0]))
    assert gone.examples is not None
    assert len(gone.examples.photos) == 80


def test_a_gate_stays_where_there_is_too_little_to_fit_one(tmp_path: Path) -> None:
    embeddings, labels = drawn(20, 9)
    few = answers(embeddings, np.eye(5, DIMENSIONS))
    none = few.of(np.zeros(20, bool))
    known = gate.reference(domain.Domain(0.0, {"similarity": 1.0}, np.eye(5, DIMENSIONS)), 5, {})
    assert gate.refitted(block(), few, labels, none, known)[0] == block()
    many, labels = answers(drawn(100, 9)[0], np.eye(5, DIMENSIONS)), drawn(100, 9)[1]
    six = domain.Domain(0.0, {"similarity": 1.0}, np.eye(DIMENSIONS))
    unclear = gate.reference(six, 5, {})
    assert not unclear.clear
    assert gate.refitted(block(), many, labels, none, unclear)[0] == block()
    assert gate.refitted({"kind": "none"}, many, labels, none, gate.Reference())[0] == {"kind": "none"}
    written: dict[str, object] = {"prototypes": "prototypes.npy"}
    known.with_photos(embeddings[:1], np.array([4])).save(tmp_path, written)
    again = gate.reference(domain.Domain(0.0, {}, np.load(tmp_path / "prototypes.npy")), 5, written)
    assert again.prototype_classes is not None
    assert again.prototype_classes.tolist() == [0, 1, 2, 3, 4, 4]
    rest = again.without(np.array([4])).prototype_classes
    assert rest is not None
    assert rest.tolist() == [0, 1, 2, 3]


def test_names_mean_the_models_class_by_any_name_and_new_ones_are_looked_up(tmp_path: Path) -> None:
    known = classes.Classes(
        [Taxon("Matricaria inodora", "Matricaria", "Asteraceae"), Taxon("Zea mays", "Zea", "Poaceae")]
    )
    assert known.name("Tripleurospermum inodorum") == "Matricaria inodora"
    assert known.place("Matricaria inodora") == 0
    assert known.name("Stellaria media") == "Stellaria media"
    assert known.place("Stellaria media") is None
    found = classes.taxon("Stellaria media")
    assert (found.family, found.eppo, bool(found.common_name_ja)) == ("Caryophyllaceae", "STEME", True)
    assert classes.taxon("Imaginaria nova") == Taxon("Imaginaria nova", "Imaginaria", "")
    grass = classes.taxon("Echinochloa crus-galli")
    text = classes.extended_labels(STARTER_MODEL / "labels.csv", [grass])
    path = tmp_path / "labels.csv"
    path.write_bytes(text)
    assert read_labels(path)[12] == grass
