"""Common names of plants: the one place that display code asks for them, without loading a model."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("taxa.csv")


class PlantName(NamedTuple):
    """One line of the table; names are empty where none is known."""

    species: str
    family: str
    en: str
    ja: str


def common_name(species: str, language: str = "en") -> str | None:
    """The common name of a scientific name in `language` (`en`, `ja`, or a tag such as `ja-JP`).

    None when it is not in the table; another language than these two gets the English name.
    """
    plant = _table().get(species)
    if plant is None:
        return None
    name = plant.ja if language.lower().partition("-")[0] == "ja" else plant.en
    return name or None


@cache
def _table() -> dict[str, PlantName]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["species"]: PlantName(**row) for row in csv.DictReader(file)}


def common_names(language: str = "en") -> dict[str, str]:
    """Every common name in `language`, by scientific name."""
    found = {species: common_name(species, language) for species in _table()}
    return {species: name for species, name in found.items() if name}


def family_of(genus: str) -> str:
    """The family of a genus; empty when the table has no species of it."""
    return _families().get(genus, "")


@cache
def _families() -> dict[str, str]:
    return {species.split(" ")[0]: plant.family for species, plant in _table().items()}
