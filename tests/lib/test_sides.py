"""One side of a comparison as it is written in an address."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.sides import Side, overlap, parse


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("12", Side(session=12)),
        ("session:12", Side(session=12)),
        (" 7 ", Side(session=7)),
        ("session:2025", Side(session=2025)),
        ("2025", Side(None, date(2025, 1, 1), date(2025, 12, 31))),
        ("1899", Side(session=1899)),
        ("2201", Side(session=2201)),
        ("2024-02", Side(None, date(2024, 2, 1), date(2024, 2, 29))),
        ("2025-12", Side(None, date(2025, 12, 1), date(2025, 12, 31))),
        ("9999-12", Side(None, date(9999, 12, 1), date(9999, 12, 31))),
        ("2025-06-01", Side(None, date(2025, 6, 1), date(2025, 6, 1))),
        ("2025-06-01..2025-06-30", Side(None, date(2025, 6, 1), date(2025, 6, 30))),
        ("2025-06-01..", Side(None, date(2025, 6, 1), None)),
        ("..2025-06-30", Side(None, None, date(2025, 6, 30))),
    ],
)
def test_what_a_side_may_be(text: str, side: Side) -> None:
    assert parse(text) == side


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "must be"),
        ("..", "at least one end"),
        ("north", "must be"),
        ("0", "must be"),
        ("-3", "must be"),
        ("session:", "must be"),
        ("session:0", "must be"),
        ("١٢", "must be"),
        ("9223372036854775808", "no session"),
        ("2025-13", "no month"),
        ("2025-00", "no month"),
        ("0000-01", "no month"),
        ("2025-02-30", "no day"),
        ("0000-01-01", "no day"),
        ("2025-06..2025-07", "its ends as days"),
        ("2025-06-01...2025-06-30", "its ends as days"),
        ("2025-06-30..2025-06-01", "ends before"),
        ("20250601", None),
    ],
)
def test_what_is_refused_and_why(text: str, word: str | None) -> None:
    if word is None:
        assert parse(text) == Side(session=20250601)  # digits only: a session
        return
    with pytest.raises(ValueError, match=word):
        parse(text)


@given(st.text(max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    try:
        side = parse(text)
    except ValueError:
        return
    assert side.is_session or side.start or side.end


def test_only_a_session_is_one() -> None:
    assert Side(session=1).is_session
    assert not Side().is_session
    assert not Side(1, date(2025, 6, 1)).is_session


JUNE = Side(None, date(2025, 6, 1), date(2025, 6, 30))
JULY = Side(None, date(2025, 7, 1), date(2025, 7, 31))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (JUNE, JULY, False),
        (JUNE, JUNE, True),
        (JUNE, Side(None, date(2025, 6, 30), None), True),
        (JUNE, Side(None, None, date(2025, 5, 31)), False),
        (Side(1), Side(2), False),
        (Side(1), Side(1), True),
        (Side(1), JUNE, True),
        (Side(1, JUNE.start, JUNE.end), Side(2), False),
        (Side(1, JUNE.start, JUNE.end), Side(1, JULY.start, JULY.end), False),
    ],
)
def test_which_sides_may_hold_the_same_photos(a: Side, b: Side, expected: bool) -> None:
    assert overlap(a, b) is overlap(b, a) is expected


@given(st.integers(0, 400), st.integers(0, 60), st.integers(0, 400), st.integers(0, 60))
def test_periods_overlap_when_a_day_is_in_both(
    start: int, length: int, other: int, other_length: int
) -> None:
    first = date(2025, 1, 1)
    days = [set(range(start, start + length + 1)), set(range(other, other + other_length + 1))]
    a, b = (Side(None, first + timedelta(min(each)), first + timedelta(max(each))) for each in days)
    assert overlap(a, b) is bool(days[0] & days[1])
