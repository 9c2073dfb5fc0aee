"""GET /: what this is; the season, the newest day and the totals of whoever looks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response

from lib import calendars
from lib.dispatcher import Call
from lib.operations import operation
from lib.web import season
from lib.web.page import HTML, Page

METRIC = "shannon_diversity"


@operation("The start page", media_type=HTML)
def get(call: Call) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    page = Page(call)
    store = call.store
    rows = store.days(columns=calendars.columns(METRIC))
    today = datetime.now(ZoneInfo(call.settings.site_timezone)).date()
    calendar = calendars.build(rows, METRIC, None, store.sample, today.year)
    html = page.render(
        "home.html",
        newest=store.day(rows[-1].date) if rows else None,
        calendar=calendar,
        picture=season.picture(season.months(calendar, page.say, today), page.say.first_weekday),
        counts=store.counts(),
        file_mode=call.settings.mode == "file",
    )
    return Response(html, headers=page.headers)
