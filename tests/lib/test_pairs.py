"""Pairs worth comparing, what a side is called, and the addresses of both."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.sides import Side, parse
from lib.store.records import Session
from lib.web.pairs import address, api_address, fields, named, suggested
from lib.web.words import Words

EN, JA = Words("en"), Words("ja")


def session(number: int) -> Session:
    return Session(
        id=number,
        user_id=1,
        session_name=f"Plot {number}",
        description="",
        start_date=None,
        end_date=None,
        timezone="Asia/Tokyo",
        latitude=None,
        longitude=None,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def names(days: list[date], sessions: tuple[Session, ...] = ()) -> list[tuple[str, ...]]:
    called = {each.id: each.session_name for each in sessions}
    return [
        tuple(named(side, called, EN).strip("\u2068\u2069") for side in pair)
        for pair in suggested(days, sessions)
    ]


def test_only_spans_with_a_survey_are_suggested() -> None:
    assert names([]) == []
    assert names([date(2025, 6, 1), date(2025, 6, 20)]) == []
    assert names([date(2025, 5, 1), date(2025, 6, 20)]) == [("May 2025", "June 2025")]
    assert names([date(2022, 7, 1), date(2025, 6, 20)]) == [("2022", "2025")]
    assert names([date(2024, 6, 1), date(2025, 5, 30), date(2025, 6, 20)]) == [
        ("2024", "2025"),
        ("May 2025", "June 2025"),
        ("June 2024", "June 2025"),
    ]


def test_december_comes_before_january() -> None:
    assert ("December 2024", "January 2025") in names([date(2024, 12, 31), date(2025, 1, 1)])


def test_the_two_newest_sessions_are_suggested_the_older_first() -> None:
    assert names([], (session(9), session(7), session(3))) == [("Plot 7", "Plot 9")]
    assert names([], (session(9),)) == []


@pytest.mark.parametrize(
    ("side", "english", "japanese"),
    [
        (parse("2025"), "2025", "2025年"),
        (parse("2025-02"), "February 2025", "2025年2月"),
        (parse("2025-02-03"), "3 February 2025", "2025年2月3日"),
        (parse("2025-02-03.."), "from 3 February 2025", "2025年2月3日から"),
        (parse("..2025-02-03"), "until 3 February 2025", "2025年2月3日まで"),
        (Side(), "All days", "すべての日"),
        (Side(7), "\u2068Plot 7\u2069", "\u2068Plot 7\u2069"),
        (
            Side(7, date(2025, 1, 1), date(2025, 12, 31)),
            "\u2068Plot 7\u2069, 2025",
            "\u2068Plot 7\u2069、2025年",
        ),
    ],
)
def test_a_side_is_called_by_what_it_holds(side: Side, english: str, japanese: str) -> None:
    assert named(side, {7: "Plot 7"}, EN) == english
    assert named(side, {7: "Plot 7"}, JA) == japanese


def test_any_other_span_is_called_by_its_ends() -> None:
    found = named(parse("2025-02-03..2025-03-04"), {}, EN)
    assert "3 February 2025" in found
    assert found.endswith("4 March 2025")


def test_an_address_carries_every_field_that_is_not_empty() -> None:
    pair = (Side(7, date(2025, 6, 1), None), parse("..2025-05-31"))
    assert fields(pair[0], "a") == {"a_session": "7", "a_start": "2025-06-01", "a_end": ""}
    assert address(pair) == "/compare?a_session=7&a_start=2025-06-01&b_end=2025-05-31"
    assert address(pair, "hill_q1").endswith("&metric=hill_q1")


@pytest.mark.parametrize(
    ("pair", "query"),
    [
        ((parse("2024"), parse("2025")), {"a": "2024-01-01..2024-12-31", "b": "2025-01-01..2025-12-31"}),
        ((Side(3), Side(7)), {"a": "session:3", "b": "session:7"}),
        ((parse("..2024-12-31"), Side(7)), {"a": "..2024-12-31", "b": "session:7"}),
        (
            (Side(7, None, date(2025, 5, 31)), Side(7, date(2025, 6, 1))),
            {"a": "..2025-05-31", "b": "2025-06-01..", "session": "7"},
        ),
    ],
)
def test_the_api_is_asked_for_the_same(pair: tuple[Side, Side], query: dict[str, str]) -> None:
    found = api_address(pair, "hill_q1")
    assert found is not None
    parts = urlsplit(found)
    assert parts.path == "/api/compare"
    assert {name: value for name, (value,) in parse_qs(parts.query).items()} == query | {"metric": "hill_q1"}
    for letter, side in zip("ab", pair, strict=True):
        read = parse(query[letter])
        assert (read.start, read.end) == (side.start, side.end)


def test_what_the_api_cannot_be_asked_for_has_no_address() -> None:
    june, july = date(2025, 6, 1), date(2025, 7, 1)
    assert api_address((Side(3, june, june), Side(7, july, july)), "hill_q1") is None
    assert api_address((Side(3, june, june), Side(None, july, july)), "hill_q1") is None
    assert api_address((Side(), Side(7)), "hill_q1") is None
