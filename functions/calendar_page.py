"""GET /calendar: a year of one metric as a table of links, one for each surveyed day."""

from __future__ import annotations

from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from flask import Response

from lib import calendars
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Identifier, MetricName, Year, check_session
from lib.store.records import METRICS
from lib.web import season
from lib.web.page import HTML, Page

DEFAULT_METRIC = "shannon_diversity"
YEARS = range(1900, 2201)  # what lib.scope.Year takes


class Query(msgspec.Struct):
    """`day` is marked. Without a year: the year of `day`, else the newest year with a survey."""

    metric: MetricName = DEFAULT_METRIC
    year: Year | None = None
    session: Identifier | None = None
    day: date | None = None


@operation("The season as a calendar", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    calendars.check_metric(query.metric)
    page = Page(call)
    store = call.store
    check_session(store, query.session)
    today = datetime.now(ZoneInfo(call.settings.site_timezone)).date()
    year = query.year or (query.day.year if query.day and query.day.year in YEARS else None)
    rows = store.days(query.session, columns=calendars.columns(query.metric))
    calendar = calendars.build(rows, query.metric, year, store.sample, today.year)
    of_session = {"session": query.session} if query.session else {}
    shown = {"metric": query.metric, "year": calendar.year}
    known = sorted({*calendar.years, today.year})
    sessions = store.sessions()
    html = page.render(
        "calendar.html",
        calendar=calendar,
        months=season.months(calendar, page.say, today),
        metrics=METRICS,
        sessions=sessions,
        session=next((each for each in sessions if each.id == query.session), None),
        address=f"/calendar?{urlencode({'metric': query.metric} | of_session)}&",
        everywhere=f"/calendar?{urlencode(shown)}",
        day_address=f"?{urlencode(of_session)}" if of_session else "",
        report_address=f"/report?{urlencode(shown | of_session)}",
        earlier=calendar.year - 1 if calendar.year > known[0] else None,
        later=calendar.year + 1 if calendar.year < known[-1] else None,
        newest_year=calendar.years[-1] if calendar.years else None,
        shown_day=query.day,
    )
    return Response(html, headers=page.headers)
