"""What exports say of a model: its version, and the genus and family of the names that it gives."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from lib.classifier import ModelUnavailable
from lib.classifier.card import read_card
from lib.classifier.taxonomy import read_labels
from lib.outputs.summaries import ModelInfo
from lib.taxa import family_of


def model_info(model_dir: Path, name: str) -> ModelInfo:
    """What the folder says of the model `name`; only the name where it holds another model, or none.

    Days and photos keep the name of the model that looked at them, and its folder may have been replaced since.
    """
    card = read_card(model_dir)
    if card.name is None or card.name != name:
        return ModelInfo(name)
    raw = json.loads((model_dir / "model.json").read_bytes())
    return ModelInfo(
        name=name,
        version=card.version,
        size=raw.get("architecture"),
        species_count=card.classes,
        lora_enabled=bool(raw.get("lora_enabled")),
    )


class Models:
    """The models of an export, looked up once each."""

    def __init__(self, model_dir: Path) -> None:
        self.model_dir = model_dir
        self._infos: dict[str, ModelInfo] = {}

    def info(self, name: str) -> ModelInfo:
        """As `model_info`."""
        if name not in self._infos:
            self._infos[name] = model_info(self.model_dir, name)
        return self._infos[name]

    def listed(self, names: set[str]) -> list[dict[str, Any]]:
        """Name and version (None where unknown) of each, in order; days without a model are passed over."""
        return [{"name": name, "version": self.info(name).version} for name in sorted(names - {""})]

    def family(self, genus: str) -> str:
        """The family of a genus; empty where neither the model's labels nor the table of names says."""
        return self._families.get(genus) or family_of(genus)

    @cached_property
    def _families(self) -> dict[str, str]:
        try:
            return {taxon.genus: taxon.family for taxon in read_labels(self.model_dir / "labels.csv")}
        except ModelUnavailable:
            return {}
