"""Which plant a name means: in every language and spelling, and nothing for what nobody knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import taxa
from lib.config import STARTER_MODEL
from lib.plant_names import LONGEST_NAME, known_plant

ROWS = taxa.table()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Stellaria media", "Stellaria media"),
        ("stellaria_media", "Stellaria media"),
        ("  STELLARIA   media (L.) Vill. ", "Stellaria media"),
        ("Common Chickweed", "Stellaria media"),
        ("コハコベ", "Stellaria media"),
        ("こはこべ", "Stellaria media"),
        ("ｺﾊｺﾍﾞ", "Stellaria media"),
        ("Tripleurospermum perforatum", "Tripleurospermum inodorum"),
        ("shepherds purse", "Capsella bursa-pastoris"),
        ("イヌカミツレ", "Tripleurospermum inodorum"),
    ],
)
def test_every_way_to_write_a_name_means_the_accepted_one(written: str, name: str) -> None:
    plant = known_plant(written, STARTER_MODEL)
    assert plant is not None
    assert plant.name == plant.names[0] == name


def test_what_is_known_of_it_is_told() -> None:
    plant = known_plant("Tripleurospermum inodorum", STARTER_MODEL)
    assert plant is not None
    assert (plant.genus, plant.family) == ("Tripleurospermum", "Asteraceae")
    assert (plant.en, plant.ja, plant.eppo) == ("Scentless mayweed", "イヌカミツレ", "MATIN")
    assert plant.in_model
    assert plant.in_table
    assert "Matricaria perforata" in plant.names
    assert set(plant.synonyms) < set(plant.names)
    poa = known_plant("Poa annua", STARTER_MODEL)
    assert poa is not None
    assert (poa.in_model, poa.in_table) == (False, True)


@pytest.mark.parametrize(
    "written",
    ["", "  ", "Nonsense plant", "Stellaria", "Poaceae", "<b>", "مرحبا", "\x00", "a" * (LONGEST_NAME + 1)],
)
def test_what_is_no_species_means_nothing(written: str) -> None:
    assert known_plant(written, STARTER_MODEL) is None


@pytest.mark.parametrize("name", ["<b>weed</b> & co", "נרקיס", "Unknownia  nova"])
def test_days_may_count_what_nobody_else_knows(name: str) -> None:
    plant = known_plant(name, STARTER_MODEL, ["Zea mays", name])
    assert plant is not None
    assert (plant.names, plant.in_model, plant.in_table) == ((name,), False, False)
    again = known_plant(name.upper(), STARTER_MODEL, [" ".join(name.split())])
    assert again is not None
    assert again.name == " ".join(name.split())


def test_a_model_may_know_what_the_table_does_not(tmp_path: Path) -> None:
    for name in ("model.json", "labels.csv"):
        shutil.copy(STARTER_MODEL / name, tmp_path / name)
    labels = tmp_path / "labels.csv"
    lines = labels.read_text(encoding="utf-8")
    number = len(lines.splitlines()) - 1
    lines += f"{number},Unknownia nova,Unknownia,Novaceae,New weed,シンソウ,UNKNO,123\n"
    lines += f"{number + 1},Poa_annua,Poa,Poaceae,,,,2704179\n"
    labels.write_text(lines, encoding="utf-8")
    for written in ("unknownia nova", "NEW WEED", "シンソウ"):
        plant = known_plant(written, tmp_path)
        assert plant is not None
        assert (plant.name, plant.names, plant.in_table) == ("Unknownia nova", ("Unknownia nova",), False)
        assert (plant.family, plant.en, plant.eppo, plant.gbif) == ("Novaceae", "New weed", "UNKNO", "123")
    poa = known_plant("poa annua", tmp_path)
    assert poa is not None
    assert (poa.name, poa.in_model, poa.gbif) == ("Poa annua", True, "2704179")
    assert "Poa_annua" in poa.names


@given(st.sampled_from(ROWS))
def test_every_plant_of_the_table_is_itself(row: taxa.Taxon) -> None:
    plant = known_plant(row.species, STARTER_MODEL)
    assert plant is not None
    assert plant.name == row.species
    assert {row.species, *row.synonyms} <= set(plant.names)


@given(st.text(max_size=60))
def test_any_text_means_a_plant_that_means_itself_or_nothing(text: str) -> None:
    plant = known_plant(text, STARTER_MODEL)
    if plant is not None:
        assert known_plant(plant.name, STARTER_MODEL) == plant
