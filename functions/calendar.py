"""GET /api/calendar/{metric}: one year of one metric as a heat-map."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from lib import calendars
from lib.calendars import Calendar
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Identifier, MetricName, Year, check_session


class Path(msgspec.Struct):
    metric: MetricName


class Query(msgspec.Struct):
    """Without a year: the newest year with a survey."""

    year: Year | None = None
    session: Identifier | None = None


@operation("A year of one metric, day by day")
def get(call: Call, path: Path, query: Query) -> Calendar:
    calendars.check_metric(path.metric)
    store = call.store
    check_session(store, query.session)
    this_year = datetime.now(ZoneInfo(call.settings.site_timezone)).year
    rows = store.days(query.session, columns=calendars.columns(path.metric))
    return calendars.build(rows, path.metric, query.year, store.sample, this_year)
