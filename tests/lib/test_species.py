"""What an owner's days say of each species."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import species
from lib.store.records import DayRow

POA, STELLARIA, ZEA = "Poa annua", "Stellaria media", "Zea mays"


def row(
    day: str | date, counts: dict[str, int], confidences: dict[str, float | None] | None = None
) -> DayRow:
    top = [{"species_name": name, "average_confidence": each} for name, each in (confidences or {}).items()]
    when = date.fromisoformat(day) if isinstance(day, str) else day
    return DayRow(when, species_counts=counts, top_species=top)


class TestCollect:
    def test_counts_and_days_add_up(self) -> None:
        found, _ = species.collect(
            [
                row("2024-06-01", {POA: 2, ZEA: 1}),
                row("2025-06-01", {POA: 3}),
                row("2025-07-01", {STELLARIA: 5}),
            ]
        )
        assert [(each.species, each.count) for each in found] == [(POA, 5), (STELLARIA, 5), (ZEA, 1)]
        assert (found[0].first_seen, found[0].last_seen) == (date(2024, 6, 1), date(2025, 6, 1))
        assert found[0].years == {2024, 2025}

    def test_confidence_is_the_mean_over_units_that_say_theirs(self) -> None:
        days = [
            row("2025-06-01", {POA: 1}, {POA: 0.5}),
            row("2025-06-02", {POA: 3}, {POA: 0.9}),
            row("2025-06-03", {POA: 7, ZEA: 1}, {POA: None}),
        ]
        by_name = {each.species: each for each in species.collect(days)[0]}
        assert by_name[POA].mean_confidence == pytest.approx((0.5 + 3 * 0.9) / 4)
        assert by_name[ZEA].mean_confidence is None

    def test_what_was_not_counted_was_not_seen(self) -> None:
        assert species.collect([row("2025-06-01", {POA: 0})])[0] == []
        assert species.collect([]) == ([], [])


class TestNewAndReturning:
    def test_with_a_year_before_the_new_are_those_of_the_newest_year_alone(self) -> None:
        rows = [row("2024-06-01", {POA: 1}), row("2025-07-01", {STELLARIA: 1, POA: 1}), row("2025-06-30", {})]
        rows.sort(key=lambda each: each.date)
        assert species.new_and_returning(rows, species.collect(rows)[0]) == ([STELLARIA], [])

    def test_who_skipped_the_last_surveyed_year_returns(self) -> None:
        rows = [
            row("2021-06-01", {POA: 1, ZEA: 1}),
            row("2023-06-01", {ZEA: 1}),
            row("2025-06-01", {POA: 1, ZEA: 1}),
        ]
        assert species.new_and_returning(rows, species.collect(rows)[0]) == ([], [POA])

    def test_in_a_first_year_the_new_are_those_of_its_last_two_weeks(self) -> None:
        rows = [
            row("2025-06-01", {POA: 1}),
            row("2025-06-17", {ZEA: 1}),  # 14 days before the newest: no more
            row("2025-06-20", {STELLARIA: 1}),
            row("2025-07-01", {POA: 1}),
        ]
        assert species.new_and_returning(rows, species.collect(rows)[0]) == ([STELLARIA], [])

    def test_on_a_first_day_nothing_is_new_for_there_is_no_before(self) -> None:
        rows = [row("2025-06-01", {POA: 1})]
        assert species.new_and_returning(rows, species.collect(rows)[0]) == ([], [])
        assert species.new_and_returning([], []) == ([], [])

    def test_the_new_come_by_first_day_then_name(self) -> None:
        rows = [row("2024-06-01", {}), row("2025-06-01", {ZEA: 9}), row("2025-07-01", {STELLARIA: 9, POA: 1})]
        assert species.new_and_returning(rows, species.collect(rows)[0])[0] == [ZEA, POA, STELLARIA]


def test_months_hold_their_species_observations_and_days() -> None:
    rows = [
        row("2025-06-01", {POA: 2, ZEA: 0}),
        row("2025-06-30", {POA: 1, STELLARIA: 1}),
        row("2025-08-01", {}),
    ]
    months = [(m.month, len(m.species), m.observations, m.survey_days) for m in species.collect(rows)[1]]
    assert months == [("2025-06", 2, 4, 2), ("2025-08", 0, 0, 1)]


DAYS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.dictionaries(st.sampled_from([POA, STELLARIA, ZEA, "Apera spica-venti"]), st.integers(0, 9)),
    ),
    max_size=30,
    unique_by=lambda each: each[0],
).map(
    lambda found: [
        row(date(2023, 1, 1) + timedelta(days=n), counts)
        for n, counts in sorted(found, key=lambda each: each[0])
    ]
)


@given(DAYS)
def test_nothing_is_lost_and_nothing_invented(rows: list[DayRow]) -> None:
    expected: Counter[str] = Counter()
    for each in rows:
        expected.update(each.species_counts)
    records, months = species.collect(rows)
    assert {record.species: record.count for record in records} == dict(+expected)
    assert [record.count for record in records] == sorted((record.count for record in records), reverse=True)
    assert all(record.first_seen <= record.last_seen for record in records)
    new, back = species.new_and_returning(rows, records)
    assert not set(new) & set(back)
    assert set(new) | set(back) <= set(expected)
    assert sum(month.observations for month in months) == sum(expected.values())
    assert sum(month.survey_days for month in months) == len(rows)


@given(DAYS)
def test_the_days_of_a_record_are_those_that_count_it(rows: list[DayRow]) -> None:
    for record in species.collect(rows)[0]:
        assert record.days == sum(each.species_counts.get(record.species, 0) > 0 for each in rows)


class TestHistory:
    def test_it_tells_days_months_and_years_with_their_effort(self) -> None:
        found = species.history(
            [
                row("2024-06-01", {POA: 2, ZEA: 1}),
                row("2024-06-20", {POA: 1}),
                row("2024-08-01", {ZEA: 1}),
                row("2025-07-01", {STELLARIA: 5, POA: 3}),
            ],
            (POA,),
        )
        assert found.days == [
            (date(2025, 7, 1), 3),
            (date(2024, 6, 20), 1),
            (date(2024, 6, 1), 2),
        ]
        assert [(m.start, m.count, m.observations, m.days, m.survey_days) for m in found.months] == [
            (date(2024, 6, 1), 3, 4, 2, 2),
            (date(2024, 8, 1), 0, 1, 0, 1),
            (date(2025, 7, 1), 3, 8, 1, 1),
        ]
        assert [(y.start, y.count, y.first, y.last) for y in found.years] == [
            (date(2024, 1, 1), 3, date(2024, 6, 1), date(2024, 6, 20)),
            (date(2025, 1, 1), 3, date(2025, 7, 1), date(2025, 7, 1)),
        ]
        assert found.seen == {POA, ZEA, STELLARIA}

    def test_one_species_goes_by_several_names(self) -> None:
        days = [row("2024-06-01", {"Alsine media": 1, STELLARIA: 2}), row("2024-06-02", {"Alsine media": 4})]
        found = species.history(days, (STELLARIA, "Alsine media"))
        assert found.record is not None
        assert (found.record.species, found.record.count, found.record.days) == (STELLARIA, 7, 2)

    def test_what_was_never_seen_has_no_record_but_surveys(self) -> None:
        found = species.history([row("2024-06-01", {POA: 0, ZEA: 2})], (POA,))
        assert (found.record, found.days) == (None, [])
        assert [(m.count, m.first, m.survey_days) for m in found.months] == [(0, None, 1)]
        assert species.history([], (POA,)) == species.History(None, [], [], [], set())

    @given(DAYS)
    def test_it_says_of_a_species_what_the_dashboard_says(self, rows: list[DayRow]) -> None:
        for record in species.collect(rows)[0]:
            found = species.history(rows, (record.species,))
            assert found.record == record
            assert sum(month.count for month in found.months) == record.count
            assert sum(year.count for year in found.years) == record.count


def test_an_overview_is_the_sum_of_its_parts() -> None:
    rows = [row("2024-06-01", {POA: 2, ZEA: 1}), row("2025-06-01", {POA: 3})]
    season = species.overview(rows)
    assert (season.records, season.months) == species.collect(rows)
    assert (season.observations, season.new, season.returning) == (6, [], [])
