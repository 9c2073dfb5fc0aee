"""What a model folder says of itself: read without loading it, and whatever its files hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lib.config import STARTER_MODEL
from lib.model_facts import LARGEST_BYTES, Mistake, ModelFacts, Recalled, known_model, use_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STARTER_MODEL, tmp_path / "model"))


def change(folder: Path, file: str, **changes: object) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_the_starter_model_says_what_it_is() -> None:
    known = known_model(STARTER_MODEL)
    card = json.loads((STARTER_MODEL / "model.json").read_text(encoding="utf-8"))
    metrics = json.loads((STARTER_MODEL / "metrics.json").read_text(encoding="utf-8"))
    facts = known.facts
    assert (facts.name, facts.version, facts.licence) == (card["name"], card["version"], "CC-BY-SA-4.0")
    assert (facts.quantisation, facts.temperature) == (card["quantisation"], card["temperature"])
    assert (facts.classes, facts.available, facts.parity) == (12, True, None)
    assert facts.measured is not None
    assert facts.measured["top_1.value"] == metrics["top_1"]["value"]
    assert facts.measured["calibration_error.after"] == metrics["calibration_error"]["after"]
    assert "Stellaria media" in known.species


def test_the_graph_is_not_read(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no graph")
    assert known_model(folder).facts.available
    (folder / "model.onnx").unlink()
    assert not known_model(folder).facts.available


def test_parity_and_nested_quantisation_become_plain_facts(folder: Path) -> None:
    change(
        folder, "model.json",
        parity={"max_difference": 0.01, "top_1": {"agreement": 0.99}, "photos": [1, 2], "deep": {"a": {"b": 1}}},
        quantisation={"kind": "int8"},
    )  # fmt: skip
    facts = known_model(folder).facts
    assert facts.parity == {"max_difference": 0.01, "top_1.agreement": 0.99}
    assert facts.quantisation == "int8"


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"name": NaN}', "\ud800".encode("utf-8", "surrogatepass")]
)
def test_a_broken_card_says_nothing(folder: Path, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    for name in ("model.json", "metrics.json", "labels.csv"):
        (folder / name).write_bytes(data)
    assert known_model(folder).facts == ModelFacts()


def test_values_of_the_wrong_kind_are_left_out(folder: Path) -> None:
    change(folder, "model.json", name=5, licence=["x"], temperature=True, source="", attribution="a" * 9000)
    facts = known_model(folder).facts
    assert (facts.name, facts.licence, facts.temperature, facts.source) == (None, None, None, None)
    assert len(facts.attribution or "") == 2000
    change(folder, "model.json", temperature=10**400)
    assert known_model(folder).facts.temperature is None


def test_a_folder_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert known_model(tmp_path / "none").facts == ModelFacts()
    assert known_model(tmp_path / "none").species == frozenset()


def test_it_is_read_again_when_a_file_changes(folder: Path) -> None:
    first = known_model(folder)
    assert known_model(folder) is first
    change(folder, "model.json", version="2.0.0 of another day")
    assert known_model(folder).facts.version == "2.0.0 of another day"


def test_the_mistakes_of_its_test_are_told() -> None:
    known = known_model(STARTER_MODEL)
    assert Mistake("Alopecurus myosuroides", "Apera spica-venti", 7) in known.mistakes
    assert set(known.recalled) == known.species
    assert known.recalled["Stellaria media"].photos == 78
    assert 0.9 < known.recalled["Stellaria media"].share < 1


@pytest.mark.parametrize(
    ("confusions", "recall"),
    [
        (None, None),
        ({}, []),
        ([1, {}, {"true": 1, "named": "B b", "count": 1}], {"A a": 0.5, "B b": {"value": 0.5}}),
        ([{"true": "A a", "named": "B b", "count": True}], {"A a": {"value": 2, "n": 3}}),
        ([{"true": "A a", "named": "B b", "count": -1}], {"A a": {"value": "half", "n": 3}}),
        ([{"true": "A a", "named": "B b", "count": 1.5}], {"A a": {"value": 0.5, "n": 0}}),
    ],
)
def test_mistakes_that_are_none_are_left_out(folder: Path, confusions: object, recall: object) -> None:
    change(folder, "metrics.json", confusions=confusions, recall=recall)
    known = known_model(folder)
    assert (known.mistakes, known.recalled) == ((), {})


def test_an_interval_that_is_none_is_left_open(folder: Path) -> None:
    change(folder, "metrics.json", recall={"A a": {"value": 0.5, "low": "?", "n": 3}})
    assert known_model(folder).recalled == {"A a": Recalled(0.5, None, None, 3)}


def test_the_shares_of_its_test_are_told(folder: Path) -> None:
    metrics = json.loads((STARTER_MODEL / "metrics.json").read_text(encoding="utf-8"))
    shares = known_model(STARTER_MODEL).shares
    assert set(shares) == {"top_1", "top_5"}
    assert shares["top_1"].photos == metrics["top_1"]["n"]
    assert shares["top_1"].share == pytest.approx(metrics["top_1"]["value"])
    change(folder, "metrics.json", top_1=0.97, top_3={"value": 0.9, "n": 3}, top_5={"value": 1.1, "n": 3})
    assert known_model(folder).shares == {"top_3": Recalled(0.9, None, None, 3)}
    (folder / "metrics.json").unlink()
    assert known_model(folder).shares == {}


def test_what_it_is_for_is_told_by_its_card(folder: Path) -> None:
    first, second = use_of(folder)
    assert first == (
        "For trying the product on a fresh installation, and for first labels of seedlings of these species that a "
        "person confirms."
    )
    assert second.startswith("It must not be used to decide on herbicide")
    assert second.endswith("divide it out before counting.")


def test_the_card_of_an_adapted_model_leaves_it_to_the_one_before(folder: Path) -> None:
    (folder / "MODEL_CARD.md").rename(folder / "BASE_MODEL_CARD.md")
    (folder / "MODEL_CARD.md").write_text("# Model card of another\n\n## Photos\n\nMine.\n", encoding="utf-8")
    assert len(use_of(folder)) == 2


def test_marks_of_the_card_are_no_text(folder: Path) -> None:
    card = "## What it is for\n\nFor **first** labels\nof `weeds`.\n- Not for food.\n- Nor **fodder**.\n"
    (folder / "MODEL_CARD.md").write_text(f"{card}\n## Training\n\nLong.\n", encoding="utf-8")
    assert use_of(folder) == ("For first labels of weeds.", "Not for food.", "Nor fodder.")


def test_a_card_that_does_not_say_or_is_too_large_says_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / "MODEL_CARD.md").write_bytes(b"## What it is for\n\nAll.\n" + b" " * LARGEST_BYTES)
    assert use_of(folder) == ()
    (folder / "MODEL_CARD.md").write_bytes(b"# A card\n\n\xff\n## What it is for\n")
    assert use_of(folder) == ()
    assert use_of(tmp_path / "none") == ()
