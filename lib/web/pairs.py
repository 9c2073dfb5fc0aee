"""Pairs of sides worth comparing, for a choice by a link, and what a side is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from lib.sides import Side, parse

if TYPE_CHECKING:
    from lib.store.records import Session
    from lib.web.words import Words

Pair = tuple[Side, Side]
# A name within a sentence keeps its own direction of writing: first strong isolate, and its end.
_ISOLATE, _END = "\u2068", "\u2069"


def suggested(days: Sequence[date], sessions: Sequence[Session]) -> list[Pair]:
    """Pairs that the surveyed `days` (in order) and the `sessions` (newest first) offer, the earlier side first.

    The newest season against the one before, the newest month against the one before and against itself a season
    earlier, and the two newest sessions; only spans with a survey.
    """
    pairs: list[Pair] = []
    months = {(day.year, day.month) for day in days}
    if days:
        newest = days[-1]
        before = max((day.year for day in days if day.year < newest.year), default=None)
        if before:
            pairs.append((_year(before), _year(newest.year)))
        last = (newest.year, newest.month - 1) if newest.month > 1 else (newest.year - 1, 12)
        earlier = [last, *([(before, newest.month)] if before else [])]
        pairs += [(_month(*each), _month(newest.year, newest.month)) for each in earlier if each in months]
    if len(sessions) > 1:
        pairs.append((Side(session=sessions[1].id), Side(session=sessions[0].id)))
    return pairs


def named(side: Side, sessions: Mapping[int, str], say: Words) -> str:
    """A side in words; `sessions` has the name of each session by its number."""
    period = _period(side, say)
    if side.session is None:
        return period or say.gettext("All days")
    name = f"{_ISOLATE}{sessions[side.session]}{_END}"
    return say.gettext("%(session)s, %(period)s", session=name, period=period) if period else name


def fields(side: Side, letter: str) -> dict[str, str]:
    """What a form has in its fields for a side: `a_session`, `a_start` and `a_end` for the letter a."""
    return {
        f"{letter}_session": str(side.session or ""),
        f"{letter}_start": side.start.isoformat() if side.start else "",
        f"{letter}_end": side.end.isoformat() if side.end else "",
    }


def address(pair: Pair, metric: str | None = None) -> str:
    """The page that compares a pair."""
    given = fields(pair[0], "a") | fields(pair[1], "b") | ({"metric": metric} if metric else {})
    return f"/compare?{urlencode({name: value for name, value in given.items() if value})}"


def api_address(pair: Pair, metric: str) -> str | None:
    """The same comparison as JSON; None where the API cannot be asked for it.

    It takes whole sessions, and periods of one session or of all.
    """
    given = {name: _text(side) for name, side in zip("ab", pair, strict=True)}
    restricted = {side.session for side in pair if not side.is_session}
    if len(restricted) > 1 or not all(given.values()):
        return None
    given["metric"] = metric
    if restricted and (session := restricted.pop()):
        given["session"] = str(session)
    return f"/api/compare?{urlencode(given)}"


def _text(side: Side) -> str:
    """A side as the API takes it; empty for all days, which it does not."""
    if side.is_session:
        return f"session:{side.session}"
    if side.start is None and side.end is None:
        return ""
    return f"{side.start or ''}..{side.end or ''}"


def _year(year: int) -> Side:
    return Side(start=date(year, 1, 1), end=date(year, 12, 31))


def _month(year: int, month: int) -> Side:
    return parse(f"{year:04}-{month:02}")


def _period(side: Side, say: Words) -> str:
    start, end = side.start, side.end
    if start is None and end is None:
        return ""
    if end is None:
        return say.gettext("from %(day)s", day=say.day(start or date.min))
    if start is None:
        return say.gettext("until %(day)s", day=say.day(end))
    span = replace(side, session=None)
    if start == end:
        return say.day(start)
    if span == _year(start.year):
        return say.year(start.year)
    if span == _month(start.year, start.month):
        return say.month_of_year(start)
    return say.gettext("%(first)s to %(last)s", first=say.day(start), last=say.day(end))
