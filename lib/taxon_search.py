"""Type-ahead over the taxa that a photo can be called: those of the model first, then those of the table of plants.

All names lie folded in one string, each on a line of its own, in the order in which equally good matches are told:
Python searches some hundred kilobytes of text in a fraction of a millisecond, and they take a tenth of the memory
of as many small strings. It is made on the first search, and anew when the model's files change.
"""

from __future__ import annotations

import difflib
import re
import threading
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lib import taxa
from lib.classifier import Taxon
from lib.model_facts import KnownModel, known_model

LONGEST_QUERY = 100  # characters; the longest name has some sixty
ALIKE = 0.75  # share of letters that two words have in common, beneath which they are others
# Hiragana has the same syllables as katakana, 0x60 further on.
_FOLDED: dict[int, int | None] = {code: code + 0x60 for code in (*range(0x3041, 0x3097), 0x309D, 0x309E)}
# Apostrophes and accents are often not typed. The marks of ガ and パ are other characters and stay.
_FOLDED |= dict.fromkeys((*map(ord, "'’‘`ʼ"), *range(0x300, 0x370)), None)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class FoundTaxon:
    """A taxon as a person may choose it; what is not known of it is None. `level`: species, genus or family."""

    name: str
    level: str
    common_name_en: str | None
    common_name_ja: str | None
    family: str | None
    in_model: bool


def search(query: str, model_dir: Path, limit: int = 10) -> list[FoundTaxon]:
    """At most `limit` taxa that have a name like `query`, best first; none for a query without a letter.

    Found by the scientific name and its synonyms, the English name and the Japanese one: in any case, in hiragana,
    in half-width kana, and by the beginnings of its words (`ste med`, `s. media`). Exact names come first; then the
    taxa of the model of which a name begins so, then those of which a later word does; then these of the table of
    plants; last the names that hold the query somewhere within. Equals stand by the scientific names.
    """
    index = _index(known_model(model_dir))
    found: dict[int, None] = {}
    words = words_of(query[:LONGEST_QUERY])
    for number in index.matches(words) if words else ():
        found[number] = None
        if len(found) >= limit:
            break
    return [index.told(number) for number in found]


def suggestions(query: str, model_dir: Path, limit: int = 5) -> list[FoundTaxon]:
    """What `search` finds; where that is nothing, what it finds for the words of names that are most alike to those
    of the query, or for one of these alone: `Stelaria media` may mean Stellaria media. One or two letters mean
    anything, and so nothing.
    """
    words = words_of(query[:LONGEST_QUERY])
    if all(len(word) < 3 and word.isascii() for word in words):
        return []
    found = search(query, model_dir, limit)
    if found:
        return found
    index = _index(known_model(model_dir))
    alike = [
        match for word in words for match in difflib.get_close_matches(word, index.words(word[0]), 1, ALIKE)
    ]
    for wanted in (" ".join(alike), *sorted(alike, key=len, reverse=True)):
        found = search(wanted, model_dir, limit)
        if found:
            break
    return found


def words_of(name: str) -> list[str]:
    """The words of a name as they are compared: of `Crus-Galli (L.)` crus, galli and l; of ﾊｺﾍﾞ ハコベ."""
    return _split(_folded(name))


def _split(folded: str) -> list[str]:
    """Without the x of a hybrid between its words; at the end it may become a word that is being typed."""
    words: list[str] = _WORD.findall(folded)
    return [word for place, word in enumerate(words) if word != "x" or place in (0, len(words) - 1)]


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain).translate(_FOLDED))


class _Entry(NamedTuple):
    """A taxon with all its names, the scientific one first."""

    name: str
    level: str
    names: tuple[str, ...]


