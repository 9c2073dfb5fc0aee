"""A small Swin Transformer through every variant and into the server's classifier."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from PIL import Image  # noqa: E402

from lib.classifier.model import Classifier  # noqa: E402
from scripts.benchmarks.make_models import Extended, card_of, write_labels  # noqa: E402
from scripts.conversion import backbones, export  # noqa: E402
from scripts.conversion.quantise import VARIANTS, Quantised, quantise  # noqa: E402

pytestmark = pytest.mark.torch

CLASSES = 50


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Swin Transformer of one block a stage, 224 pixels, 50 classes."""
    torch.manual_seed(2)
    backbone = backbones.timm().create_model(
        "swin_tiny_patch4_window7_224",
        depths=(1, 1, 2, 1),
        embed_dim=32,
        num_heads=(1, 2, 4, 8),
        num_classes=0,
    )
    head = torch.nn.Linear(backbone.num_features, CLASSES)
    torch.nn.init.normal_(head.weight, 0, 0.3)
    path = tmp_path_factory.mktemp("swin") / "float32.onnx"
    export.write(Extended(backbone, head), 224, path)
    return path


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 3, 224, 224)).astype(np.float32)


def answer(graph: Path, seed: int) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return list(session.run(["logits", "embedding"], {"image": pixels(seed)}))


def folder_of(made: Quantised, folder: Path) -> Path:
    """What the conversion writes beside the graph."""
    write_labels(folder / "labels.csv", [f"Species s{number}" for number in range(CLASSES)], CLASSES)
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (*made.files, "labels.csv")
    }
    card = card_of("swin", digests, CLASSES) | {"runtime": made.runtime}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.mark.parametrize("method", VARIANTS)
def test_it_agrees_with_float32_and_is_served(source: Path, tmp_path: Path, method: str) -> None:
    made = quantise(source, tmp_path, method, [{"image": pixels(seed)} for seed in range(3)])
    assert made.files == ("model.onnx", "model.onnx.data")
    exact, embedding = answer(source, 9)
    found, close = answer(tmp_path / "model.onnx", 9)
    # Four bits are far off on random weights; the others are near.
    allowed = 0.5 if method.startswith("int4") else 0.2
    assert np.abs(found - exact).max() < allowed * np.ptp(exact)
    assert np.corrcoef(close[0], embedding[0])[0, 1] > (0.9 if method.startswith("int4") else 0.98)
    sizes = sum((tmp_path / name).stat().st_size for name in made.files)
    if method != "none":
        assert sizes < 0.6 * source.stat().st_size
    model = Classifier(folder_of(made, tmp_path))
    named = model.classify(
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8))
    )
    assert len(named.predictions) == 5
    assert named.embedding is not None
    assert named.embedding.shape == embedding[0].shape


def test_the_exporters_gelu_is_found_in_every_block(source: Path, tmp_path: Path) -> None:
    import onnx

    quantise(source, tmp_path, "none")
    kinds = [node.op_type for node in onnx.load(tmp_path / "model.onnx", load_external_data=False).graph.node]
    assert kinds.count("Gelu") == 5
    assert "Erf" not in kinds
