"""A value comes back from both databases as it went in, or is refused before it gets there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from lib.problems import Problem
from lib.store import fields
from lib.store.database import DatabaseStore, UserStore
from lib.store.models import AnalysisSessions, DiversityMetrics, ImageData
from lib.store.records import DayRow, NewPhoto, ProcessingRow, Session

MOMENTS = [
    datetime(2025, 8, 24, 0, 0, tzinfo=UTC),
    datetime(2025, 8, 24, 8, 59, 59, 999999, tzinfo=timezone(timedelta(hours=9))),
    datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2099, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=11))),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_it_keeps_moments_to_the_microsecond_in_utc(
    rows: UserStore, session: Session, new_photo: Callable[..., NewPhoto], moment: datetime
) -> None:
    photo, _ = rows.add_photo(new_photo(session.id, captured_at=moment), created_at=moment)
    assert photo.captured_at == moment
    assert photo.created_at == moment
    assert photo.captured_at.tzinfo is UTC


def test_it_orders_moments_as_time_does() -> None:
    field = AnalysisSessions.created_at
    assert sorted(MOMENTS) == sorted(MOMENTS, key=lambda moment: str(field.db_value(moment)))


def test_it_refuses_a_moment_without_a_zone_and_a_moment_as_a_day() -> None:
    with pytest.raises(ValueError, match="created_at"):
        AnalysisSessions.created_at.db_value(datetime(2025, 8, 24))  # noqa: DTZ001
    with pytest.raises(ValueError, match="date"):
        ImageData.date.db_value(datetime(2025, 8, 24, tzinfo=UTC))


def test_it_passes_text_that_is_already_in_the_database_form() -> None:
    assert ImageData.date.db_value("2025-08-24") == "2025-08-24"
    assert ImageData.date.python_value("2025-08-24") == date(2025, 8, 24)
    assert DiversityMetrics.species_counts.db_value("{}") == "{}"
    assert DiversityMetrics.species_counts.python_value(None) is None
    assert DiversityMetrics.species_counts.python_value('{"a":1}') == {"a": 1}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_it_refuses_numbers_that_are_not_finite(
    rows: UserStore,
    session: Session,
    day_row: Callable[..., DayRow],
    processing_row: Callable[..., ProcessingRow],
    number: float,
) -> None:
    with pytest.raises(ValueError, match="shannon_diversity"):
        rows.save_day(day_row(session_id=session.id, shannon_diversity=number), processing_row())
    with pytest.raises(ValueError, match="JSON"):
        rows.save_day(day_row(session_id=session.id, confidence_intervals={"low": number}), processing_row())
    assert rows.days() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x" * 101, "must not be longer than 100 characters"), ("a\x00b", "not text"), ("\ud800", "not text")],
)
def test_it_refuses_text_that_one_of_the_databases_cannot_hold(
    store: DatabaseStore, rows: UserStore, text: str, reason: str
) -> None:
    with pytest.raises(Problem) as refused:
        store.add_key(rows.user_id, name=text, digest="0" * 64, prefix="00000000", scopes=("read",))
    assert refused.value.status == 422
    assert refused.value.errors[0]["field"] == "name"
    assert reason in refused.value.errors[0]["reason"]


def test_it_refuses_unstorable_long_text_too(rows: UserStore) -> None:
    with pytest.raises(Problem) as refused:
        rows.create_session("field", timezone="Asia/Tokyo", description="a\x00b")
    assert refused.value.errors[0]["field"] == "description"
    assert (
        rows.create_session("field", timezone="Asia/Tokyo", description="長い" * 5000).description
        == "長い" * 5000
    )


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"Stellaria media": 3},
        {"深い": {"list": [1, 2.5, None, True, "é"]}},
        {"quote": "\"'\\ % %s ? :x"},
    ],
)
def test_it_keeps_json(rows: UserStore, user: Any, value: Any) -> None:
    rows.idempotent("key", "digest")
    rows.finish_idempotent("key", 200, value)
    stored = rows.idempotent("key", "digest")
    assert stored is not None
    assert stored.response == value


def test_it_keeps_what_jsonb_cannot_hold_as_a_replacement_character() -> None:
    field = DiversityMetrics.top_species
    text = field.db_value([{"name": "a\x00b\x00"}, "\ud800", "\\u0000", "\\\x00"])
    assert json.loads(text) == [{"name": "a\ufffdb\ufffd"}, "?", "\\u0000", "\\\ufffd"]
    assert fields.is_storable(text)


def test_it_writes_mappings_and_sequences_of_other_classes() -> None:
    from types import MappingProxyType

    assert (
        DiversityMetrics.top_species.db_value((MappingProxyType({"a": (1, 2)}), {3})) == '[{"a":[1,2]},[3]]'
    )
