"""GET /api/compare: two sessions or two periods against each other."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from lib import comparison, sides
from lib.comparison import DailyTest, Note, SideSummary
from lib.contrasts import Dissimilarity, GammaAlphaBeta, Standardised
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import FieldError, invalid, malformed, not_found
from lib.scope import Identifier, MetricName
from lib.sides import Side
from lib.species_changes import SpeciesChanges
from lib.store.records import METRICS, DayRow

if TYPE_CHECKING:
    from lib.store.interface import ReadStore

SideText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=40,
        description=f"What to compare: {sides.FORMS}.",
        examples=["2025-06-01..2025-06-30", "2025", "session:12"],
    ),
]


class Query(msgspec.Struct):
    """`session` restricts periods to one session; `metric` is that of the daily values."""

    a: SideText
    b: SideText
    session: Identifier | None = None
    metric: MetricName = "shannon_diversity"


class SideShape(msgspec.Struct):
    """One side: what was asked for, and what it holds. An end that is null is open."""

    kind: Literal["session", "period"]
    session: int | None
    session_name: str | None
    start_date: date | None
    end_date: date | None
    summary: SideSummary


class Comparison(msgspec.Struct):
    """How b is against a.

    `standardised`, `dissimilarity` and `gamma_alpha_beta` are null when a side has too few plants, which its
    summary and `notes` say. Every estimate is {value, se, low, high}, at 95 %; `labellings` is the number of
    possible labellings of the photos in it, 1 when the labels are taken as certain.
    """

    a: SideShape
    b: SideShape
    labellings: int
    effort_differs: bool
    standardised: Standardised | None
    dissimilarity: Dissimilarity | None
    gamma_alpha_beta: list[GammaAlphaBeta] | None
    species: SpeciesChanges
    daily: DailyTest
    notes: list[Note]
    sample: bool


@operation("Two sessions or periods compared", problems=(404, 422))
def get(call: Call, query: Query) -> Comparison:
    a, b = _sides(query)
    store = call.store
    names = _session_names(store, query, a, b)
    if sides.overlap(a, b) and a.is_session == b.is_session:
        raise invalid([{"field": "b", "reason": "shares days with a; what is compared must lie apart"}])
    columns = comparison.columns(query.metric)
    rows_a, rows_b = (store.days(side.session, side.start, side.end, columns) for side in (a, b))
    if sides.overlap(a, b):
        _check_apart(rows_a, rows_b)
    found = comparison.compare(rows_a, rows_b, query.metric)
    return Comparison(
        a=_shape(a, names, found.a),
        b=_shape(b, names, found.b),
        labellings=found.labellings,
        effort_differs=found.effort_differs,
        standardised=found.standardised,
        dissimilarity=found.dissimilarity,
        gamma_alpha_beta=found.gamma_alpha_beta,
        species=found.species,
        daily=found.daily,
        notes=comparison.notes_of(found),
        sample=store.sample,
    )


def _sides(query: Query) -> tuple[Side, Side]:
    """Both sides as they are written; 400 naming every parameter that cannot be read."""
    errors: list[FieldError] = []
    found = []
    for name, text in (("a", query.a), ("b", query.b)):
        try:
            side = sides.parse(text)
        except ValueError as error:
            errors.append({"field": name, "reason": str(error)})
            continue
        found.append(side if side.is_session else Side(query.session, side.start, side.end))
    if query.metric not in METRICS:
        errors.append({"field": "metric", "reason": f"must be one of: {', '.join(METRICS)}"})
    if errors:
        raise malformed(errors)
    return found[0], found[1]


def _session_names(store: ReadStore, query: Query, a: Side, b: Side) -> dict[int, str]:
    """The caller's sessions; 404 naming every parameter with one that is not among them."""
    asked = {"session": query.session}
    asked |= {name: side.session for name, side in (("a", a), ("b", b)) if side.is_session}
    if not any(asked.values()):
        return {}
    names = {session.id: session.session_name for session in store.sessions()}
    errors: list[FieldError] = [
        {"field": name, "reason": "unknown session"}
        for name, number in asked.items()
        if number is not None and number not in names
    ]
    if errors:
        raise not_found("There is no session with this number.", errors=errors)
    return names


def _check_apart(rows_a: list[DayRow], rows_b: list[DayRow]) -> None:
    """422 when a session and a period of all sessions have a surveyed day in common."""
    common = {row.date for row in rows_a} & {row.date for row in rows_b}
    if common:
        reason = (
            f"shares {len(common)} surveyed days with a, the first {min(common)}; restrict it with session"
        )
        raise invalid([{"field": "b", "reason": reason}])


def _shape(side: Side, names: dict[int, str], summary: SideSummary) -> SideShape:
    return SideShape(
        kind="session" if side.is_session else "period",
        session=side.session,
        session_name=None if side.session is None else names[side.session],
        start_date=side.start,
        end_date=side.end,
        summary=summary,
    )
