"""GET /api/trend: where one metric is going, and the shape of its season."""

from __future__ import annotations

import msgspec

from lib import calendars, trends
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import malformed
from lib.scope import MetricName, Period, rows_of
from lib.seasons import Point, Season, SeasonalTest, SeasonLength, SeasonOfYear, Verdict
from lib.store.records import METRICS
from lib.trends import Autocorrelation, LeftOut, Line, Slope, TrendTest


class Query(Period):
    """`seasons`: whether the season is shown by month or by ISO week."""

    metric: MetricName = "shannon_diversity"
    seasons: SeasonLength = "month"


class Trend(msgspec.Struct):
    """The days that are used and what they come to; `verdict` is rising, falling, none or too_few.

    It is that of the test named by `verdict_from`: with three years or more the seasonal one, which compares
    each month or week with itself in other years, else that of the days in their order. `slope` and `line` are
    null with fewer than three days. Days with too little effort are left out, and counted in `left_out`.
    """

    metric: str
    unit: str
    description: str
    points: list[Point]
    left_out: LeftOut
    verdict: Verdict
    verdict_from: str
    mann_kendall: TrendTest
    autocorrelation: Autocorrelation
    slope: Slope | None
    line: Line | None
    season_length: SeasonLength
    seasons: list[Season]
    seasons_of_years: list[SeasonOfYear]
    seasonal: SeasonalTest
    sample: bool


@operation("The trend of a metric, and its season", problems=(404,))
def get(call: Call, query: Query) -> Trend:
    if query.metric not in METRICS:
        raise malformed([{"field": "metric", "reason": f"must be one of: {', '.join(METRICS)}"}])
    store = call.store
    rows = rows_of(store, query, calendars.columns(query.metric))
    found = trends.build(rows, query.metric, query.seasons)
    presented = calendars.PRESENTED[query.metric]
    return Trend(
        metric=query.metric,
        unit=presented.unit,
        description=presented.description,
        sample=store.sample,
        **{name: getattr(found, name) for name in found.__dataclass_fields__},
    )
