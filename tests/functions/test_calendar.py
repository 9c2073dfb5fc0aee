"""GET /api/calendar/{metric}: a year of one metric."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lib.store.records import METRICS
from tests.functions.conftest import Client, Server


@pytest.mark.parametrize("metric", METRICS)
def test_a_visitor_sees_a_sample_season_of_every_metric(visitor: Client, metric: str) -> None:
    body = visitor.get(f"/api/calendar/{metric}").json()
    assert body["metric"] == metric
    assert body["sample"] is True
    assert body["unit"]
    assert body["description"]
    assert body["total_days"] == len(body["data"]) > 50
    assert list(body["data"]) == sorted(body["data"])
    assert all(day.startswith(f"{body['year']}-") for day in body["data"])
    thresholds = body["scale"]["thresholds"]
    assert thresholds == sorted(thresholds)
    assert len(thresholds) == 4
    for cell in body["data"].values():
        value = cell["value"]
        expected = sum(value >= threshold for threshold in thresholds) if value else 0
        assert cell["level"] == expected
        assert cell["effort"] in ("none", "low", "ok")
        assert set(cell) == {
            "value", "level", "low", "high", "total_images", "species_richness", "coverage", "effort",
            "standardised",
        }  # fmt: skip
        if metric != "total_images":
            assert (cell["low"] is None) == (cell["effort"] != "ok")
        if cell["low"] is not None and metric != "species_richness":
            assert cell["low"] - 1e-4 <= value <= cell["high"] + 1e-4


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_with_a_fair_form_have_it_on_days_of_enough_effort(visitor: Client, metric: str) -> None:
    cells = visitor.get(f"/api/calendar/{metric}").json()["data"].values()
    fair = [cell["standardised"] for cell in cells if cell["standardised"]]
    assert all(cell["standardised"] is None for cell in cells if cell["effort"] != "ok")
    if metric not in (
        "species_richness",
        "shannon_diversity",
        "simpson_diversity",
        "hill_q0",
        "hill_q1",
        "hill_q2",
    ):
        assert fair == []
        return
    assert len(fair) > 40
    for each in fair:
        assert each["coverage"] == 0.8
        assert each["low"] <= each["value"] <= each["high"]


def test_the_sample_has_gaps_weak_days_and_a_day_without_plants(visitor: Client) -> None:
    efforts = {
        cell["effort"] for cell in visitor.get("/api/calendar/species_richness").json()["data"].values()
    }
    assert efforts == {"none", "low", "ok"}


def test_the_fixed_scales_are_the_documented_ones(visitor: Client) -> None:
    shannon = visitor.get("/api/calendar/shannon_diversity").json()["scale"]
    assert shannon["thresholds"] == [1.0, 1.5, 2.0, 2.5]
    assert visitor.get("/api/calendar/species_richness").json()["scale"]["thresholds"] == [5, 10, 15, 20]


def test_a_year_can_be_asked_for(visitor: Client) -> None:
    years = visitor.get("/api/calendar/hill_q1").json()["years"]
    first = visitor.get(f"/api/calendar/hill_q1?year={years[0]}").json()
    assert first["year"] == years[0]
    assert first["total_days"] > 0
    empty = visitor.get("/api/calendar/hill_q1?year=1999").json()
    assert (empty["data"], empty["total_days"]) == ({}, 0)


def test_an_unknown_metric_is_not_found_and_the_known_ones_are_listed(visitor: Client) -> None:
    reply = visitor.get("/api/calendar/beauty")
    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json()["metrics"] == list(METRICS)
    assert all(metric in reply.json()["detail"] for metric in METRICS)


@pytest.mark.parametrize("year", ["next", "20x5", "-1", "99999", "2025.5", "２０２５x", "0x7e9", "1e3"])
def test_a_bad_year_is_named(visitor: Client, year: str) -> None:
    reply = visitor.get("/api/calendar/shannon_diversity", params={"year": year})
    assert reply.status_code == 400
    assert [error["field"] for error in reply.json()["errors"]] == ["year"]


def test_a_year_given_twice_is_refused(visitor: Client) -> None:
    reply = visitor.get("/api/calendar/shannon_diversity?year=2024&year=2025")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "year")


def test_a_user_sees_their_days_and_one_session_at_a_time(
    server: Server, user: Client, photo: Callable[..., bytes]
) -> None:
    first = user.upload(("a.jpg", photo(1)), date="2025-05-01").json()["session_id"]
    second = user.post("/api/sessions", json={"session_name": "Plot 2"}).json()["id"]
    user.upload(("b.jpg", photo(2)), ("c.jpg", photo(3)), session_id=second, date="2025-05-01")
    user.upload(("d.jpg", photo(4)), session_id=second, date="2025-05-02")

    def photos(query: str = "") -> dict[str, int]:
        data = user.get(f"/api/calendar/total_images{query}").json()["data"]
        return {day: cell["total_images"] for day, cell in data.items()}

    assert photos() == {"2025-05-01": 3, "2025-05-02": 1}  # pooled over both sessions
    assert photos(f"?session={first}") == {"2025-05-01": 1}
    assert photos(f"?session={second}") == {"2025-05-01": 2, "2025-05-02": 1}
    assert user.delete(f"/api/sessions/{second}").status_code == 204
    assert photos() == {"2025-05-01": 1}


def test_an_unknown_session_is_not_found(user: Client, visitor: Client) -> None:
    for client in (user, visitor):
        reply = client.get("/api/calendar/shannon_diversity?session=987654")
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (404, "session")
