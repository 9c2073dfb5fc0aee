"""The one table of plants (`taxa.csv`): whatever they are called, which taxon that is, and its names.

The table has a row for each accepted species. The classes of iNatAg, their families and whether each is a crop or a
weed are from its public sources as the package agml 0.8.2 lists them (Apache-2.0; facts only), their misspelt names
and wrong families mended; most English names come from the same list. Japanese names, EPPO codes, synonyms and the
plants without a class are from common botanical knowledge. An empty cell says that nothing is known for certain.
Families follow APG IV and PPG I (Chenopodiaceae are Amaranthaceae, Cordiaceae and Heliotropiaceae Boraginaceae),
with Viburnaceae, conserved since, for Adoxaceae. Reading it takes a few milliseconds, on first use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("taxa.csv")
COLUMNS = ("species", "genus", "family", "en", "ja", "eppo", "gbif", "kind", "inatag", "synonyms")
BETWEEN = (
    "|"  # between the names in one cell; no cell has a comma or a quote, so a line is split at its commas
)

# The International Code of Nomenclature, art. 18.5: both names of these families are right.
OLD_FAMILIES = {
    "compositae": "Asteraceae",
    "cruciferae": "Brassicaceae",
    "gramineae": "Poaceae",
    "guttiferae": "Clusiaceae",
    "labiatae": "Lamiaceae",
    "leguminosae": "Fabaceae",
    "palmae": "Arecaceae",
    "umbelliferae": "Apiaceae",
}

_RANKS = frozenset({"subsp", "subsp.", "ssp", "ssp.", "var", "var.", "f", "f.", "x"})
_MARKS = re.compile(r"[-‐‑–.'’]")


class Taxon(NamedTuple):
    """One row: what is not known is empty.

    `kind` is `crop` or `weed` as iNatAg has it; `inatag` the names of its classes that mean this plant;
    `synonyms` other scientific names of it.
    """

    species: str
    genus: str
    family: str
    en: str
    ja: str
    eppo: str
    gbif: str
    kind: str
    inatag: tuple[str, ...]
    synonyms: tuple[str, ...]


class Resolved(NamedTuple):
    """The taxa of a list of names, in its order (None where the table has none); the names that it has not;
    and the taxa that several of the names mean, with those names.
    """

    taxa: tuple[Taxon | None, ...]
    unmapped: tuple[str, ...]
    shared: dict[str, tuple[str, ...]]


def find(name: str) -> Taxon | None:
    """The taxon that a scientific name means, or None.

    Found in any case, with underscores for spaces, with or without hyphens, the × of a hybrid, the word for a
    rank and the authors, and by a synonym. `Echinochloa crus-galli (L.) P. Beauv.` and `echinochloa_crus_galli`
    are the same.
    """
    line = _accepted().get(name)
    if line is None:
        lines = _lines()
        line = lines.get(_key(name)) or lines.get(_key(_without_authors(name)))
    return _taxon(line) if line is not None else None


def called(name: str) -> Taxon | None:
    """The taxon that has this English or Japanese name, in any case, or None."""
    line = _common().get(" ".join(name.split()).casefold())
    return _taxon(line) if line is not None else None


def resolve(names: Iterable[str]) -> Resolved:
    """The taxa of a model's classes: which plant each of its names means, and what the table does not have."""
    names = tuple(names)
    taxa = tuple(find(name) for name in names)
    meant: dict[str, list[str]] = {}
    for name, taxon in zip(names, taxa, strict=True):
        if taxon is not None:
            meant.setdefault(taxon.species, []).append(name)
    return Resolved(
        taxa,
        tuple(name for name, taxon in zip(names, taxa, strict=True) if taxon is None),
        {species: tuple(several) for species, several in meant.items() if len(several) > 1},
    )


