"""One season on paper: totals with intervals, months with their medians, effort, and nothing made of nothing."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from lib import season_report
from lib.store.records import METRICS, DayRow
from lib.store.sample import SampleStore

COUNTS = {"Poa annua": 8, "Stellaria media": 6, "Galium aparine": 4, "Rumex acetosa": 2}


def day(when: date, counts: dict[str, int] = COUNTS, coverage: float | None = 0.9, **values: Any) -> DayRow:
    top = [
        {"species_name": name, "count": count, "frequency": 0.1, "average_confidence": 0.8}
        for name, count in counts.items()
    ]
    given = {
        "total_images": 30,
        "species_richness": len(counts),
        "shannon_diversity": 1.2 if counts else None,
        "coverage_estimate": coverage,
        "species_counts": counts,
        "top_species": top,
        "estimate": {"draws": {name: [count] for name, count in counts.items()}},
    }
    return DayRow(date=when, **(given | values))


def report(*rows: DayRow) -> season_report.SeasonReport:
    made = season_report.build(rows)
    assert made is not None
    return made


def test_there_is_no_report_on_nothing() -> None:
    assert season_report.build([]) is None


def test_effort_adds_up_and_days_that_cannot_be_compared_are_told_apart() -> None:
    made = report(
        day(date(2025, 5, 1)),
        day(date(2025, 5, 9), {"Poa annua": 2}, coverage=0.3, total_images=2),
        day(date(2025, 7, 3), {}, coverage=None, total_images=1),
    )
    assert (made.start, made.end) == (date(2025, 5, 1), date(2025, 7, 3))
    assert made.effort == season_report.Effort(days=3, comparable=1, photos=33, plants=22, species=4)
    assert [month.number for month in made.months] == [5, 7]
    may, july = made.months
    assert may.effort == season_report.Effort(days=2, comparable=1, photos=32, plants=22, species=4)
    assert july.effort == season_report.Effort(days=1, comparable=0, photos=1, plants=0, species=0)


def test_a_months_medians_are_of_its_days_that_can_be_compared() -> None:
    values = [1.0, 1.4, 1.6, 2.0]
    rows = [day(date(2025, 6, number + 1), shannon_diversity=value) for number, value in enumerate(values)]
    poor = day(date(2025, 6, 20), {"Poa annua": 2}, coverage=0.2, shannon_diversity=0.1)
    (june,) = report(*rows, poor).months
    assert june.medians["shannon_diversity"] == pytest.approx(1.5)
    assert "simpson_diversity" not in june.medians  # no day has it


def test_species_come_most_frequent_first_with_their_first_and_last_day() -> None:
    made = report(
        day(date(2025, 5, 1), {"Poa annua": 5, "Stellaria media": 5}),
        day(date(2025, 6, 1), {"Stellaria media": 9}),
    )
    assert [
        (each.species, each.count, each.first_seen.month, each.last_seen.month) for each in made.species
    ] == [
        ("Stellaria media", 14, 5, 6),
        ("Poa annua", 5, 5, 5),
    ]


def test_totals_are_those_of_all_plants_together_each_in_its_interval() -> None:
    made = report(*(day(date(2025, 5, number)) for number in range(1, 11)))
    totals = {total.metric: total for total in made.totals}
    assert list(totals) == [metric for metric in METRICS if metric in totals]
    shares = [count / sum(COUNTS.values()) for count in COUNTS.values()]
    entropy = -sum(share * math.log(share) for share in shares)
    concentration = sum(share**2 for share in shares)
    expected = {
        "species_richness": 4,
        "shannon_diversity": entropy,
        "simpson_diversity": 1 - concentration,
        "hill_q1": math.exp(entropy),
        "hill_q2": 1 / concentration,
    }
    assert {metric: total.value for metric, total in totals.items()} == pytest.approx(expected)
    for total in made.totals:
        assert total.low <= total.value <= total.high
    # The same interval on another scale.
    assert totals["shannon_diversity"].low == pytest.approx(math.log(totals["hill_q1"].low))
    assert totals["simpson_diversity"].high == pytest.approx(1 - 1 / totals["hill_q2"].high)
    assert made.coverage == pytest.approx(1.0)


def test_doubt_about_names_is_in_the_totals() -> None:
    torn = {
        "draws": {
            "Poa annua": [14, 10, 14, 10],
            "Stellaria media": [6, 10, 6, 6],
            "Rumex acetosa": [0, 0, 0, 4],
        }
    }
    sure = {"draws": {"Poa annua": [14], "Stellaria media": [6]}}
    counts = {"Poa annua": 14, "Stellaria media": 6}
    width = {
        name: next(total.high - total.low for total in made.totals if total.metric == "hill_q1")
        for name, made in (
            ("torn", report(day(date(2025, 5, 1), counts, estimate=torn))),
            ("sure", report(day(date(2025, 5, 1), counts, estimate=sure))),
        )
    }
    assert width["torn"] > width["sure"]


def test_too_few_plants_have_no_totals() -> None:
    few = report(day(date(2025, 5, 1), {"Poa annua": 3}))
    assert (few.totals, few.coverage) == ([], None)
    none = report(day(date(2025, 5, 1), {}, coverage=None))
    assert (none.totals, none.coverage, none.species) == ([], None, [])


def test_days_that_do_not_say_how_sure_they_are_count_as_certain_and_are_counted() -> None:
    made = report(day(date(2025, 5, 1), estimate={}), day(date(2025, 5, 2)))
    assert made.certain == 1
    richness = next(total for total in made.totals if total.metric == "species_richness")
    assert richness.value == 4


def test_the_columns_hold_all_that_is_read() -> None:
    whole = [row for row in SampleStore().days() if row.date.year == 2025]
    least = [
        DayRow(date=row.date, **{name: getattr(row, name) for name in season_report.COLUMNS}) for row in whole
    ]
    one, other = report(*whole), report(*least)
    assert (one.effort, one.totals, one.coverage, one.months) == (
        other.effort,
        other.totals,
        other.coverage,
        other.months,
    )
    assert one.species == other.species
    assert [row.effort for row in one.days] == [row.effort for row in other.days]
