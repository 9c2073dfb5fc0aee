"""A photo through a real ONNX session, and every graph that does not fit its card."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import helper, numpy_helper
from PIL import Image

from lib import classifier
from lib.classifier import Busy, ModelUnavailable
from lib.classifier.model import Classifier, entropy
from lib.classifier.waiting import WaitingLine
from tests.lib.classifier.conftest import TAXA, WEIGHTS, MakeFolder, digest, write_folder
from tests.lib.classifier.lines import occupied

ROOT = Path(__file__).resolve().parents[3]
BLUE = Image.new("RGB", (90, 60), (0, 0, 255))
RED = Image.new("RGB", (90, 60), (255, 0, 0))
GREY = Image.new("RGB", (90, 60), (128, 128, 128))


def test_a_photo_is_named(make_folder: MakeFolder) -> None:
    found = Classifier(make_folder()).classify(BLUE)
    assert found.label == "Caerulea sola"
    assert found.label_level == "species"
    assert found.label_confidence == found.predictions[0].confidence > 0.99
    assert found.predictions[0].species == "Caerulea sola"
    assert found.predictions[0].common_name == "plant 3"
    assert found.predictions[0].taxonomic_level == "species"
    assert found.embedding == pytest.approx([-1, -1, 1], abs=1e-5)
    assert found.seconds > 0


def test_two_like_species_become_their_genus(make_folder: MakeFolder) -> None:
    found = Classifier(make_folder()).classify(RED)
    assert (found.label, found.label_level) == ("Rubra", "genus")
    assert found.label_confidence == pytest.approx(1, abs=1e-3)
    assert [p.species for p in found.predictions[:2]] == ["Rubra prima", "Rubra secunda"]


def test_nothing_to_go_by_is_a_family_or_unknown_with_high_entropy(make_folder: MakeFolder) -> None:
    found = Classifier(make_folder()).classify(GREY)
    assert found.label_level == "family"
    assert found.entropy == pytest.approx(math.log(4), abs=0.01)
    assert found.mean_confidence == pytest.approx(0.25, abs=0.01)


def test_predictions_are_the_best_five_in_order(make_folder: MakeFolder) -> None:
    taxa = [(f"Genus s{i}", "Genus", "Familia") for i in range(7)]
    weights = np.arange(21, dtype=np.float32).reshape(3, 7) / 10
    found = Classifier(make_folder(taxa=taxa, onnx_options={"weights": weights})).classify(
        Image.new("RGB", (50, 50), (255, 255, 255))
    )
    confidences = [p.confidence for p in found.predictions]
    assert len(confidences) == 5
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) <= 1
    assert found.predictions[0].species == "Genus s6"


def test_the_temperature_softens(make_folder: MakeFolder) -> None:
    sharp = Classifier(make_folder("sharp", temperature=0.5)).classify(RED)
    soft = Classifier(make_folder("soft", temperature=20)).classify(RED)
    assert soft.predictions[0].confidence < sharp.predictions[0].confidence
    assert soft.entropy > sharp.entropy


def gated(make_folder: MakeFolder) -> Classifier:
    """In the domain only what has an energy of about 24 or more: pure blue, with 24, is half in."""
    return Classifier(
        make_folder(out_of_domain={"kind": "logistic", "intercept": -23.9, "weights": {"energy": 1.0}})
    )


def test_the_mass_missing_from_the_predictions_is_something_else(make_folder: MakeFolder) -> None:
    found = gated(make_folder).classify(BLUE)
    inside = 1 / (1 + math.exp(-0.1))
    assert sum(p.confidence for p in found.predictions) == pytest.approx(inside, abs=1e-3)
    assert (found.label, found.label_level) == ("Caerulea", "genus")
    assert found.entropy == pytest.approx(math.log(2), abs=5e-3)


def test_a_photo_out_of_the_domain_is_unknown_however_sure_the_softmax(make_folder: MakeFolder) -> None:
    pale = Image.new("RGB", (90, 60), (100, 100, 190))
    open_model, gated_model = Classifier(make_folder("open")), gated(make_folder)
    assert open_model.classify(pale).label_level == "species"
    assert (gated_model.classify(pale).label, gated_model.classify(pale).label_level) == (
        "unknown",
        "unknown",
    )


def test_a_regional_list_masks_the_other_species(make_folder: MakeFolder) -> None:
    model = Classifier(make_folder())
    found = model.classify(RED, species={"Rubra secunda", "Caerulea sola"})
    assert found.label == "Rubra secunda"
    assert found.label_level == "species"
    assert found.masked
    assert found.classes == 2
    by_name = {p.species: p.confidence for p in found.predictions}
    assert set(by_name) == {"Rubra secunda", "Caerulea sola"}
    assert sum(by_name.values()) == pytest.approx(1)
    assert (model.classify(RED).masked, model.classify(RED).classes) == (False, 4)


def test_a_regional_list_changes_nothing_about_whether_it_is_a_plant(make_folder: MakeFolder) -> None:
    model = gated(make_folder)
    free, held = model.classify(BLUE), model.classify(BLUE, species={"Caerulea sola", "Viridis alba"})
    assert held.in_domain == pytest.approx(free.in_domain)
    # Of what the list leaves out, too, the model says that it is no stranger.
    without = model.classify(BLUE, species={"Viridis alba"})
    assert without.in_domain == pytest.approx(free.in_domain)
    assert without.predictions[0].species == "Viridis alba"


@pytest.mark.parametrize(
    ("written", "listed"),
    [
        ("capsella_bursa_pastoris", "Capsella bursa-pastoris"),
        ("Matricaria perforata", "Tripleurospermum inodorum"),
    ],
)
def test_a_class_that_the_model_calls_otherwise_is_on_the_list(
    make_folder: MakeFolder, written: str, listed: str
) -> None:
    taxa = [(written, "", ""), ("Rubra prima", "Rubra", "Coloraceae")]
    model = Classifier(make_folder(taxa=taxa, onnx_options={"weights": WEIGHTS[:, :2]}))
    found = model.classify(RED, species={listed})
    assert [each.species for each in found.predictions] == [written]


def test_the_share_of_training_photos_that_the_list_leaves_is_told(make_folder: MakeFolder) -> None:
    model = Classifier(make_folder(prior=[0.1, 0.2, 0.3, 0.4]))
    found = model.classify(RED, species={"Rubra secunda", "Caerulea sola"})
    assert found.prior_mass == pytest.approx(0.6)
    assert model.classify(RED).prior_mass == 1


@given(
    logits=arrays(np.float32, 4, elements=st.floats(-40, 40, width=32)),
    names=st.sets(st.sampled_from([name for name, _, _ in TAXA]), min_size=1),
)
def test_masked_probabilities_keep_their_ratios_and_leave_nothing_outside(
    shared_model: Classifier, logits: np.ndarray, names: set[str]
) -> None:
    embedding = np.ones(3, np.float32)
    free = shared_model.probabilities(logits, embedding)
    held = shared_model.probabilities(logits, embedding, shared_model.mask(names))
    possible = np.array([taxon.species in names for taxon in shared_model.labels])
    assert held.sum() <= 1 + 1e-12
    assert held.sum() == pytest.approx(free.sum())  # as much a plant as before
    assert (held[~possible] == 0).all()
    assert (held >= free - 1e-15)[possible].all()
    # Between any two possible species the odds are those of before.
    scaled = free[possible] / free[possible].sum() if free[possible].sum() > 1e-200 else None
    if scaled is not None:
        np.testing.assert_allclose(held[possible] / held.sum(), scaled, rtol=1e-9, atol=1e-300)


@pytest.fixture(scope="module")
def shared_model(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """One that judges the domain, too."""
    block = {"kind": "logistic", "intercept": 1.0, "weights": {"energy": 0.1}}
    return Classifier(write_folder(tmp_path_factory.mktemp("model") / "m", out_of_domain=block))


def test_a_regional_list_of_strangers_leaves_nothing(make_folder: MakeFolder) -> None:
    found = Classifier(make_folder()).classify(RED, species={"Bellis perennis"})
    assert (found.label, found.label_level, found.label_confidence) == ("unknown", "unknown", 0)
    assert found.entropy == 0
    assert (found.predictions, found.classes, found.in_domain, found.mean_confidence) == ([], 0, 0, 0)
    assert found.masked


def test_a_model_that_asks_for_the_place_is_told_it(make_folder: MakeFolder) -> None:
    path = make_folder(onnx_options={"place": True}, place={"default": [43.1, 141.3]})
    model = Classifier(path)
    # The graph adds the latitude in degrees to the first class and the longitude to the last.
    assert model.classify(GREY, place=(80.0, -10.0)).label == "Rubra prima"
    assert model.classify(GREY, place=(-10.0, 80.0)).label == "Caerulea sola"


def test_without_a_place_the_cards_default_counts(make_folder: MakeFolder) -> None:
    for name, default, label in (("n", [60, 0], "Rubra prima"), ("e", [0, 60], "Caerulea sola")):
        model = Classifier(make_folder(name, onnx_options={"place": True}, place={"default": default}))
        assert model.classify(GREY).label == label
        assert model.classify(GREY, place=(0.0, 0.0)).label_level != "species"


def test_a_model_without_a_place_takes_no_notice_of_one(make_folder: MakeFolder) -> None:
    model = Classifier(make_folder())
    assert model.classify(BLUE, place=(43.1, 141.3)).label == model.classify(BLUE).label


@pytest.mark.parametrize(
    ("graph", "card", "reason"),
    [
        (True, None, "must take `image` "),
        (False, {"default": [43.1, 141.3]}, "must take `image` and `place`"),
    ],
)
def test_the_place_is_in_the_graph_and_in_the_card_or_in_neither(
    make_folder: MakeFolder, graph: bool, card: dict[str, Any] | None, reason: str
) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        Classifier(make_folder(onnx_options={"place": graph}, place=card))


def test_the_prior_sums_to_one_in_the_order_of_the_labels(make_folder: MakeFolder) -> None:
    model = Classifier(make_folder(prior=[0.1, 0.2, 0.3, 0.4]))
    assert model.prior == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert model.prior.sum() == pytest.approx(1)
    assert model.temperature == 1.0
    assert model.labels[3].species == "Caerulea sola"
    assert (model.name, model.version) == ("mean-colour", "1")


def test_an_answer_says_which_version_of_the_model_gave_it(make_folder: MakeFolder) -> None:
    found = Classifier(make_folder(version="1.1.0")).classify(RED)
    assert (found.model_name, found.model_version) == ("mean-colour", "1.1.0")
    assert Classifier(make_folder("b", version="")).classify(RED).model_version is None


def test_a_model_without_embedding_works(make_folder: MakeFolder) -> None:
    found = Classifier(make_folder(onnx_options={"embedding": False})).classify(BLUE)
    assert found.label == "Caerulea sola"
    assert found.embedding is None


def test_entropy_counts_the_missing_mass_as_an_outcome() -> None:
    assert entropy(np.array([0.5, 0.0])) == pytest.approx(math.log(2))
    assert entropy(np.array([1.0, 0.0])) == 0
    assert entropy(np.zeros(3)) == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"onnx_options": {"weights": WEIGHTS[:, :3]}}, "1 x 4 logits"),
        ({"prior": [0.5, 0.5]}, "prior must hold 4 numbers"),
        ({"onnx_options": {"weights": WEIGHTS * np.nan}}, "not finite"),
        ({"mean": [1e308, 0.5, 0.5]}, "not finite"),  # beyond float32, which only a real photo would show
        ({"input_size": [32, 24], "onnx_options": {"size": 32}}, "does not run on an image"),
    ],
)
def test_a_graph_that_does_not_fit_its_card_is_refused(
    make_folder: MakeFolder, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        Classifier(make_folder(**options))


def test_an_answer_that_is_not_finite_is_none(make_folder: MakeFolder) -> None:
    """It could not be stored, and a day's figures would be made of it."""
    model = Classifier(make_folder(onnx_options={"weights": np.full_like(WEIGHTS, 3e38)}))
    with pytest.raises(ArithmeticError):
        model.classify(Image.new("RGB", (90, 60), (255, 255, 255)))


