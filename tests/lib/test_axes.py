"""Axes: round numbers that hold the values, and dates in the reader's words that do not run into each other."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.web import axes
from lib.web.words import Words

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)
DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))


@given(NUMBERS, NUMBERS, st.booleans())
def test_a_scale_holds_its_values_at_equal_steps(one: float, other: float, whole: bool) -> None:
    low, high = min(one, other), max(one, other)
    ticks = axes.scale(low, high, whole=whole)
    slack = 1e-8 * max(abs(low), abs(high), 1e-300)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= axes.SCALE_STEPS + 3
    step = ticks[1] - ticks[0]
    assert step > 0
    for number, tick in enumerate(ticks):
        assert tick == pytest.approx(ticks[0] + number * step, abs=1e-6 * max(abs(tick), step))
    if whole:
        assert step >= 1


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0.4, 1.0, False, [0, 0.25, 0.5, 0.75, 1]),
        (1.4, 2.3, False, [1.25, 1.5, 1.75, 2, 2.25, 2.5]),
        (0.81, 0.93, False, [0.8, 0.85, 0.9, 0.95]),
        (3, 23, True, [0, 10, 20, 30]),
        (1, 3, True, [0, 1, 2, 3]),
        (0, 0, True, [0, 1]),
        (-3, 2, False, [-4, -2, 0, 2]),
    ],
)
def test_scales_have_round_numbers(low: float, high: float, whole: bool, expected: list[float]) -> None:
    assert axes.scale(low, high, whole=whole) == expected


def test_numbers_on_the_axis_have_the_decimals_of_their_step() -> None:
    say = Words("en")
    assert [tick.text for tick in axes.frame(1.4, 2.3, say, whole=False).y_ticks][:2] == ["1.25", "1.50"]
    assert [tick.text for tick in axes.frame(0, 12_000, say, whole=True).y_ticks] == [
        "0",
        "5,000",
        "10,000",
        "15,000",
    ]


def test_long_numbers_get_the_room_they_need() -> None:
    wide = axes.frame(0, 150_000_000, Words("en"), whole=True)
    assert wide.left >= axes.CHARACTER * len("150,000,000")
    assert axes.frame(0, 5, Words("en"), whole=True).left == axes.LEFT


@given(DAYS, st.integers(0, 20_000), st.sampled_from(["en", "ja"]))
def test_dates_stay_in_the_picture_and_apart(first: date, days: int, language: str) -> None:
    last = first + timedelta(days)
    left, right = 50.0, 346.0

    def x(day: date) -> float:
        return left + (right - left) * ((day - first).days / days if days else 0.5)

    ticks, years = axes.date_ticks(first, last, x, Words(language))
    assert ticks
    for tick in [*ticks, *years]:
        assert left <= tick.at <= right
        assert tick.text
    for shown, room in (([tick for tick in ticks if not tick.fine], 30), (years, axes.YEAR_ROOM)):
        assert all(later.at - earlier.at >= room * 0.7 for earlier, later in pairwise(shown))
    assert sum(not tick.fine for tick in ticks) <= 10


@pytest.mark.parametrize(
    ("days", "language", "ticks", "years"),
    [
        (0, "en", ["3 May"], ["2025"]),
        (2, "ja", ["5月3日", "5月4日", "5月5日"], ["2025年"]),
        (170, "en", ["Jun", "Jul", "Aug", "Sep", "Oct"], ["2025"]),
        (2000, "en", ["2026", "2027", "2028", "2029", "2030"], []),
    ],
)
def test_the_ticks_suit_the_time(days: int, language: str, ticks: list[str], years: list[str]) -> None:
    first = date(2025, 5, 3)

    def x(day: date) -> float:
        return 50 + 290 * ((day - first).days / days if days else 0.5)

    found, below = axes.date_ticks(first, first + timedelta(days), x, Words(language))
    assert [tick.text for tick in found if not tick.fine] == ticks
    assert [tick.text for tick in below] == years


def test_months_run_over_the_turn_of_the_year() -> None:
    assert axes.months(date(2024, 11, 30), date(2025, 2, 1)) == [
        date(2024, 11, 1),
        date(2024, 12, 1),
        date(2025, 1, 1),
        date(2025, 2, 1),
    ]


@pytest.mark.parametrize(("at", "kept"), [(340.0, "on every page"), (348.0, "on wide pages"), (355.0, "")])
def test_a_last_label_that_a_narrow_page_would_cut_off_stays_on_a_wide_one(at: float, kept: str) -> None:
    first, *last = axes.apart([axes.Tick(300.0, "Sep"), axes.Tick(at, "Oct")], 34)
    assert (first.text, first.fine) == ("Sep", False)
    assert [(tick.text, tick.fine) for tick in last] == ([("Oct", kept == "on wide pages")] if kept else [])
