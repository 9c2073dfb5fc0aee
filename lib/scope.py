"""The query parameters that several read routes share: which session, from when to when, which model."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from lib.problems import invalid, malformed, not_found
from lib.store.records import METRICS

if TYPE_CHECKING:
    from lib.store.interface import ReadStore
    from lib.store.records import DayRow

Identifier = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1, description="A number from an earlier answer.")]
Year = Annotated[int, msgspec.Meta(ge=1900, le=2200)]
MetricName = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(METRICS)})]
ModelName = Annotated[str, msgspec.Meta(max_length=200, description="The name of one model.")]
VersionName = Annotated[str, msgspec.Meta(max_length=50, description="One version of it.")]


class IdPath(msgspec.Struct):
    """The path parameter of one object."""

    id: Identifier


class Period(msgspec.Struct):
    """A span of days, both ends included, of one session or of all."""

    start_date: date | None = None
    end_date: date | None = None
    session: Identifier | None = None


def check_session(store: ReadStore, session_id: int | None) -> None:
    """404 when the session is not the caller's."""
    if session_id is not None and all(session.id != session_id for session in store.sessions()):
        raise not_found(
            "There is no session with this number.", errors=[{"field": "session", "reason": "unknown"}]
        )


def check_period(store: ReadStore, period: Period) -> None:
    """400 when a period ends before it starts, 404 when its session is not the caller's."""
    if period.start_date and period.end_date and period.end_date < period.start_date:
        raise malformed([{"field": "end_date", "reason": "lies before start_date"}])
    check_session(store, period.session)


def rows_of(store: ReadStore, period: Period, columns: Collection[str]) -> list[DayRow]:
    """The rows of a period, of which `columns` will be read; errors as `check_period`."""
    check_period(store, period)
    return store.days(period.session, period.start_date, period.end_date, columns)


EARLIEST = date(1990, 1, 1)  # as for the dates that cameras write; before it there were no such photos


def possible_day(day: date) -> date:
    """`day` when photos can have been taken on it; 422 otherwise. Tomorrow is today already further east."""
    if not EARLIEST <= day <= datetime.now(UTC).date() + timedelta(days=1):
        raise invalid([{"field": "date", "reason": f"must lie between {EARLIEST} and today"}])
    return day


# The fields of a session, as its two endpoints take them; the store refuses what contradicts another field.
LONGEST_SESSION_NAME = 100
LONGEST_DESCRIPTION = 2000
SessionName = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_SESSION_NAME)]
Description = Annotated[str, msgspec.Meta(max_length=LONGEST_DESCRIPTION)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
RegionSpecies = Annotated[
    str | list[Annotated[str, msgspec.Meta(min_length=1, max_length=120)]],
    msgspec.Meta(
        description="What the model may name in the session's photos: null for the site's list, `none` for every "
        "species it knows, the name of a list that comes along (`hokkaido`), or scientific names."
    ),
]
Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["Asia/Tokyo"])]