def test_memory_that_the_runtime_does_not_get_is_told_from_other_failures(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph asks for more room than any processor can address."""
    path = make_folder()
    graph = onnx.load(path / "model.onnx")
    graph.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["size"], ["room"]),
            helper.make_node("ReduceMax", ["room"], ["highest"], keepdims=0),
            helper.make_node("Add", ["logits of colour", "highest"], ["logits"]),
        ]
    )
    graph.graph.node[2].output[0] = "logits of colour"
    graph.graph.initializer.append(numpy_helper.from_array(np.array([10**15]), "size"))
    onnx.save(graph, path / "model.onnx")
    monkeypatch.setattr(Classifier, "_check_shapes", lambda self: ["logits"])  # which runs it, too
    with pytest.raises(MemoryError):
        Classifier(write_again(path)).classify(BLUE)


def test_a_file_that_is_no_model_is_refused(make_folder: MakeFolder) -> None:
    path = make_folder()
    (path / "model.onnx").write_bytes(b"not a model")
    path = write_again(path)
    with pytest.raises(ModelUnavailable, match="is not an ONNX graph"):
        Classifier(path)


def write_again(path: Path) -> Path:
    """Sign what lies in the folder now."""
    raw = json.loads((path / "model.json").read_text())
    raw["sha256"] = {name: digest(path / name) for name in raw["sha256"]}
    (path / "model.json").write_text(json.dumps(raw))
    return path


def test_a_graph_with_other_names_is_refused(make_folder: MakeFolder) -> None:
    path = make_folder()
    graph = onnx.load(path / "model.onnx")
    graph.graph.input[0].name = "pixels"
    graph.graph.node[0].input[0] = "pixels"
    onnx.save(graph, path / "model.onnx")
    with pytest.raises(ModelUnavailable, match="must take `image`"):
        Classifier(write_again(path))


def test_prototypes_of_another_length_are_refused(make_folder: MakeFolder) -> None:
    path = make_folder()
    np.save(path / "prototypes.npy", np.eye(5))
    files = ("model.onnx", "labels.csv", "prototypes.npy")
    block = {"kind": "logistic", "intercept": 0, "weights": {"similarity": 1}, "prototypes": "prototypes.npy"}
    path = make_folder(out_of_domain=block, sha256={name: digest(path / name) for name in files})
    with pytest.raises(ModelUnavailable, match=r"length of model\.onnx's embedding"):
        Classifier(path)


def test_an_embedding_that_is_no_row_of_numbers_is_refused(make_folder: MakeFolder) -> None:
    path = make_folder()
    graph = onnx.load(path / "model.onnx")
    # Before flattening, the mean colour is 1 x 3 x 1 x 1.
    graph.graph.node[0].output[0] = "embedding"
    graph.graph.node[1].input[0] = "embedding"
    graph.graph.node[1].output[0] = graph.graph.node[2].input[0] = "flat"
    del graph.graph.output[1].type.tensor_type.shape.dim[:]
    for length in (1, 3, 1, 1):
        graph.graph.output[1].type.tensor_type.shape.dim.add().dim_value = length
    onnx.save(graph, path / "model.onnx")
    with pytest.raises(ModelUnavailable, match="one embedding"):
        Classifier(write_again(path))


def test_the_process_has_one_classifier_loaded_once(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_folder()
    loads: list[Path] = []
    original = Classifier.__init__

    def counted(self: Classifier, folder: Path, *rest: Any) -> None:
        loads.append(folder)
        original(self, folder, *rest)

    monkeypatch.setattr(Classifier, "__init__", counted)
    assert classifier.loaded() is None
    found: list[Classifier] = []
    threads = [threading.Thread(target=lambda: found.append(classifier.get(path))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len({id(one) for one in found}) == 1
    assert classifier.loaded() is found[0]
    classifier.unload()
    assert classifier.loaded() is None


def test_another_folder_replaces_the_model(make_folder: MakeFolder) -> None:
    first = classifier.get(make_folder("a"))
    second = classifier.get(make_folder("b", version="2"))
    assert (first.version, second.version) == ("1", "2")
    assert classifier.loaded() is second


def test_a_repaired_folder_works_without_a_restart(make_folder: MakeFolder) -> None:
    path = make_folder()
    labels = (path / "labels.csv").read_bytes()
    (path / "labels.csv").unlink()
    with pytest.raises(ModelUnavailable, match=r"labels\.csv is missing"):
        classifier.get(path)
    assert classifier.loaded() is None
    (path / "labels.csv").write_bytes(labels)
    assert classifier.get(path).classify(BLUE).label == "Caerulea sola"


def test_a_full_line_refuses_a_photo_and_recovers(make_folder: MakeFolder) -> None:
    line = WaitingLine(places=0)
    model = Classifier(make_folder(), line)
    with occupied(line), pytest.raises(Busy):
        model.classify(BLUE)
    assert model.classify(BLUE).label == "Caerulea sola"


def test_many_threads_get_the_same_answer(make_folder: MakeFolder) -> None:
    model = Classifier(make_folder(), WaitingLine(places=16, patience=60))
    expected = {id(photo): model.classify(photo).label for photo in (BLUE, RED, GREY)}
    wrong: list[str] = []

    def ask(photo: Image.Image) -> None:
        label = model.classify(photo).label
        if label != expected[id(photo)]:
            wrong.append(label)

    threads = [threading.Thread(target=ask, args=(photo,)) for photo in (BLUE, RED, GREY) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, lib.classifier; print([m for m in ('numpy', 'PIL', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
