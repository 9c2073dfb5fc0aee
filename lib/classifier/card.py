"""What a model folder says of itself, read without loading the model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Card:
    """`available`: the folder holds the three files of a model; whether they are sound shows at loading."""

    name: str | None = None
    version: str | None = None
    classes: int = 0
    available: bool = False


def read_card(model_dir: Path) -> Card:
    """The card of a model folder; an empty one when there is no readable model.json or labels.csv."""
    try:
        card = json.loads((model_dir / "model.json").read_text("utf-8"))
        with (model_dir / "labels.csv").open(encoding="utf-8") as lines:
            classes = sum(1 for line in lines if line.strip()) - 1
        name, version = str(card["name"]), str(card["version"])
        (name + version).encode()  # JSON may hold halves of characters, which no reply can
        return Card(name, version, classes, (model_dir / "model.onnx").is_file())
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return Card()
