"""The model that ships in the repository: whole, small, right about real photos, unsure about all else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lib.classifier.model import Classifier
from lib.config import STARTER_MODEL


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
    assert sum(path.stat().st_size for path in files) < 10e6
    card = (STARTER_MODEL / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in card
    assert "Apache-2.0" in card
    assert "arXiv:1711.05458" in card
    assert "must not be used" in card
    assert json.loads((STARTER_MODEL / "model.json").read_text())["licence"] == "CC-BY-SA-4.0"


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
    assert confident / len(chosen) > 0.6
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
