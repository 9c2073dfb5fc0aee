"""GET /compare: two periods or two sessions side by side, and what sets them apart."""

from __future__ import annotations

import msgspec
from flask import Response

from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import malformed
from lib.scope import Identifier, MetricName
from lib.sides import Side
from lib.store.records import METRICS
from lib.web import pairs
from lib.web.forms import Typed
from lib.web.page import HTML, Page

FIELDS = ("a_session", "a_start", "a_end", "b_session", "b_start", "b_end")
DEFAULT_METRIC = "shannon_diversity"


class Query(msgspec.Struct):
    """Each side is a session, a span of days, or the days of a session; `metric` is that of the daily values.

    Without any of them: the first pair that the surveys offer. The days (`a_start`, `a_end`, `b_start` and `b_end`)
    are read where they are refused in words.
    """

    a_session: Identifier | None = None
    b_session: Identifier | None = None
    metric: MetricName = DEFAULT_METRIC


@operation("Two sessions or periods side by side", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    if query.metric not in METRICS:
        reason = f"must be one of: {', '.join(METRICS)}"
        raise malformed([{"field": "metric", "reason": reason}], metrics=list(METRICS))
    page, store = Page(call), call.store

    from lib import side_by_side  # brings NumPy, as the route of comparisons does
    from lib.web import comparing

    side_by_side.session_names(store, {"a_session": query.a_session, "b_session": query.b_session})
    sessions = store.sessions()
    names = {session.id: session.session_name for session in sessions}
    surveyed = [row.date for row in store.days(columns=("total_images",))]
    suggested = pairs.suggested(surveyed, sessions)
    given = call.request.args
    typed = Typed(page.say, {name: given.get(name, "") for name in FIELDS})
    pair: pairs.Pair | None = None
    if any(name in given for name in FIELDS):
        pair = _side(typed, "a", query.a_session), _side(typed, "b", query.b_session)
    elif suggested:
        pair = suggested[0]
        typed.given = pairs.fields(pair[0], "a") | pairs.fields(pair[1], "b")
    found = None
    if pair and surveyed and typed.good:
        try:
            found = side_by_side.build(store, *pair, query.metric, names)
        except side_by_side.SharedDays as shared:
            typed.problem = page.say.gettext(
                "Both sides have days in common. Choose days that lie apart, or two sessions."
            )
            if shared.days:
                typed.problem = page.say.gettext(
                    "Both sides have survey days in common, the first on %(day)s. Choose days that lie apart, or "
                    "two sessions.",
                    day=page.say.day(shared.days[0]),
                )
    html = page.render(
        "compare.html",
        found=found,
        words=comparing,
        names=[pairs.named(side, names, page.say) for side in pair] if pair and found else [],
        typed=typed,
        metric=query.metric,
        metrics=METRICS,
        sessions=sessions,
        session_choices=[(str(session.id), session.session_name) for session in sessions],
        surveyed=surveyed,
        suggested=[
            (
                pairs.address(each, None if query.metric == DEFAULT_METRIC else query.metric),
                [pairs.named(side, names, page.say) for side in each],
                each == pair,
            )
            for each in suggested
        ],
        json_address=pairs.api_address(pair, query.metric) if pair and found else None,
    )
    return Response(html, status=200 if typed.good else 400, headers=page.headers)


def _side(typed: Typed, letter: str, session: int | None) -> Side:
    """One side as it was typed; what is wrong with its days is noted beside them."""
    start, end = typed.day(f"{letter}_start"), typed.day(f"{letter}_end")
    if start and end and end < start:
        typed.refuse(f"{letter}_end", typed.say.gettext("The last day lies before the first."))
    return Side(session, start, end)
