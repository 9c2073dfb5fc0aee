"""A user's days: the rows of metrics, read without decoding what nobody looks at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import date
from typing import Any

import peewee as pw

from lib.store.connection import Row, fits
from lib.store.fields import Day, Utc, decoded
from lib.store.models import (
    AnalysisSessions,
    DayMetrics,
    DiversityMetrics,
    ImageData,
    PooledMetrics,
    ProcessingResults,
)
from lib.store.records import DayRow, ProcessingRow
from lib.store.sessions import SessionRows

_NAMES = tuple(field.name for field in fields(DayRow))
_COLUMNS = tuple(name for name in _NAMES if name != "session_id")
_KEY = ("date", "session_id")  # the first two columns of every row that is read
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "date": Day().python_value,
    "computed_at": Utc().python_value,
    "confidence_intervals": decoded,
    "species_counts": decoded,
    "species_frequencies": decoded,
    "top_species": decoded,
    "estimate": lambda value: {} if value is None else decoded(value),
}
_PROCESSING = tuple(field.name for field in fields(ProcessingRow))
_day = Day().python_value


class StoredDay(DayRow):
    """A DayRow whose JSON columns are decoded when they are first read.

    Five seasons hold some megabytes of JSON, and a calendar looks at a tenth of it. The slots of these columns
    stay empty until then, and an empty slot is what makes Python call `__getattr__`. A column that was not
    asked for is an AttributeError, never a made-up value.
    """

    __slots__ = ("_positions", "_values")
    _positions: dict[str, int]
    _values: Row

    def __getattr__(self, name: str) -> Any:
        position = self._positions.get(name)
        if position is None:
            raise AttributeError(name)
        decode = _DECODERS.get(name)
        value = self._values[position]
        if decode is not None:
            value = decode(value)
        object.__setattr__(self, name, value)
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DayRow):
            return NotImplemented
        return all(_comparable(getattr(self, name)) == _comparable(getattr(other, name)) for name in _NAMES)

    __hash__ = DayRow.__hash__


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _stored(rows: Iterable[Row], names: Sequence[str]) -> list[DayRow]:
    """Rows of the columns `names` as records."""
    positions = {name: position for position, name in enumerate(names)}
    # Columns that need no decoding go into their slots at once, past the record's guard against changes: a slot
    # that is filled costs a tenth of a call of `__getattr__`.
    plain = [
        (DayRow.__dict__[name].__set__, position)
        for name, position in positions.items()
        if name not in _DECODERS
    ]
    set_positions, set_values = (
        StoredDay.__dict__["_positions"].__set__,
        StoredDay.__dict__["_values"].__set__,
    )
    days: list[DayRow] = []
    for row in rows:
        day = object.__new__(StoredDay)
        set_positions(day, positions)
        set_values(day, row)
        for fill, position in plain:
            fill(day, row[position])
        days.append(day)
    return days


def _columns(model: type[DayMetrics], names: Sequence[str], session: Any) -> list[Any]:
    """The select list of the columns `names`."""
    return [session if name == "session_id" else getattr(model, name) for name in names]


def _processing(row: Row) -> ProcessingRow:
    values = dict(zip(_PROCESSING, row, strict=True))
    values["date"] = _day(values["date"])
    values["processing_metadata"] = decoded(values["processing_metadata"])
    return ProcessingRow(**values)


class DayRows(SessionRows):
    """The part of a UserStore that keeps days."""

    def days(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Collection[str] = (),
    ) -> list[DayRow]:
        """Rows of `start <= date <= end`, ordered by date; without a session one row a date.

        That is the pooled row where several sessions have photos on the date, else the one session's row. With
        `columns` only these are read (`date` and `session_id` always).
        """
        if session_id is not None and not fits(session_id):
            return []
        names = [name for name in _NAMES if not columns or name in columns or name in _KEY]
        own = (
            DiversityMetrics.select(*_columns(DiversityMetrics, names, DiversityMetrics.session_id))
            .join(AnalysisSessions, on=(AnalysisSessions.id == DiversityMetrics.session_id))
            .where(AnalysisSessions.user_id == self.user_id, DiversityMetrics.inputs_digest.is_null(False))
        )
        if session_id is not None:
            own = own.where(DiversityMetrics.session_id == session_id)
        own = _between(own, DiversityMetrics, start, end)
        with self.db.held():
            # Sorted here: SQLite would write the whole rows, JSON and all, through its sorter.
            rows = sorted(self.db.fetch(own), key=_by_date_newest_session_first)
            if session_id is not None:
                return _stored(rows, names)
            pooled = PooledMetrics.select(*_columns(PooledMetrics, names, pw.Value(None))).where(
                PooledMetrics.user_id == self.user_id
            )
            pooled_rows = self.db.fetch(_between(pooled, PooledMetrics, start, end))
        by_date = {row[0]: row for row in rows}
        if pooled_rows:
            by_date |= {row[0]: row for row in pooled_rows}
            return _stored((by_date[key] for key in sorted(by_date)), names)
        return _stored(by_date.values(), names)

    def day(self, day: date, session_id: int | None = None) -> DayRow | None:
        """The row of one date, or None."""
        rows = self.days(session_id, day, day)
        return rows[0] if rows else None

    def day_by_session(self, day: date) -> list[DayRow]:
        """The rows of one date, one for each session that has photos on it, the newest session first."""
        query = (
            DiversityMetrics.select(*_columns(DiversityMetrics, _NAMES, DiversityMetrics.session_id))
            .where(
                DiversityMetrics.session_id.in_(self._own_sessions()),
                DiversityMetrics.date == day,
                DiversityMetrics.inputs_digest.is_null(False),
            )
            .order_by(DiversityMetrics.session_id.desc())
        )
        return _stored(self.db.fetch(query), _NAMES)

    def processing(self, day: date, session_id: int | None = None) -> ProcessingRow | None:
        """How the day was processed, chosen as `day` chooses its row."""
        if session_id is not None and not fits(session_id):
            return None
        if session_id is None:
            mine = (PooledMetrics.user_id == self.user_id) & (PooledMetrics.date == day)
            pooled = self.db.first(PooledMetrics.select(PooledMetrics.processing).where(mine))
            if pooled:
                return ProcessingRow(date=day, **decoded(pooled[0]))
        query = (
            ProcessingResults.select(*(getattr(ProcessingResults, name) for name in _PROCESSING))
            .where(ProcessingResults.session_id.in_(self._own_sessions()), ProcessingResults.date == day)
            .order_by(ProcessingResults.session_id)
        )
        if session_id is not None:
            query = query.where(ProcessingResults.session_id == session_id)
        row = self.db.first(query.limit(1))
        return _processing(row) if row else None

    def dates(self, session_id: int | None = None) -> list[date]:
        """The dates that have photos, of one session or of all, in order."""
        query = ImageData.select(ImageData.date).where(ImageData.session_id.in_(self._own_sessions()))
        if session_id is not None:
            query = query.where(ImageData.session_id == session_id)
        return [
            day
            for (value,) in self.db.fetch(query.distinct().order_by(ImageData.date))
            if (day := _day(value))
        ]

    def days_on_record(
        self, session_id: int | None = None, start: date | None = None, end: date | None = None
    ) -> dict[date, list[int]]:
        """By date, in order, the sessions that have photos or a row on it, whether or not these agree.

        404 for a session of somebody else. A date that only a pooled row knows has an empty list.
        """
        sessions = self._own_sessions()
        if session_id is not None:
            self.session(session_id)
            sessions = sessions.where(AnalysisSessions.id == session_id)
        found: dict[date, set[int]] = {}
        models: tuple[type[ImageData] | type[DiversityMetrics], ...] = (ImageData, DiversityMetrics)
        for model in models:
            query = model.select(model.date, model.session_id).where(model.session_id.in_(sessions))
            for value, each in self.db.fetch(_between(query, model, start, end).distinct()):
                if day := _day(value):
                    found.setdefault(day, set()).add(each)
        if session_id is None:
            pooled = PooledMetrics.select(PooledMetrics.date).where(PooledMetrics.user_id == self.user_id)
            for (value,) in self.db.fetch(_between(pooled, PooledMetrics, start, end)):
                if day := _day(value):
                    found.setdefault(day, set())
        return {day: sorted(found[day]) for day in sorted(found)}

    def drop_lone_pooled_day(self, day: date) -> None:
        """Drops the pooled row of a date on which fewer than two sessions have photos; it would hide theirs."""
        mine = (PooledMetrics.user_id == self.user_id) & (PooledMetrics.date == day)
        if self.db.first(PooledMetrics.select(PooledMetrics.id).where(mine)):
            with self.db.transaction():
                self.lock_session(None)
                self._prune_pooled(day)

    def counts(self) -> dict[str, int]:
        """`sessions`, `photos`, `days`, `species` of this user."""
        own = self._own_sessions()
        analysed = (DiversityMetrics.session_id.in_(own)) & DiversityMetrics.inputs_digest.is_null(False)
        if self.db.postgres:
            names = DiversityMetrics.select(
                pw.fn.jsonb_object_keys(DiversityMetrics.species_counts).alias("name")
            ).where(analysed)
        else:
            each = pw.NodeList((pw.fn.json_each(DiversityMetrics.species_counts), pw.SQL("AS each")))
            names = DiversityMetrics.select(pw.SQL("each.key").alias("name")).from_(DiversityMetrics, each)
            names = names.where(analysed)
        row = self.db.first(
            pw.Select(
                columns=[
                    own.select(pw.fn.COUNT(AnalysisSessions.id)),
                    ImageData.select(pw.fn.COUNT(ImageData.id)).where(ImageData.session_id.in_(own)),
                    DiversityMetrics.select(pw.fn.COUNT(DiversityMetrics.date.distinct())).where(analysed),
                    names.select_from(pw.fn.COUNT(names.c.name.distinct())),
                ]
            )
        )
        assert row is not None
        return dict(zip(("sessions", "photos", "days", "species"), row, strict=True))

    @contextmanager
    def day_transaction(self, session_id: int | None) -> Iterator[None]:
        """A transaction in which this user's days stand still: read the photos, write the row.

        A second one for the same user waits, then reads what the first wrote, so that two recomputations
        at once end like one. 404 for a session of somebody else.
        """
        with self.db.transaction():
            self.lock_session(session_id)
            yield

    def save_day(self, row: DayRow, processing: ProcessingRow) -> None:
        """Inserts or replaces a day, whole or not at all; without `session_id` the pooled row."""
        values = {name: getattr(row, name) for name in _COLUMNS}
        details = {name: getattr(processing, name) for name in _PROCESSING}
        with self.db.transaction():
            self.lock_session(row.session_id)
            if row.session_id is None:
                shown = {name: value for name, value in details.items() if name not in ("date", "session_id")}
                self._upsert(
                    PooledMetrics, "user_id", values | {"user_id": self.user_id, "processing": shown}
                )
                return
            self._upsert(DiversityMetrics, "session_id", values | {"session_id": row.session_id})
            details |= {"session_id": row.session_id, "date": row.date}
            self._upsert(ProcessingResults, "session_id", details)

    def delete_day(self, day: date, session_id: int | None = None) -> None:
        """Forgets a day; a session's day that still has photos keeps its row, on which they hang."""
        with self.db.transaction():
            self.lock_session(session_id)
            if session_id is None:
                mine = (PooledMetrics.user_id == self.user_id) & (PooledMetrics.date == day)
                self.db.run(PooledMetrics.delete().where(mine))
            else:
                self._prune_day(session_id, day)

    def _upsert(self, model: Any, owner: str, values: dict[str, Any]) -> None:
        target = [getattr(model, owner), model.date]
        kept = [getattr(model, name) for name in values if name not in (owner, "date")]
        self.db.run(model.insert(values).on_conflict(conflict_target=target, preserve=kept))

    def _outdate(self, session_id: int, day: date) -> None:
        """Marks a day's row as behind its photos until it is saved again, so that a crash cannot hide it."""
        self.db.run(
            DiversityMetrics.update(computed_at=None).where(
                (DiversityMetrics.session_id == session_id) & (DiversityMetrics.date == day)
            )
        )

    def _day_row(self, session_id: int, day: date) -> int:
        """The number of the day's row, which is made, empty, when there is none: predictions hang on it."""
        target = [DiversityMetrics.session_id, DiversityMetrics.date]
        self.db.run(
            DiversityMetrics.insert(session_id=session_id, date=day).on_conflict(
                action="nothing", conflict_target=target
            )
        )
        row = self.db.first(
            DiversityMetrics.select(DiversityMetrics.id).where(
                (DiversityMetrics.session_id == session_id) & (DiversityMetrics.date == day)
            )
        )
        assert row is not None
        return int(row[0])


def _by_date_newest_session_first(row: Row) -> tuple[Any, int]:
    return row[0], -row[1]


def _between(
    query: pw.ModelSelect[Any],
    model: type[DayMetrics] | type[ImageData],
    start: date | None,
    end: date | None,
) -> pw.ModelSelect[Any]:
    if start is not None:
        query = query.where(model.date >= start)
    if end is not None:
        query = query.where(model.date <= end)
    return query
