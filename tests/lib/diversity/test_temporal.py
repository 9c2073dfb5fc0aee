"""Turnover from day to day."""

from __future__ import annotations

import doctest
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import Turnover, temporal

series_of_days = st.integers(1, 6).flatmap(
    lambda species: st.lists(st.lists(st.integers(0, 3), min_size=species, max_size=species), max_size=6)
)


@given(series_of_days)
def test_the_parts_make_the_total_which_is_the_jaccard_dissimilarity(series: list[list[int]]) -> None:
    found = diversity.turnover(series)
    assert len(found) == max(0, len(series) - 1)
    for change, (before, after) in zip(found, itertools.pairwise(series), strict=True):
        total = diversity.jaccard(before, after)
        assert change.gained - change.lost == diversity.richness(after) - diversity.richness(before)
        if total is None:
            assert change == Turnover(None, None, None, 0, 0)
        else:
            assert change.total == pytest.approx(total)
            assert change.appearance + change.disappearance == pytest.approx(change.total)


@given(series_of_days)
def test_backwards_what_was_lost_is_gained(series: list[list[int]]) -> None:
    forwards, backwards = diversity.turnover(series), diversity.turnover(series[::-1])
    assert [(x.gained, x.appearance) for x in forwards] == [
        (x.lost, x.disappearance) for x in reversed(backwards)
    ]


def test_an_empty_day_stays_a_day() -> None:
    assert diversity.turnover([[8, 2, 0], [0, 0, 0], [0, 0, 0], [7, 0, 3]]) == [
        Turnover(1.0, 0.0, 1.0, 0, 2),
        Turnover(None, None, None, 0, 0),
        Turnover(1.0, 1.0, 0.0, 2, 0),
    ]


def test_no_change_without_a_neighbour() -> None:
    assert diversity.turnover([]) == []
    assert diversity.turnover([[1, 2]]) == []


@pytest.mark.parametrize("bad", [[[1, 2], [1]], [[1], [-1]], [1, 2], 3, "12"], ids=str)
def test_it_refuses_what_is_no_series(bad: object) -> None:
    with pytest.raises(ValueError, match="counts must"):
        diversity.turnover(bad)


def test_the_documented_examples_hold() -> None:
    outcome = doctest.testmod(temporal)
    assert outcome.attempted > 0
    assert outcome.failed == 0
