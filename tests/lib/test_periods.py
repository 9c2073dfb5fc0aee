"""Periods to choose by a link: what each holds, at the ends of the calendar too."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.web.periods import Period, choices, days_of
from lib.web.words import Words

NEWEST = date(2024, 3, 1)


@pytest.mark.parametrize(
    ("period", "days"),
    [
        ("season", (date(2024, 1, 1), date(2024, 12, 31))),
        ("season-before", (date(2023, 1, 1), date(2023, 12, 31))),
        ("30-days", (date(2024, 2, 1), NEWEST)),
        ("90-days", (date(2023, 12, 3), NEWEST)),
        ("all", (None, None)),
    ],
)
def test_what_each_holds(period: Period, days: tuple[date | None, date | None]) -> None:
    assert days_of(period, NEWEST) == days


@given(st.dates(), st.sampled_from(get_args(Period)))
def test_any_newest_day_lies_in_its_periods(newest: date, period: Period) -> None:
    start, end = days_of(period, newest)
    assert start is None or end is None or start <= end
    if period not in ("all", "season-before"):
        assert start is not None
        assert end is not None
        assert start <= newest <= end
    if period in ("30-days", "90-days") and newest.year > 1:
        assert start is not None
        assert (newest - start).days + 1 == int(period[:2])


def test_seasons_are_called_by_their_years() -> None:
    assert choices(date(2021, 5, 1), NEWEST, Words("en")) == [
        ("season", "2024"),
        ("season-before", "2023"),
        ("30-days", "Last 30 days"),
        ("90-days", "Last 90 days"),
        ("all", "All days"),
    ]
    assert dict(choices(date(2021, 5, 1), NEWEST, Words("ja")))["season"] == "2024年"


def test_there_is_no_year_before_the_first() -> None:
    assert "season-before" not in dict(choices(date.min, date.min, Words("en")))
    assert "season-before" not in dict(choices(date(2024, 1, 1), NEWEST, Words("en")))
    assert days_of("season-before", date.min)[0] == date.min