class _Index:
    """The folded names of all taxa in `text`, one a line; the lines of taxon i begin at `starts[i]`.

    The taxa of the model have the numbers below `of_model`.
    """

    def __init__(self, model: tuple[Taxon, ...]) -> None:
        self.model = {taxon.species: taxon for taxon in model}
        self.families = {taxon.genus: taxon.family for taxon in model if taxon.genus and taxon.family}
        of_model = _of_model(model)
        meant = {row.species for taxon in model if (row := taxa.find(taxon.species))}
        entries = [*of_model, *_of_table({entry.name for entry in of_model} | meant)]
        self.of_model = len(of_model)
        self.names = [entry.name for entry in entries]
        self.levels = [entry.level for entry in entries]
        # Folded in one go, which is several times as fast as name by name.
        names = "\n".join(name.replace("\n", " ") for entry in entries for name in entry.names)
        lines = (" ".join(_split(line)) for line in _folded(names).split("\n"))
        self.starts = array("l")
        parts = []
        length = 0
        for entry in entries:
            self.starts.append(length)
            for _ in entry.names:
                parts.append(f"\n{next(lines)}")
                length += len(parts[-1])
        self.text = "".join([*parts, "\n"])

    def matches(self, words: list[str]) -> Iterator[int]:
        """Numbers of the taxa that match, best first; one comes again where several of its names match."""
        middle = self.starts[self.of_model]
        model, table = (0, middle + 1), (middle, len(self.text))
        whole = re.escape(" ".join(words))
        beginning = "[^ \n]* ".join(map(re.escape, words))
        for pattern, parts in (
            ((f"\n{whole}(?=\n)",), (model, table)),
            ((f"\n{beginning}", f" {beginning}"), (model, table)),
            ((beginning,), (model, table)),
        ):
            for start, end in parts:
                for each in pattern:
                    for match in re.compile(each).finditer(self.text, start, end):
                        yield bisect_right(self.starts, match.start()) - 1

    def words(self, letter: str) -> list[str]:
        """All words of names that begin so: nobody mistakes the first letter."""
        return sorted(set(re.findall(rf"(?<=[\n ]){re.escape(letter)}[^ \n]*", self.text)))

    def told(self, number: int) -> FoundTaxon:
        """What a person is told of a taxon."""
        name, level, in_model = self.names[number], self.levels[number], number < self.of_model
        if level == "family":
            return FoundTaxon(name, level, None, None, None, in_model)
        if level == "genus":
            family = self.families.get(name) or taxa.family_of(name)
            return FoundTaxon(name, level, None, None, family or None, in_model)
        row, known = taxa.find(name), self.model.get(name)
        # The table's names first, as on the pages; of a plant that it has not, those of the model.
        en, ja, family = (row.en, row.ja, row.family) if row else ("", "", "")
        if known is not None:
            en, ja = en or known.common_name_en, ja or known.common_name_ja
            family = known.family or family
        return FoundTaxon(name, level, en or None, ja or None, family or None, in_model)


def _of_model(model: tuple[Taxon, ...]) -> list[_Entry]:
    """What the model can name, by the scientific names."""
    found = {}
    for taxon in model:
        row = taxa.find(taxon.species)
        names = (taxon.species, taxon.common_name_en, taxon.common_name_ja, *(_names(row) if row else ()))
        found[taxon.species] = _Entry(taxon.species, "species", tuple(dict.fromkeys(filter(None, names))))
    return _with_groups(found, {taxon.genus for taxon in model}, {taxon.family for taxon in model})


def _of_table(known: set[str]) -> list[_Entry]:
    """What else the table has, by the scientific names; `known` are the names that are not told again."""
    rows = taxa.table()
    found = {
        row.species: _Entry(row.species, "species", _names(row)) for row in rows if row.species not in known
    }
    return _with_groups(found, {row.genus for row in rows} - known, {row.family for row in rows} - known)


def _with_groups(species: dict[str, _Entry], genera: set[str], families: set[str]) -> list[_Entry]:
    older = {family: name for name, family in taxa.OLD_FAMILIES.items()}
    for level, names in (("genus", genera), ("family", families)):
        for name in names - {""}:
            several = (name, older[name]) if name in older else (name,)
            species.setdefault(name, _Entry(name, level, several))
    return [species[name] for name in sorted(species)]


def _names(row: taxa.Taxon) -> tuple[str, ...]:
    """All names of a row, those that are written alike once."""
    classes = (name.replace("_", " ").capitalize() for name in row.inatag)
    return tuple(
        dict.fromkeys(name for name in (row.species, row.en, row.ja, *row.synonyms, *classes) if name)
    )


_lock = threading.Lock()
_made: tuple[object, _Index] | None = None


def _index(known: KnownModel) -> _Index:
    """The index of a model's taxa, kept until they are read anew."""
    global _made
    with _lock:
        if _made is None or _made[0] is not known.taxa:
            _made = (known.taxa, _Index(known.taxa))
        return _made[1]
