"""Two sides looked up in a store and set against each other, as the API and the page show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Literal

import msgspec

from lib import comparison, sides
from lib.comparison import DailyTest, Note, SideSummary
from lib.contrasts import Dissimilarity, GammaAlphaBeta, Standardised
from lib.problems import FieldError, not_found
from lib.sides import Side
from lib.species_changes import SpeciesChanges

if TYPE_CHECKING:
    from lib.store.interface import ReadStore


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


class SharedDays(Exception):
    """The sides have plants in common. `days` are the surveyed days on both; none where the spans themselves
    overlap, surveyed or not."""

    def __init__(self, days: list[date]) -> None:
        super().__init__(f"{len(days)} days are on both sides")
        self.days = days


def session_names(store: ReadStore, asked: Mapping[str, int | None]) -> dict[int, str]:
    """The names of the caller's sessions; 404 naming every parameter of `asked` with one not among them."""
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


def build(store: ReadStore, a: Side, b: Side, metric: str, names: Mapping[int, str]) -> Comparison:
    """Both sides compared, with daily values of `metric`; `names` has the sessions of both.

    SharedDays when a day of the same photos stands on both sides.
    """
    if sides.overlap(a, b) and a.is_session == b.is_session:
        raise SharedDays([])
    columns = comparison.columns(metric)
    rows_a, rows_b = (store.days(side.session, side.start, side.end, columns) for side in (a, b))
    if sides.overlap(a, b):
        # A session against a period of all sessions: whether they meet is known from the days alone.
        common = {row.date for row in rows_a} & {row.date for row in rows_b}
        if common:
            raise SharedDays(sorted(common))
    found = comparison.compare(rows_a, rows_b, metric)
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


def _shape(side: Side, names: Mapping[int, str], summary: SideSummary) -> SideShape:
    return SideShape(
        kind="session" if side.is_session else "period",
        session=side.session,
        session_name=None if side.session is None else names[side.session],
        start_date=side.start,
        end_date=side.end,
        summary=summary,
    )
