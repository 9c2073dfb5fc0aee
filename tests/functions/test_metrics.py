"""GET /metrics: Prometheus text."""

from __future__ import annotations

import re

from tests.functions.conftest import Client


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


def test_it_is_prometheus_text(user: Client) -> None:
    reply = user.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert "process_resident_memory_bytes" in reply.text
