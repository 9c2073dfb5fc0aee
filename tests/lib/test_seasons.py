"""The shape of a season, and the test that takes it out."""

from __future__ import annotations

import math
from datetime import date

import pytest

from lib.seasons import Point, Season, SeasonOfYear, normal_test, seasonal_shape, seasonal_test


def test_a_month_holds_its_days_of_all_years() -> None:
    points = [
        Point(date(2024, 6, 1), 4.0),
        Point(date(2024, 6, 30), 1.0),
        Point(date(2024, 7, 1), 9.0),
        Point(date(2025, 6, 15), 2.0),
        Point(date(2025, 6, 16), 3.0),
    ]
    seasons, by_year = seasonal_shape(points, "month")
    assert seasons == [
        Season(6, 4, 2, minimum=1.0, lower_quartile=1.75, median=2.5, upper_quartile=3.25, maximum=4.0),
        Season(7, 1, 1, 9.0, 9.0, 9.0, 9.0, 9.0),
    ]
    assert by_year == [
        SeasonOfYear(2024, 6, 2, 2.5), SeasonOfYear(2024, 7, 1, 9.0), SeasonOfYear(2025, 6, 2, 2.5),
    ]  # fmt: skip


def test_a_week_belongs_to_the_year_of_its_thursday() -> None:
    points = [Point(date(2024, 12, 29), 1.0), Point(date(2024, 12, 30), 2.0), Point(date(2025, 1, 5), 4.0)]
    seasons, by_year = seasonal_shape(points, "week")
    assert [(season.season, season.days) for season in seasons] == [(1, 2), (52, 1)]
    assert [(each.year, each.season) for each in by_year] == [(2024, 52), (2025, 1)]


def test_without_days_there_is_no_shape() -> None:
    assert seasonal_shape([], "month") == ([], [])


def medians(table: dict[int, dict[int, float]]) -> list[SeasonOfYear]:
    return [
        SeasonOfYear(year, season, 1, value) for year, row in table.items() for season, value in row.items()
    ]


class TestSeasonalTest:
    def test_by_hand(self) -> None:
        """June rises twice and falls once (S = 1), July rises three times (S = 3); var S = 3·2·11/18 each."""
        found = seasonal_test(
            medians({2023: {6: 1.0, 7: 5.0}, 2024: {6: 3.0, 7: 6.0}, 2025: {6: 2.0, 7: 7.0}})
        )
        assert (found.years, found.seasons, found.s) == (3, 2, 4)
        assert found.tau == pytest.approx(4 / 6)
        z = (4 - 1) / math.sqrt(2 * 11 / 3)
        assert found.z == pytest.approx(z)
        assert found.p == pytest.approx(math.erfc(z / math.sqrt(2)))
        # Slopes within June: 2, −1, 0.5; within July: 1, 1, 1.
        assert found.per_year == pytest.approx(1.0)
        assert found.verdict == "none"

    def test_the_season_itself_is_no_trend(self) -> None:
        found = seasonal_test(medians({year: {5: 1.0, 6: 5.0, 7: 9.0} for year in range(2020, 2026)}))
        assert (found.s, found.p, found.verdict, found.per_year) == (0, None, "none", 0.0)

    def test_years_that_are_missing_count_in_the_slope(self) -> None:
        found = seasonal_test(medians({2020: {6: 0.0}, 2024: {6: 8.0}}))
        assert found.per_year == pytest.approx(2.0)

    def test_it_takes_three_years_that_share_a_season(self) -> None:
        two = seasonal_test(
            medians({year: dict.fromkeys(range(1, 13), float(year)) for year in (2024, 2025)})
        )
        assert (two.s, two.verdict) == (12, "too_few")
        apart = seasonal_test(medians({2023: {5: 1.0}, 2024: {6: 1.0}, 2025: {7: 1.0}}))
        assert (apart.seasons, apart.tau, apart.per_year, apart.verdict) == (0, None, None, "too_few")

    @pytest.mark.parametrize(("sign", "verdict"), [(1, "rising"), (-1, "falling")])
    def test_every_season_going_one_way_is_a_trend(self, sign: int, verdict: str) -> None:
        table = {year: dict.fromkeys((5, 6, 7), float(sign * year)) for year in range(2020, 2025)}
        assert seasonal_test(medians(table)).verdict == verdict


def test_the_score_is_one_unit_closer_to_zero() -> None:
    assert normal_test(0, 10.0) == (0.0, 1.0)
    z, p = normal_test(-11, 25.0)
    assert (z, p) == (pytest.approx(-2.0), pytest.approx(0.0455, abs=1e-4))
