"""The days of one side added up, labelling by labelling."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from lib.day_sums import add_up, labelled, labellings_of, names_of
from lib.store.records import DayRow

POA, ZEA, RUMEX = "Poa annua", "Zea mays", "Rumex obtusifolius"


def day(counts: dict[str, int], draws: Any = None, unknown: float = 0.0) -> DayRow:
    estimate = {} if draws is None else {"draws": draws, "unknown": unknown}
    return DayRow(date(2025, 6, 1), species_counts=counts, estimate=estimate)


def summed(*rows: DayRow) -> tuple[list[str], Any]:
    days = [labelled(row) for row in rows]
    names = names_of(days)
    return names, add_up(days, names, labellings_of(days))


def test_labels_alone_are_one_certain_labelling() -> None:
    names, found = summed(day({POA: 2, ZEA: 1}), day({POA: 3}), day({}))
    assert names == [POA, ZEA]
    assert found.labellings.tolist() == [[5, 1]]
    assert found.labels.tolist() == [5, 1]
    assert found.certain == 2  # a day without a label is sure of nothing
    assert found.unknown == 0


def test_labellings_are_added_up_day_by_day() -> None:
    first = day({POA: 2}, {POA: [2, 1, 2], RUMEX: [0, 1, 0]}, unknown=0.5)
    second = day({ZEA: 1}, {ZEA: [1, 0, 1], POA: [0, 1, 0]}, unknown=0.25)
    names, found = summed(first, second)
    assert names == [POA, RUMEX, ZEA]
    possible = [(2, 0, 0), (1, 1, 0)], [(0, 0, 1), (1, 0, 0)]
    sums = {tuple(a + b for a, b in zip(one, two, strict=True)) for one in possible[0] for two in possible[1]}
    assert len(found.labellings) == 3
    assert {tuple(row) for row in found.labellings.tolist()} <= sums
    assert found.labels.tolist() == [2, 0, 1]
    assert (found.unknown, found.certain) == (0.75, 0)


def test_a_day_with_fewer_labellings_begins_again_and_one_without_counts_in_all() -> None:
    two, four, none = (
        day({POA: 1}, {POA: [1, 0], ZEA: [0, 1]}),
        day({ZEA: 3}, {ZEA: [3, 3, 3, 2]}),
        day({RUMEX: 4}),
    )
    names, found = summed(two, four, none)
    assert names == [POA, RUMEX, ZEA]
    assert len(found.labellings) == 4
    assert {tuple(row) for row in found.labellings.tolist()} <= {(1, 4, 3), (1, 4, 2), (0, 4, 4), (0, 4, 3)}
    assert found.certain == 1


def test_a_species_that_no_label_names_may_stand_in_a_labelling() -> None:
    names, found = summed(day({}, {POA: [0, 1]}))
    assert names == [POA]
    assert found.labels.tolist() == [0]
    assert found.certain == 0


@pytest.mark.parametrize(
    "draws",
    [
        {},
        {POA: []},
        {POA: [1, 2], ZEA: [1]},
        {POA: 3},
        {POA: ["many", "few"]},
        {POA: [1, None]},
        {POA: [-1, 2]},
        {POA: [2**70, 1]},
        [1, 2],
        "labels",
    ],
)
def test_what_is_no_table_of_labellings_is_none(draws: Any) -> None:
    names, found = summed(day({POA: 2}, draws))
    assert (names, found.labellings.tolist(), found.certain) == ([POA], [[2]], 1)


def test_a_hundred_labellings_are_enough() -> None:
    names, found = summed(day({POA: 2}, {POA: list(range(300))}))
    assert (names, found.labellings[:, 0].tolist()) == ([POA], list(range(100)))


def test_an_unknown_that_is_no_number_is_none() -> None:
    row = DayRow(date(2025, 6, 1), estimate={"unknown": "some"})
    assert labelled(row).unknown == 0.0


def test_without_days_there_is_nothing() -> None:
    assert labellings_of([]) == 1
    assert names_of([]) == []
    found = add_up([], [], 1)
    assert found.labellings.shape == (1, 0)
    assert np.array_equal(found.labels, [])
