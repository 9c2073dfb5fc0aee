"""Adapting from end to end, without PyTorch: real seedlings, the starter model without two of its species."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from lib import training_set
from lib.classifier.model import Classifier
from scripts import train_classifier
from tests.scripts.own_photos import folder_of, make_set, model_without, sign, write_manifest

pytestmark = pytest.mark.photos
ROOT = Path(__file__).resolve().parents[2]
HIDDEN = ("Sinapis arvensis", "Galium aparine")
KNOWN = ("Stellaria media", "Zea mays")
EACH, DAYS = 18, 9

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    """`train_classifier.py adapt`: exit code, stdout, stderr."""
    of = run_main(train_classifier.main)
    return lambda *given: of("adapt", *map(str, given))


@pytest.fixture(scope="module")
def seedlings(photos_dir: Path) -> Callable[[str, int], list[Path]]:
    """The first photos of a species."""
    return lambda species, count: sorted((photos_dir / folder_of(species)).glob("*.jpg"))[:count]


@pytest.fixture(scope="module")
def field(seedlings: Callable[[str, int], list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine days of four species, two of them unknown to `smaller`, one photographed on one day only, and soil."""
    folder = tmp_path_factory.mktemp("field")
    soil = []
    for seed in range(6):
        noise = np.random.default_rng(seed).integers(60, 140, (20, 20, 3), np.uint8)
        soil.append(folder.parent / f"{folder.name}-soil-{seed}.jpg")
        Image.fromarray(noise).resize((150, 150)).save(soil[-1])
    photos = {species: seedlings(species, EACH) for species in (*HIDDEN, *KNOWN)}
    make_set(folder / "set", photos, DAYS, soil)
    rare = seedlings("Beta vulgaris", 1)[0].read_bytes()
    (folder / "set" / "Imaginaria_nova").mkdir()
    file = f"Imaginaria_nova/{'f' * 64}.jpg"
    (folder / "set" / file).write_bytes(rare)
    entries = training_set.read_manifest(folder / "set")
    day = entries[0].day
    entries.append(
        training_set.Entry(
            file, "Imaginaria nova", "Imaginaria nova", "species", day, 1, 999, "f" * 64, 150, 150
        )
    )
    entries.append(training_set.Entry("", "", "Veronica", "genus", day, 1, 1000, "e" * 64, 150, 150))
    write_manifest(folder / "set", entries)
    return folder / "set"


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_without(tmp_path_factory.mktemp("models") / "smaller", HIDDEN)


@pytest.fixture(scope="module")
def adapted(
    field: Path, smaller: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, object]]:
    """The folder made of `field` and `smaller`, and the summary printed."""
    output = tmp_path_factory.mktemp("adapted") / "mine"
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "scripts" / "train_classifier.py",
            "adapt",
            field,
            "--model",
            smaller,
            "--output",
            output,
        ],
        capture_output=True,
        text=True,
        cwd=output.parent,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out: Imaginaria nova" in done.stderr
    return output, json.loads(done.stdout.splitlines()[-1])


def test_species_that_the_model_did_not_know_are_named_afterwards(
    adapted: tuple[Path, dict], seedlings: Callable[[str, int], list[Path]], smaller: Path
) -> None:
    folder, summary = adapted
    assert summary["better"] is True
    old, new = Classifier(smaller), Classifier(folder)
    assert [taxon.species for taxon in new.labels] == [
        *(taxon.species for taxon in old.labels), *sorted(HIDDEN),
    ]  # fmt: skip
    right = 0
    for species in HIDDEN:
        for path in seedlings(species, EACH + 10)[EACH:]:  # photos that no part of the set holds
            with Image.open(path) as photo:
                right += new.classify(photo).predictions[0].species == species
    assert right >= 16
    sinapis = new.labels[-1]
    assert (sinapis.species, sinapis.family, sinapis.eppo) == ("Sinapis arvensis", "Brassicaceae", "SINAR")


