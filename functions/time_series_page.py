"""GET /time-series: metrics over time as lines with their intervals, gaps and trends, and the table beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
from flask import Response

from lib import time_series, trends
from lib.dispatcher import Call
from lib.operations import operation
from lib.outputs import tables
from lib.problems import malformed
from lib.scope import Identifier, check_session
from lib.seasons import Season
from lib.store.records import METRICS, DayRow
from lib.web.chart import LineChart, Reading, line_chart
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.periods import Period, choices, days_of
from lib.web.verdicts import trend_words
from lib.web.words import METRIC_WORDS, Words

DATES = ("start_date", "end_date")
# What was seen is told of every day; of the rest a day with too few photos says nothing.
COUNTS = ("total_images", "species_richness")
LONGEST_LIST = 1000  # characters of `metrics`, which comes once for each box that is ticked, or with commas


class Query(msgspec.Struct):
    """Without a period and without days: the season of the newest survey day. Days outweigh a period.

    `coverage`: the values as if every day had found the same share of its plants, of metrics that have such.
    `metrics`, `start_date` and `end_date` are read where they are refused in words.
    """

    session: Identifier | None = None
    period: Period | None = None
    coverage: Literal["equal"] | None = None
    format: Literal["csv"] | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One metric over the chosen days: its values as the table shows them, its chart and what is said of it.

    `words_of` is the metric by whose decimals the values are written; `column` what the CSV calls it.
    """

    metric: str
    fair: bool
    column: str
    words_of: str
    values: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    chart: LineChart
    verdict: list[str]
    months: list[Season]


@operation("Metrics over time", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    page = Page(call)
    store = call.store
    metrics = _metrics(call)
    check_session(store, query.session)
    given = call.request.args
    typed = Typed(page.say, {name: given.get(name, "") for name in DATES})
    start, end = typed.day("start_date"), typed.day("end_date")
    if start and end and end < start:
        typed.refuse("end_date", page.say.gettext("The last day lies before the first."))
    if not typed.good and query.format:
        raise malformed([{"field": name, "reason": why} for name, why in typed.errors.items()])
    surveyed = [row.date for row in store.days(query.session, columns=("total_images",))]
    # A form that was sent with both fields empty asks for all days; an address that has neither for a period.
    period = None if any(name in given for name in DATES) else query.period or "season"
    if period and surveyed:
        start, end = days_of(period, surveyed[-1])
        typed.given = {
            name: day.isoformat() if day else "" for name, day in zip(DATES, (start, end), strict=True)
        }
    rows = []
    if typed.good and surveyed:
        rows = store.days(query.session, start, end, [*time_series.columns(metrics), "total_images"])
    courses = _courses(rows, metrics, query.coverage == "equal", store.sample, page.say)
    if query.format:
        return _csv(rows, courses, store.sample)
    kept: dict[str, Any] = {"metrics": ",".join(metrics)}
    kept |= {"session": query.session} if query.session else {}
    kept |= {"coverage": query.coverage} if query.coverage else {}
    shown = kept | ({"period": period} if period else {name: typed.value(name) for name in DATES})
    html = page.render(
        "time_series.html",
        courses=courses if rows else [],
        rows=rows,
        surveyed=surveyed,
        typed=typed,
        metrics=metrics,
        all_metrics=METRICS,
        counts=COUNTS,
        fair=query.coverage == "equal",
        periods=[
            (each, name, f"/time-series?{urlencode(kept | {'period': each})}")
            for each, name in (choices(surveyed[0], surveyed[-1], page.say) if surveyed else [])
        ],
        period=period,
        sessions=store.sessions(),
        session_id=query.session,
        day_query=f"?session={query.session}" if query.session else "",
        csv_address=f"/time-series?{urlencode(shown | {'format': 'csv'})}",
        file_mode=call.settings.mode == "file",
    )
    return Response(html, status=200 if typed.good else 400, headers=page.headers)


def _metrics(call: Call) -> list[str]:
    listed = [text for text in call.request.args.getlist("metrics") if text.strip()]
    if sum(map(len, listed)) > LONGEST_LIST:
        raise malformed([{"field": "metrics", "reason": f"is longer than {LONGEST_LIST} characters"}])
    return time_series.metrics_of(listed)


def _courses(
    rows: Sequence[DayRow], metrics: Sequence[str], fair: bool, sample: bool, say: Words
) -> list[Course]:
    series = time_series.build(rows, metrics, sample)
    return [_course(rows, series, metric, fair and metric in series.standardised, say) for metric in metrics]


def _course(
    rows: Sequence[DayRow], series: time_series.TimeSeries, metric: str, fair: bool, say: Words
) -> Course:
    values, low, high = series.metrics[metric], series.intervals[metric].low, series.intervals[metric].high
    words_of = metric
    if fair:
        standardised = series.standardised[metric]
        values, low, high = standardised.value, standardised.low, standardised.high
        # The number of species at a common coverage is no whole number any more.
        words_of = "hill_q1" if METRIC_WORDS[metric].decimals == 0 else metric
    trend = trends.build(rows, metric, standardised=fair)
    comparable = {point.date for point in trend.points}
    line = None
    if trend.line and trend.verdict != "too_few":
        line = (_end(trend.line.start), _end(trend.line.end))
    chart = line_chart(
        [
            Reading(row.date, value, bottom, top, row.date in comparable)
            for row, value, bottom, top in zip(rows, values, low, high, strict=True)
        ],
        say,
        value_words=lambda value: say.value(words_of, value),
        trend=line,
        whole=METRIC_WORDS[words_of].decimals == 0,
    )
    return Course(
        metric=metric,
        fair=fair,
        column=f"{metric}_standardised" if fair else metric,
        words_of=words_of,
        values=values,
        low=low,
        high=high,
        chart=chart,
        verdict=trend_words(trend, say),
        months=trend.seasons,
    )


def _end(point: Any) -> tuple[date, float]:
    return point.date, point.value


def _csv(rows: Sequence[DayRow], courses: Sequence[Course], sample: bool) -> Response:
    """The table of the page, one line a day; its numbers have all their digits."""
    columns = ["date"]
    for course in courses:
        columns += [course.column, f"{course.column}_low", f"{course.column}_high"]
    columns += [each for each in ("total_images", "effort") if each not in columns]
    lines = (
        {"date": row.date.isoformat(), "total_images": row.total_images, "effort": row.effort}
        | {
            name: value
            for course in courses
            for name, value in (
                (course.column, course.values[place]),
                (f"{course.column}_low", course.low[place]),
                (f"{course.column}_high", course.high[place]),
            )
        }
        for place, row in enumerate(rows)
    )
    period = f"{rows[0].date}_to_{rows[-1].date}" if rows else "no_days"
    name = f"{'sample_' if sample else ''}time_series_{period}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(tables.table(columns, lines), content_type="text/csv; charset=utf-8", headers=headers)
