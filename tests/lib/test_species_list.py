"""The list of species: who is chosen, in which order, on which page."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import species, species_list
from lib.species import SpeciesRecord
from lib.store.records import DayRow

CHICKWEED, MAIZE, GRASS, GHOST = "Stellaria media", "Zea mays", "Poa annua", "<b>Ghost</b>"


def season(*days: tuple[str, dict[str, int]]) -> species.Overview:
    return species.overview([DayRow(date.fromisoformat(day), species_counts=counts) for day, counts in days])


FIELD = season(
    ("2023-06-01", {GHOST: 1}),
    ("2024-06-01", {CHICKWEED: 5, MAIZE: 1}),
    ("2025-06-01", {CHICKWEED: 1, GRASS: 3, GHOST: 1}),
)


def names(records: list[SpeciesRecord]) -> list[str]:
    return [record.species for record in records]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [CHICKWEED, GRASS, GHOST, MAIZE]),
        ("stellaria", [CHICKWEED]),
        ("S. media", [CHICKWEED]),
        ("ste med", [CHICKWEED]),
        ("chickweed", [CHICKWEED]),
        ("はこべ", [CHICKWEED]),
        ("poaceae", [GRASS, MAIZE]),
        ("ghost", [GHOST]),
        ("llar", [CHICKWEED]),
        ("nobody", []),
        ("<>", []),
        (" ", [CHICKWEED, GRASS, GHOST, MAIZE]),
    ],
)
def test_a_name_finds_what_is_called_so(query: str, expected: list[str]) -> None:
    assert names(species_list.chosen(FIELD, query=query)) == expected


def test_the_new_and_the_returning_are_told_apart() -> None:
    assert names(species_list.chosen(FIELD, "new")) == [GRASS]
    assert names(species_list.chosen(FIELD, "returning")) == [GHOST]
    assert species_list.chosen(FIELD, "new", "stellaria") == []


def test_each_order_puts_equals_by_name() -> None:
    chosen = species_list.chosen(FIELD)
    assert names(species_list.sorted_by(chosen, "name")) == [GHOST, GRASS, CHICKWEED, MAIZE]
    assert names(species_list.sorted_by(chosen, "name", "desc")) == [MAIZE, CHICKWEED, GRASS, GHOST]
    assert names(species_list.sorted_by(chosen, "days")) == [GHOST, CHICKWEED, GRASS, MAIZE]
    assert names(species_list.sorted_by(chosen, "first_seen")) == [GRASS, CHICKWEED, MAIZE, GHOST]
    assert names(species_list.sorted_by(chosen, "last_seen", "asc")) == [MAIZE, GHOST, GRASS, CHICKWEED]


def test_what_has_no_confidence_comes_last_either_way() -> None:
    sure = SpeciesRecord(MAIZE, 1, date.min, date.min, set(), 1, 0.9, 1)
    unsure = SpeciesRecord(GRASS, 1, date.min, date.min, set(), 1, 0.5, 1)
    silent = SpeciesRecord(CHICKWEED, 1, date.min, date.min, set())
    records = [silent, unsure, sure]
    assert names(species_list.sorted_by(records, "confidence")) == [MAIZE, GRASS, CHICKWEED]
    assert names(species_list.sorted_by(records, "confidence", "asc")) == [GRASS, MAIZE, CHICKWEED]


@given(st.integers(0, 40), st.integers(1, 9))
def test_the_pages_hold_everything_once(length: int, size: int) -> None:
    first = date(2025, 1, 1)
    records = [SpeciesRecord(str(n), 1, first, first + timedelta(n), set()) for n in range(length)]
    whole = species_list.page_of(records, 1, size)
    assert whole is not None
    pages = [species_list.page_of(records, number, size) for number in range(1, whole.pages + 1)]
    assert [record for page in pages if page for record in page.records] == records
    assert {page.found for page in pages if page} == {length}
    assert species_list.page_of(records, 0, size) is None
    assert species_list.page_of(records, whole.pages + 1, size) is None


def test_what_new_means_depends_on_the_years() -> None:
    assert species_list.new_since(FIELD) == date(2025, 1, 1)
    assert species_list.new_since(season(("2025-06-01", {GRASS: 1}))) is None
    assert species_list.new_since(season()) is None
