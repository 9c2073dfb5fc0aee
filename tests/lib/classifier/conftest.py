"""A small real ONNX model: it names a photo by its mean colour, so that every test knows the right answer."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lib import classifier

TAXA = [
    ("Rubra prima", "Rubra", "Coloraceae"),
    ("Rubra secunda", "Rubra", "Coloraceae"),
    ("Viridis alba", "Viridis", "Coloraceae"),
    ("Caerulea sola", "Caerulea", "Aliaceae"),
]
# Logits from mean red, green, blue in -1..1: the two Rubra species differ only a little.
WEIGHTS = np.array([[8.0, 7.8, -8, -8], [-8, -8, 8, -8], [-8, -8, -8, 8]], np.float32)


def write_onnx(
    path: Path, weights: np.ndarray = WEIGHTS, embedding: bool = True, size: int = 32, place: bool = False
) -> None:
    """image -> mean colour (the embedding) -> logits; `place` adds latitude to the first, longitude to the last."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "weights"], ["of colour" if place else "logits"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, size, size])]
    constants = [numpy_helper.from_array(weights, "weights")]
    if place:
        ends = np.zeros((2, weights.shape[1]), np.float32)
        ends[0, 0] = ends[1, -1] = 1
        constants.append(numpy_helper.from_array(ends, "ends"))
        inputs.append(helper.make_tensor_value_info("place", TensorProto.FLOAT, ["n", 2]))
        nodes.append(helper.make_node("MatMul", ["place", "ends"], ["of place"]))
        nodes.append(helper.make_node("Add", ["of colour", "of place"], ["logits"]))
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", weights.shape[1]])]
    if embedding:
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3]))
    graph = helper.make_graph(
        nodes,
        "mean colour",
        inputs,
        outputs,
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_folder(
    folder: Path,
    taxa: list[tuple[str, str, str]] | None = None,
    onnx_options: dict[str, Any] | None = None,
    **card: Any,
) -> Path:
    """A whole valid model folder; `card` replaces fields of model.json, and a field of None is left out."""
    taxa = TAXA if taxa is None else taxa
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(folder / "model.onnx", **(onnx_options or {}))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "index",
                "scientific_name",
                "genus",
                "family",
                "common_name_en",
                "common_name_ja",
                "eppo",
                "gbif",
            ]
        )
        for i, names in enumerate(taxa):
            writer.writerow([i, *names, f"plant {i}", f"草{i}", f"PLNT{i}", ""])
    fields: dict[str, Any] = {
        "name": "mean-colour",
        "version": "1",
        "licence": "Apache-2.0",
        "source": "made by a test",
        "input_size": [32, 32],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "resize": {"short_side": 32, "resample": "bicubic"},
        "crop": "center",
        "temperature": 1.0,
        "prior": [1 / len(taxa)] * len(taxa) if taxa else [1.0],
        "sha256": {name: digest(folder / name) for name in ("model.onnx", "labels.csv")},
    }
    fields |= card
    text = json.dumps({key: value for key, value in fields.items() if value is not None})
    (folder / "model.json").write_text(text, encoding="utf-8")
    return folder


MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Writes a model folder below the test's own folder."""

    def make(where: str = "model", **options: Any) -> Path:
        return write_folder(tmp_path / where, **options)

    return make


@pytest.fixture(autouse=True)
def _no_model_left() -> Iterator[None]:
    """Each test starts and ends without a loaded model."""
    classifier.unload()
    yield
    classifier.unload()
