"""GET /api/time-series: metrics over the surveyed days of a period."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lib import time_series
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Period, rows_of
from lib.time_series import TimeSeries

MetricList = Annotated[
    str,
    msgspec.Meta(
        max_length=500,
        examples=["shannon_diversity,hill_q1"],
        extra_json_schema={"pattern": time_series.LIST_PATTERN},
    ),
]


class Query(Period):
    """`metrics`: names separated by commas."""

    metrics: MetricList | None = None


@operation("Metrics over time", problems=(404,))
def get(call: Call, query: Query) -> TimeSeries:
    metrics = time_series.metrics_of([] if query.metrics is None else [query.metrics])
    store = call.store
    rows = rows_of(store, query, time_series.columns(metrics))
    return time_series.build(rows, metrics, store.sample)
