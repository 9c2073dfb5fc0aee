"""GET /downloads: every file that can be had of one's data, what it holds, and for which session and days."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from flask import Response

from lib import calendars
from lib.dispatcher import Call
from lib.operations import operation
from lib.outputs.exports import OF_A_DAY
from lib.scope import Identifier, MetricName, check_session
from lib.store.records import METRICS
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.words import N_

DATES = ("start_date", "end_date", "date")
DEFAULT_METRIC = "shannon_diversity"


@dataclass(frozen=True, slots=True)
class Download:
    """One kind of export (lib.outputs.exports.KINDS): its name, its format and what it holds, to be translated.

    `described`: its columns are described by a file of their own.
    """

    kind: str
    name: str
    format: str
    holds: str
    described: bool = False


GROUPS: tuple[tuple[str, tuple[Download, ...]], ...] = (
    (
        N_("Everything"),
        (
            Download(
                "all",
                N_("All files"),
                "ZIP",
                N_(
                    "All the files below in one archive, those of a day for each day, with what their columns mean."
                ),
            ),
            Download(
                "darwin-core",
                N_("Darwin Core Archive"),
                "ZIP",
                N_(
                    "Surveys, the plants found at each and the effort, as GBIF and other collections take them. "
                    "It holds the coordinates of sessions that have them."
                ),
            ),
        ),
    ),
    (
        N_("Of the chosen period"),
        (
            Download(
                "species-summary",
                N_("Species"),
                "CSV",
                N_(
                    "A line for each species: how often and on how many days it was found, first and last, how "
                    "sure."
                ),
                described=True,
            ),
            Download(
                "aggregated-predictions",
                N_("All photos"),
                "CSV",
                N_("A line for each photo: its day and the three likeliest names."),
                described=True,
            ),
            Download(
                "time-series",
                N_("Metrics day by day"),
                "JSON",
                N_("All metrics of each survey day with their intervals."),
            ),
            Download(
                "calendar",
                N_("Calendar of one metric"),
                "JSON",
                N_("The value of the chosen metric for each survey day, and its level in the calendar."),
            ),
        ),
    ),
    (
        N_("Of one day"),
        (
            Download(
                "daily-predictions",
                N_("Photos of the day"),
                "CSV",
                N_(
                    "A line for each photo: the three likeliest names, how sure, which model and how long it took."
                ),
                described=True,
            ),
            Download(
                "soft-voting",
                N_("Shares of the day"),
                "CSV",
                N_(
                    "The weight of each species by the probabilities of the model, beside that by plain counting."
                ),
                described=True,
            ),
            Download(
                "daily-summary",
                N_("Summary of the day"),
                "JSON",
                N_(
                    "Metrics, intervals, the commonest species, the quality of the photos and the model of the day."
                ),
            ),
        ),
    ),
)


class Query(msgspec.Struct):
    """`metric` is that of the calendar.

    The days, `start_date`, `end_date` and (for the files of one day) `date`, are read where they are refused in
    words.
    """

    session: Identifier | None = None
    metric: MetricName = DEFAULT_METRIC


@operation("What can be downloaded", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    calendars.check_metric(query.metric)
    page, store = Page(call), call.store
    if store.sample:  # exports are of real surveys only
        file_mode = call.settings.mode == "file"
        html = page.render("downloads.html", groups=GROUPS, open=False, file_mode=file_mode)
        return Response(html, headers=page.headers)
    check_session(store, query.session)
    typed = Typed(page.say, {name: call.request.args.get(name, "") for name in DATES})
    start, end, day = (typed.day(name) for name in DATES)
    if start and end and end < start:
        typed.refuse("end_date", page.say.gettext("The last day lies before the first."))
    surveyed = [row.date for row in store.days(query.session, columns=("total_images",))]
    days = [each for each in surveyed if (start or each) <= each <= (end or each)] if typed.good else []
    if typed.good and day and surveyed and day not in surveyed:
        typed.refuse("date", page.say.gettext("No survey on this day."))
    period = {name: typed.value(name) for name in ("start_date", "end_date") if typed.value(name)}
    session = {"session": str(query.session)} if query.session else {}

    def address(kind: str, **more: str) -> str:
        given = session | more
        if kind in OF_A_DAY:
            given |= {"date": (day or days[-1]).isoformat()}
        else:
            given |= period | ({"metric": query.metric} if kind == "calendar" else {})
        return f"/api/export/{kind}?{urlencode(given)}" if given else f"/api/export/{kind}"

    html = page.render(
        "downloads.html",
        groups=GROUPS,
        open=True,
        address=address,
        typed=typed,
        day=day or (days[-1] if days else None),
        days=days,
        surveyed=surveyed,
        metric=query.metric,
        metrics=METRICS,
        sessions=store.sessions(),
        session_id=query.session,
    )
    return Response(html, status=200 if typed.good else 400, headers=page.headers)
