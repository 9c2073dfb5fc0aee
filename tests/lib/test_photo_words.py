"""Photos and their days in words: why a day cannot be compared with others, and by how little."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from lib.store.records import DayRow
from lib.web.photo_words import effort_words
from lib.web.words import Words


def day(plants: float, coverage: float | None = None) -> DayRow:
    given: dict[str, Any] = {"known_units": plants, "coverage_estimate": coverage}
    return DayRow(date=date(2025, 6, 10), total_images=9, **given)


@pytest.mark.parametrize(
    ("plants", "english", "japanese"),
    [
        (0.4, "No plant of a known species was found", "種のわかる植物は見つかりませんでした"),
        (0.96, "Only one plant could be counted;", "数えられた植物は1株だけです"),
        (1.14, "Only 1.1 plants could be counted;", "数えられた植物は1.1株だけです"),
        (2.98, "Only 3 plants could be counted;", "数えられた植物は3株だけです"),
        (3.02, "Only 3 plants could be counted;", "数えられた植物は3株だけです"),
        (4.97, "Only 4.9 plants could be counted;", "数えられた植物は4.9株だけです"),
    ],
)
def test_too_few_plants_are_told_as_a_person_counts(plants: float, english: str, japanese: str) -> None:
    assert english in effort_words(day(plants, 0.9), Words("en"))
    assert japanese in effort_words(day(plants, 0.9), Words("ja"))


@pytest.mark.parametrize(
    ("coverage", "told"),
    [(0.3, "an estimated 30% "), (0.4967, "an estimated 49% "), (None, "an estimated 0% ")],
)
def test_too_little_coverage_is_not_rounded_up_to_enough(coverage: float | None, told: str) -> None:
    words = effort_words(day(9, coverage), Words("en"))
    assert told in words
    assert "at least 50%" in words


def test_a_day_with_enough_of_both_needs_no_words() -> None:
    assert effort_words(day(9, 0.5), Words("en")) == ""
