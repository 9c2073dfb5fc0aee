"""Every value of the reference set that this package offers, within the tolerance the set states."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lib import diversity
from tests.lib.diversity.reference import families
from tests.lib.diversity.reference.sections import SECTIONS

COMPARED = [(section, name) for section in SECTIONS for name in section.families]


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """The reference set; without it the tests are skipped, but never in CI."""
    found = families.load()
    if found is None:
        message = f"the reference values are missing: {families.golden_path()} (set DIVERSITY_REFERENCE)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def values(golden: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Section -> family -> its values."""
    return {section.name: families.values_of(golden, section.name) for section in SECTIONS}


@pytest.mark.parametrize(
    ("section", "name"), COMPARED, ids=[f"{section.name} {name}" for section, name in COMPARED]
)
def test_it_agrees_with_every_reference_value(
    values: dict[str, dict[str, Any]], section: families.Section, name: str
) -> None:
    family = section.families[name]
    outcome = families.compare(family, values[section.name].get(name, []))
    assert not outcome.wrong, "\n".join(outcome.wrong)
    # A changed number means that values were skipped, or that the set grew and wants a look.
    assert (outcome.compared, outcome.left_out.total()) == (family.values, family.left_out), outcome.left_out


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_no_family_is_forgotten(values: dict[str, dict[str, Any]], section: families.Section) -> None:
    """Every family of the set is compared, or has a reason why not; and no table speaks of what is not there."""
    in_the_set = values[section.name].keys()
    assert section.families.keys() - in_the_set == set()
    left = in_the_set - section.families.keys()
    assert [name for name in left if section.reason(name) is None] == []
    idle = [
        pattern
        for pattern in section.not_compared
        if not any(families.matches(pattern, name) for name in left)
    ]
    assert idle == [], "a reason that no family needs"


def test_every_value_of_the_set_is_accounted_for(golden: dict[str, Any], values: dict[str, Any]) -> None:
    """Compared, left out for a stated reason, or of a family that is not compared: together all of them."""
    total = 0
    for section in SECTIONS:
        for name, found in values[section.name].items():
            family = section.families.get(name)
            if family is None:
                total += len(found)
            else:
                total += family.values + family.left_out
    assert total == golden["counts"]["values"]


def test_empty_samples_have_no_value(golden: dict[str, Any]) -> None:
    empty = [case for case in golden["cases"] if case["n"] == 0]
    assert len(empty) == 2
    (cases,) = [section for section in SECTIONS if section.name == "cases"]
    for case in empty:
        assert diversity.richness(case["counts"]) == 0
        for name, family in cases.families.items():
            if name != "richness":
                assert family.compute(case, (1.0,) if "@" in name else ()) is None, name
