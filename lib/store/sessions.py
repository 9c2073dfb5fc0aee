"""A user's sessions: fields, plots, campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import peewee as pw

from lib import regions
from lib.config import is_timezone
from lib.problems import FieldError, invalid, not_found
from lib.store.connection import Connection, Row, fits
from lib.store.fields import Day, Utc, decoded
from lib.store.models import (
    AnalysisSessions,
    DiversityMetrics,
    ImageData,
    PooledMetrics,
    ProcessingResults,
    Users,
)
from lib.store.records import NO_REGION, DeletedSession, Session, Surveyed

FIRST_SESSION = "My field"
MOST_SPECIES = 5000  # on a session's own list: more than any model knows
_CHANGEABLE = {
    "session_name",
    "description",
    "start_date",
    "end_date",
    "timezone",
    "latitude",
    "longitude",
    "region_species",
}
_day = Day().python_value
_moment = Utc().python_value


def session_of(row: Row) -> Session:
    """A row of `SessionRows._select` as a record."""
    created = _moment(row[9])
    assert created is not None
    return Session(
        id=row[0],
        user_id=row[1],
        session_name=row[2],
        description=row[3],
        start_date=_day(row[4]),
        end_date=_day(row[5]),
        timezone=row[6],
        latitude=row[7],
        longitude=row[8],
        created_at=created,
        photos=row[10],
        region_species=_region_of(row[11]),
    )


class SessionRows:
    """The part of a UserStore that keeps sessions. Every query names the user."""

    def __init__(self, db: Connection, user_id: int) -> None:
        self.db = db
        self.user_id = user_id

    def sessions(self) -> list[Session]:
        """All sessions, newest first."""
        query = self._select().order_by(AnalysisSessions.created_at.desc(), AnalysisSessions.id.desc())
        return [session_of(row) for row in self.db.fetch(query)]

    def session(self, session_id: int) -> Session:
        """One session; 404 when it is not this user's."""
        row = (
            self.db.first(self._select().where(AnalysisSessions.id == session_id))
            if fits(session_id)
            else None
        )
        if row is None:
            raise not_found("There is no such session.")
        return session_of(row)

    def newest_session(self) -> Session | None:
        """The session made last, or None before the first."""
        query = (
            self._select().order_by(AnalysisSessions.created_at.desc(), AnalysisSessions.id.desc()).limit(1)
        )
        row = self.db.first(query)
        return session_of(row) if row else None

    def surveyed(self, start: date | None = None, end: date | None = None) -> dict[int, Surveyed]:
        """The surveyed days of every session that has any with `start <= date <= end`, by the session's number."""
        days = DiversityMetrics
        query = (
            days.select(days.session_id, pw.fn.COUNT(days.id), pw.fn.MIN(days.date), pw.fn.MAX(days.date))
            .where(days.session_id.in_(self._own_sessions()))
            .group_by(days.session_id)
        )
        if start is not None:
            query = query.where(days.date >= start)
        if end is not None:
            query = query.where(days.date <= end)
        return {
            session_id: Surveyed(count, first, last)
            for session_id, count, earliest, latest in self.db.fetch(query)
            if (first := _day(earliest)) and (last := _day(latest))
        }

    def create_session(
        self,
        session_name: str,
        *,
        timezone: str,
        description: str = "",
        start_date: date | None = None,
        end_date: date | None = None,
        latitude: float | None = None,
        longitude: float | None = None,
        region_species: str | Sequence[str] | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Makes a session; 422 naming every field that cannot be."""
        values: dict[str, Any] = {
            "session_name": session_name,
            "timezone": timezone,
            "description": description,
            "start_date": start_date,
            "end_date": end_date,
            "latitude": latitude,
            "longitude": longitude,
            "region_species": region_species,
        }
        _refuse_impossible(values)
        values["region_species"] = _stored_region(region_species)
        row = self.db.first(
            AnalysisSessions.insert(
                user_id=self.user_id, created_at=created_at or datetime.now(UTC), **values
            ).returning(AnalysisSessions.id)
        )
        assert row is not None
        return self.session(row[0])

    def default_session(self, timezone: str) -> Session:
        """The newest session; a first one, in that time zone, when the user has none."""
        newest = self.newest_session()
        if newest is not None:
            return newest
        with self.db.transaction():
            self.lock_session(None)  # two first uploads at once must share one session
            return self.newest_session() or self.create_session(FIRST_SESSION, timezone=timezone)

    def update_session(self, session_id: int, **changes: Any) -> Session:
        """Changes the named columns; 404 when it is not this user's, 422 naming what cannot be."""
        unknown = set(changes) - _CHANGEABLE
        if unknown:
            raise invalid([{"field": name, "reason": "cannot be changed"} for name in sorted(unknown)])
        with self.db.transaction():
            self.lock_session(session_id)
            current = self.session(session_id)
            # What contradicts another field. A list that this version has no longer holds up no other change.
            stays = _CHANGEABLE - {"region_species"}
            _refuse_impossible({name: getattr(current, name) for name in stays} | changes)
            if "region_species" in changes:
                changes["region_species"] = _stored_region(changes["region_species"])
            if changes:
                self.db.run(AnalysisSessions.update(**changes).where(AnalysisSessions.id == session_id))
            return self.session(session_id)

    def delete_session(self, session_id: int) -> DeletedSession:
        """Deletes a session with its photos and days; the caller deletes the files and mends pooled days."""
        with self.db.transaction():
            self.lock_session(session_id)
            photos = self.db.fetch(
                ImageData.select(ImageData.path, ImageData.date)
                .where(ImageData.session_id == session_id)
                .order_by(ImageData.id)
            )
            self.db.run(AnalysisSessions.delete().where(AnalysisSessions.id == session_id))
            dates = sorted({day for _, value in photos if (day := _day(value))})
            for each in dates:
                self._prune_pooled(each)
        return DeletedSession([path for path, _ in photos], dates)

    def lock_session(self, session_id: int | None) -> None:
        """Makes other writers of this user's days wait until the transaction ends; 404 for a foreign session.

        The user's row comes first, always: pooled days belong to the user, and one order cannot deadlock.
        """
        self.db.fetch(self.db.locked(Users.select(Users.id).where(Users.id == self.user_id)))
        if session_id is None:
            return
        mine = (AnalysisSessions.id == session_id) & (AnalysisSessions.user_id == self.user_id)
        query = self.db.locked(AnalysisSessions.select(AnalysisSessions.id).where(mine))
        if not fits(session_id) or not self.db.fetch(query):
            raise not_found("There is no such session.")

    def _select(self) -> pw.ModelSelect[Any]:
        photos = ImageData.select(pw.fn.COUNT(ImageData.id)).where(
            ImageData.session_id == AnalysisSessions.id
        )
        return AnalysisSessions.select(
            AnalysisSessions.id,
            AnalysisSessions.user_id,
            AnalysisSessions.session_name,
            AnalysisSessions.description,
            AnalysisSessions.start_date,
            AnalysisSessions.end_date,
            AnalysisSessions.timezone,
            AnalysisSessions.latitude,
            AnalysisSessions.longitude,
            AnalysisSessions.created_at,
            photos,
            AnalysisSessions.region_species,
        ).where(AnalysisSessions.user_id == self.user_id)

    def _own_sessions(self) -> pw.ModelSelect[Any]:
        """The numbers of this user's sessions, as a subquery."""
        return AnalysisSessions.select(AnalysisSessions.id).where(AnalysisSessions.user_id == self.user_id)

    def _prune_day(self, session_id: int, day: date) -> None:
        """Drops the rows of a day that no photo is left on."""
        left = ImageData.select(ImageData.id).where(
            (ImageData.session_id == session_id) & (ImageData.date == day)
        )
        if self.db.first(left.limit(1)) is None:
            for model in (DiversityMetrics, ProcessingResults):
                self.db.run(model.delete().where((model.session_id == session_id) & (model.date == day)))
        self._prune_pooled(day)

    def _prune_pooled(self, day: date) -> None:
        """Drops the pooled row of a day that fewer than two sessions still have photos on."""
        sessions = (
            ImageData.select(ImageData.session_id)
            .where(ImageData.session_id.in_(self._own_sessions()) & (ImageData.date == day))
            .distinct()
            .limit(2)
        )
        if len(self.db.fetch(sessions)) < 2:
            mine = (PooledMetrics.user_id == self.user_id) & (PooledMetrics.date == day)
            self.db.run(PooledMetrics.delete().where(mine))


def _refuse_impossible(values: dict[str, Any]) -> None:
    errors: list[FieldError] = []
    name = str(values["session_name"] or "")
    if not name.strip() or not name.isprintable():
        errors.append({"field": "session_name", "reason": "must hold visible characters, on one line"})
    if not is_timezone(str(values["timezone"])):
        errors.append({"field": "timezone", "reason": "must be an IANA time zone such as Asia/Tokyo"})
    for name, limit in (("latitude", 90), ("longitude", 180)):
        value = values[name]
        if value is not None and not -limit <= value <= limit:
            errors.append({"field": name, "reason": f"must be between -{limit} and {limit}"})
    if (values["latitude"] is None) != (values["longitude"] is None):
        missing = "latitude" if values["latitude"] is None else "longitude"
        errors.append({"field": missing, "reason": "latitude and longitude are given together"})
    start, end = values["start_date"], values["end_date"]
    if start is not None and end is not None and start > end:
        errors.append({"field": "end_date", "reason": "must not be before start_date"})
    errors += _region_errors(values.get("region_species"))
    if errors:
        raise invalid(errors)


def _region_errors(region: str | Sequence[str] | None) -> list[FieldError]:
    if region is None or region == NO_REGION:
        return []
    if isinstance(region, str):
        known = [NO_REGION, *regions.shipped()]
        reason = f"must be {', '.join(known)}, a list of scientific names, or null for the site's list"
        return [] if region in known else [{"field": "region_species", "reason": reason}]
    if not region:
        reason = f"must name at least one species; for no list, write {NO_REGION}"
        return [{"field": "region_species", "reason": reason}]
    if len(region) > MOST_SPECIES:
        reason = f"must not name more than {MOST_SPECIES} species"
        return [{"field": "region_species", "reason": reason}]
    return [
        {
            "field": f"region_species[{place}]",
            "reason": "must be a scientific name such as Stellaria media",
        }
        for place, name in enumerate(region)
        if not regions.is_name(name)
    ]


def _stored_region(region: str | Sequence[str] | None) -> dict[str, Any] | None:
    """A session's choice as its column has it: each name once, in the order given."""
    if region is None:
        return None
    if isinstance(region, str):
        return {"list": region}
    return {"species": list(dict.fromkeys(" ".join(name.split()) for name in region))}


def _region_of(text: str | None) -> str | tuple[str, ...] | None:
    """What a session's column says."""
    if text is None:
        return None
    stored = decoded(text)
    return str(stored["list"]) if "list" in stored else tuple(map(str, stored["species"]))
