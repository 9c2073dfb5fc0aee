"""The taxa a model can name (`labels.csv`), and the rule that turns their probabilities into one label."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.classifier.refusals import ModelUnavailable

UNKNOWN = "unknown"
LONGEST_NAME = 200  # characters: a photo is stored with the names of its model and its plant
COLUMNS = ("index", "scientific_name", "genus", "family", "common_name_en", "common_name_ja", "eppo", "gbif")


@dataclass(frozen=True, slots=True)
class Taxon:
    """One class of a model. Empty strings where the label file does not know."""

    species: str
    genus: str
    family: str
    common_name_en: str = ""
    common_name_ja: str = ""
    eppo: str = ""
    gbif: str = ""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How sure the model must be to name a species, else a genus, else a family; below `floor` it names
    nothing.
    """

    species: float = 0.7
    genus: float = 0.5
    family: float = 0.3
    floor: float = 0.2


@dataclass(frozen=True, slots=True)
class Label:
    """The rule's verdict: a scientific name at `level` (species, genus, family) or `unknown`, and its
    probability.
    """

    name: str
    level: str
    confidence: float


def is_name(text: object) -> bool:
    """Whether a model or a taxon can be called so: text that databases keep, at most 200 characters."""
    if not isinstance(text, str) or len(text) > LONGEST_NAME or "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as JSON may hold it
        return False
    return True


def read_labels(path: Path) -> tuple[Taxon, ...]:
    """The taxa of a `labels.csv` in the order of the model's outputs.

    Raises ModelUnavailable when a column is missing, the index is not 0, 1, 2, … or a name is empty or
    occurs twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ModelUnavailable("labels.csv cannot be read.") from None
    if missing:
        raise ModelUnavailable(f"labels.csv has no column {', '.join(missing)}.")
    taxa = []
    for position, row in enumerate(rows):
        cells = {name: (row[name] or "").strip() for name in COLUMNS}
        if cells["index"] != str(position):
            raise ModelUnavailable(f"labels.csv, row {position + 1}: the index must be {position}.")
        if not cells["scientific_name"]:
            raise ModelUnavailable(f"labels.csv, row {position + 1}: the scientific name is empty.")
        if not all(map(is_name, cells.values())):
            raise ModelUnavailable(
                f"labels.csv, row {position + 1}: a name is longer than {LONGEST_NAME} characters, or no text."
            )
        taxa.append(
            Taxon(
                species=cells["scientific_name"],
                genus=cells["genus"],
                family=cells["family"],
                common_name_en=cells["common_name_en"],
                common_name_ja=cells["common_name_ja"],
                eppo=cells["eppo"],
                gbif=cells["gbif"],
            )
        )
    if len({taxon.species for taxon in taxa}) != len(taxa):
        raise ModelUnavailable("labels.csv names a species twice.")
    if not taxa:
        raise ModelUnavailable("labels.csv names no species.")
    return tuple(taxa)


def decide(
    probabilities: Sequence[float], taxa: Sequence[Taxon], thresholds: Thresholds | None = None
) -> Label:
    """The label of a photo: the likeliest species if sure enough, else the likeliest genus, else family,
    else `unknown`.

    `probabilities` (one for each taxon, sum at most 1) are those after the in-domain probability, so that a
    photo of something else is sure at no level. A genus or family has the summed probability of its
    species; taxa without one are not pooled. Equal figures are decided by name, so the order of the taxa
    never matters. For `unknown`, the confidence is that of the likeliest species.
    """
    limits = thresholds or Thresholds()
    if len(probabilities) != len(taxa):
        raise ValueError(f"{len(probabilities)} probabilities for {len(taxa)} taxa")
    levels = (
        ("species", limits.species, [taxon.species for taxon in taxa]),
        ("genus", limits.genus, [taxon.genus for taxon in taxa]),
        ("family", limits.family, [taxon.family for taxon in taxa]),
    )
    likeliest = 0.0
    for level, limit, names in levels:
        pooled: dict[str, list[float]] = defaultdict(list)
        for name, probability in zip(names, probabilities, strict=True):
            if name:
                pooled[name].append(float(probability))
        if not pooled:
            continue
        # fsum is exact, so a sum does not depend on the order of the taxa.
        confidence, name = max(
            ((math.fsum(parts), name) for name, parts in pooled.items()),
            key=lambda pair: (pair[0], _reversed(pair[1])),
        )
        if level == "species":
            likeliest = confidence
        if confidence >= max(limit, limits.floor):
            return Label(name, level, min(confidence, 1.0))
    return Label(UNKNOWN, UNKNOWN, likeliest)


def _reversed(name: str) -> tuple[int, ...]:
    """Sorts the alphabetically first name highest."""
    return (*(-ord(letter) for letter in name), 1)
