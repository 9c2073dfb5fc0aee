"""GET /api/time-series: metrics over the surveyed days."""

from __future__ import annotations

import math

import pytest

from lib.store.records import METRICS
from tests.functions.conftest import Client


def test_by_default_it_tells_shannon_richness_and_pielou(visitor: Client) -> None:
    body = visitor.get("/api/time-series").json()
    assert list(body["metrics"]) == ["shannon_diversity", "species_richness", "pielou_evenness"]
    assert body["sample"] is True
    assert body["total_points"] == len(body["dates"]) > 100
    assert body["dates"] == sorted(set(body["dates"]))
    for metric, values in body["metrics"].items():
        assert len(values) == body["total_points"]
        assert all(value is None or math.isfinite(value) for value in values)
        assert {len(bounds) for bounds in body["intervals"][metric].values()} == {body["total_points"]}


def test_any_metrics_can_be_asked_for(visitor: Client) -> None:
    body = visitor.get("/api/time-series", params={"metrics": ", ".join(METRICS)}).json()
    assert list(body["metrics"]) == list(METRICS)
    chao = body["metrics"]["chao1_estimate"]
    intervals = body["intervals"]["chao1_estimate"]
    known = [i for i, value in enumerate(chao) if value is not None and intervals["low"][i] is not None]
    assert known
    assert all(intervals["low"][i] <= chao[i] <= intervals["high"][i] for i in known)


def test_days_of_different_effort_are_told_apart_and_made_comparable(visitor: Client) -> None:
    body = visitor.get("/api/time-series?metrics=hill_q0,hill_q1,pielou_evenness").json()
    assert body["standard_coverage"] == 0.8
    assert set(body["standardised"]) == {"hill_q0", "hill_q1"}
    assert len(body["effort"]) == len(body["coverage"]) == body["total_points"]
    for series in body["standardised"].values():
        for place, effort in enumerate(body["effort"]):
            low, value, high = (series[name][place] for name in ("low", "value", "high"))
            assert (value is None) or (effort == "ok" and low <= value <= high)
    # At less coverage than the days have, there are fewer species: what makes them comparable.
    pairs = zip(
        body["standardised"]["hill_q0"]["value"], body["metrics"]["hill_q0"], body["coverage"], strict=True
    )
    richer = [(fair, raw) for fair, raw, coverage in pairs if fair is not None and coverage > 0.85]
    assert richer
    assert all(fair <= raw + 1e-4 for fair, raw in richer)
    assert sum(fair < raw for fair, raw in richer) > 0.9 * len(richer)


def test_a_period_holds_both_its_ends(visitor: Client) -> None:
    dates = visitor.get("/api/time-series").json()["dates"]
    start, end = dates[3], dates[7]
    body = visitor.get(f"/api/time-series?start_date={start}&end_date={end}").json()
    assert body["dates"] == dates[3:8]


def test_a_period_without_a_survey_is_empty(visitor: Client) -> None:
    body = visitor.get("/api/time-series?start_date=2025-01-01&end_date=2025-01-31").json()
    assert (body["dates"], body["total_points"]) == ([], 0)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("start_date=2025-02-30", ["start_date"]),
        ("end_date=24.8.2025", ["end_date"]),
        ("start_date=x&end_date=y", ["start_date", "end_date"]),
        ("start_date=2025-08-02&end_date=2025-08-01", ["end_date"]),
        ("metrics=beauty", ["metrics"]),
        ("metrics=,", ["metrics"]),
        ("session=one", ["session"]),
        ("session=0", ["session"]),
    ],
)
def test_bad_parameters_are_named_all_at_once(visitor: Client, query: str, fields: list[str]) -> None:
    reply = visitor.get(f"/api/time-series?{query}")
    assert reply.status_code == 400, reply.text
    assert [error["field"] for error in reply.json()["errors"]] == fields
    assert all(error["reason"] for error in reply.json()["errors"])
