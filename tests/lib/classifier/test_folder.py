"""A model folder is taken whole or refused with one plain sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lib.classifier import folder
from lib.classifier.refusals import ModelUnavailable
from tests.lib.classifier.conftest import MakeFolder


def test_a_whole_folder_is_read(make_folder: MakeFolder) -> None:
    card = folder.read(make_folder(temperature=1.5, input_size=[30, 32]))
    assert (card.input_height, card.input_width) == (30, 32)
    assert card.temperature == 1.5
    assert sum(card.prior) == pytest.approx(1)
    assert card.raw["source"] == "made by a test"
    assert card.place is None
    assert folder.read(make_folder(place={"default": [43, 141.5]})).place == (43.0, 141.5)


def test_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="MODEL_DIR"):
        folder.read(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "\x00", "[" * 100_000])
def test_a_card_that_is_no_object_is_refused(make_folder: MakeFolder, text: str) -> None:
    path = make_folder()
    (path / "model.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=r"model\.json"):
        folder.read(path)


@pytest.mark.parametrize("name", ["model.json", "model.onnx", "labels.csv"])
def test_a_missing_file_is_named(make_folder: MakeFolder, name: str) -> None:
    path = make_folder()
    (path / name).unlink()
    with pytest.raises(ModelUnavailable, match=name):
        folder.read(path)


@pytest.mark.parametrize("name", ["model.onnx", "labels.csv"])
def test_one_changed_byte_is_found(make_folder: MakeFolder, name: str) -> None:
    path = make_folder()
    changed = bytearray((path / name).read_bytes())
    changed[-1] ^= 1
    (path / name).write_bytes(changed)
    with pytest.raises(ModelUnavailable, match=f"{name} is not the file"):
        folder.read(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", 3),
        ("name", "n" * 201),
        ("name", "half \ud800"),
        ("name", "nul \0"),
        ("version", None),
        ("version", "1" * 51),
        ("version", "1\0"),
        ("input_size", [32]),
        ("input_size", [32.5, 32]),
        ("input_size", [0, 32]),
        ("input_size", "32"),
        ("mean", [0.5, 0.5]),
        ("mean", [0.5, 0.5, "x"]),
        ("std", [0.5, 0.0, 0.5]),
        ("temperature", 0),
        ("temperature", True),
        ("temperature", None),
        ("temperature", 10**400),
        ("prior", [0.5, 0.2, 0.2, 0.2]),
        ("prior", [1.0, 0.0, 0.0, 0.0]),
        ("prior", []),
        ("resize", {"short_side": 16, "resample": "bicubic"}),
        ("resize", {"short_side": 32, "resample": "nearest"}),
        ("resize", {"resample": "bicubic"}),
        ("resize", "32"),
        ("crop", "corner"),
        ("sha256", {}),
        ("sha256", None),
        ("sha256", {"model.onnx": 1, "labels.csv": 2}),
        ("out_of_domain", []),
        ("place", [43.1, 141.3]),
        ("place", {}),
        ("place", {"default": [43.1]}),
        ("place", {"default": [91, 0]}),
        ("place", {"default": [0, 181]}),
        ("place", {"default": [True, 0]}),
        ("place", {"default": "43,141"}),
    ],
)
def test_each_bad_field_is_named(make_folder: MakeFolder, field: str, value: Any) -> None:
    with pytest.raises(ModelUnavailable) as refused:
        folder.read(make_folder(**{field: value}))
    assert field in refused.value.reason
    assert refused.value.status == 503


def test_infinite_numbers_are_refused(make_folder: MakeFolder) -> None:
    path = make_folder()
    raw = json.loads((path / "model.json").read_text())
    (path / "model.json").write_text(json.dumps(raw | {"temperature": float("inf")}))
    with pytest.raises(ModelUnavailable, match="temperature"):
        folder.read(path)


def test_digests_cannot_point_outside_the_folder(make_folder: MakeFolder) -> None:
    path = make_folder()
    raw = json.loads((path / "model.json").read_text())
    raw["sha256"]["../labels.csv"] = "0" * 64
    (path / "model.json").write_text(json.dumps(raw))
    with pytest.raises(ModelUnavailable, match="files of the folder only"):
        folder.read(path)
