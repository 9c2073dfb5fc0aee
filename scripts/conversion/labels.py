"""The names of a model's outputs: from a file that a person gives, never made up, and what is known of them."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lib import taxa
from lib.classifier.taxonomy import COLUMNS, LONGEST_NAME, is_name
from scripts.conversion import Refused

NAMES = ("scientific_name", "species", "scientificname", "scientific name", "name", "label", "class")
SHARES = ("prior", "share", "count", "photos", "images")


@dataclass(frozen=True)
class Labels:
    """`rows`: of labels.csv, one for each species. `names`: of the outputs, as the file has them but for their
    form, and `taxon_of` the row of each. `unmapped`: names that the table of taxa has not. `shared`: species that
    several outputs mean, with the names of these."""

    rows: list[dict[str, str]]
    names: tuple[str, ...]
    taxon_of: tuple[int, ...]
    unmapped: tuple[str, ...]
    shared: dict[str, tuple[str, ...]]

    @property
    def species(self) -> list[str]:
        return [row["scientific_name"] for row in self.rows]

    def places(self) -> dict[str, int]:
        """The row that each name means: the species' own, and those of its outputs."""
        return dict(zip(self.names, self.taxon_of, strict=True)) | {
            name: place for place, name in enumerate(self.species)
        }


def read(path: Path, outputs: int) -> Labels:
    """The labels of a file with one name for each output: a CSV file with a column of scientific names, or lines.

    Names get the form of the table of taxa (`abutilon_theophrasti` → `Abutilon theophrasti`; an accepted name for a
    synonym), and genus, family, common names and codes from it. Outputs whose names are synonyms of one another
    become one species. Raises Refused when their number is not that of the outputs, or a name is empty or occurs
    twice.
    """
    names = [normalised(name) for name in given(path)]
    empty = [str(i) for i, name in enumerate(names) if not name]
    if empty:
        raise Refused(f"{path.name}: names {', '.join(empty[:10])} (counted from 0) are empty.")
    odd = [str(i) for i, name in enumerate(names) if not is_name(name)]
    if odd:
        raise Refused(
            f"{path.name}: names {', '.join(odd[:10])} (counted from 0) are longer than {LONGEST_NAME} "
            "characters, or no text."
        )
    if len(names) != outputs:
        raise Refused(
            f"{path.name} has {len(names)} names, and the checkpoint {outputs} outputs. They must be the same."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Refused(f"{path.name} has these names more than once: {', '.join(twice[:20])}.")
    resolved = taxa.resolve(names)
    rows: list[dict[str, str]] = []
    taxon_of: list[int] = []
    place: dict[str, int] = {}
    for name, taxon in zip(names, resolved.taxa, strict=True):
        species = taxon.species if taxon else name
        if species in place:
            taxon_of.append(place[species])
            continue
        place[species] = len(rows)
        taxon_of.append(len(rows))
        row = dict.fromkeys(COLUMNS, "") | {"index": str(len(rows)), "scientific_name": species}
        genus = name.removeprefix("× ").split(" ")[0]
        if taxon is None:
            row |= {"genus": genus, "family": taxa.family_of(genus)}
        else:
            row |= {
                "genus": taxon.genus,
                "family": taxon.family,
                "common_name_en": taxon.en,
                "common_name_ja": taxon.ja,
                "eppo": taxon.eppo,
                "gbif": taxon.gbif,
            }
        rows.append(row)
    return Labels(rows, tuple(names), tuple(taxon_of), resolved.unmapped, resolved.shared)


def normalised(name: str) -> str:
    """A scientific name with spaces between its words, the first with a capital letter and the others without."""
    words = name.replace("_", " ").lower().split()
    first = 1 if words[:1] == ["×"] and len(words) > 1 else 0  # a hybrid genus
    return " ".join(
        [*words[:first], *(word.capitalize() for word in words[first : first + 1]), *words[first + 1 :]]
    )


def write(labels: Labels, path: Path) -> None:
    """labels.csv as `lib.classifier.taxonomy` reads it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(labels.rows)


def prior(path: Path | None, outputs: int) -> list[float]:
    """Share of each class among the training photos; equal shares without a file.

    The file has a number a line, or a CSV column `prior`, `share` or `count`. Raises Refused when there is not one
    positive number for each output.
    """
    if path is None:
        return [1 / outputs] * outputs
    cells = _column(path, SHARES)
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        raise Refused(f"{path.name} must hold one number for each output.") from None
    if len(numbers) != outputs or any(not math.isfinite(number) or number <= 0 for number in numbers):
        raise Refused(
            f"{path.name} must hold {outputs} positive numbers, one for each output; it has {len(numbers)}."
        )
    total = math.fsum(numbers)
    return [number / total for number in numbers]


def given(path: Path) -> list[str]:
    """The names as the file has them."""
    return _column(path, NAMES)


def _column(path: Path, titles: tuple[str, ...]) -> list[str]:
    """The cells of the first column of these titles, or the lines of a file that is no CSV file."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError:
        raise Refused(f"{path}: there is no such file.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path.name} is not UTF-8 text.") from None
    if path.suffix.lower() != ".csv":
        return text.strip("\n").splitlines()
    try:
        rows = list(csv.DictReader(text.splitlines()))
    except csv.Error as broken:
        raise Refused(f"{path.name} cannot be read as a table: {broken}.") from None
    columns = {(title or "").strip().lower(): title for title in (rows[0] if rows else {})}
    chosen = next((columns[title] for title in titles if title in columns), None)
    if chosen is None:
        raise Refused(
            f"{path.name} needs a column {' or '.join(titles[:3])}; it has: {', '.join(columns) or 'none'}."
        )
    if "index" in columns and [row[columns["index"]] for row in rows] != [str(i) for i in range(len(rows))]:
        raise Refused(f"{path.name}: the column index must count 0, 1, 2, … in the order of the outputs.")
    return [row[chosen] or "" for row in rows]
