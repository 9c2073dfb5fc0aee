"""The database as a store: users and keys for everyone, and one user's rows through `for_user`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import TYPE_CHECKING

import peewee as pw

from lib.store.confirmed import ConfirmedRows
from lib.store.connection import Connection
from lib.store.fields import Day
from lib.store.idempotency import IdempotentRequests, expired
from lib.store.labels import LabelRows
from lib.store.models import AnalysisSessions, DiversityMetrics, IdempotencyKeys, ImageData
from lib.store.photos import photo_of, select_photos
from lib.store.records import Photo
from lib.store.review import ReviewRows
from lib.store.users import Accounts

if TYPE_CHECKING:
    from lib.store.interface import DayWriter, ReadStore

PATHS_AT_ONCE = 1000


class UserStore(LabelRows, ReviewRows, ConfirmedRows, IdempotentRequests):
    """Everything of one user and nothing of anybody else: a ReadStore and a DayWriter with photos."""

    sample = False

    if TYPE_CHECKING:

        def _conforms(self) -> tuple[ReadStore, DayWriter]:
            return self, self


class DatabaseStore(Accounts):
    """A database (`sqlite:///…` or `postgresql://…`) that has been migrated. Safe to share between threads.

    When the database cannot be reached or is busy, every method raises a 503 problem.
    """

    def __init__(self, url: str, slow_ms: int = 0) -> None:
        """Queries that take `slow_ms` milliseconds or longer are logged; 0: none are."""
        super().__init__(Connection(url, slow_ms))
        self.url = url

    def connection(self) -> AbstractContextManager[None]:
        """One connection for all that a request does; opened by its first query, given back at the end."""
        return self.db.held()

    def ping(self) -> None:
        """Asks the database for an answer."""
        self.db.first(pw.SQL("SELECT 1"))

    def close(self) -> None:
        """Closes idle connections."""
        self.db.close()

    def for_user(self, user_id: int) -> UserStore:
        """The rows of one user."""
        return UserStore(self.db, user_id)

    def unprocessed(self, limit: int, after_id: int = 0) -> list[tuple[int, Photo]]:
        """Photos of all users that no model has seen, oldest first, each with its user's number."""
        query = (
            select_photos(AnalysisSessions.user_id)
            .where(ImageData.is_processed == False, ImageData.id > after_id)  # noqa: E712
            .order_by(ImageData.id)
            .limit(limit)
        )
        return [(row[-1], photo_of(row)) for row in self.db.fetch(query)]

    def waiting(self) -> int:
        """How many photos of all users no model has seen."""
        unseen = ImageData.is_processed == False  # noqa: E712
        row = self.db.first(ImageData.select(pw.fn.COUNT(ImageData.id)).where(unseen))
        return int(row[0]) if row else 0

    def stale_days(self, limit: int | None = None) -> list[tuple[int, int, date]]:
        """(user, session, day) of every row that is behind its photos, because their analysis was cut short."""
        query = (
            DiversityMetrics.select(
                AnalysisSessions.user_id, DiversityMetrics.session_id, DiversityMetrics.date
            )
            .join(AnalysisSessions, on=(AnalysisSessions.id == DiversityMetrics.session_id))
            .where(DiversityMetrics.computed_at.is_null())
            .order_by(DiversityMetrics.id)
            .limit(limit)
        )
        rows = self.db.fetch(query)
        return [(user, session, day) for user, session, value in rows if (day := Day().python_value(value))]

    def expired_requests(self, now: datetime) -> int:
        """How many answers are kept for requests that are too old to be sent again."""
        query = IdempotencyKeys.select(pw.fn.COUNT(IdempotencyKeys.id)).where(expired(now))
        row = self.db.first(query)
        return int(row[0]) if row else 0

    def forget_expired_requests(self, now: datetime) -> int:
        """Drops these answers; how many there were."""
        return self.db.run(IdempotencyKeys.delete().where(expired(now)))

    def days_with_spare_photos(self, before: datetime) -> list[tuple[int, int, date]]:
        """(user, session, day) where a plant that a person named has near-duplicates that came before a moment and
        that nobody named and that speak for no plant."""
        named = ImageData.alias()
        of_the_same_plant = named.select(pw.SQL("1")).where(
            named.session_id == ImageData.session_id,
            named.date == ImageData.date,
            named.cluster_id == ImageData.cluster_id,
            named.label_source == "human",
        )
        query = (
            ImageData.select(AnalysisSessions.user_id, ImageData.session_id, ImageData.date)
            .join(AnalysisSessions, on=(AnalysisSessions.id == ImageData.session_id))
            .where(
                ImageData.is_representative == False,  # noqa: E712
                ImageData.label_source == "model",
                ImageData.created_at < before,
                pw.fn.EXISTS(of_the_same_plant),
            )
            .distinct()
        )
        rows = [(user, session, Day().python_value(value)) for user, session, value in self.db.fetch(query)]
        return sorted((user, session, day) for user, session, day in rows if day)

    def photo_paths(self) -> Iterator[str]:
        """The file of every photo of every user, read in pieces."""
        last = 0
        while True:
            query = ImageData.select(ImageData.id, ImageData.path).where(ImageData.id > last)
            rows = self.db.fetch(query.order_by(ImageData.id).limit(PATHS_AT_ONCE))
            if not rows:
                return
            yield from (path for _, path in rows)
            last = rows[-1][0]