def test_what_was_known_and_not_photographed_stays(
    adapted: tuple[Path, dict], seedlings: Callable[[str, int], list[Path]], smaller: Path
) -> None:
    folder, summary = adapted
    old, new = Classifier(smaller), Classifier(folder)
    kept = 0
    for species in ("Geranium pusillum", "Beta vulgaris", "Tripleurospermum inodorum"):
        for path in seedlings(species, 8):
            with Image.open(path) as photo:
                before, after = old.classify(photo), new.classify(photo)
            kept += before.predictions[0].species == after.predictions[0].species
    assert kept >= 22
    anchors = summary["report"]["learned"]["anchors"]
    assert anchors["n"] == 8  # the mean photos of the species without photos
    assert anchors["same"] == 8


def card_photos(folder: Path) -> dict[str, int]:
    """Photos learned from, by species."""
    report = json.loads((folder / "metrics.json").read_text())
    return report["learned"]["photos"]


def test_the_folder_says_where_it_comes_from_and_what_was_measured(
    adapted: tuple[Path, dict], smaller: Path
) -> None:
    folder, summary = adapted
    card = json.loads((folder / "model.json").read_text())
    old = json.loads((smaller / "model.json").read_text())
    assert (card["name"], card["version"]) == ("smaller-adapted", "1")
    assert card["adapted_from"]["name"] == "smaller"
    assert card["adapted_from"]["sha256"]["model.onnx"] == old["sha256"]["model.onnx"]
    assert (card["licence"], card["attribution"]) == (old["licence"], old["attribution"])
    assert len(card["prior"]) == 12
    assert card["out_of_domain"]["prototype_classes"][:10] == list(range(10))
    assert len(np.load(folder / "prototypes.npy")) == 14
    more = len(np.load(folder / "examples.npy")) - len(np.load(smaller / "examples.npy"))
    assert more == sum(card_photos(folder).values())
    report = json.loads((folder / "metrics.json").read_text())
    assert {name: value for name, value in report.items() if name != "taught"} == summary["report"]
    assert report["learned"]["left_out"] == {"Imaginaria nova": 1}
    assert set(report["learned"]["photos"]) == {*HIDDEN, *KNOWN}
    assert report["learned"]["new_species"] == sorted(HIDDEN)
    assert sum(report["photos"].values()) == 4 * EACH
    assert sum(report["days"].values()) == DAYS
    assert report["strangers"]["new"]["n"] == report["photos"]["test"]
    text = (folder / "MODEL_CARD.md").read_text()
    assert "Sinapis arvensis (new)" in text
    assert f"{report['test']['new']['top_1']['value'] * 100:.1f} %" in text
    assert (folder / "BASE_MODEL_CARD.md").read_text() == "# The card of the smaller model\n"
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "labels.csv", "prototypes.npy", "directions.npy", "examples.npy", "model.json",
        "metrics.json", "MODEL_CARD.md", "BASE_MODEL_CARD.md",
    }  # fmt: skip
    assert not [path for path in folder.parent.iterdir() if path != folder]


