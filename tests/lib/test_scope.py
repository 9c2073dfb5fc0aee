"""The query parameters that read routes share, and what a session may say of its place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from lib import scope
from lib.problems import Problem
from lib.scope import Period
from lib.store.records import DayRow, Session

WHEN = datetime(2025, 5, 1, tzinfo=UTC)


class Store:
    """An owner with two sessions, who remembers what was asked."""

    sample = False

    def __init__(self) -> None:
        self.asked: tuple[object, ...] | None = None

    def sessions(self) -> list[Session]:
        return [
            Session(number, 1, "field", "", None, None, "Asia/Tokyo", None, None, WHEN) for number in (2, 1)
        ]

    def days(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Sequence[str] = (),
    ) -> Sequence[DayRow]:
        self.asked = (session_id, start, end, columns)
        return [DayRow(date(2025, 8, 24))]


def fields(status: int, action: object, *arguments: object) -> list[str]:
    with pytest.raises(Problem) as caught:
        action(*arguments)  # type: ignore[operator]
    assert caught.value.status == status
    return [error["field"] for error in caught.value.errors]


class TestSession:
    def test_ones_own_and_none_pass(self) -> None:
        for number in (None, 1, 2):
            scope.check_session(Store(), number)  # type: ignore[arg-type]

    def test_anothers_is_not_there(self) -> None:
        assert fields(404, scope.check_session, Store(), 3) == ["session"]


class TestPeriod:
    def test_rows_are_those_of_the_period(self) -> None:
        store = Store()
        start, end = date(2025, 8, 1), date(2025, 8, 31)
        assert len(scope.rows_of(store, Period(start, end, 2), ["hill_q1"])) == 1  # type: ignore[arg-type]
        assert store.asked == (2, start, end, ["hill_q1"])

    def test_a_single_day_and_open_ends_are_periods(self) -> None:
        day = date(2025, 8, 24)
        for period in (Period(), Period(day, day), Period(day), Period(end_date=day)):
            scope.check_period(Store(), period)  # type: ignore[arg-type]

    def test_it_may_not_end_before_it_starts(self) -> None:
        store = Store()
        backwards = Period(date(2025, 8, 24), date(2025, 8, 23))
        assert fields(400, scope.rows_of, store, backwards, []) == ["end_date"]
        assert store.asked is None

    def test_its_session_is_the_callers(self) -> None:
        assert fields(404, scope.rows_of, Store(), Period(session=9), []) == ["session"]


class TestPossibleDay:
    def test_days_of_photos_pass(self) -> None:
        today = datetime.now(UTC).date()
        for day in (date(1990, 1, 1), date(2025, 8, 24), today, today + timedelta(days=1)):
            assert scope.possible_day(day) == day

    @pytest.mark.parametrize("day", [date(1989, 12, 31), date(1, 1, 1), date(9999, 12, 31)])
    def test_others_are_refused(self, day: date) -> None:
        assert fields(422, scope.possible_day, day) == ["date"]
