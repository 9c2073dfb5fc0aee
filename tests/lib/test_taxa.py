"""Common names: the table is sound, and languages are chosen as pages ask for them."""

from __future__ import annotations

import csv
import re

import pytest

from lib import taxa


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "Common chickweed"),
        ("ja", "コハコベ"),
        ("ja-JP", "コハコベ"),
        ("JA", "コハコベ"),
        ("fr", "Common chickweed"),
    ],
)
def test_it_names_a_plant_in_the_language_asked_for(language: str, name: str) -> None:
    assert taxa.common_name("Stellaria media", language) == name


def test_an_unknown_plant_has_no_common_name() -> None:
    assert taxa.common_name("Stellaria") is None
    assert taxa.common_name("") is None


def test_all_names_can_be_had_at_once() -> None:
    names = taxa.common_names("ja")
    assert names["Zea mays"] == "トウモロコシ"
    assert len(names) == len(taxa.common_names()) > 40


def test_the_table_is_sorted_complete_and_without_repeats() -> None:
    with taxa.TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["species"] for row in rows]
    assert names == sorted(set(names))
    for row in rows:
        assert re.fullmatch(r"[A-Z][a-z]+ [a-z-]+", row["species"])
        assert re.fullmatch(r"[A-Z][a-z]+aceae", row["family"])
        assert re.fullmatch(r"[A-Z][A-Za-z' -]+", row["en"])
        assert re.fullmatch(r"[ァ-ヶー]+", row["ja"])


def test_a_genus_has_a_family_where_the_table_knows_one() -> None:
    assert taxa.family_of("Stellaria") == "Caryophyllaceae"
    assert taxa.family_of("Nothingia") == ""
