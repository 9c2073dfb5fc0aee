"""Training sets and small models for the tests of adapting: real seedlings on made-up days, the cut starter."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from lib import training_set
from lib.config import STARTER_MODEL

FIRST_DAY = date(2025, 6, 1)


def folder_of(species: str) -> str:
    return species.replace(" ", "_")


def make_set(
    folder: Path, photos: Mapping[str, Sequence[Path]], days: int, others: Sequence[Path] = ()
) -> Path:
    """A training set as the export writes it: each species' photos go round the days; `others` show no plant."""
    entries = []
    groups = [*photos.items(), ("", others)]
    for species, paths in groups:
        for number, path in enumerate(paths):
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            file = f"{folder_of(species) or training_set.OTHER}/{sha256}.jpg"
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
            day = FIRST_DAY + timedelta(days=number % days)
            label, level = (species, "species") if species else ("not_a_plant", "not_a_plant")
            entries.append(
                training_set.Entry(file, species, label, level, day, 1, len(entries) + 1, sha256, 150, 150)
            )
    write_manifest(folder, entries)
    return folder


def write_manifest(folder: Path, entries: Sequence[training_set.Entry]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / training_set.MANIFEST).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(training_set.COLUMNS)
        writer.writerows([getattr(entry, name) for name in training_set.COLUMNS] for entry in entries)


def model_without(folder: Path, hidden: Sequence[str]) -> Path:
    """The starter model as it would be if it had never heard of these species."""
    folder.mkdir(parents=True)
    with (STARTER_MODEL / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [i for i, row in enumerate(rows) if row["scientific_name"] not in hidden]
    assert len(kept) == len(rows) - len(hidden)
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[i] | {"index": str(place)} for place, i in enumerate(kept))
    graph = onnx.load(STARTER_MODEL / "model.onnx")
    for tensor in graph.graph.initializer:
        if tensor.name in ("head.weight", "head.bias"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[kept].copy(), tensor.name))
    (logits,) = (output for output in graph.graph.output if output.name == "logits")
    logits.type.tensor_type.shape.dim[1].dim_value = len(kept)
    onnx.save(graph, folder / "model.onnx")
    prototypes, directions, examples = (
        np.load(STARTER_MODEL / f"{name}.npy") for name in ("prototypes", "directions", "examples")
    )
    of_examples = (examples.astype(float) @ (prototypes.astype(float) @ directions.T).T).argmax(1)
    np.save(folder / "prototypes.npy", prototypes[kept])
    np.save(folder / "directions.npy", directions)
    np.save(folder / "examples.npy", examples[np.isin(of_examples, kept)])
    document = json.loads((STARTER_MODEL / "model.json").read_text(encoding="utf-8"))
    prior = np.array(document["prior"])[kept]
    document |= {"name": "smaller", "prior": (prior / prior.sum()).tolist()}
    sign(folder, document)
    (folder / "MODEL_CARD.md").write_text("# The card of the smaller model\n")
    return folder


def sign(folder: Path, document: dict[str, object]) -> None:
    """Write model.json with the digests of the files that are there."""
    names = [
        path.name for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".csv", ".npy", ".data")
    ]
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    text = json.dumps(document | {"sha256": digests})
    (folder / "model.json").write_text(text, encoding="utf-8")
