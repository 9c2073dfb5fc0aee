"""What a comparison found, in sentences: every verdict, reason and note has its words in both languages."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from lib import comparison, side_by_side
from lib.comparison import Note
from lib.contrasts import Direction, Dissimilarity
from lib.diversity import Estimate
from lib.sides import parse
from lib.species_changes import SpeciesChange
from lib.store.sample import SampleStore
from lib.web import comparing
from lib.web.words import Words

EN, JA = Words("en"), Words("ja")


@pytest.fixture(scope="module")
def found() -> side_by_side.Comparison:
    """Two sample seasons."""
    return side_by_side.build(SampleStore(), parse("2024"), parse("2025"), "shannon_diversity", {})


def test_whatever_can_be_found_has_words() -> None:
    directions = set(get_args(Direction))
    assert set(comparing.DIVERSITY) == set(comparing.VERDICTS) == directions
    assert set(comparing.DAILY) == {*directions, "too_few"}
    assert set(comparing.SIZES) == set(get_args(comparison.Size))
    assert set(comparing.TOO_FEW) == set(comparison.REASONS) == set(get_args(comparison.TooFew))
    assert {name for name, _, _ in comparing.UNLIKENESS} == set(Dissimilarity.__dataclass_fields__) - {
        "at_equal_coverage"
    }


def test_every_note_is_said_but_those_that_stand_at_their_side(found: side_by_side.Comparison) -> None:
    codes = [note.code for note in found.notes]
    assert set(codes) <= set(comparing.NOTES)
    assert len(comparing.notes_words(found.notes, EN)) == len(codes)
    assert comparing.notes_words([Note("too_few_a", "…")], EN) == []
    assert comparing.notes_words(found.notes, JA) != comparing.notes_words(found.notes, EN)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("higher", "after is more diverse than before: "),
        ("lower", "after is less diverse than before: "),
        ("none", "No difference in diversity for sure: after has "),
    ],
)
def test_diversity_is_told_by_the_order_that_weighs_by_share(
    found: side_by_side.Comparison, verdict: Direction, words: str
) -> None:
    assert found.standardised is not None
    hill = [
        replace(
            each,
            verdict=verdict if each.order == 1 else "none",
            ratio=Estimate(1.25, 0.1, 1.1, 1.42),
            p=0.004,
        )
        for each in found.standardised.hill
    ]
    found = _with(found, standardised=replace(found.standardised, hill=hill))
    first = comparing.findings(found, "before", "after", EN)[0]
    assert first.startswith(words)
    assert "1.25 times as many equally common species" in first
    assert "(1.10–1.42), p = 0.004." in first
    assert "before" in comparing.findings(found, "before", "after", JA)[0]


def test_composition_is_the_share_that_would_have_to_change(found: side_by_side.Comparison) -> None:
    assert found.dissimilarity is not None
    unlike = replace(found.dissimilarity, bray_curtis=Estimate(0.23, 0.02, 0.18, 0.28))
    sentences = comparing.findings(_with(found, dissimilarity=unlike), "A", "B", EN)
    assert (
        "For both sides to be alike, 23% of the plants of one would have to be of other species (18%–28%)."
        in (sentences)
    )


def test_without_enough_plants_only_the_species_are_told(found: side_by_side.Comparison) -> None:
    few = _with(found, standardised=None, dissimilarity=None, gamma_alpha_beta=None)
    (sentence,) = comparing.findings(few, "A", "B", EN)
    assert sentence.startswith(f"Species on both sides: {len(found.species.shared)}; in A only: ")
    nothing = _with(few, species=replace(found.species, shared=[], lost=[], gained=[]))
    assert comparing.findings(nothing, "A", "B", EN) == []


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (
            "higher",
            "On a survey day of B the value tends to be higher than on one of A: the difference is large, ",
        ),
        (
            "lower",
            "On a survey day of B the value tends to be lower than on one of A: the difference is large, ",
        ),
        ("none", "The daily values of B and of A do not differ for sure: the difference is large, "),
    ],
)
def test_daily_values_have_their_test_in_words(
    found: side_by_side.Comparison, verdict: Direction, words: str
) -> None:
    daily = replace(found.daily, verdict=verdict, size="large", p=0.0001)
    assert comparing.daily_words(daily, "A", "B", EN) == f"{words}p < 0.001."


def test_too_few_days_are_counted_against_what_is_needed(found: side_by_side.Comparison) -> None:
    few = replace(
        found.daily,
        verdict="too_few",
        size=None,
        p=None,
        a=replace(found.daily.a, days=2),
        b=replace(found.daily.b, days=30),
    )
    assert (
        comparing.daily_words(few, "A", "B", EN)
        == "Too few days for a test: 2 of A and 30 of B can be compared, and each side needs at least 4."
    )


def test_a_side_that_cannot_be_compared_says_why() -> None:
    assert comparing.too_few_words(None, EN) == ""
    assert (
        comparing.too_few_words("few_plants", EN)
        == "There are fewer than 5 plants: too few for a comparison."
    )
    for reason in comparing.TOO_FEW:
        assert comparing.too_few_words(reason, JA) != comparing.too_few_words(reason, EN)


def test_a_species_is_absent_or_perhaps_only_missed() -> None:
    change = SpeciesChange("Poa annua", None, 3, 0, 3.0, 0.0, 0.0002, "absent")
    assert comparing.absence_words(change, EN) == "absent (p < 0.001)"
    missed = replace(change, missed_by_chance=0.31, absence="perhaps_missed")
    assert comparing.absence_words(missed, EN) == "perhaps only missed (p = 0.31)"


def _with(found: side_by_side.Comparison, **changed: object) -> side_by_side.Comparison:
    given = {name: getattr(found, name) for name in found.__struct_fields__}
    return side_by_side.Comparison(**(given | changed))
