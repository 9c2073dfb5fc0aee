"""Write the model folder: the graph, labels, what photos are compared with, model.json, figures and model card."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from scripts.training import card, fit
from scripts.training.domain_fit import SHARES, Gate, Reference

ATTRIBUTION = (
    "Trained on photos of Giselsson, Jørgensen, Jensen, Dyrmann, Midtiby (2017), A Public Image Database for "
    "Benchmark of Plant Seedling Classification Algorithms, arXiv:1711.05458, Aarhus University and University "
    "of Southern Denmark, CC BY-SA 4.0 (cropped and resized to 150 x 150). Backbone: EfficientNet-lite0, "
    "ImageNet weights, Apache-2.0."
)
COLUMNS = ("scientific_name", "genus", "family", "common_name_en", "common_name_ja", "eppo", "gbif")
INT8 = "static int8 (u8 activations; weights by channel, depthwise s8, all others u8; QDQ)"


def folder(
    output: Path,
    *,
    file: Path,
    taxa_rows: list[dict[str, str]],
    size: int,
    temperature: float,
    prior: list[float],
    gate: Gate,
    known: Reference,
    metrics: dict[str, Any],
) -> None:
    """Fill `output` with a model folder that lib.classifier loads."""
    output.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, output / "model.onnx")
    with (output / "labels.csv").open("w", encoding="utf-8", newline="") as labels:
        writer = csv.writer(labels, lineterminator="\n")
        writer.writerow(["index", *COLUMNS])
        writer.writerows([i, *(row[name] for name in COLUMNS)] for i, row in enumerate(taxa_rows))
    listed = ["model.onnx", "labels.csv"]
    block: dict[str, Any] = {"kind": "none"}
    if gate.names:
        block = {
            "kind": "logistic",
            "intercept": gate.intercept,
            "weights": dict(zip(gate.names, gate.weights, strict=True)),
        }
    # The class means are not needed to name a photo where the density is, but to teach the model another species.
    vectors: dict[str, np.ndarray] = {}
    if gate.names:
        vectors["prototypes"] = known.prototypes.astype(np.float16)
        block["strangers_assumed"] = SHARES.strangers
    if "density" in gate.names:
        vectors["directions"] = known.examples.directions.astype(np.float16)
        vectors["examples"] = known.examples.photos.astype(np.float16)
        block["concentration"] = known.examples.concentration
    for name, rows in vectors.items():
        np.save(output / f"{name}.npy", rows)
        block[name] = f"{name}.npy"
        listed.append(f"{name}.npy")
    quantised = metrics["quantisation"]["shipped"] == "int8"
    document = {
        "name": "seedlings-12",
        "version": "1.1.0",
        "licence": "CC-BY-SA-4.0",
        "source": "https://arxiv.org/abs/1711.05458",
        "attribution": ATTRIBUTION,
        "architecture": "EfficientNet-lite0",
        "input_size": [size, size],
        "mean": [fit.MEAN] * 3,
        "std": [fit.STD] * 3,
        "resize": {"short_side": size, "resample": "bicubic"},
        "crop": "center",
        "temperature": temperature,
        "prior": prior,
        "quantisation": INT8 if quantised else "none (float32)",
        "out_of_domain": block,
        "sha256": {name: hashlib.sha256((output / name).read_bytes()).hexdigest() for name in listed},
    }
    for name, content in (("model.json", document), ("metrics.json", metrics)):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (output / name).write_text(text, encoding="utf-8")
    (output / "MODEL_CARD.md").write_text(card.text(document, metrics), encoding="utf-8")
