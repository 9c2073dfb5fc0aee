"""Requests that may be sent twice: the answer of the first is the answer of all (Idempotency-Key)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.problems import Problem
from lib.store.connection import Connection
from lib.store.fields import Utc, decoded
from lib.store.models import IdempotencyKeys
from lib.store.records import StoredResponse

ABANDONED_AFTER = timedelta(minutes=2)  # a request that has not ended by then never will
KEPT_FOR = timedelta(hours=24)


def expired(now: datetime) -> Any:
    """The answers of all users that nobody can ask for any more, as a condition."""
    return IdempotencyKeys.created_at < now - KEPT_FOR


class IdempotentRequests:
    """The part of a UserStore that remembers answers."""

    db: Connection
    user_id: int

    def idempotent(self, key: str, request_digest: str, now: datetime | None = None) -> StoredResponse | None:
        """The stored answer, or None when the caller is to do the work and then call `finish_idempotent`.

        422 when the key came before with another request, 409 while the first is still running.
        """
        now = now or datetime.now(UTC)
        self.db.run(IdempotencyKeys.delete().where((IdempotencyKeys.user_id == self.user_id) & expired(now)))
        begun = self.db.run(
            IdempotencyKeys.insert(
                user_id=self.user_id, key=key, request_digest=request_digest, created_at=now
            ).on_conflict(action="nothing", conflict_target=[IdempotencyKeys.user_id, IdempotencyKeys.key])
        )
        if begun:
            return None
        row = self.db.first(
            IdempotencyKeys.select(
                IdempotencyKeys.request_digest,
                IdempotencyKeys.status,
                IdempotencyKeys.response,
                IdempotencyKeys.created_at,
            ).where(self._is(key))
        )
        if row is None:  # the first gave up just now
            return self.idempotent(key, request_digest, now)
        if row[0] != request_digest:
            raise Problem(
                422,
                detail="This Idempotency-Key was used for another request.",
                kind="idempotency-key-reused",
                errors=[{"field": "Idempotency-Key", "reason": "was used for another request"}],
            )
        if row[1] is not None:
            return StoredResponse(row[1], decoded(row[2]))
        created = Utc().python_value(row[3])
        assert created is not None
        # Only one of several may take over, so the update names the mark that it replaces.
        if now - created >= ABANDONED_AFTER and self.db.run(
            IdempotencyKeys.update(created_at=now).where(
                self._is(key) & (IdempotencyKeys.created_at == created) & IdempotencyKeys.status.is_null()
            )
        ):
            return None
        raise Problem(
            409,
            detail="The first request with this Idempotency-Key is still running.",
            kind="idempotency-key-busy",
            headers={"Retry-After": "5"},
        )

    def once(self, key: str, work: Callable[[], Any]) -> tuple[Any, bool]:
        """What `work` answers (anything JSON can hold), and whether it was done now (not by an earlier request).

        Everything is one transaction: a second request at the same time waits and gets the first one's answer, and
        work that fails leaves no mark. `key` tells what is asked as well as who asks, for it is not compared.
        """
        with self.db.transaction():
            stored = self.idempotent(key, "")
            if stored is not None:
                return stored.response, False
            answer = work()
            self.finish_idempotent(key, 200, answer)
            return answer, True

    def finish_idempotent(self, key: str, status: int, response: Any) -> None:
        """Keeps the answer for a day."""
        self.db.run(IdempotencyKeys.update(status=status, response=response).where(self._is(key)))

    def forget_idempotent(self, key: str) -> None:
        """Takes the mark away after a failure, so that the request may be tried again at once."""
        self.db.run(IdempotencyKeys.delete().where(self._is(key) & IdempotencyKeys.status.is_null()))

    def _is(self, key: str) -> Any:
        return (IdempotencyKeys.user_id == self.user_id) & (IdempotencyKeys.key == key)
