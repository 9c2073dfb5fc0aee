"""A list of species as a reader wants it: those of a name or the new ones alone, in an order, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from lib import taxa
from lib.species import Overview, SpeciesRecord
from lib.taxon_search import words_of

Sort = Literal["count", "name", "days", "first_seen", "last_seen", "confidence"]
Order = Literal["asc", "desc"]
Shown = Literal["new", "returning"]

_KEYS: dict[Sort, Callable[[SpeciesRecord], Any]] = {
    "count": lambda record: record.count,
    "name": lambda record: record.species,
    "days": lambda record: record.days,
    "first_seen": lambda record: record.first_seen.toordinal(),
    "last_seen": lambda record: record.last_seen.toordinal(),
    "confidence": lambda record: record.mean_confidence,
}


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the `found` records; `number` counts from 1 to `pages`, which is 1 for none."""

    records: list[SpeciesRecord]
    found: int
    number: int
    pages: int


def usual_order(sort: Sort) -> Order:
    """Names from A on, numbers from the largest, days from the newest."""
    return "asc" if sort == "name" else "desc"


def chosen(season: Overview, shown: Shown | None = None, query: str = "") -> list[SpeciesRecord]:
    """The records, all, new or returning, that have a name like `query`: the scientific, English or Japanese one,
    the genus or the family, by the beginnings of its words or anything within it.
    """
    records = season.records
    if shown is not None:
        names = set(season.new if shown == "new" else season.returning)
        records = [record for record in records if record.species in names]
    words = words_of(query)
    if words:
        records = [record for record in records if _is_called(record.species, words)]
    elif query.strip():
        records = []  # marks alone are no name
    return records


def sorted_by(
    records: Sequence[SpeciesRecord], sort: Sort, order: Order | None = None
) -> list[SpeciesRecord]:
    """In this order; equals by name, and what has no such value last."""
    key = _KEYS[sort]
    by_name = sorted(records, key=lambda record: record.species)
    valued = [record for record in by_name if key(record) is not None]
    valued.sort(key=key, reverse=(order or usual_order(sort)) == "desc")
    return [*valued, *(record for record in by_name if key(record) is None)]


def page_of(records: Sequence[SpeciesRecord], number: int, size: int) -> Page | None:
    """One page of `size`; None when there is no page of this number."""
    pages = max(-(-len(records) // size), 1)
    if not 1 <= number <= pages:
        return None
    return Page(list(records[(number - 1) * size : number * size]), len(records), number, pages)


def new_since(season: Overview) -> date | None:
    """The first of January of the year whose new species `season.new` are; None when there is one year only and
    they are those of its last two weeks (lib.species.RECENT), or nothing at all."""
    if not season.months or season.months[0].month[:4] == season.months[-1].month[:4]:
        return None
    return date(int(season.months[-1].month[:4]), 1, 1)


def _is_called(species: str, words: list[str]) -> bool:
    taxon = taxa.find(species)
    names = (species, *((taxon.species, taxon.en, taxon.ja, taxon.genus, taxon.family) if taxon else ()))
    query = " ".join(words)
    for name in names:
        of_name = words_of(name)
        if query in " ".join(of_name):
            return True
        rest = iter(of_name)
        if all(any(each.startswith(word) for each in rest) for word in words):
            return True
    return False
