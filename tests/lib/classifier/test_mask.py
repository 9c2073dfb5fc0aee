"""Which classes a list leaves possible, looked up once for each list."""

from __future__ import annotations

import numpy as np
import pytest

from lib.classifier import mask
from lib.classifier.mask import Masks
from lib.classifier.taxonomy import Taxon

NAMES = ("Stellaria media", "capsella_bursa_pastoris", "Genus nobody", "Zea mays")
LABELS = [Taxon(name, name.split()[0], "") for name in NAMES]


@pytest.fixture
def masks() -> Masks:
    return Masks(LABELS, np.array([0.1, 0.2, 0.3, 0.4]))


def test_it_finds_names_other_spellings_and_names_that_no_table_has(masks: Masks) -> None:
    found = masks.of({"Capsella bursa-pastoris", "Genus nobody", "Bellis perennis"})
    assert found.possible.tolist() == [False, True, True, False]
    assert found.possible.dtype == bool
    assert found.count == 2
    assert found.prior_mass == pytest.approx(0.5)


def test_the_whole_model_has_the_whole_prior(masks: Masks) -> None:
    found = masks.of(NAMES)
    assert (found.count, found.prior_mass) == (4, pytest.approx(1))


def test_an_empty_list_and_one_of_strangers_leave_nothing(masks: Masks) -> None:
    for species in ((), {"Bellis perennis"}):
        found = masks.of(species)
        assert (found.count, found.prior_mass, found.possible.any()) == (0, 0, False)


def test_a_list_is_looked_up_once_and_seldom_used_ones_are_forgotten(
    masks: Masks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    is_on = mask.is_on
    monkeypatch.setattr(mask, "is_on", lambda species, name: asked.append(name) or is_on(species, name))
    first = masks.of({"Zea mays"})
    assert masks.of(frozenset({"Zea mays"})) is first
    assert len(asked) == len(NAMES)
    for number in range(mask.KEPT - 1):
        masks.of({f"Genus species{number}"})
        assert masks.of({"Zea mays"}) is first  # used again and again, it stays
    masks.of({"Genus last"})
    assert masks.of({"Zea mays"}) is first
    asked.clear()
    masks.of({"Genus species0"})
    assert len(asked) == len(NAMES)
