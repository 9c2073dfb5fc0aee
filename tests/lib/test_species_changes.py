"""Shared, lost and gained species, and whether one may merely have been missed."""

from __future__ import annotations

import numpy as np
import pytest

from lib.day_sums import DaySum
from lib.species_changes import SpeciesChange, species_changes


def side(*labellings: list[int], labels: list[int] | None = None) -> DaySum:
    counts = np.array(labellings, dtype=np.int64)
    return DaySum(counts, np.array(labels or labellings[0], dtype=np.int64), 0.0, 0)


def names(found: list[SpeciesChange]) -> list[str]:
    return [each.species for each in found]


NAMES = ["Poa annua", "Rumex obtusifolius", "Stellaria media", "Zea mays"]


def test_each_species_is_shared_lost_or_gained() -> None:
    found = species_changes(NAMES, side([9, 4, 0, 2]), side([1, 0, 5, 30]))
    assert names(found.shared) == ["Zea mays", "Poa annua"]  # 32 units and 10
    assert names(found.lost) == ["Rumex obtusifolius"]
    assert names(found.gained) == ["Stellaria media"]
    assert found.gained[0].common_name == "Common chickweed"
    shared = found.shared[0]
    assert (shared.count_a, shared.count_b, shared.missed_by_chance, shared.absence) == (2, 30, None, None)


def test_the_chance_to_have_missed_it_by_hand() -> None:
    """4 of 20 units in a, no singleton, so that a covers all; ten units in b: (1 − 0.2)^10."""
    found = species_changes(NAMES, side([16, 4, 0, 0]), side([10, 0, 0, 0]))
    (lost,) = found.lost
    assert lost.missed_by_chance == pytest.approx(0.8**10)
    assert lost.absence == "perhaps_missed"
    (lost,) = species_changes(NAMES, side([16, 4, 0, 0]), side([20, 0, 0, 0])).lost
    assert lost.missed_by_chance == pytest.approx(0.8**20)
    assert lost.absence == "absent"


def test_a_rare_species_is_rarer_than_its_share_of_the_finds() -> None:
    """Coverage of 8, 1, 1 is 1 − 2/10 · 9/11."""
    (lost, _) = species_changes(NAMES, side([8, 1, 1, 0]), side([10, 0, 0, 0])).lost
    coverage = 1 - 0.2 * 9 / (9 + 2)
    assert lost.missed_by_chance == pytest.approx((1 - 0.1 * coverage) ** 10)


def test_a_doubtful_label_is_no_loss() -> None:
    sure = species_changes(NAMES, side([16, 4, 0, 0], [16, 4, 0, 0]), side([40, 0, 0, 0], [40, 0, 0, 0]))
    doubtful = species_changes(
        NAMES, side([16, 4, 0, 0], [20, 0, 0, 0], labels=[16, 4, 0, 0]), side([40, 0, 0, 0], [40, 0, 0, 0])
    )
    assert sure.lost[0].absence == "absent"
    assert doubtful.lost[0].missed_by_chance == pytest.approx((0.8**40 + 1) / 2)
    assert doubtful.lost[0].absence == "perhaps_missed"
    assert (doubtful.lost[0].count_a, doubtful.lost[0].expected_a) == (4, 2.0)


def test_nothing_is_missed_where_nothing_was_looked_at() -> None:
    (lost,) = species_changes(["Poa annua"], side([7]), side([0])).lost
    assert lost.missed_by_chance == 1.0


def test_a_species_that_only_some_labelling_has_is_not_listed() -> None:
    found = species_changes(NAMES, side([5, 0, 0, 0], [4, 1, 0, 0]), side([5, 0, 0, 0], [5, 0, 0, 0]))
    assert (names(found.shared), found.lost, found.gained) == (["Poa annua"], [], [])
