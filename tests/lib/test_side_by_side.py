"""Two sides looked up in a store: whose sessions they are, and that no plant stands on both."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime

import pytest

from lib.problems import Problem
from lib.side_by_side import SharedDays, build, session_names
from lib.sides import Side, parse
from lib.store.records import DayRow, Session


class Plots:
    """Two plots of one owner, as `ReadStore` tells of them; asked for both, their days are one list."""

    sample = False

    def __init__(self) -> None:
        self.surveys = {1: [date(2025, 6, 1), date(2025, 6, 3)], 2: [date(2025, 6, 2), date(2025, 7, 1)]}

    def sessions(self) -> list[Session]:
        made = datetime(2025, 1, 1, tzinfo=UTC)
        return [
            Session(number, 1, f"Plot {number}", "", None, None, "Asia/Tokyo", None, None, made)
            for number in (2, 1)
        ]

    def days(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Collection[str] = (),
    ) -> list[DayRow]:
        of = [session_id] if session_id else list(self.surveys)
        days = sorted(day for each in of for day in self.surveys[each])
        return [
            DayRow(day, total_images=9, species_counts={"Poa annua": 6, "Zea mays": 3}, coverage_estimate=1.0)
            for day in days
            if (start or day) <= day <= (end or day)
        ]


STORE = Plots()
NAMES = {1: "Plot 1", 2: "Plot 2"}


def compared(a: Side, b: Side) -> tuple[int, int]:
    """How many days each side has."""
    found = build(STORE, a, b, "hill_q1", NAMES)  # type: ignore[arg-type]
    return found.a.summary.days, found.b.summary.days


def test_names_are_those_of_the_sessions_asked_for() -> None:
    assert session_names(STORE, {"a": 1, "b": None}) == NAMES  # type: ignore[arg-type]
    assert session_names(STORE, {"a": None, "b": None}) == {}  # type: ignore[arg-type]
    with pytest.raises(Problem) as raised:
        session_names(STORE, {"a": 1, "b": 7, "session": 8})  # type: ignore[arg-type]
    assert raised.value.status == 404
    assert [each["field"] for each in raised.value.errors] == ["b", "session"]


def test_both_sides_say_what_was_asked_for() -> None:
    found = build(STORE, Side(1), parse("2025-07"), "hill_q1", NAMES)  # type: ignore[arg-type]
    assert (found.a.kind, found.a.session, found.a.session_name) == ("session", 1, "Plot 1")
    assert (found.b.kind, found.b.session, found.b.session_name) == ("period", None, None)
    assert (found.b.start_date, found.b.end_date) == (date(2025, 7, 1), date(2025, 7, 31))
    assert found.sample is False


def test_what_lies_apart_is_compared() -> None:
    assert compared(Side(1), Side(2)) == (2, 2)
    assert compared(parse("2025-06"), parse("2025-07")) == (3, 1)
    assert compared(Side(1, end=date(2025, 6, 2)), Side(1, start=date(2025, 6, 3))) == (1, 1)
    assert compared(Side(1, *_june()), Side(2, *_june())) == (2, 1)
    # A session and a period of all sessions, whose days happen to lie apart.
    assert compared(Side(1), parse("2025-07")) == (2, 1)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Side(), Side()),
        (Side(1), Side(1)),
        (parse("2025"), parse("2025-06")),
        (Side(1), Side()),
        (Side(), Side(2)),
    ],
)
def test_no_plant_may_stand_on_both_sides(a: Side, b: Side) -> None:
    with pytest.raises(SharedDays):
        compared(a, b)


def test_a_session_within_a_period_names_the_days_in_common() -> None:
    with pytest.raises(SharedDays) as raised:
        compared(Side(1), parse("2025-06"))
    assert raised.value.days == [date(2025, 6, 1), date(2025, 6, 3)]
    with pytest.raises(SharedDays) as raised:
        compared(parse("2025-06"), parse("2025-06-30..2025-07-01"))
    assert raised.value.days == []  # the spans overlap, surveyed or not


def _june() -> tuple[date, date]:
    return date(2025, 6, 1), date(2025, 6, 30)
