"""Keys are made with no more than the maker holds, and revoked for good."""

from __future__ import annotations

from datetime import datetime

import pytest

from lib import credentials, keys
from lib.problems import Problem
from lib.store.database import DatabaseStore
from lib.store.records import User

HELD = frozenset({"read", "write"})


def test_it_makes_a_key_that_opens_the_door(store: DatabaseStore, user: User) -> None:
    key, secret = credentials.make(store, user.id, HELD, "phone", ["read", "read"])
    assert (key.name, key.scopes, key.prefix) == ("phone", ("read",), secret[:8])
    assert store.find_key(keys.digest(secret)) == (key, user)


def test_it_gives_no_more_than_the_maker_holds(store: DatabaseStore, user: User) -> None:
    with pytest.raises(Problem) as refused:
        credentials.make(store, user.id, HELD, "cron", ["read", "jobs"])
    assert refused.value.status == 403
    assert [key.name for key in store.keys(user.id)] == ["first key"]


def test_a_key_is_revoked_once_and_by_its_owner_only(
    store: DatabaseStore, user: User, moment: datetime
) -> None:
    key, _ = credentials.make(store, user.id, HELD, "phone", ["read"])
    with pytest.raises(Problem):
        credentials.revoke(store, user.id + 1, key.id, moment)
    credentials.revoke(store, user.id, key.id, moment)
    assert store.keys(user.id)[0].revoked_at == moment
    with pytest.raises(Problem) as again:
        credentials.revoke(store, user.id, key.id, moment)
    assert again.value.status == 404
