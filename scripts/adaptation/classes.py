"""Which class of a model a person's name means, and what is known of the species that it does not have."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lib import taxa
from lib.classifier.taxonomy import COLUMNS, Taxon


def accepted(name: str) -> str:
    """The accepted name of a species where the table of plants knows it, else the name itself."""
    found = taxa.find(name)
    return found.species if found else name


class Classes:
    """The classes of a model, found by any of their scientific names."""

    def __init__(self, labels: Sequence[Taxon]) -> None:
        self.labels = tuple(labels)
        self._places: dict[str, int] = {}
        for place, taxon in enumerate(labels):
            self._places.setdefault(accepted(taxon.species), place)
        # A class's own name always means that class, also where two classes are one plant by now.
        self._places |= {taxon.species: place for place, taxon in enumerate(labels)}

    def name(self, species: str) -> str:
        """What the class of this species is called: as the model has it, else by its accepted name."""
        place = self._places.get(species, self._places.get(accepted(species)))
        return accepted(species) if place is None else self.labels[place].species

    def place(self, species: str) -> int | None:
        """The number of the class that is called so, or None."""
        return self._places.get(species)


def taxon(species: str) -> Taxon:
    """What is known of a species, for the labels of a model; unknown cells are empty."""
    found = taxa.find(species)
    if found:
        return Taxon(species, found.genus, found.family, found.en, found.ja, found.eppo, found.gbif)
    genus = species.split(" ")[0]
    return Taxon(species, genus, taxa.family_of(genus))


def extended_labels(path: Path, new: Sequence[Taxon]) -> bytes:
    """The labels.csv at `path` with more classes behind its own; columns beyond the known stay empty."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or COLUMNS), list(reader)
    for place, each in enumerate(new, start=len(rows)):
        cells = (str(place), each.species, each.genus, each.family, each.common_name_en, each.common_name_ja)
        rows.append(
            dict.fromkeys(columns, "") | dict(zip(COLUMNS, (*cells, each.eppo, each.gbif), strict=True))
        )
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
