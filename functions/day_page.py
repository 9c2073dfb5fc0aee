"""GET /days/{date}: one day of the survey: its species, its metrics, its effort and its photos."""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from flask import Response

from lib import calendars
from lib.dispatcher import Call
from lib.model_versions import named_by
from lib.operations import operation
from lib.problems import Problem
from lib.scope import Identifier, check_session
from lib.store.interface import ReadStore
from lib.store.records import METRICS, DayRow, Session
from lib.web.page import HTML, Page
from lib.web.photo_words import effort_words
from lib.web.words import Words

DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
PHOTOS_SHOWN = 60
RANKS = ("genus", "family")


class Path(msgspec.Struct):
    """`date` is read where it is refused in words."""

    date: str


class Query(msgspec.Struct):
    session: Identifier | None = None


@operation("One day", media_type=HTML, problems=(400, 404))
def get(call: Call, path: Path, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    page = Page(call)
    store = call.store
    check_session(store, query.session)
    day = _day(path.date)
    sessions = store.sessions()
    session = next((each for each in sessions if each.id == query.session), None)
    of_session: dict[str, Any] = {"session": query.session} if query.session else {}
    before, after = _neighbours(store, query.session, day)
    row = store.day(day, query.session)
    processing = store.processing(day, query.session) if row else None
    html = page.render(
        "day.html",
        day=day,
        today=dt.datetime.now(_zone(call, session)).date(),
        row=row,
        estimated=row is not None and row.known_units is not None,
        effort=effort_words(row, page.say) if row else "",
        processing=processing,
        plants=sum(row.species_counts.values()) if row else 0,
        metrics=_metrics(row, page.say) if row and row.effort == "ok" else [],
        ranks=_ranks(row) if row and row.effort == "ok" else [],
        models=[each.shown for each in named_by(row, processing)] if row and processing else [],
        session=session,
        before=before,
        after=after,
        day_query=f"?{urlencode(of_session)}" if of_session else "",
        calendar_address=f"/calendar?{urlencode({'year': day.year} | of_session)}",
        **_of_user(call, day, session, sessions),
    )
    return Response(html, headers=page.headers)


def _day(text: str) -> dt.date:
    if DATE.fullmatch(text):
        with suppress(ValueError):
            return dt.date.fromisoformat(text)
    raise Problem(400, detail="This is no date. A date is written as in 2025-05-12.", kind="no-date")


def _of_user(
    call: Call, day: dt.date, session: Session | None, sessions: Sequence[Session]
) -> dict[str, Any]:
    """What only a person's own days have: photos, sessions, and what there is to do."""
    if call.identity.user is None:
        return {"photos": [], "hours": None, "elsewhere": [], "unsure": 0, "addresses": {}}
    mine = call.mine
    number = session.id if session else None
    photos, following = mine.photos(number, day, day, limit=PHOTOS_SHOWN)
    hours = mine.taken_between(number, day)
    zone = _zone(call, session or next((each for each in sessions if each.id in _ids(photos)), None))
    names = {each.id: each.session_name for each in sessions}
    period = {"start_date": day, "end_date": day} | ({"session": number} if number else {})
    return {
        "photos": photos,
        "hours": [each.astimezone(zone) for each in hours] if hours else None,
        "elsewhere": [
            (names[each.session_id], each)
            for each in (mine.day_by_session(day) if len(sessions) > 1 else ())
            if each.session_id in names and each.session_id != number
        ],
        "unsure": mine.review_count(number, day, day, reason="unsure"),
        "addresses": {
            "photos": f"/photos?{urlencode(period)}" if following else "",
            "review": f"/review?{urlencode(period)}",
            "upload": f"/upload?{urlencode({'day': day} | ({'session': number} if number else {}))}",
        },
    }


def _ids(photos: Sequence[Any]) -> set[int]:
    return {photo.session_id for photo in photos}


def _zone(call: Call, session: Session | None) -> ZoneInfo:
    return ZoneInfo(session.timezone if session else call.settings.site_timezone)


def _neighbours(
    store: ReadStore, session_id: int | None, day: dt.date
) -> tuple[dt.date | None, dt.date | None]:
    """The surveyed days before and after a day."""
    days = [row.date for row in store.days(session_id, columns=("total_images",))]
    first, last = bisect_left(days, day), bisect_right(days, day)
    return (days[first - 1] if first else None), (days[last] if last < len(days) else None)


def _metrics(row: DayRow, say: Words) -> list[tuple[str, str, str, Any]]:
    """Each metric with its value and its interval in words, and its form at equal coverage."""
    return [
        (
            metric,
            _value(metric, calendars.value_of(row, metric), say),
            _interval(metric, *calendars.interval_of(row, metric), say),
            calendars.standardised_of(row, metric),
        )
        for metric in METRICS
    ]


def _value(metric: str, value: float | None, say: Words) -> str:
    """A value as the whole page writes it: the share that was found in per cent, as below its effort."""
    return say.percent(value) if metric == "coverage_estimate" else say.value(metric, value)


def _interval(metric: str, low: float | None, high: float | None, say: Words) -> str:
    if low is None or high is None:
        return ""
    return f"{_value(metric, low, say)}–{_value(metric, high, say)}"


def _ranks(row: DayRow) -> list[tuple[str, dict[str, Any]]]:
    """The richness of the day by genus and family, where it was estimated with an interval."""
    ranks = row.estimate.get("ranks", {})
    found = []
    for rank in RANKS:
        richness = ranks.get(rank, {}).get("richness") if isinstance(ranks, dict) else None
        if isinstance(richness, dict) and all(
            isinstance(richness.get(each), int | float) for each in ("value", "low", "high")
        ):
            found.append((rank, richness))
    return found
