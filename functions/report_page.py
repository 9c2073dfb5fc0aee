"""GET /report: one season to print or to hand in, with how its numbers are made."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from flask import Response

from lib import calendars
from lib.definitions import DEFINITIONS
from lib.dispatcher import Call
from lib.model_versions import ModelVersion, named_by
from lib.operations import operation
from lib.scope import Identifier, MetricName, Year, check_session
from lib.store.interface import ReadStore
from lib.store.records import METRICS, MINIMUM_COVERAGE, MINIMUM_UNITS, DayRow, Session
from lib.web import season
from lib.web.page import HTML, Page

MOST_NAMES = 4  # of sessions at the head of a report; of more, the number is said


class Query(msgspec.Struct):
    """`metric` is what the heat-map shows. Without a year: the newest with a survey."""

    year: Year | None = None
    session: Identifier | None = None
    metric: MetricName = "shannon_diversity"


@operation("A season to print", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    calendars.check_metric(query.metric)
    page = Page(call)
    store = call.store
    check_session(store, query.session)

    from lib import season_report  # brings NumPy, as the route of comparisons does

    today = datetime.now(ZoneInfo(call.settings.site_timezone)).date()
    rows = store.days(query.session, columns=season_report.COLUMNS)
    calendar = calendars.build(rows, query.metric, query.year, store.sample, today.year)
    days = [row for row in rows if row.date.year == calendar.year]
    sessions = store.sessions()
    session = next((each for each in sessions if each.id == query.session), None)
    of_session = {"session": query.session} if query.session else {}
    newest_year = calendar.years[-1] if calendar.years else None
    newest = {"year": newest_year, "metric": query.metric} | of_session
    html = page.render(
        "report.html",
        calendar=calendar,
        picture=season.picture(season.months(calendar, page.say, today), page.say.first_weekday),
        report=season_report.build(days),
        of_months=season_report.OF_MONTHS,
        models=_models(store, days, query.session),
        metrics=METRICS,
        sessions=sessions,
        session=session,
        of_sessions=[session] if session else _sessions_of(call, sessions, days),
        most_names=MOST_NAMES,
        years=sorted({*calendar.years, calendar.year}, reverse=True),
        newest_year=newest_year,
        newest_address=f"/report?{urlencode(newest)}",
        upload_address=f"/upload?{urlencode(of_session)}" if of_session else "/upload",
        today=today,
        least_units=MINIMUM_UNITS,
        least_coverage=MINIMUM_COVERAGE,
        interval_of=calendars.interval_of,
        definitions=[(metric, *_definition(metric)) for metric in METRICS if metric != "total_images"],
    )
    return Response(html, headers=page.headers)


def _sessions_of(call: Call, sessions: list[Session], days: list[DayRow]) -> list[Session]:
    """Whose days these are; a session without a survey among them is not named."""
    if not sessions or not days:
        return []
    surveyed = call.mine.surveyed(days[0].date, days[-1].date)
    return [each for each in sessions if each.id in surveyed]


def _definition(metric: str) -> tuple[str, str]:
    """Formula and source of a metric without their English remarks, which stand behind a comma or a semicolon."""
    definition = DEFINITIONS[metric]
    formula, source = (re.split("[,;]", text)[0] for text in (definition.formula, definition.source))
    formula = formula.replace(" = number of species with a count above zero", "")
    return formula.replace(" at q = ", ", q = "), source


def _models(store: ReadStore, days: list[DayRow], session_id: int | None) -> list[ModelVersion]:
    """Who named the photos of these days, each version by itself."""
    found = set()
    for row in days:
        processing = store.processing(row.date, session_id)
        if processing is not None:
            found.update(named_by(row, processing))
    return sorted(found, key=lambda each: (each.name, each.version or ""))
