"""GET /: what this is, what to do first or next, and the season, last days and totals of whoever looks."""

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
LAST_DAYS = 5
MOST_FREQUENT = 5


@operation("The start page", media_type=HTML)
def get(call: Call) -> Response:
    signed_in = call.identity.user is not None
    if signed_in:
        call.identity.demand("read")
    page = Page(call)
    store = call.store
    rows = store.days(columns=calendars.columns(METRIC))
    newest = store.day(rows[-1].date) if rows else None
    today = datetime.now(ZoneInfo(call.settings.site_timezone)).date()
    calendar = calendars.build(rows, METRIC, None, store.sample, today.year)
    html = page.render(
        "home.html",
        last_days=rows[: -LAST_DAYS - 1 : -1],
        newest=newest,
        species_of_day=newest.top_species[:MOST_FREQUENT] if newest else (),
        calendar=calendar,
        picture=season.picture(season.months(calendar, page.say, today), page.say.first_weekday),
        counts=store.counts(),
        to_review=call.mine.review_count() if signed_in else 0,
        waiting=call.mine.waiting_photos() if signed_in else 0,
        interval_of=calendars.interval_of,
        file_mode=call.settings.mode == "file",
    )
    return Response(html, headers=page.headers)