def common_name(species: str, language: str = "en") -> str | None:
    """The common name of a scientific name in `language` (`en`, `ja`, or a tag such as `ja-JP`).

    None when the table has none in that language; another language than these two gets the English name.
    """
    taxon = find(species) if " " in species else None  # of a genus, which has none, the quick way
    if taxon is None:
        return None
    return (taxon.ja if _is_japanese(language) else taxon.en) or None


def family_of(genus: str) -> str:
    """The family of a genus, by an older name too; empty when the table has no species of it."""
    return _families().get(genus, "")


def table() -> list[Taxon]:
    """Every row, in the order of the names."""
    return [_taxon(line) for line in _read()]


def _is_japanese(language: str) -> bool:
    return language.lower().partition("-")[0] == "ja"


def _words(name: str) -> list[str]:
    words = name.replace("_", " ").replace("×", " ").split() or [""]
    return words[1:] if words[0] == "x" and len(words) > 1 else words


def _key(name: str) -> str:
    """What is left of a name when every way to write it is the same: `echinochloa crusgalli`."""
    genus, *rest = _words(name.casefold())
    epithet = rest[0] if len(rest) == 1 else "".join(word for word in rest if word not in _RANKS)
    return f"{genus} {epithet if epithet.isalpha() else _MARKS.sub('', epithet)}"


def _without_authors(name: str) -> str:
    """Authors begin with a capital or a bracket, the parts of a name after the genus do not."""
    genus, *rest = _words(name)
    kept = rest[:1]
    after_author = False
    for word in rest[1:]:
        if word in _RANKS:
            after_author = False
        elif word.lstrip("(")[:1].isupper():
            after_author = True
        if not after_author:
            kept.append(word)
    return " ".join((genus, *kept))


@cache
def _read() -> tuple[str, ...]:
    """The lines of the table as they are: taken apart when asked for, they are a fifth as large."""
    header, *lines = TABLE.read_text(encoding="utf-8").splitlines()
    if header != ",".join(COLUMNS):
        raise ValueError(f"{TABLE.name}: the columns must be {', '.join(COLUMNS)}")
    return tuple(lines)


def _taxon(line: str) -> Taxon:
    species, genus, family, en, ja, eppo, gbif, kind, inatag, synonyms = line.split(",")
    return Taxon(species, genus, family, en, ja, eppo, gbif, kind, _several(inatag), _several(synonyms))


def _several(cell: str) -> tuple[str, ...]:
    return tuple(cell.split(BETWEEN)) if cell else ()


@cache
def _accepted() -> dict[str, str]:
    """The line of each accepted name: all that pages ask for, so the first to ask waits for no more than this."""
    return {line.partition(",")[0]: line for line in _read()}


@cache
def _lines() -> dict[str, str]:
    """The line of every name by its key: an accepted name is never overruled by another's synonym."""
    found = {_key(species): line for species, line in _accepted().items()}
    for line in _read():
        *_, inatag, synonyms = line.split(",")
        for names in (inatag, synonyms):
            for name in names.split(BETWEEN) if names else ():
                found.setdefault(_key(name), line)
    return found


@cache
def _common() -> dict[str, str]:
    """The line of each English and Japanese name."""
    found = {}
    for line in _read():
        _, _, _, en, ja, _ = line.split(",", 5)
        found[en.casefold()] = found[ja] = line
    found.pop("", None)
    return found


@cache
def _families() -> dict[str, str]:
    """The family of each genus, those that are synonyms now (Conyza) after those that are accepted."""
    found = {}
    older = []
    for line in _read():
        _, genus, family, _, _, _, _, _, inatag, synonyms = line.split(",")
        found[genus] = family
        # Few rows: all of them would take ten times as long.
        if synonyms or BETWEEN in inatag or not inatag.startswith(genus.lower()):
            older.append((f"{inatag}{BETWEEN}{synonyms}", family))
    for names, family in older:
        for name in names.replace("_", " ").split(BETWEEN):
            found.setdefault(name.partition(" ")[0].capitalize(), family)
    found.pop("", None)
    return found
