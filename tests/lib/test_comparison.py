"""Two sets of days compared: what is summed up, what is left out and why, and the test of the daily values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import comparison
from lib.comparison import compare, daily_test, notes_of
from lib.store.records import DayRow

POA, ZEA, RUMEX, STELLARIA = "Poa annua", "Zea mays", "Rumex obtusifolius", "Stellaria media"


def day(
    number: int, counts: dict[str, int], draws: dict[str, list[int]] | None = None, **more: Any
) -> DayRow:
    fields: dict[str, Any] = {
        "total_images": sum(counts.values()) + 1,
        "coverage_estimate": 1.0 if counts else None,
        "estimate": {} if draws is None else {"draws": draws, "unknown": 0.5},
    }
    start = date(2025, 6, 1)
    return DayRow(start + timedelta(days=number), species_counts=counts, **(fields | more))


def side(*days: dict[str, int]) -> list[DayRow]:
    return [day(number, counts) for number, counts in enumerate(days)]


def codes(a: Sequence[DayRow], b: Sequence[DayRow]) -> list[str]:
    return [note.code for note in notes_of(compare(a, b, "hill_q1"))]


JUNE = side({POA: 20, ZEA: 8}, {POA: 12, ZEA: 5, RUMEX: 7})
JULY = side({POA: 9, STELLARIA: 25}, {POA: 6, ZEA: 3})


class TestSides:
    def test_a_side_is_summed_up(self) -> None:
        rows = [*JUNE, day(2, {POA: 2}), day(3, {}, total_images=4)]
        a = compare(rows, JULY, "hill_q1").a
        assert (a.first_day, a.last_day) == (date(2025, 6, 1), date(2025, 6, 4))
        assert (a.days, a.days_none, a.days_low, a.certain_days) == (4, 1, 1, 3)
        assert (a.photos, a.units, a.species, a.unknown) == (29 + 25 + 3 + 4, 54.0, 3, 0.0)
        assert a.too_few is None
        assert a.observed is not None
        assert a.observed.hill_q0 == pytest.approx(3)
        assert a.observed.coverage == pytest.approx(1)
        shares = (34 / 54, 13 / 54, 7 / 54)
        assert a.observed.hill_q1 == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)))
        assert a.observed.hill_q2 == pytest.approx(1 / sum(p * p for p in shares))

    def test_labellings_are_averaged_and_the_unknown_counted(self) -> None:
        rows = [day(0, {POA: 9, ZEA: 1}, {POA: [9, 10], ZEA: [1, 0], RUMEX: [5, 3]})]
        found = compare(rows, JULY, "hill_q1")
        assert found.labellings == 2
        assert (found.a.units, found.a.unknown, found.a.certain_days) == (14.0, 0.5, 0)
        assert found.a.observed is not None
        assert found.a.observed.hill_q0 == pytest.approx(2.5)
        assert found.a.species == 2

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            ([], "no_survey"),
            (side({}, {}), "no_plants"),
            (side({POA: 2}, {POA: 2}), "few_plants"),
            ([day(0, {POA: 6}, {POA: [6, 4]})], "few_plants"),
            ([day(0, {POA: 6}, {POA: [6, 0]})], "few_plants"),
            (side({POA: 2, ZEA: 1, RUMEX: 1, STELLARIA: 1}), "low_coverage"),
            (side({POA: 5}), None),
        ],
    )
    def test_a_side_with_too_little_says_why(self, rows: list[DayRow], reason: str | None) -> None:
        found = compare(rows, JULY, "hill_q1")
        mirrored = compare(JULY, rows, "hill_q1")
        assert found.a.too_few == mirrored.b.too_few == reason
        for each in (found, mirrored):
            parts = (each.standardised, each.dissimilarity, each.gamma_alpha_beta)
            assert [part is None for part in parts] == [reason is not None] * 3
        if reason is not None:
            assert notes_of(found)[0].code == "too_few_a"
            assert notes_of(mirrored)[0].code == "too_few_b"
            assert comparison.REASONS[reason] in notes_of(found)[0].text

    def test_species_are_listed_even_where_nothing_else_can_be_said(self) -> None:
        found = compare(side({POA: 1, RUMEX: 1}), JULY, "hill_q1")
        assert [each.species for each in found.species.shared] == [POA]
        assert [each.species for each in found.species.lost] == [RUMEX]
        assert {each.species for each in found.species.gained} == {STELLARIA, ZEA}


class TestNotes:
    def test_each_is_there_when_it_applies(self) -> None:
        assert codes(JUNE, JULY) == ["certain_labels", "plants_independent", "effort_differs"]
        drawn = [day(0, {POA: 10, ZEA: 6}, {POA: [10, 10], ZEA: [6, 6]}, hill_q1=2.0)]
        assert codes(drawn, drawn) == ["plants_independent", "days_independent"]

    def test_one_day_is_one_day(self) -> None:
        (note, *_) = notes_of(compare(JUNE[:1], [], "hill_q1"))[1:]
        assert note.text.startswith("One day says")


class TestDaily:
    def rows(self, *values: float | None) -> list[DayRow]:
        return [day(number, {POA: 9, ZEA: 3}, hill_q1=value) for number, value in enumerate(values)]

    def test_by_hand(self) -> None:
        """All 25 pairs of a day of b and a day of a are won by b: U = 25, p = 2 of the 252 ways."""
        found = daily_test(self.rows(1, 2, 3, 4, 5), self.rows(6, 7, 8, 9, 10), "hill_q1")
        assert (found.u, found.cliffs_delta, found.size, found.verdict) == (25, 1.0, "large", "higher")
        assert found.p == pytest.approx(2 / 252)
        assert (found.method, found.metric) == ("exact", "hill_q1")
        assert (found.a.days, found.a.median, found.a.lower_quartile, found.a.upper_quartile) == (5, 3, 2, 4)
        back = daily_test(self.rows(6, 7, 8, 9, 10), self.rows(1, 2, 3, 4, 5), "hill_q1")
        assert (back.cliffs_delta, back.verdict, back.p) == (-1.0, "lower", found.p)

    def test_only_days_with_enough_effort_count(self) -> None:
        low = replace(day(9, {POA: 2}, hill_q1=99.0))
        found = daily_test([*self.rows(1, 2, 3, 4, None), low], self.rows(1, 2, 3, 4), "hill_q1")
        assert found.a.days == 4
        assert (found.a.left_out.low, found.a.left_out.undefined, found.a.left_out.none) == (1, 1, 0)
        assert (found.cliffs_delta, found.size, found.verdict) == (0.0, "negligible", "none")

    def test_three_days_cannot_tell(self) -> None:
        found = daily_test(self.rows(1, 2, 3), self.rows(*range(10, 30)), "hill_q1")
        assert found.p is not None
        assert found.p < 0.05
        assert found.verdict == "too_few"

    def test_without_days_there_is_no_test(self) -> None:
        found = daily_test([], self.rows(1, 2, 3, 4), "hill_q1")
        assert (found.verdict, found.p, found.u, found.method, found.size) == (
            "too_few",
            None,
            None,
            None,
            None,
        )
        assert (found.a.days, found.a.median) == (0, None)

    @pytest.mark.parametrize(
        ("delta", "size"),
        [(0.0, "negligible"), (0.146, "negligible"), (0.147, "small"), (0.33, "medium"), (0.474, "large")],
    )
    def test_sizes_are_named_after_romano(self, delta: float, size: str) -> None:
        assert comparison._size(delta) == size


COUNTS = st.dictionaries(st.sampled_from([POA, ZEA, RUMEX, STELLARIA]), st.integers(0, 12), max_size=4)
DAYS = st.lists(st.tuples(COUNTS, st.none() | st.floats(0, 9)), max_size=6).map(
    lambda found: [day(number, counts, hill_q1=value) for number, (counts, value) in enumerate(found)]
)


@settings(max_examples=30, deadline=None)
@given(DAYS, DAYS)
def test_swapping_the_sides_mirrors_everything(a: list[DayRow], b: list[DayRow]) -> None:
    there, back = compare(a, b, "hill_q1"), compare(b, a, "hill_q1")
    assert (there.a, there.b) == (back.b, back.a)
    assert [each.species for each in there.species.lost] == [each.species for each in back.species.gained]
    for one, other in zip(there.species.lost, back.species.gained, strict=True):
        assert (one.count_a, one.missed_by_chance) == (other.count_b, other.missed_by_chance)
    assert {each.species for each in there.species.shared} == {each.species for each in back.species.shared}
    if there.standardised is not None and back.standardised is not None:
        for one, other in zip(there.standardised.hill, back.standardised.hill, strict=True):
            assert one.ratio.value * other.ratio.value == pytest.approx(1)
    assert there.daily.p == pytest.approx(back.daily.p)
    if there.daily.cliffs_delta is not None:
        assert there.daily.cliffs_delta == pytest.approx(-back.daily.cliffs_delta, abs=1e-12)
    assert msgspec.json.encode(there)


def test_the_same_rows_give_the_same_answer() -> None:
    assert compare(JUNE, JULY, "hill_q1") == compare(list(JUNE), list(JULY), "hill_q1")


def test_two_seasons_of_all_days_need_only_their_rows() -> None:
    """A season of 180 days with twenty labellings each."""
    rows = [
        day(
            n,
            {POA: 9 + n % 5, ZEA: 4},
            {POA: [9 + n % 5 - d % 2 for d in range(20)], ZEA: [4] * 20},
            hill_q1=2.0,
        )
        for n in range(180)
    ]
    found = compare(rows, rows, "hill_q1")
    assert (found.labellings, found.a.days) == (20, 180)
    assert found.standardised is not None
    assert [each.ratio.value for each in found.standardised.hill] == pytest.approx([1, 1, 1])
    assert set(comparison.columns("hill_q1")) >= {"species_counts", "estimate", "hill_q1", "total_images"}
