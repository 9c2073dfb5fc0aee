"""The table of plants: it is sound, and every way to write a name finds the same taxon."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import taxa
from lib.config import STARTER_MODEL
from lib.regions import read_region, shipped

ROOT = Path(__file__).parents[2]
ROWS = taxa.table()
NAME = re.compile(r"[A-Z][a-zë]+ (× )?[a-z]+(-[a-z]+)*( (subsp\.|var\.) [a-z-]+)?")


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


def test_a_synonym_has_the_common_name_of_its_taxon() -> None:
    assert taxa.common_name("Conyza canadensis") == "Horseweed"


def test_a_plant_without_a_name_in_a_language_has_none() -> None:
    assert taxa.common_name("Stellaria") is None
    assert taxa.common_name("") is None
    assert taxa.common_name("Nothingia nulla") is None
    assert taxa.common_name("Persicaria thunbergii", "ja") == "ミゾソバ"
    assert taxa.common_name("Persicaria thunbergii", "en") is None


def test_each_name_of_the_table_is_told() -> None:
    for row in ROWS[::11]:
        assert taxa.common_name(row.species, "en") == (row.en or None)
        assert taxa.common_name(row.species, "ja") == (row.ja or None)
    assert sum(bool(row.ja) for row in ROWS) > 700
    assert sum(bool(row.en) for row in ROWS) > 2000


def test_the_table_is_a_csv_that_any_program_reads() -> None:
    """The program splits lines at their commas, which is right only without quoted cells."""
    with taxa.TABLE.open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert tuple(read.pop(0)) == taxa.COLUMNS
    assert [row[:8] for row in read] == [list(row[:8]) for row in ROWS]
    assert '"' not in taxa.TABLE.read_text(encoding="utf-8")


def test_the_table_is_sorted_and_without_repeats() -> None:
    names = [row.species for row in ROWS]
    assert len(names) > 3000
    assert names == sorted(set(names))


@pytest.mark.parametrize("column", ["en", "ja", "eppo", "gbif"])
def test_no_two_plants_share_a_name_or_a_code(column: str) -> None:
    """So that a name that a person types says which plant is meant."""
    values = [getattr(row, column).casefold() for row in ROWS if getattr(row, column)]
    assert sorted(values) == sorted(set(values))


def test_a_name_means_one_plant_only() -> None:
    """No synonym is the accepted name or a synonym of another plant, and no class of iNatAg two plants."""
    owner: dict[str, str] = {}
    for row in ROWS:
        for name in {
            row.species,
            *row.synonyms,
            *(slug.replace("_", " ").capitalize() for slug in row.inatag),
        }:
            assert owner.setdefault(taxa._key(name), row.species) == row.species
    english, japanese = {row.en.casefold() for row in ROWS}, {row.ja for row in ROWS}
    assert english & japanese == {""}


def test_every_row_is_written_as_botanists_write() -> None:
    for row in ROWS:
        assert NAME.fullmatch(row.species), row
        assert row.genus == row.species.split(" ")[0]
        assert re.fullmatch(r"[A-Z][a-z]+aceae", row.family), row
        assert re.fullmatch(r"([A-Z][A-Za-z' -]+[a-z])?", row.en), row
        assert re.fullmatch(r"[ァ-ヶー]*", row.ja), row
        assert re.fullmatch(r"([A-Z0-9]{5})?", row.eppo), row
        assert re.fullmatch(r"[0-9]*", row.gbif), row
        assert row.kind in ("crop", "weed", "")
        assert (row.kind == "") == (row.inatag == ())
        assert list(row.inatag) == sorted(set(row.inatag))
        assert list(row.synonyms) == sorted(set(row.synonyms))
        assert all(
            re.fullmatch(r"[A-Z][a-z-]+ (× )?[a-z-]+( (subsp\.|var\.) [a-z-]+)?", name)
            for name in row.synonyms
        )


def test_a_genus_is_of_one_family() -> None:
    families: dict[str, set[str]] = {}
    for row in ROWS:
        families.setdefault(row.genus, set()).add(row.family)
    assert [genus for genus, several in families.items() if len(several) > 1] == []
    assert not {"Chenopodiaceae", "Clusiidae", "Unknown", *taxa.OLD_FAMILIES} & set().union(
        *families.values()
    )


def test_a_genus_has_a_family_where_the_table_knows_one() -> None:
    assert taxa.family_of("Stellaria") == "Caryophyllaceae"
    assert taxa.family_of("Conyza") == "Asteraceae"
    assert taxa.family_of("Nothingia") == ""


def test_an_older_genus_is_of_one_family_too() -> None:
    """Else the genus alone would not tell the family."""
    for row in ROWS:
        for name in (*row.inatag, *row.synonyms):
            genus = name.replace("_", " ").split(" ")[0].capitalize()
            assert taxa.family_of(genus) == row.family, name


def test_every_way_to_write_a_name_finds_it() -> None:
    for row in ROWS:
        name = row.species
        slug = name.lower().replace(" ", "_")
        unmarked = name.replace("× ", "").replace("subsp. ", "").replace("var. ", "")
        unjoined = (slug.replace("-", ""), slug.replace("-", "_"))
        for written in (name, slug, name.upper(), f"  {name} L. ", unmarked, *unjoined):
            assert taxa.find(written) == row, written


def test_every_row_is_found_by_all_its_names() -> None:
    for row in ROWS:
        assert taxa.find(row.species.lower().replace(" ", "_")) == row
        for name in (*row.inatag, *row.synonyms):
            assert taxa.find(name) == row, name
        for name in (row.en.upper(), row.ja):
            assert not name or taxa.called(name) == row, name


@pytest.mark.parametrize(
    ("written", "species"),
    [
        ("Echinochloa crus-galli (L.) P. Beauv.", "Echinochloa crus-galli"),
        ("echinochloa_crus_galli", "Echinochloa crus-galli"),
        ("Conyza canadensis (L.) Cronquist", "Erigeron canadensis"),
        ("Polygonum convolvulus L.", "Fallopia convolvulus"),
        ("matricaria_perforata", "Tripleurospermum inodorum"),
        ("Elytrigia repens", "Elymus repens"),
        ("Mentha x piperita L.", "Mentha × piperita"),
        ("×Citrofortunella microcarpa", "Citrus × microcarpa"),
        ("x Citrofortunella microcarpa", "Citrus × microcarpa"),
        ("Brassica rapa L. subsp. chinensis (L.) Hanelt", "Brassica rapa subsp. chinensis"),
        ("Brassica rapa ssp. chinensis", "Brassica rapa subsp. chinensis"),
        ("Brassica rapa L.", "Brassica rapa"),
        ("daucus_carrota", "Daucus carota"),
    ],
)
def test_synonyms_authors_and_ranks_find_the_taxon(written: str, species: str) -> None:
    found = taxa.find(written)
    assert found is not None
    assert found.species == species


@pytest.mark.parametrize(
    "name", ["", " ", "x", "×", "Stellaria", "Stellaria media var. major", "L.", "common chickweed", "_"]
)
def test_what_is_no_name_of_the_table_is_not_found(name: str) -> None:
    assert taxa.find(name) is None


@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    for found in (taxa.find(text), taxa.called(text)):
        assert found is None or found in ROWS


def test_the_classes_of_a_model_are_resolved() -> None:
    found = taxa.resolve(
        ["stellaria_media", "fungus_mirabilis", "polygonum_persicaria", "persicaria_maculosa"]
    )
    assert [taxon and taxon.species for taxon in found.taxa] == [
        "Stellaria media",
        None,
        "Persicaria maculosa",
        "Persicaria maculosa",
    ]
    assert found.unmapped == ("fungus_mirabilis",)
    assert found.shared == {"Persicaria maculosa": ("polygonum_persicaria", "persicaria_maculosa")}


@pytest.mark.parametrize("labels", [STARTER_MODEL / "labels.csv", ROOT / "scripts" / "training" / "taxa.csv"])
def test_the_starter_model_says_the_same_of_its_plants(labels: Path) -> None:
    with labels.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for row in rows:
        taxon = taxa.find(row["scientific_name"])
        assert taxon is not None
        assert (taxon.species, taxon.genus) == (row["scientific_name"], row["genus"])
        assert (taxon.family, taxon.ja) == (row["family"], row["common_name_ja"])
        assert (taxon.eppo, taxon.gbif) == (row["eppo"], row["gbif"])
        assert taxon.en.casefold() == row["common_name_en"].casefold()


def test_the_weeds_of_the_shipped_lists_have_japanese_names() -> None:
    """The names are what the owners of these lists know the plants by."""
    for region in shipped():
        unnamed = [name for name in read_region(region).species if not taxa.common_name(name, "ja")]
        assert len(unnamed) <= 4, unnamed


def test_the_readme_tells_how_many_plants_there_are() -> None:
    assert f"{len(ROWS):,} plants" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_reading_the_table_loads_no_other_module() -> None:
    code = (
        # Measuring coverage loads modules of its own before the first line.
        "import sys; before = set(sys.modules); import lib.taxa; lib.taxa.common_name('Poa annua'); "
        "print(sorted({'numpy', 'csv', 'PIL', 'json'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
