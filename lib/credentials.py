"""A user's keys: making one that may do no more than the key that makes it, and revoking one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lib import keys
from lib.problems import forbidden, not_found

if TYPE_CHECKING:
    from lib.store.database import DatabaseStore
    from lib.store.records import Key

LONGEST_KEY_NAME = 100


def make(
    store: DatabaseStore, user_id: int, held: frozenset[str], name: str, scopes: Sequence[str]
) -> tuple[Key, str]:
    """A new key and its secret, which is kept nowhere; 403 for scopes beyond those `held` by whoever asks."""
    wanted = tuple(dict.fromkeys(scopes))
    if not set(wanted) <= held:
        raise forbidden("A key cannot give scopes that it does not have itself.")
    secret, digest, prefix = keys.new_key()
    return store.add_key(user_id, name=name, digest=digest, prefix=prefix, scopes=wanted), secret


def revoke(store: DatabaseStore, user_id: int, key_id: int, now: datetime) -> None:
    """End a key at once and for good; 404 when the user has no such key or it was revoked before."""
    if not store.revoke_key(user_id, key_id, now):
        raise not_found("There is no key with this number.")