def test_a_second_adaptation_starts_from_the_first_and_replaces_it_only_when_told(
    adapted: tuple[Path, dict], field: Path, run: Run, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(adapted[0], mine)
    before = (mine / "model.json").read_bytes()
    code, _, err = run(field, "--model", mine, "--output", mine)
    assert code == 2
    assert "--replace" in err
    code, out, err = run(field, "--model", mine, "--output", mine, "--replace", "--seed", "3")
    assert code == 3  # nothing to learn that the first did not
    assert "Not better, nothing written" in err
    report = json.loads(out.splitlines()[-1])["report"]
    assert report["learned"]["new_species"] == []
    # What the first learned from or chose by judges nothing now.
    taught = set(json.loads((adapted[0] / "metrics.json").read_text())["taught"])
    assert len(taught) == 4 * EACH - adapted[1]["report"]["photos"]["test"]
    assert report["photos"]["training"] >= len(taught)
    assert (mine / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_was_there_is_kept_as_the_previous_one(
    field: Path, smaller: Path, run: Run, tmp_path: Path
) -> None:
    output = tmp_path / "served"
    output.mkdir()
    (output / "old.txt").write_text("old")
    (tmp_path / "served.previous").mkdir()
    (tmp_path / "served.previous" / "older.txt").write_text("older")
    code, _, err = run(field, "--model", smaller, "--output", output, "--replace", "--name", "mine")
    assert (code, "Better" in err) == (0, True)
    assert Classifier(output).name == "mine"
    assert [path.name for path in (tmp_path / "served.previous").iterdir()] == ["old.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"served", "served.previous"}


def test_names_that_mean_nothing_teach_nothing_and_leave_nothing_behind(
    seedlings: Callable[[str, int], list[Path]], run: Run, tmp_path: Path
) -> None:
    names = ("Stellaria media", "Zea mays", "Geranium pusillum")
    photos = [path for species in names for path in seedlings(species, 15)]
    order = np.random.default_rng(5).permutation(len(photos))
    shuffled = {name: [photos[i] for i in order[place::3]] for place, name in enumerate(names)}
    make_set(tmp_path / "set", shuffled, 9)
    code, out, err = run(
        tmp_path / "set", "--model", ROOT / "lib" / "classifier" / "starter", "--output", tmp_path / "new"
    )
    assert code == 3
    assert "not clearly more" in err
    assert json.loads(out.splitlines()[-1])["better"] is False
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_it_says_what_is_wrong_before_it_works(
    seedlings: Callable[[str, int], list[Path]], smaller: Path, run: Run, tmp_path: Path
) -> None:
    make_set(tmp_path / "two", {name: seedlings(name, 6) for name in KNOWN}, days=2)
    given = ("--model", smaller, "--output", tmp_path / "new")
    code, _, err = run(tmp_path / "two", *given)
    assert code == 1
    assert "2 days" in err
    code, _, err = run(tmp_path, *given)
    assert code == 1
    assert "not a training set" in err
    code, _, err = run(tmp_path / "two", "--model", tmp_path, "--output", tmp_path / "new")
    assert code == 1
    assert "model.json" in err
    code, _, err = run(tmp_path / "two", *given, "--method", "lora")
    assert code == 2
    assert "--checkpoint" in err
    plain = model_without(tmp_path / "plain", HIDDEN)
    graph = onnx.load(plain / "model.onnx")
    del graph.graph.output[1]
    onnx.save(graph, plain / "model.onnx")
    document = json.loads((plain / "model.json").read_text()) | {"out_of_domain": {"kind": "none"}}
    sign(plain, document)
    code, _, err = run(tmp_path / "two", "--model", plain, "--output", tmp_path / "new")
    assert code == 1
    assert "embedding" in err
    assert not (tmp_path / "new").exists()


def test_a_photo_that_is_gone_or_broken_is_told_and_left_out(
    seedlings: Callable[[str, int], list[Path]], smaller: Path, run: Run, tmp_path: Path
) -> None:
    folder = make_set(tmp_path / "set", {name: seedlings(name, 4) for name in KNOWN}, days=2)
    first, second = training_set.read_manifest(folder)[:2]
    (folder / first.file).unlink()
    (folder / second.file).write_bytes(b"no photo")
    _, _, err = run(folder, "--model", smaller, "--output", tmp_path / "new")
    assert f"left out: {first.file}: the file is missing" in err
    assert f"left out: {second.file}" in err


def test_the_starter_training_keeps_its_command_line() -> None:
    arguments = train_classifier.parser().parse_args(["--photos", "somewhere", "--epochs", "3"])
    assert (arguments.command, arguments.epochs, arguments.photos) == (None, 3, Path("somewhere"))
