"""What every store can do: the reads of the routes, and the writes of the day's analysis."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from datetime import date
from typing import Protocol

from lib.store.records import DayRow, NamedPhoto, ProcessingRow, Session


class ReadStore(Protocol):
    """Days of one owner: a signed-in user, the files of file mode, or the sample season."""

    sample: bool  # True only for the season shown to visitors who have no rows of their own

    def days(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Collection[str] = (),
    ) -> list[DayRow]:
        """Rows with `start <= date <= end`, ordered by date, days without photos absent.

        Without `session_id` there is one row a date, pooled over the owner's sessions. `columns` names the fields
        that the caller will read, when these are not all: a store may then leave the others out.
        """
        ...

    def day(self, day: date, session_id: int | None = None) -> DayRow | None:
        """The row of one date, or None when nothing was photographed."""
        ...

    def processing(self, day: date, session_id: int | None = None) -> ProcessingRow | None:
        """How the day was processed, or None when there is no such day."""
        ...

    def sessions(self) -> list[Session]:
        """The owner's sessions, newest first; empty where there are none (files, sample)."""
        ...

    def counts(self) -> dict[str, int]:
        """`sessions`, `photos`, `days`, `species` of this owner."""
        ...

    def confirmed(self, session_id: int | None = None) -> list[NamedPhoto]:
        """Photos that a person named, once for each model that looked; empty where there are no people."""
        ...

    def confirmed_stamp(self, session_id: int | None = None) -> Hashable:
        """Changes whenever `confirmed` would answer otherwise; None when that cannot be told."""
        ...


class DayWriter(Protocol):
    """Where the day's analysis puts its result."""

    def save_day(self, row: DayRow, processing: ProcessingRow) -> None:
        """Insert or replace the day of `row.date` (and `row.session_id`), whole or not at all."""
        ...

    def delete_day(self, day: date, session_id: int | None = None) -> None:
        """Forget a day that has no photo any more; no error when there is none."""
        ...
