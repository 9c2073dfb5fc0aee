"""Lists of the species of a region, to which a model can be held: files of scientific names."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lib import taxa

LISTS = Path(__file__).parent
SIZE_LIMIT = 1_000_000  # bytes: ten times the names of all plants of the table
LENGTH_LIMIT = 120  # characters of a name
_COLUMNS = ("species", "scientific_name", "scientificname", "scientific name")


class RegionUnreadable(ValueError):
    """The list cannot be used; the text says why, and at which line."""


@dataclass(frozen=True, slots=True)
class Region:
    """The species of a region, by their accepted names.

    `unknown` are the names that the table of plants does not have. They are in `species` too, as they were
    written: a model may know them.
    """

    name: str
    species: frozenset[str]
    unknown: tuple[str, ...] = ()

    def holds(self, species: str) -> bool:
        """Whether a plant of this scientific name, a synonym for instance, is of the region."""
        return species in self.species or _accepted(species) in self.species


def shipped() -> list[str]:
    """The names of the lists that come with the program."""
    return sorted(path.stem for path in LISTS.glob("*.txt"))


def read_region(region: str | Path) -> Region:
    """The list in a file, or the list that is shipped under this name (`hokkaido`).

    A text file has one scientific name in a line, and comments from a # on; a file with commas, semicolons or tabs
    is a table whose column `species` or `scientific_name` has the names. Synonyms become the accepted names.
    Raises RegionUnreadable.
    """
    path = Path(region)
    if str(region) in shipped():
        path = LISTS / f"{region}.txt"
    lines = _text(path).splitlines()
    names = _of_table(lines, path.name) if _is_table(lines) else _of_lines(lines)
    for number, name in names:
        _check(name, number, path.name)
    if not names:
        raise RegionUnreadable(f"{path.name} names no species: it needs one scientific name in each line.")
    return region_of((name for _, name in names), path.stem)


def region_of(names: Iterable[str], name: str) -> Region:
    """The list called `name` of these scientific names, each of which `is_name`; synonyms become accepted names."""
    species: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for each in names:
        accepted = _accepted(each)
        species[accepted] = None
        if taxa.find(each) is None:
            unknown[accepted] = None
    return Region(name, frozenset(species), tuple(unknown))


def is_name(text: str) -> bool:
    """Whether this reads like the scientific name of a species."""
    words = text.replace("_", " ").split()
    letters = text.replace("×", "")
    return (
        len(text) <= LENGTH_LIMIT
        and all(each.isalpha() or each in " _-.()&,'" for each in letters)
        and len(words) >= 2
        and words[0][:1].isalpha()
    )


def _accepted(name: str) -> str:
    taxon = taxa.find(name)
    return taxon.species if taxon else " ".join(name.replace("_", " ").split())


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except (OSError, ValueError):  # ValueError: a path with a null character
        known = ", ".join(shipped())
        raise RegionUnreadable(f"{path.name} cannot be read. Name a file, or one of: {known}.") from None
    if len(content) > SIZE_LIMIT:
        raise RegionUnreadable(f"{path.name} is larger than {SIZE_LIMIT:,} bytes: not a list of species.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RegionUnreadable(f"{path.name}, line {line}: not text in UTF-8.") from None


def _of_lines(lines: list[str]) -> list[tuple[int, str]]:
    names = ((number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1))
    return [(number, name) for number, name in names if name]


def _header(lines: list[str]) -> tuple[int, str, list[str]] | None:
    """The number, the separator and the columns of the line that names the columns."""
    for number, line in enumerate((line.partition("#")[0] for line in lines), 1):
        if line.strip():
            separator = max(",;\t", key=line.count)
            return number, separator, [cell.strip().strip('"').casefold() for cell in line.split(separator)]
    return None


def _is_table(lines: list[str]) -> bool:
    header = _header(lines)
    return header is not None and (len(header[2]) > 1 or header[2][0] in _COLUMNS)


def _of_table(lines: list[str], file: str) -> list[tuple[int, str]]:
    header = _header(lines)
    assert header is not None
    number, separator, columns = header
    column = next((columns.index(name) for name in _COLUMNS if name in columns), None)
    if column is None:
        raise RegionUnreadable(
            f"{file}, line {number}: a table needs a column species or scientific_name; "
            "a plain list needs one name in each line and no commas."
        )
    reader = csv.reader(lines[number:], delimiter=separator)
    try:
        rows = [
            (number + reader.line_num, row[column].strip())
            for row in reader
            if len(row) > column and not row[0].startswith("#")
        ]
    except csv.Error:
        raise RegionUnreadable(f"{file}, line {number + reader.line_num}: not a row of a table.") from None
    return [(line, name) for line, name in rows if name]


def _check(name: str, number: int, file: str) -> None:
    if not is_name(name):
        shown = name if len(name) <= 60 else name[:60] + "…"
        shown = shown if shown.isprintable() else shown.encode("unicode_escape").decode()
        raise RegionUnreadable(
            f"{file}, line {number}: “{shown}” is not a scientific name such as Stellaria media."
        )
