"""Type-ahead over taxa: every name of every taxon finds it, in every way that people type it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import taxa
from lib.config import STARTER_MODEL
from lib.labels import HumanLabel, human_label
from lib.model_facts import known_model
from lib.taxon_search import LONGEST_QUERY, FoundTaxon, search, suggestions, words_of

ROWS = taxa.table()
MODEL = known_model(STARTER_MODEL).taxa
CHICKWEED = FoundTaxon("Stellaria media", "species", "Common chickweed", "コハコベ", "Caryophyllaceae", True)


def names(query: str, limit: int = 10) -> list[str]:
    return [found.name for found in search(query, STARTER_MODEL, limit)]


@pytest.mark.parametrize(
    "query",
    [
        "Stellaria media",
        "STELLARIA MEDIA",
        "  stellaria \t media ",
        "stellaria_media",
        "s. media",
        "S.media",
        "ste med",
        "st m",
        "common chickw",
        "chickweed",
        "CHICK",
        "com chi",
        "コハコベ",
        "ハコベ",
        "こはこべ",
        "はこべ",
        "ｺﾊｺﾍﾞ",
        "Ｓｔｅｌｌａｒｉａ　ｍｅｄｉａ",
        "llaria med",
    ],
)
def test_it_finds_a_weed_of_the_model_first_however_it_is_typed(query: str) -> None:
    assert search(query, STARTER_MODEL)[0] == CHICKWEED


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("echinochloa crus-galli", "Echinochloa crus-galli"),
        ("crus galli", "Echinochloa crus-galli"),
        ("mentha piperita", "Mentha × piperita"),
        ("mentha x pip", "Mentha × piperita"),
        ("mentha × piperita", "Mentha × piperita"),
        ("shepherd’s purse", "Capsella bursa-pastoris"),
        ("shepherds pur", "Capsella bursa-pastoris"),
        ("cerastium viscosum", "Cerastium glomeratum"),
        ("hieracium aurantiacum", "Pilosella aurantiaca"),
        ("gramineae", "Poaceae"),
        ("compos", "Asteraceae"),
        ("イネ", "Oryza sativa"),
    ],
)
def test_it_finds_synonyms_hybrids_and_older_families(query: str, name: str) -> None:
    assert name in names(query)


def test_exact_names_come_first_then_the_model_then_beginnings() -> None:
    assert names("stellaria")[:2] == ["Stellaria", "Stellaria media"]
    assert names("poa annua")[0] == "Poa annua"  # which the starter model does not know
    of_model = [found.in_model for found in search("chick", STARTER_MODEL)]
    assert of_model == sorted(of_model, reverse=True)
    found = names("media", 50)
    within = next(i for i, name in enumerate(found) if "media" in name and " media" not in name)
    assert all(" media" not in name for name in found[within:])


def test_genera_and_families_are_told_with_what_is_known_of_them() -> None:
    assert search("Stellaria", STARTER_MODEL)[0] == FoundTaxon(
        "Stellaria", "genus", None, None, "Caryophyllaceae", True
    )
    assert search("Caryophyllaceae", STARTER_MODEL)[0] == FoundTaxon(
        "Caryophyllaceae", "family", None, None, None, True
    )
    assert search("Persicaria", STARTER_MODEL)[0] == FoundTaxon(
        "Persicaria", "genus", None, None, "Polygonaceae", False
    )
    assert search("ミゾソバ", STARTER_MODEL)[0] == FoundTaxon(
        "Persicaria thunbergii", "species", None, "ミゾソバ", "Polygonaceae", False
    )


@given(st.sampled_from(ROWS))
def test_every_plant_of_the_table_is_found_by_each_of_its_names(row: taxa.Taxon) -> None:
    for name in filter(None, (row.species, row.en, row.ja, *row.synonyms, *row.inatag)):
        assert row.species in names(name, 50), name


@given(st.sampled_from(MODEL), st.data())
def test_every_taxon_of_the_model_is_found_by_each_of_its_names(taxon: object, data: st.DataObject) -> None:
    each = data.draw(st.sampled_from(MODEL))
    for name in (each.species, each.common_name_en, each.common_name_ja):
        if name:
            assert each.species in names(name)
    for name in filter(None, (each.genus, each.family)):
        assert names(name)[0] == name


@given(st.sampled_from(ROWS), st.data())
def test_the_beginnings_of_the_words_find_a_plant(row: taxa.Taxon, data: st.DataObject) -> None:
    words = words_of(row.species)
    begun = [word[: data.draw(st.integers(3, max(3, len(word))))] for word in words]
    assert row.species in names(" ".join(begun), 3000)


@given(st.text(max_size=30), st.integers(1, 20))
def test_any_text_is_answered_within_the_limit_and_the_same_again(query: str, limit: int) -> None:
    found = search(query, STARTER_MODEL, limit)
    assert len(found) <= limit
    assert found == search(query, STARTER_MODEL, limit)
    assert len({each.name for each in found}) == len(found)
    assert found == search(query, STARTER_MODEL, limit + 5)[:limit]


@given(st.text(st.sampled_from("aerst .-_×'ハはﾊﾞ\n\\[(*+?|"), max_size=12))
def test_signs_of_patterns_are_only_signs(query: str) -> None:
    for found in search(query, STARTER_MODEL, 5):
        assert found.level in ("species", "genus", "family")


@pytest.mark.parametrize("query", ["", " ", "\n", "...", "-", "×", "()", "\x00", "\ud800"])
def test_a_query_without_a_letter_finds_nothing(query: str) -> None:
    assert names(query) == []


def test_a_long_query_is_cut_where_no_name_reaches() -> None:
    longest = max(len(name) for row in ROWS for name in (row.species, row.en, row.ja, *row.synonyms))
    assert longest < LONGEST_QUERY
    assert names("stellaria media" + " " * 100 + "zzz") == names("stellaria media")
    assert names("a " * 5000) == names("a " * 50)


def test_what_is_suggested_is_what_the_label_becomes() -> None:
    for letter in "abcdefghijklmnopqrstuvwxyz":
        for found in search(letter, STARTER_MODEL, 40):
            assert human_label(found.name, STARTER_MODEL) == HumanLabel(found.name, found.level)


def test_it_follows_a_model_that_changes(tmp_path: Path) -> None:
    for name in ("model.json", "labels.csv"):
        shutil.copy(STARTER_MODEL / name, tmp_path / name)
    assert not search("persicaria thun", tmp_path)[0].in_model
    labels = tmp_path / "labels.csv"
    count = len(labels.read_text(encoding="utf-8").splitlines()) - 1
    with labels.open("a", encoding="utf-8") as file:
        file.write(f'{count},"Persicaria\nthunbergii",Persicaria,,,,,\n{count + 1},Poa annua,,,,,,\n')
    assert search("Poa annua", tmp_path)[0] == FoundTaxon(
        "Poa annua", "species", "Annual meadow grass", "スズメノカタビラ", "Poaceae", True
    )
    assert search("persicaria thun", tmp_path)[0].in_model
    labels.unlink()
    assert not any(found.in_model for found in search("s", tmp_path, 50))
    assert "Stellaria media" in [found.name for found in search("chickweed", tmp_path)]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Stelaria media", "Stellaria media"),
        ("stellaria mediaa", "Stellaria media"),
        ("Capsela bursa pastoris", "Capsella bursa-pastoris"),
        ("chikweed", "Stellaria media"),
        ("Stellaria zzzzzz", "Stellaria media"),
        ("トウモロコヒ", "Zea mays"),
        ("Stellaria media", "Stellaria media"),
    ],
)
def test_a_name_that_nobody_knows_suggests_those_that_are_like_it(query: str, name: str) -> None:
    assert name in [found.name for found in suggestions(query, STARTER_MODEL)]


@pytest.mark.parametrize("query", ["", "<b>", "x y", "qqqqqqqqqqq", "[(*+?|", "\n\n", "مرحبا"])
def test_what_is_like_no_name_suggests_nothing(query: str) -> None:
    assert suggestions(query, STARTER_MODEL) == []


@given(st.text(max_size=120), st.integers(1, 6))
def test_any_text_has_no_more_suggestions_than_asked_for(query: str, limit: int) -> None:
    assert len(suggestions(query, STARTER_MODEL, limit)) <= limit
