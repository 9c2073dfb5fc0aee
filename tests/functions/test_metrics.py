"""GET /metrics: Prometheus text."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.functions.conftest import Client, Server


def test_it_counts_requests_by_function(user: Client) -> None:
    def count() -> float:
        text = user.get("/metrics").text
        match = re.search(
            r'weeds_request_seconds_count\{function="time_series",method="GET",status="400"\} (\S+)', text
        )
        return float(match[1]) if match else 0.0

    before = count()
    for _ in range(3):
        user.get("/api/time-series?session=x")
    assert count() == before + 3


def test_it_tells_of_the_model_and_its_line(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    user = make_server().user()

    def metrics() -> dict[str, float]:
        lines = user.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(("weeds_model", "weeds_inference")))
        return {name: float(value) for name, value in pairs if not name.endswith("_created")}

    before = metrics()
    assert set(before.values()) == {0.0}
    assert user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2))).status_code == 201
    after = metrics()
    assert (after["weeds_model_loaded"], after["weeds_model_load_seconds_count"]) == (1, 1)
    assert after["weeds_model_load_seconds_sum"] > 0
    assert after["weeds_inference_seconds_count"] == after['weeds_inference_seconds_bucket{le="+Inf"}'] == 2
    assert after["weeds_inference_seconds_sum"] > 0
    assert after.keys() == before.keys()
    assert {name for name, value in after.items() if value == 0} >= {
        "weeds_model_load_failures_total",
        'weeds_model_unloads_total{reason="idle"}',
        'weeds_model_unloads_total{reason="replaced"}',
        'weeds_model_waiting{who="person"}',
        'weeds_model_waiting{who="background"}',
        'weeds_model_refusals_total{reason="full"}',
        'weeds_model_refusals_total{reason="patience"}',
        'weeds_model_refusals_total{reason="abandoned"}',
    }


def test_it_is_prometheus_text(user: Client) -> None:
    reply = user.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert "process_resident_memory_bytes" in reply.text


def test_it_counts_photos_refusals_and_days(user: Client, photo: Callable[..., bytes]) -> None:
    def counts() -> dict[str, float]:
        lines = user.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("weeds_"))
        return {name: float(value) for name, value in pairs}

    before = counts()
    assert user.upload(("a.jpg", photo(1)), ("b.txt", b"no photo"), date="2025-06-01").status_code == 201
    assert user.upload(("a.jpg", photo(1))).status_code == 200
    after = counts()

    def risen(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert risen('weeds_photos_total{reason="",status="created"}') == 1
    assert risen('weeds_photos_total{reason="",status="duplicate"}') == 1
    assert risen('weeds_photos_total{reason="photo-unsupported",status="rejected"}') == 1
    assert risen('weeds_days_recomputed_total{outcome="computed"}') == 1
    assert risen('weeds_days_recomputed_total{outcome="unchanged"}') == 1
    assert risen('weeds_days_recomputed_total{outcome="failed"}') == 0


def test_it_says_why_requests_were_refused(make_server: Callable[..., Server]) -> None:
    server = make_server(WRONG_KEY_LIMIT="1/day")
    for status in (401, 429):
        assert server.visitor().get("/api/sessions", headers={"X-API-Key": "k" * 43}).status_code == status
    text = server.user().get("/metrics").text
    assert 'weeds_refusals_total{function="sessions",reason="rate-limited",status="429"} 1.0' in text
