"""The outage with figures: of a moment, and what the figures are made of."""

from __future__ import annotations

import pytest

from scripts.benchmarks import outage
from scripts.benchmarks.outage import Heard


@pytest.mark.parametrize("mode", outage.MODES)
def test_a_moment_without_a_database_costs_no_photo_and_is_no_failure(mode: str) -> None:
    found = outage._measured(mode, 2.0, 2.0)
    assert set(found["statuses"]) <= {200, 201, 503}
    assert (found["failures"], found["lost"], found["without_retry_after"], found["tracebacks"]) == (
        0,
        0,
        0,
        0,
    )
    assert found["acknowledged"] > 0
    assert set(found["before"]["readers"]["statuses"]) == {"200"}
    # A frozen one may be back before anything was answered.
    assert all(set(found[phase]["health"]["statuses"]) <= {"200"} for phase in outage.PHASES)
    if mode == "stopped":
        assert "503" in found["meanwhile"]["readers"]["statuses"]
    told = outage.describe({"seconds": 2.0, "readers": outage.READERS} | dict.fromkeys(outage.MODES, found))
    assert f"PostgreSQL {mode} for 2 s" in told


def test_what_was_answered_is_counted_by_phase_and_person() -> None:
    heard = Heard()
    heard.note("readers", 200, 0.25, {})
    heard.phase = "meanwhile"
    heard.note("readers", 503, 1.0, {"Retry-After": "5"})
    heard.note("readers", 503, 3.0, {})
    heard.note("uploader", 0, 9.0, {})
    assert heard.count("before", "readers") == {"statuses": {"200": 1}, "median": 0.25, "longest": 0.25}
    assert heard.count("meanwhile", "readers") == {"statuses": {"503": 2}, "median": 3.0, "longest": 3.0}
    assert heard.without_retry_after == 1
    assert heard.last_refusal > 0
