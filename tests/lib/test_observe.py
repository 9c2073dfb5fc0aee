"""Log lines, request ids and metrics."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import observe
from lib.observe import BUCKETS, Requests


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """configure_logging sets the root logger up; afterwards it is as it was."""
    loggers = [logging.getLogger(name) for name in ("", "gunicorn.error", "peewee")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    loggers[0].handlers.clear()
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


class TestLogging:
    def test_a_line_is_one_json_object(self, capsys: pytest.CaptureFixture[str]) -> None:
        observe.configure_logging("INFO")
        logging.getLogger("weeds.x").info("two\nlines and 畑", extra={"photos": 3})
        (line,) = capsys.readouterr().err.splitlines()
        found = json.loads(line)
        assert (found["message"], found["level"], found["logger"]) == ("two\nlines and 畑", "INFO", "weeds.x")
        assert found["photos"] == 3
        assert found["time"]

    def test_a_traceback_stays_on_its_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        observe.configure_logging("INFO")
        try:
            raise ValueError("a reason")
        except ValueError:
            observe.LOG.exception("failed")
        (line,) = capsys.readouterr().err.splitlines()
        assert "a reason" in json.loads(line)["exc_info"]

    def test_the_level_is_kept(self, capsys: pytest.CaptureFixture[str]) -> None:
        observe.configure_logging("WARNING")
        observe.LOG.info("quiet")
        observe.LOG.warning("loud")
        assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["loud"]

    def test_twice_is_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        observe.configure_logging("INFO")
        observe.configure_logging("INFO")
        observe.LOG.info("once")
        assert len(capsys.readouterr().err.splitlines()) == 1

    def test_gunicorn_writes_json_too_and_only_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        gunicorn = logging.getLogger("gunicorn.error")
        gunicorn.addHandler(logging.StreamHandler())
        gunicorn.propagate = False
        observe.configure_logging("INFO")
        gunicorn.warning("worker")
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["logger"] == "gunicorn.error"

    def test_no_query_is_logged_with_its_values(self, capsys: pytest.CaptureFixture[str]) -> None:
        observe.configure_logging("DEBUG")
        logging.getLogger("peewee").debug("SELECT ?", "a digest")
        observe.LOG.debug("ours")
        assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["ours"]


class TestRequestId:
    @given(st.from_regex(r"[A-Za-z0-9._-]{8,64}", fullmatch=True))
    def test_a_harmless_one_is_kept(self, offered: str) -> None:
        assert observe.request_id(offered) == offered

    @given(st.text() | st.none())
    def test_what_is_answered_is_always_harmless(self, offered: str | None) -> None:
        found = observe.request_id(offered)
        assert 8 <= len(found) <= 64
        assert found.isascii()
        assert all(char.isalnum() or char in "._-" for char in found)

    @pytest.mark.parametrize("offered", [None, "", "abcdefgh\n", "abcdefg", "a" * 65, "abc defgh"])
    def test_another_is_replaced_by_a_fresh_one(self, offered: str | None) -> None:
        assert observe.request_id(offered) != observe.request_id(offered)


class TestRequests:
    def samples(self, requests: Requests) -> dict[tuple[str, ...], float]:
        """(name, label values…) -> value of everything collected."""
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in requests.collect()
            for sample in family.samples
        }

    def test_a_request_is_in_flight_until_it_is_answered(self) -> None:
        requests = Requests()
        requests.start("upload")
        requests.start("upload")
        requests.finish("upload", "POST", 201, 0.2)
        assert self.samples(requests)[("weeds_requests_in_flight", "upload")] == 1

    def test_durations_fill_every_bucket_they_fit_in(self) -> None:
        requests = Requests()
        for seconds in (0.004, 0.2, 90.0):
            requests.start("x")
            requests.finish("x", "GET", 200, seconds)
        found = self.samples(requests)
        bucket = {key[-1]: value for key, value in found.items() if key[0] == "weeds_request_seconds_bucket"}
        assert (bucket["0.005"], bucket["0.1"], bucket["0.25"], bucket["60.0"], bucket["+Inf"]) == (
            1,
            1,
            2,
            2,
            3,
        )
        assert found[("weeds_request_seconds_count", "x", "GET", "200")] == 3
        assert found[("weeds_request_seconds_sum", "x", "GET", "200")] == pytest.approx(90.204)

    @given(st.lists(st.floats(0, 100), min_size=1))
    def test_buckets_never_fall(self, durations: list[float]) -> None:
        requests = Requests()
        for seconds in durations:
            requests.start("x")
            requests.finish("x", "GET", 200, seconds)
        (series,) = requests._series.values()
        counts = series[: len(BUCKETS) + 1]
        assert counts == sorted(counts)
        assert counts[-1] == len(durations)

    def test_statuses_and_methods_are_apart(self) -> None:
        requests = Requests()
        for method, status in (("GET", 200), ("GET", 404), ("POST", 200)):
            requests.start("x")
            requests.finish("x", method, status, 0.1)
        counted = [key for key in self.samples(requests) if key[0] == "weeds_request_seconds_count"]
        assert sorted(key[2:] for key in counted) == [("GET", "200"), ("GET", "404"), ("POST", "200")]

    def test_threads_lose_no_count(self) -> None:
        requests = Requests()

        def ask() -> None:
            for _ in range(500):
                requests.start("x")
                requests.finish("x", "GET", 200, 0.1)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = self.samples(requests)
        assert found[("weeds_request_seconds_count", "x", "GET", "200")] == 2000
        assert found[("weeds_requests_in_flight", "x")] == 0


def test_the_metrics_page_is_prometheus_text() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    observe.REQUESTS.start("observe_test")
    observe.REQUESTS.finish("observe_test", "GET", 200, 0.1)
    text, media_type = observe.exposition()
    assert media_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {"weeds_request_seconds", "weeds_requests_in_flight", "process_resident_memory_bytes"} <= set(
        families
    )
    counted = [
        sample for sample in families["weeds_request_seconds"].samples if sample.name.endswith("_count")
    ]
    assert any(sample.labels["function"] == "observe_test" and sample.value >= 1 for sample in counted)
