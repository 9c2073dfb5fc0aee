"""GET /api/trend: the trend of a metric, and its season."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from lib.store.records import METRICS
from tests.functions.conftest import Client, numbers


def test_the_sample_season_has_a_trend_to_draw(visitor: Client) -> None:
    body = visitor.get("/api/trend").json()
    assert (body["metric"], body["unit"], body["sample"]) == ("shannon_diversity", "nats", True)
    dates = [point["date"] for point in body["points"]]
    assert dates == sorted(set(dates))
    surveyed = visitor.get("/api/time-series").json()["total_points"]
    assert len(dates) + sum(body["left_out"].values()) == surveyed
    assert body["left_out"]["low"] > 0
    assert body["left_out"]["none"] == 2  # the two days on which the field was harrowed
    assert body["line"]["start"]["date"] == dates[0]
    assert body["line"]["end"]["date"] == dates[-1]
    slope = body["slope"]
    assert slope["low"] <= slope["per_day"] <= slope["high"]
    assert slope["per_30_days"] == pytest.approx(30 * slope["per_day"])
    assert 0 <= body["mann_kendall"]["p_independent"] <= body["mann_kendall"]["p"] <= 1
    assert body["autocorrelation"]["inflation"] > 1  # neighbouring days of a season resemble each other
    assert all(math.isfinite(number) for number in numbers(body))


def test_the_season_comes_by_month_or_by_week(visitor: Client) -> None:
    months = visitor.get("/api/trend?metric=hill_q1").json()
    assert months["season_length"] == "month"
    assert [season["season"] for season in months["seasons"]] == [5, 6, 7, 8, 9, 10]
    assert {(each["year"], each["season"]) for each in months["seasons_of_years"]} == {
        (year, month) for year in (2024, 2025) for month in range(5, 11)
    }
    weeks = visitor.get("/api/trend?metric=hill_q1&seasons=week").json()
    assert len(weeks["seasons"]) > 20
    for body in (months, weeks):
        assert sum(season["days"] for season in body["seasons"]) == len(body["points"])
        for season in body["seasons"]:
            five = [
                season[name] for name in ("minimum", "lower_quartile", "median", "upper_quartile", "maximum")
            ]
            assert five == sorted(five)


def test_two_years_are_no_trend_of_years(visitor: Client) -> None:
    body = visitor.get("/api/trend").json()
    assert (body["seasonal"]["years"], body["seasonal"]["verdict"]) == (2, "too_few")
    assert body["verdict_from"] == "mann_kendall"


@pytest.mark.parametrize("metric", METRICS)
def test_any_metric_can_be_asked_for(visitor: Client, metric: str) -> None:
    body = visitor.get(f"/api/trend?metric={metric}").json()
    assert body["metric"] == metric
    assert body["unit"]
    assert len(body["points"]) > 100
    assert body["verdict"] in ("rising", "falling", "none")


def test_the_number_of_photos_is_of_all_days(visitor: Client) -> None:
    body = visitor.get("/api/trend?metric=total_images").json()
    assert set(body["left_out"].values()) == {0}
    assert len(body["points"]) == visitor.get("/api/time-series").json()["total_points"]


def test_a_period_bounds_it(visitor: Client) -> None:
    body = visitor.get("/api/trend?start_date=2025-06-01&end_date=2025-06-30").json()
    assert {point["date"][:7] for point in body["points"]} == {"2025-06"}
    assert [season["season"] for season in body["seasons"]] == [6]


def test_a_newcomer_has_no_trend_yet(user: Client) -> None:
    body = user.get("/api/trend").json()
    assert (body["points"], body["verdict"], body["sample"]) == ([], "too_few", False)
    assert body["slope"] is body["line"] is None
    assert body["seasons"] == body["seasons_of_years"] == []


def test_a_users_trend_is_of_their_own_days(user: Client, photo: Callable[..., bytes]) -> None:
    for number, day in enumerate(("2025-06-01", "2025-06-02", "2025-06-04")):
        sent = [(f"{seed}.jpg", photo(100 * number + seed)) for seed in range(number + 1)]
        assert user.upload(*sent, date=day).status_code == 201
    body = user.get("/api/trend?metric=total_images").json()
    assert [(point["date"], point["value"]) for point in body["points"]] == [
        ("2025-06-01", 1), ("2025-06-02", 2), ("2025-06-04", 3),
    ]  # fmt: skip
    assert body["slope"]["per_day"] == pytest.approx(2 / 3)  # of the slopes 1, 1/2 and 2/3 the middle one
    assert body["verdict"] == "too_few"
    session = user.get("/api/sessions").json()["sessions"][0]["id"]
    assert user.get(f"/api/trend?metric=total_images&session={session}").json()["points"] == body["points"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("metric=beauty", ["metric"]),
        ("seasons=moon", ["seasons"]),
        ("start_date=2025-02-30", ["start_date"]),
        ("start_date=2025-08-02&end_date=2025-08-01", ["end_date"]),
        ("session=one&seasons=year", ["session", "seasons"]),
    ],
)
def test_bad_parameters_are_named_all_at_once(visitor: Client, query: str, fields: list[str]) -> None:
    reply = visitor.get(f"/api/trend?{query}")
    assert reply.status_code == 400, reply.text
    assert [error["field"] for error in reply.json()["errors"]] == fields


def test_a_session_of_somebody_else_is_not_there(
    user: Client, server: Any, photo: Callable[..., bytes]
) -> None:
    session = user.upload(("a.jpg", photo(1))).json()["session_id"]
    assert user.get(f"/api/trend?session={session}").status_code == 200
    assert server.user().get(f"/api/trend?session={session}").status_code == 404
