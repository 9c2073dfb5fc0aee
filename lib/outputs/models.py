"""What exports say of a model: what its folder tells of a version, and the genus and family of its names."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

from lib.classifier import ModelUnavailable
from lib.classifier.card import read_card
from lib.classifier.taxonomy import read_labels
from lib.model_versions import named_by, only_version
from lib.outputs.summaries import ModelInfo
from lib.store.records import DayRow, ProcessingRow
from lib.taxa import family_of


def model_info(model_dir: Path, name: str, version: str | None) -> ModelInfo:
    """What the folder says of this version of the model `name`; of another model or version it says nothing.

    Days and photos keep name and version of the model that looked at them, and its folder may have been replaced
    since. Where the version is not on record (None), none is claimed.
    """
    card = read_card(model_dir)
    if version is None or (card.name, card.version) != (name, version):
        return ModelInfo(name, version)
    raw = json.loads((model_dir / "model.json").read_bytes())
    return ModelInfo(
        name=name,
        version=version,
        size=raw.get("architecture"),
        species_count=card.classes,
        lora_enabled=bool(raw.get("lora_enabled")),
    )


class Models:
    """The models of an export, looked up once each."""

    def __init__(self, model_dir: Path) -> None:
        self.model_dir = model_dir
        self._infos: dict[tuple[str, str | None], ModelInfo] = {}

    def info(self, name: str, version: str | None) -> ModelInfo:
        """As `model_info`."""
        key = (name, version)
        if key not in self._infos:
            self._infos[key] = model_info(self.model_dir, name, version)
        return self._infos[key]

    def of_day(self, row: DayRow, processing: ProcessingRow) -> ModelInfo:
        """The model that speaks for a day, with its version where all the photos that it named agree on one."""
        return self.info(row.model_name, only_version(named_by(row, processing), row.model_name))

    def family(self, genus: str) -> str:
        """The family of a genus; empty where neither the model's labels nor the table of names says."""
        return self._families.get(genus) or family_of(genus)

    @cached_property
    def _families(self) -> dict[str, str]:
        try:
            return {taxon.genus: taxon.family for taxon in read_labels(self.model_dir / "labels.csv")}
        except ModelUnavailable:
            return {}
