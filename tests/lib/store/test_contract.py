"""Every store keeps the same promises: the database (on both engines), the files, and the sample season."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from lib import keys
from lib.store.database import DatabaseStore
from lib.store.files import FileStore
from lib.store.interface import DayWriter, ReadStore
from lib.store.records import METRICS, DayRow, ProcessingRow
from lib.store.sample import SampleStore

MakeDay = Callable[..., DayRow]
MakeProcessing = Callable[..., ProcessingRow]


class Store(ReadStore, DayWriter, Protocol):
    """A store that can be written, too."""


@dataclass
class Subject:
    """A store under test, and the session that its days belong to (None where there are no sessions)."""

    store: Store
    session_id: int | None


@pytest.fixture(params=["sqlite", "postgres", "files"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """An empty store of each kind that takes days."""
    if request.param == "files":
        yield Subject(FileStore(tmp_path / "output"), None)
        return
    opened = DatabaseStore(request.getfixturevalue(f"{request.param}_url"))
    user = opened.create_user("hanako", "hanako@farm.example", keys.digest("hanako"), "hanako12", ["read"])
    rows = opened.for_user(user.id)
    yield Subject(rows, rows.create_session("North field", timezone="Asia/Tokyo").id)
    opened.close()


@pytest.fixture
def save(subject: Subject, day_row: MakeDay, processing_row: MakeProcessing) -> Callable[..., DayRow]:
    """Saves a day with these changes, and returns what was saved."""

    def save_one(**changes: Any) -> DayRow:
        row = day_row(session_id=subject.session_id, **changes)
        subject.store.save_day(row, processing_row(date=row.date, session_id=subject.session_id))
        return row

    return save_one


class TestWriting:
    """What a DayWriter takes, a ReadStore gives back."""

    def test_an_empty_store_has_no_days(self, subject: Subject, day: date) -> None:
        assert subject.store.sample is False
        assert subject.store.days() == []
        assert subject.store.day(day) is None
        assert subject.store.processing(day) is None
        assert {name: subject.store.counts()[name] for name in ("photos", "days", "species")} == {
            "photos": 0,
            "days": 0,
            "species": 0,
        }

    def test_a_day_comes_back_as_it_went_in(
        self, subject: Subject, day: date, save: Callable[..., DayRow]
    ) -> None:
        row = save()
        assert subject.store.days() == [row]
        assert subject.store.day(day) == row
        assert subject.store.day(day, subject.session_id) == row

    def test_how_it_was_processed_comes_back_too(
        self, subject: Subject, day: date, save: Callable[..., DayRow], processing_row: MakeProcessing
    ) -> None:
        save()
        assert subject.store.processing(day) == processing_row(session_id=subject.session_id)
        assert subject.store.processing(day + timedelta(days=1)) is None

    def test_an_empty_day_has_no_metric(
        self, subject: Subject, day: date, save: Callable[..., DayRow]
    ) -> None:
        nothing: dict[str, Any] = {
            name: None for name in METRICS if name not in ("species_richness", "total_images")
        }
        row = save(
            total_images=0,
            processed_images=0,
            species_richness=0,
            confidence_intervals={},
            species_counts={},
            species_frequencies={},
            top_species=[],
            **nothing,
        )
        stored = subject.store.day(day)
        assert stored == row
        assert stored is not None
        assert stored.effort == "none"

    @pytest.mark.parametrize("number", [0.1 + 0.2, 1e-300, 1e15, 5e-324, 1 / 3, 0.0, 123456789.123456789])
    def test_numbers_keep_every_digit(
        self, subject: Subject, day: date, save: Callable[..., DayRow], number: float
    ) -> None:
        save(chao1_estimate=number, confidence_intervals={"chao1_estimate": {"low": number, "high": number}})
        stored = subject.store.day(day)
        assert stored is not None
        assert stored.chao1_estimate == number
        assert stored.confidence_intervals["chao1_estimate"] == {"low": number, "high": number}

    def test_names_keep_every_letter(self, subject: Subject, day: date, save: Callable[..., DayRow]) -> None:
        names = ["Taraxacum sect. Ruderalia", "ハコベ", "=cmd|' /C calc'!A0", 'a "quoted", name', "x" * 500]
        row = save(species_counts=dict.fromkeys(names, 1))
        assert subject.store.day(day) == row

    def test_saving_again_replaces_the_day(self, subject: Subject, save: Callable[..., DayRow]) -> None:
        save()
        later = save(total_images=9, inputs_digest="e" * 64)
        assert subject.store.days() == [later]

    def test_saving_the_same_again_changes_nothing(
        self, subject: Subject, save: Callable[..., DayRow]
    ) -> None:
        first = save()
        assert save() == first
        assert subject.store.days() == [first]

    def test_a_deleted_day_is_gone_and_its_neighbours_stay(
        self, subject: Subject, day: date, save: Callable[..., DayRow]
    ) -> None:
        save()
        neighbour = save(date=day + timedelta(days=1))
        subject.store.delete_day(day, subject.session_id)
        assert subject.store.days() == [neighbour]
        assert subject.store.processing(day) is None
        subject.store.delete_day(day, subject.session_id)  # once more is no error
        assert subject.store.days() == [neighbour]

    def test_counts_follow_the_days(self, subject: Subject, day: date, save: Callable[..., DayRow]) -> None:
        save()
        save(date=day + timedelta(days=1), species_counts={"Stellaria media": 1, "Galium aparine": 2})
        counts = subject.store.counts()
        assert (counts["days"], counts["species"]) == (2, 3)


@pytest.fixture(params=["sqlite", "postgres", "files", "sample"])
def filled(
    request: pytest.FixtureRequest, tmp_path: Path, day_row: MakeDay, processing_row: MakeProcessing
) -> Iterator[ReadStore]:
    """A store of each kind with some days in it, saved out of order."""
    if request.param == "sample":
        yield SampleStore()
        return
    session_id = None
    opened = None
    store: Any = FileStore(tmp_path / "output")
    if request.param != "files":
        opened = DatabaseStore(request.getfixturevalue(f"{request.param}_url"))
        user = opened.create_user(
            "hanako", "hanako@farm.example", keys.digest("hanako"), "hanako12", ["read"]
        )
        store = opened.for_user(user.id)
        session_id = store.create_session("North field", timezone="Asia/Tokyo").id
    for text in ("2025-08-24", "2024-06-01", "2025-05-03", "2024-12-31", "2025-01-01"):
        each = date.fromisoformat(text)
        store.save_day(
            day_row(date=each, session_id=session_id), processing_row(date=each, session_id=session_id)
        )
    yield store
    if opened:
        opened.close()


class TestReading:
    """What the read routes rely on, whatever is behind them."""

    def test_days_are_in_order_one_a_date(self, filled: ReadStore) -> None:
        dates = [row.date for row in filled.days()]
        assert len(dates) >= 5
        assert dates == sorted(set(dates))

    def test_both_ends_of_a_range_belong_to_it(self, filled: ReadStore) -> None:
        rows = filled.days()
        first, last = rows[1].date, rows[-2].date
        assert filled.days(start=first, end=last) == rows[1:-1]
        assert filled.days(start=first) == rows[1:]
        assert filled.days(end=last) == rows[:-1]
        assert filled.days(start=first, end=first) == rows[1:2]
        assert filled.days(start=last, end=first) == []
        assert filled.days(start=rows[-1].date + timedelta(days=1)) == []

    def test_a_day_is_the_one_of_the_list(self, filled: ReadStore) -> None:
        for row in filled.days()[:5]:
            assert filled.day(row.date) == row
        assert filled.day(date(1999, 1, 1)) is None

    def test_every_day_was_processed(self, filled: ReadStore) -> None:
        for row in filled.days()[:5]:
            processing = filled.processing(row.date)
            assert processing is not None
            assert processing.date == row.date
            assert processing.input_images_count == row.total_images

    def test_reads_are_repeatable(self, filled: ReadStore) -> None:
        assert filled.days() == filled.days()
        assert filled.counts() == filled.counts()

    def test_every_number_is_finite_and_every_row_is_json(self, filled: ReadStore) -> None:
        for row in filled.days():
            for name in METRICS:
                value = getattr(row, name)
                assert value is None or math.isfinite(value)
            text = json.dumps(asdict(row), default=lambda value: value.isoformat(), allow_nan=False)
            assert json.loads(text)["date"] == row.date.isoformat()
            assert row.computed_at is None or row.computed_at.utcoffset() == timedelta(0)

    def test_rows_can_be_replaced_and_compared(self, filled: ReadStore) -> None:
        row = filled.days()[0]
        assert replace(row) == row
        assert replace(row, total_images=row.total_images + 1) != row
        assert replace(row, computed_at=datetime.fromisoformat("2020-01-01T00:00:00+00:00")) != row

    def test_top_species_are_the_most_frequent_first(self, filled: ReadStore) -> None:
        for row in filled.days():
            counts = [species["count"] for species in row.top_species]
            assert counts == sorted(counts, reverse=True)
            for species in row.top_species:
                assert set(species) >= {"species_name", "count", "frequency", "average_confidence"}
                assert row.species_counts[species["species_name"]] == species["count"]

    def test_a_session_that_is_not_there_has_no_days(self, filled: ReadStore) -> None:
        for number in (12345, 2**63, 10**30):
            assert filled.days(session_id=number) == []
            assert filled.day(filled.days()[0].date, session_id=number) is None
            assert filled.processing(filled.days()[0].date, session_id=number) is None

    def test_counts_are_of_what_is_there(self, filled: ReadStore) -> None:
        counts = filled.counts()
        assert set(counts) == {"sessions", "photos", "days", "species"}
        assert counts["days"] == len(filled.days())
        assert counts["species"] == len({name for row in filled.days() for name in row.species_counts})
        assert counts["sessions"] == len(filled.sessions())
