"""Users and their keys."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import peewee as pw

from lib.keys import SCOPES
from lib.problems import FieldError, Problem, invalid
from lib.store.connection import Connection, Row, fits
from lib.store.fields import Utc
from lib.store.models import ApiKeys, Users
from lib.store.records import Key, User

TOUCH_EVERY = timedelta(minutes=1)
_USER = (Users.id, Users.username, Users.email, Users.is_active)
_KEY = (
    ApiKeys.id,
    ApiKeys.user_id,
    ApiKeys.name,
    ApiKeys.prefix,
    ApiKeys.digest,
    ApiKeys.scopes,
    ApiKeys.created_at,
    ApiKeys.last_used_at,
    ApiKeys.revoked_at,
)
_moment = Utc().python_value


def _user(row: Row) -> User:
    return User(row[0], row[1], row[2], bool(row[3]))


def _key(row: Row) -> Key:
    scopes = tuple(filter(None, row[5].split(",")))
    created, used, revoked = (_moment(value) for value in row[6:9])
    assert created is not None  # the column is NOT NULL
    return Key(row[0], row[1], row[2], row[3], row[4], scopes, created, used, revoked)


def _scopes(scopes: Sequence[str]) -> str:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise invalid([{"field": "scopes", "reason": f"must be one or more of {', '.join(SCOPES)}"}])
    return ",".join(scope for scope in SCOPES if scope in scopes)


class Accounts:
    """The part of a DatabaseStore that knows people and keys."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self._touched: dict[int, datetime] = {}
        self._touch_lock = threading.Lock()

    def create_user(self, username: str, email: str, digest: str, prefix: str, scopes: Sequence[str]) -> User:
        """Makes a user with a first key; 422 for a bad field, 409 naming the field that is taken."""
        username, email = username.strip(), email.strip()
        errors: list[FieldError] = []
        if not username:
            errors.append({"field": "username", "reason": "must not be empty"})
        local, _, domain = email.rpartition("@")
        if not local or not domain or any(char.isspace() for char in email):
            errors.append({"field": "email", "reason": "must look like name@example.org"})
        if errors:
            raise invalid(errors)
        now = datetime.now(UTC)
        try:
            with self.db.transaction():
                row = self.db.first(
                    Users.insert(username=username, email=email, api_key=digest, created_at=now).returning(
                        Users.id
                    )
                )
                assert row is not None
                self._insert_key(row[0], "first key", digest, prefix, scopes, now)
        except pw.IntegrityError:
            for name, field, value in (("username", Users.username, username), ("email", Users.email, email)):
                if self.db.first(Users.select(Users.id).where(field == value)):
                    reason = f"{value!r} is taken"
                    raise Problem(
                        409,
                        detail=f"The {name} {reason}.",
                        kind="duplicate",
                        errors=[{"field": name, "reason": reason}],
                    ) from None
            raise Problem(409, detail="This key exists already.", kind="duplicate") from None
        return User(row[0], username, email, True)

    def user(self, username: str) -> User | None:
        """The user of that name."""
        row = self.db.first(Users.select(*_USER).where(Users.username == username))
        return _user(row) if row else None

    def users(self) -> list[User]:
        """All users, oldest first."""
        return [_user(row) for row in self.db.fetch(Users.select(*_USER).order_by(Users.id))]

    def sole_user(self) -> User | None:
        """The only active user; None when there is none or more than one."""
        rows = self.db.fetch(Users.select(*_USER).where(Users.is_active == True).limit(2))  # noqa: E712
        return _user(rows[0]) if len(rows) == 1 else None

    def set_active(self, user_id: int, active: bool) -> bool:
        """Lets a user in or keeps them out; False when there is no such user."""
        return self.db.run(Users.update(is_active=active).where(Users.id == user_id)) == 1

    def find_key(self, digest: str) -> tuple[Key, User] | None:
        """The key of a digest and its user, also when revoked or inactive: the caller decides."""
        return self._key_and_user(ApiKeys.digest == digest)

    def key(self, key_id: int) -> tuple[Key, User] | None:
        """The key of a number and its user, also when revoked or inactive: the caller decides."""
        return self._key_and_user(ApiKeys.id == key_id) if fits(key_id) else None

    def keys(self, user_id: int) -> list[Key]:
        """A user's keys, newest first, the revoked ones included."""
        query = ApiKeys.select(*_KEY).where(ApiKeys.user_id == user_id).order_by(ApiKeys.id.desc())
        return [_key(row) for row in self.db.fetch(query)]

    def add_key(
        self,
        user_id: int,
        name: str,
        digest: str,
        prefix: str,
        scopes: Sequence[str],
        created_at: datetime | None = None,
    ) -> Key:
        """Another key for a user; 422 for an unknown scope."""
        return self._insert_key(user_id, name, digest, prefix, scopes, created_at or datetime.now(UTC))

    def revoke_key(self, user_id: int, key_id: int, now: datetime) -> bool:
        """Ends a key for good; False when the user has no such key or it was revoked before."""
        if not fits(key_id):
            return False
        mine = (ApiKeys.id == key_id) & (ApiKeys.user_id == user_id) & ApiKeys.revoked_at.is_null()
        return self.db.run(ApiKeys.update(revoked_at=now).where(mine)) == 1

    def touch_key(self, key_id: int, now: datetime) -> None:
        """Notes that a key was used; writes at most once a minute.

        This process remembers when it wrote last, so that requests within the minute do not even wait for
        the write lock; the condition in the query does the same between processes.
        """
        with self._touch_lock:
            last = self._touched.get(key_id)
            if last is not None and abs(now - last) < TOUCH_EVERY:
                return
            self._touched[key_id] = now
        stale = ApiKeys.last_used_at.is_null() | (ApiKeys.last_used_at <= now - TOUCH_EVERY)
        try:
            self.db.run(ApiKeys.update(last_used_at=now).where((ApiKeys.id == key_id) & stale))
        except Problem:
            # A request that only reads must not fail because the note of its key could not be written.
            with self._touch_lock:
                self._touched.pop(key_id, None)

    def _key_and_user(self, condition: Any) -> tuple[Key, User] | None:
        query = (
            ApiKeys.select(*_KEY, *_USER)
            .join(Users, on=(Users.id == ApiKeys.user_id))
            .where(condition)
            .limit(1)
        )
        row = self.db.first(query)
        return (_key(row), _user(row[len(_KEY) :])) if row else None

    def _insert_key(
        self, user_id: int, name: str, digest: str, prefix: str, scopes: Sequence[str], now: datetime
    ) -> Key:
        row = self.db.first(
            ApiKeys.insert(
                user_id=user_id,
                name=name,
                prefix=prefix,
                digest=digest,
                scopes=_scopes(scopes),
                created_at=now,
            ).returning(*_KEY)
        )
        assert row is not None
        return _key(row)
