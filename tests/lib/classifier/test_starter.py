"""The model that ships in the repository: whole, small, right about real photos, unsure about all else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image, ImageDraw

from lib.classifier.model import Classifier
from lib.config import STARTER_MODEL
from scripts.training import negatives


@pytest.fixture(scope="module")
def starter() -> Classifier:
    return Classifier(STARTER_MODEL)


def test_it_loads_and_names_twelve_species_in_two_languages(starter: Classifier) -> None:
    assert len(starter.labels) == 12
    assert "Capsella bursa-pastoris" in {taxon.species for taxon in starter.labels}
    for taxon in starter.labels:
        assert taxon.species.startswith(taxon.genus + " ")
        assert taxon.family.endswith("aceae")
        assert taxon.common_name_en
        assert taxon.common_name_ja
        assert len(taxon.eppo) == 5
    assert starter.prior.sum() == pytest.approx(1)
    assert 0.2 < starter.temperature < 5


def test_the_folder_is_small_and_carries_its_licences() -> None:
    files = [path for path in STARTER_MODEL.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 4.5e6
    card = (STARTER_MODEL / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in card
    assert "Apache-2.0" in card
    assert "arXiv:1711.05458" in card
    assert "must not be used" in card
    assert json.loads((STARTER_MODEL / "model.json").read_text())["licence"] == "CC-BY-SA-4.0"


def neighbours(weights: np.ndarray) -> np.ndarray:
    """The weights (O, I, H, W) of a convolution two by two, as the kernels multiply them: (O, pairs, 2)."""
    rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1).astype(int)
    return np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)


def test_no_sum_overflows_on_processors_without_vnni() -> None:
    # They add two products of u8 activations and s8 weights in 16 bits: 255 x 128 fits, 255 x 129 does not.
    # Products of u8 and u8, and depthwise convolutions, are summed in 32 bits everywhere.
    graph = onnx.load(STARTER_MODEL / "model.onnx").graph
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    writer = {name: node for node in graph.node for name in node.output}
    overflowing, seen = {}, 0
    for node in graph.node:
        if node.op_type != "Conv" or any(a.name == "group" and a.i != 1 for a in node.attribute):
            continue
        name = writer[node.input[1]].input[0]
        seen += 1
        if held[name].dtype == np.int8:
            overflowing[name] = int((neighbours(held[name]).clip(min=0).sum(2) > 128).sum())
            overflowing[name] += int((neighbours(held[name]).clip(max=0).sum(2) < -128).sum())
        else:
            assert held[name].dtype == np.uint8
    assert seen == 33
    assert not any(overflowing.values()), overflowing
    products = [held[i] for n in graph.node if n.op_type in ("Gemm", "MatMul") for i in n.input if i in held]
    assert products
    assert all(values.dtype == np.float32 for values in products)


def test_the_measured_figures_hold_what_the_issue_asks() -> None:
    metrics = json.loads((STARTER_MODEL / "metrics.json").read_text())
    assert metrics["top_1"]["value"] > 0.9
    assert metrics["top_5"]["value"] > 0.99
    assert metrics["calibration_error"]["after"] < 0.04
    assert metrics["quantisation"]["shipped"] in ("int8", "float32")
    strangers = metrics["other_plants"]["variants"]
    shipped, bare = strangers[metrics["other_plants"]["shipped"]], strangers["softmax alone"]
    for species, figures in shipped["strangers"].items():
        assert figures["species_level"]["value"] < bare["strangers"][species]["species_level"]["value"]


def test_no_figure_is_worse_than_that_of_version_1_0_0() -> None:
    metrics = json.loads((STARTER_MODEL / "metrics.json").read_text())
    assert metrics["top_1"]["value"] >= 588 / 606
    assert metrics["top_5"]["value"] >= 604 / 606
    error = metrics["calibration_error"]
    assert error["after"] < 0.016
    assert error["with_in_domain_probability"] < 0.09  # 0.159 then
    assert metrics["labels"]["species_level"]["value"] > 0.86  # 0.799 then
    assert metrics["labels"]["true_of_species_level"]["value"] > 0.993
    plants = metrics["other_plants"]
    former = plants["variants"]["similarity, as in version 1.0.0"]
    shipped = plants["variants"][plants["shipped"]]
    for species, figures in shipped["strangers"].items():
        assert figures["species_level"]["value"] <= former["strangers"][species]["species_level"]["value"]
    assert shipped["known"]["species_level"]["value"] > former["known"]["species_level"]["value"]
    falsely = {name: found["with_gate"] for name, found in metrics["out_of_domain"].items()}
    assert sum(found["levels"]["species"] for name, found in falsely.items() if name.startswith("made")) <= 1
    real = [found for name, found in falsely.items() if name.startswith("real")]
    assert sum(found["n"] for found in real) == 235
    assert sum(found["levels"]["species"] for found in real) == 0


def test_the_confidence_is_calibrated_for_the_mixture_it_is_meant_for() -> None:
    metrics = json.loads((STARTER_MODEL / "metrics.json").read_text())
    mixture = metrics["other_plants"]["mixture"]
    shown, bare = mixture["shipped"], mixture["softmax alone"]
    assert shown["calibration_error"] < 0.04 < bare["calibration_error"]
    assert shown["risk_coverage"]["area"]["value"] < bare["risk_coverage"]["area"]["value"]
    assert shown["levels"]["species"]["right"] > 0.95
    for level in ("genus", "family"):
        assert shown["levels"][level]["right"] > shown["levels"][level]["confidence"] - 0.1
    assert shown["risk_coverage"]["risk"]["0.5"] < 0.01
    card = json.loads((STARTER_MODEL / "model.json").read_text())
    shares = metrics["other_plants"]["shares"]
    assert card["out_of_domain"]["strangers_assumed"] == pytest.approx(1 - shares["known"])


def draw_text() -> Image.Image:
    page = Image.new("RGB", (400, 300), "white")
    for line in range(12):
        ImageDraw.Draw(page).text(
            (10, 10 + 22 * line), "Harvest plan, row 7, two weeks after sowing", fill="black"
        )
    return page


def draw_noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(11).integers(0, 256, (300, 400, 3), np.uint8))


def draw_sky() -> Image.Image:
    ramp = np.linspace((90, 140, 220), (220, 235, 250), 300).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(ramp[:, None], (300, 400, 3)).copy())


def draw_green() -> Image.Image:
    return Image.new("RGB", (400, 300), (70, 140, 50))


@pytest.mark.parametrize("draw", [draw_text, draw_noise, draw_sky, draw_green])
def test_what_is_no_plant_is_never_a_confident_species(starter: Classifier, draw: object) -> None:
    found = starter.classify(draw())  # type: ignore[operator]
    assert found.label_level == "unknown"
    assert sum(p.confidence for p in found.predictions) < 0.3


def sample(photos_dir: Path, each: int) -> list[tuple[str, Path]]:
    """Evenly spaced photos of every species."""
    chosen = []
    for folder in sorted(path for path in photos_dir.iterdir() if path.is_dir()):
        files = sorted(folder.glob("*.jpg"))
        chosen += [(folder.name.replace("_", " "), files[i * len(files) // each]) for i in range(each)]
    return chosen


# Two photos of each species from the part that the network was only tested on, none of them a close call.
TESTED = [
    "Alopecurus_myosuroides/a0405de4d",
    "Alopecurus_myosuroides/c11422bb2",
    "Apera_spica-venti/465a268eb",
    "Apera_spica-venti/b2f98cf38",
    "Beta_vulgaris/71b1b6718",
    "Beta_vulgaris/99a9b1567",
    "Capsella_bursa-pastoris/7a1c3e5b8",
    "Capsella_bursa-pastoris/a13743637",
    "Chenopodium_album/2f80532a2",
    "Chenopodium_album/afac20b21",
    "Galium_aparine/853b1a32e",
    "Galium_aparine/abb763143",
    "Geranium_pusillum/475f43d71",
    "Geranium_pusillum/91cd35be2",
    "Sinapis_arvensis/6dd8febb5",
    "Sinapis_arvensis/a30113dfc",
    "Stellaria_media/21689ecb6",
    "Stellaria_media/8a66600c0",
    "Tripleurospermum_inodorum/1ea60c734",
    "Tripleurospermum_inodorum/8edb4ab22",
    "Triticum_aestivum/3e23bc37c",
    "Triticum_aestivum/792c9887d",
    "Zea_mays/2b7549816",
    "Zea_mays/96d476790",
]


@pytest.mark.photos
@pytest.mark.parametrize("name", TESTED)
def test_a_clear_photo_that_was_not_learned_is_named(
    starter: Classifier, photos_dir: Path, name: str
) -> None:
    with Image.open(photos_dir / f"{name}.jpg") as photo:
        found = starter.classify(photo.convert("RGB"))
    assert (found.label_level, found.label) == ("species", name.split("/")[0].replace("_", " "))
    assert found.in_domain is not None
    assert found.in_domain > 0.8


@pytest.mark.photos
def test_what_is_made_of_photos_by_code_stays_unnamed(starter: Classifier, photos_dir: Path) -> None:
    pixels = []
    for name in TESTED:
        with Image.open(photos_dir / f"{name}.jpg") as photo:
            pixels.append(np.asarray(photo.convert("RGB")).transpose(2, 0, 1))
    made, kinds = negatives.make(np.stack(pixels), np.arange(len(TESTED)) // 2, 45, seed=12)
    levels = [
        (kind, starter.classify(Image.fromarray(image.transpose(1, 2, 0))).label_level)
        for kind, image in zip(kinds, made, strict=True)
    ]
    assert sum(level == "species" for _, level in levels) <= 1
    assert sum(level == "unknown" for _, level in levels) >= 40


@pytest.mark.photos
def test_real_seedlings_are_named(starter: Classifier, photos_dir: Path) -> None:
    chosen = sample(photos_dir, 8)
    right = confident = wrong = 0
    for species, path in chosen:
        with Image.open(path) as photo:
            found = starter.classify(photo.convert("RGB"))
        right += found.predictions[0].species == species
        confident += found.label_level == "species"
        wrong += found.label_level == "species" and found.label != species
        assert found.embedding is not None
        assert found.embedding.shape == (1280,)
        assert sum(p.confidence for p in found.predictions) <= 1 + 1e-9
    assert right / len(chosen) > 0.9
    assert confident / len(chosen) > 0.8
    assert wrong / len(chosen) < 0.05


@pytest.mark.photos
def test_a_large_photo_of_the_same_plant_gets_the_same_name(starter: Classifier, photos_dir: Path) -> None:
    agree = 0
    chosen = sample(photos_dir, 2)
    for _, path in chosen:
        with Image.open(path) as photo:
            small = photo.convert("RGB")
        large = small.resize((600, 600), Image.Resampling.LANCZOS)
        agree += (
            starter.classify(small).predictions[0].species == starter.classify(large).predictions[0].species
        )
    assert agree >= len(chosen) - 2


@pytest.mark.photos
def test_a_shuffled_seedling_is_not_a_confident_species(starter: Classifier, photos_dir: Path) -> None:
    generator = np.random.default_rng(4)
    fooled = 0
    chosen = sample(photos_dir, 2)
    for _, path in chosen:
        with Image.open(path) as photo:
            pixels = np.asarray(photo.convert("RGB"))
        tiles = pixels.reshape(5, 30, 5, 30, 3).swapaxes(1, 2).reshape(25, 30, 30, 3)
        mixed = generator.permutation(tiles).reshape(5, 5, 30, 30, 3).swapaxes(1, 2).reshape(150, 150, 3)
        fooled += starter.classify(Image.fromarray(np.ascontiguousarray(mixed))).label_level == "species"
    assert fooled <= len(chosen) // 8
