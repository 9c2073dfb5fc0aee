"""What a trend's test found, in sentences of both languages."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import trends
from lib.seasons import ALPHA
from lib.store.records import DayRow
from lib.trends import LeftOut
from lib.web import verdicts
from lib.web.verdicts import decimals_for, left_out_words, p_words, signed, trend_words
from lib.web.words import Words

EN, JA = Words("en"), Words("ja")
EFFORT: dict[str, Any] = {"species_counts": {"Poa annua": 20, "Zea mays": 10}, "coverage_estimate": 1.0}


def trend(*values: float) -> trends.Trend:
    start = date(2025, 5, 1)
    rows = [DayRow(start + timedelta(n), hill_q1=value, **EFFORT) for n, value in enumerate(values)]
    return trends.build(rows, "hill_q1")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1 + n / 10 for n in range(20)], "Rising: +3.0 per 30 days ("),
        ([4 - n / 10 for n in range(20)], "Falling: −3.0 per 30 days ("),
        ([1.0, 2.0] * 8, "Neither rising nor falling for sure: "),
        ([1.0, 2.0, 3.0], "Too few days for a trend: 3 can be compared, and at least 10 are needed."),
        ([], "Too few days for a trend: 0 can be compared"),
    ],
)
def test_the_verdict_is_the_first_sentence(values: list[float], words: str) -> None:
    found = trend(*values)
    first = trend_words(found, EN)[0]
    assert first.startswith(words)
    if len(values) >= verdicts.NEEDED_DAYS:
        assert f"over {len(values)} days." in first
    assert trend_words(found, JA)[0] != first


def test_the_number_of_days_needed_is_that_of_the_test() -> None:
    assert verdicts.NEEDED_DAYS == trends.MINIMUM_DAYS
    assert set(verdicts.BY_DAYS) == set(verdicts.BY_YEARS) == {"rising", "falling", "none"}
    assert verdicts.LEAST_P < ALPHA


def test_years_come_before_days_where_they_decide() -> None:
    rows = [
        DayRow(date(year, month, 5 + n), hill_q1=100 - 10.0 * month + year - 2020 + n / 10, **EFFORT)
        for year in (2021, 2022, 2023, 2024)
        for month in (5, 7, 9)
        for n in range(3)
    ]
    found = trend_words(trends.build(rows, "hill_q1"), EN)
    assert found[0].startswith("Rising from year to year: +1.0 a year, p < 0.001 over 4 years")
    assert found[1].startswith("Neither rising nor falling for sure: ")


def test_days_that_cling_together_are_told_of() -> None:
    found = trend(*[5.0] * 10, *[6.0] * 10, *[5.0] * 10, *[6.0] * 10)
    assert found.autocorrelation.inflation > 1
    assert any("independent ones" in sentence for sentence in trend_words(found, EN))
    assert not any("independent ones" in sentence for sentence in trend_words(trend(*[1.0, 2.0] * 8), EN))


def test_days_left_out_are_counted_by_their_reason() -> None:
    assert left_out_words(LeftOut(none=0, low=0, undefined=0), EN) == ""
    assert (
        left_out_words(LeftOut(none=2, low=0, undefined=0), EN) == "Days left out: 2 with no species named."
    )
    assert (
        left_out_words(LeftOut(none=1, low=3, undefined=1200), EN)
        == "Days left out: 3 with too few photos, 1 with no species named, 1,200 without a value."
    )


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(1.234, 2, "+1.23"), (-1.234, 1, "−1.2"), (-0.004, 2, "0.00"), (0.0, 0, "0"), (1234.5, 0, "+1,234")],
)
def test_a_sign_is_written_as_one(value: float, decimals: int, text: str) -> None:
    assert signed(value, decimals) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "p < 0.001"), (0.0004, "p < 0.001"), (0.0123, "p = 0.012"), (0.456, "p = 0.46")]
)
def test_a_probability_is_written_as_it_is_reported(p: float, text: str) -> None:
    assert p_words(p, EN) == text


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True))
def test_any_interval_has_decimals_that_can_be_written(low: float, high: float) -> None:
    assert 0 <= decimals_for(low, high) <= verdicts.MOST_DECIMALS


@pytest.mark.parametrize(
    ("low", "high", "decimals"), [(-0.03, 0.05, 3), (0.1, 0.9, 2), (1, 9, 1), (10, 90, 0), (0.0, 0.0, 2)]
)
def test_an_interval_is_written_with_two_digits_of_its_width(low: float, high: float, decimals: int) -> None:
    assert decimals_for(low, high) == decimals
