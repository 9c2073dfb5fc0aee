"""Lookalikes: who is taken for whom, both ways, under the accepted names."""

from __future__ import annotations

from lib.config import STARTER_MODEL
from lib.lookalikes import MOST, Lookalikes, Mix, lookalikes
from lib.plant_names import KnownPlant, known_plant


def plant(name: str) -> KnownPlant:
    found = known_plant(name, STARTER_MODEL)
    assert found is not None
    return found


def test_the_models_own_test_tells_both_ways() -> None:
    found = lookalikes(plant("Apera spica-venti"), STARTER_MODEL)
    assert found.tested == [Mix("Alopecurus myosuroides", 3, 7)]
    assert found.corrected == []


def test_corrections_are_added_up_under_accepted_names() -> None:
    corrections = [
        ("Zea mays", "Tripleurospermum perforatum", 2),
        ("Tripleurospermum inodorum", "Zea mays", 5),
        ("Matricaria perforata", "Zea mays", 1),
        ("Poa annua", "Tripleurospermum inodorum", 3),
        # A synonym of the plant itself is no lookalike, and other plants' mistakes are not its own.
        ("Tripleurospermum inodorum", "Matricaria perforata", 9),
        ("Poa annua", "Zea mays", 9),
    ]
    found = lookalikes(plant("Tripleurospermum inodorum"), STARTER_MODEL, corrections)
    assert found.corrected == [Mix("Zea mays", 6, 2), Mix("Poa annua", 0, 3)]


def test_relatives_are_of_the_genus_the_seen_ones_first() -> None:
    found = lookalikes(plant("Stellaria aquatica"), STARTER_MODEL, seen=["Zea mays", "Stellaria neglecta"])
    assert found.relatives == ["Stellaria neglecta", "Stellaria media"]
    assert not found.empty


def test_a_plant_without_any_says_nothing() -> None:
    assert lookalikes(KnownPlant("<b>", ("<b>",)), STARTER_MODEL, seen=["<b>", "Zea mays"]).empty
    assert Lookalikes([], [], []).empty


def test_lists_end_where_nobody_compares_any_more() -> None:
    corrections = [("Zea mays", f"Poa number{number}", number + 1) for number in range(3 * MOST)]
    seen = [f"Zea number{number}" for number in range(3 * MOST)]
    found = lookalikes(plant("Zea mays"), STARTER_MODEL, corrections, seen)
    assert len(found.corrected) == len(found.relatives) == MOST
    assert found.corrected[0] == Mix(f"Poa number{3 * MOST - 1}", 3 * MOST, 0)
