"""What the machine says of itself: JSON log lines, request ids and Prometheus metrics."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from lib import counts

REQUEST_LOG = logging.getLogger("weeds.request")
LOG = logging.getLogger("weeds")
# What a request that is being answered is called: every line that its thread logs says it.
_current = threading.local()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Upper bounds in seconds: a page of rows takes milliseconds, fifty photos up to a minute.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def configure_logging(level: str) -> None:
    """One JSON object a line on standard error, for our own loggers and for gunicorn's."""
    root = logging.getLogger()
    root.setLevel(level)
    if not any(getattr(handler, "weeds", False) for handler in root.handlers):
        from pythonjsonlogger.json import JsonFormatter

        handler = logging.StreamHandler()
        handler.weeds = True  # type: ignore[attr-defined]
        handler.setFormatter(
            JsonFormatter(
                "%(asctime)s %(levelname)s %(name)s %(message)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
                datefmt="%Y-%m-%dT%H:%M:%S%z",
            )
        )
        handler.addFilter(_of_this_request)
        root.handlers[:] = [handler]
    # At DEBUG the database driver's log would hold every query with its values, the digests of keys included.
    # gunicorn's would hold the first bytes of requests that broke off, with the keys among them.
    for name in ("peewee", "gunicorn.error"):
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))
    gunicorn = logging.getLogger("gunicorn.error")
    if _without_what_was_sent not in gunicorn.filters:
        gunicorn.addFilter(_without_what_was_sent)
    gunicorn.handlers.clear()
    gunicorn.propagate = True


def begin_request(name: str) -> None:
    """The lines that this thread logs are of the request of this id; empty: of none."""
    _current.request_id = name


def _of_this_request(record: logging.LogRecord) -> bool:
    name = getattr(_current, "request_id", "")
    if name and not hasattr(record, "request_id"):
        record.request_id = name
    return True


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    """gunicorn quotes a request that it cannot read: the line with a key in it, or a path with its query."""
    if isinstance(record.msg, str) and record.msg.startswith("Invalid request from ip="):
        record.msg = record.msg.partition(": ")[0]
    elif record.msg == "Error handling request %s %s" and isinstance(record.args, tuple):
        method, uri = record.args
        record.args = (method, str(uri).partition("?")[0])
    return True


def request_id(offered: str | None) -> str:
    """The caller's request id when it is a harmless token, else a new one."""
    if offered and _REQUEST_ID.fullmatch(offered):
        return offered
    return uuid.uuid4().hex


class Requests:
    """Counts and durations per function and status; plain numbers, so that counting imports nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str, str], list[float]] = {}
        self._in_flight: dict[str, int] = {}

    def start(self, function: str) -> None:
        """A request of `function` begins."""
        with self._lock:
            self._in_flight[function] = self._in_flight.get(function, 0) + 1

    def finish(self, function: str, method: str, status: int, seconds: float) -> None:
        """A request of `function` was answered."""
        with self._lock:
            self._in_flight[function] -= 1
            series = self._series.setdefault((function, method, str(status)), [0.0] * (len(BUCKETS) + 2))
            for index, bound in enumerate(BUCKETS):
                if seconds <= bound:
                    series[index] += 1
            series[-2] += 1
            series[-1] += seconds

    def collect(self) -> Iterator[Any]:
        """Prometheus families: the collector protocol of prometheus_client."""
        from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

        with self._lock:
            series = {labels: list(values) for labels, values in self._series.items()}
            in_flight = dict(self._in_flight)
        histogram = HistogramMetricFamily(
            "weeds_request_seconds", "Time to answer.", labels=("function", "method", "status")
        )
        for labels, values in sorted(series.items()):
            buckets = [(str(bound), values[index]) for index, bound in enumerate(BUCKETS)]
            histogram.add_metric(labels, [*buckets, ("+Inf", values[-2])], sum_value=values[-1])
        yield histogram
        gauge = GaugeMetricFamily(
            "weeds_requests_in_flight", "Requests being answered.", labels=("function",)
        )
        for function, count in sorted(in_flight.items()):
            gauge.add_metric((function,), count)
        yield gauge


REQUESTS = Requests()


class Counted:
    """What the parts of the product counted: photos, refusals, recomputed days."""

    def collect(self) -> Iterator[Any]:
        """Prometheus families: the collector protocol of prometheus_client."""
        from prometheus_client.core import CounterMetricFamily

        for each in (counts.PHOTOS, counts.REFUSALS, counts.DAYS):
            family = CounterMetricFamily(each.name, each.meaning, labels=each.labels)
            for labels, count in sorted(each.read().items()):
                family.add_metric(labels, count)
            yield family


class Model:
    """The line to the model, and its coming and going; reading it loads nothing."""

    def collect(self) -> Iterator[Any]:
        """Prometheus families: the collector protocol of prometheus_client."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            SummaryMetricFamily,
        )

        from lib.classifier import RESIDENT
        from lib.classifier.waiting import BUCKETS as BOUNDS

        line = RESIDENT.line
        yield GaugeMetricFamily(
            "weeds_model_loaded", "1 while the model is in memory.", value=RESIDENT.loaded() is not None
        )
        yield SummaryMetricFamily(
            "weeds_model_load_seconds",
            "Verifying and loading the model.",
            count_value=RESIDENT.loads,
            sum_value=RESIDENT.load_seconds,
        )
        yield CounterMetricFamily(
            "weeds_model_load_failures", "Times that the model could not be loaded.", value=RESIDENT.failures
        )
        unloads = CounterMetricFamily("weeds_model_unloads", "Times that the model went.", labels=("reason",))
        for reason, count in RESIDENT.unloads.items():
            unloads.add_metric((reason,), count)
        yield unloads
        waiting = GaugeMetricFamily("weeds_model_waiting", "Photos that wait for a turn.", labels=("who",))
        for who, count in line.waiting.items():
            waiting.add_metric((who,), count)
        yield waiting
        refusals = CounterMetricFamily(
            "weeds_model_refusals", "Photos that left the line without a turn.", labels=("reason",)
        )
        for reason, count in line.refusals.items():
            refusals.add_metric((reason,), count)
        yield refusals
        buckets = [(str(bound), float(count)) for bound, count in zip(BOUNDS, line.buckets, strict=True)]
        yield HistogramMetricFamily(
            "weeds_inference_seconds",
            "Preparing a photo and asking the model.",
            buckets=[*buckets, ("+Inf", line.done)],
            sum_value=line.seconds,
        )


def exposition() -> tuple[bytes, str]:
    """The metrics page of this process and its media type."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(REQUESTS)
    registry.register(Counted())
    registry.register(Model())
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
