"""Users and keys: unique names, digests only, scopes, revocation, and a last use noted once a minute."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lib import keys
from lib.problems import Problem, unavailable
from lib.store.database import DatabaseStore
from lib.store.models import ApiKeys, Users
from lib.store.records import User


def test_it_makes_a_user_with_a_first_key(store: DatabaseStore) -> None:
    secret, digest, prefix = keys.new_key()
    user = store.create_user(" hanako ", "hanako@farm.example", digest, prefix, ["jobs", "read"])
    assert user == User(user.id, "hanako", "hanako@farm.example", True)
    assert store.user("hanako") == user
    assert store.user("nobody") is None
    found = store.find_key(keys.digest(secret))
    assert found is not None
    key, owner = found
    assert owner == user
    assert (key.prefix, key.digest, key.scopes) == (prefix, digest, ("read", "jobs"))
    assert key.last_used_at is None
    assert key.revoked_at is None
    assert store.key(key.id) == found
    assert store.keys(user.id) == [key]
    # The primary key stands in both tables, and the secret in neither.
    assert store.db.first(Users.select(Users.api_key)) == (digest,)
    for model in (Users, ApiKeys):
        assert secret not in str(store.db.fetch(model.select()))


@pytest.mark.parametrize(
    ("username", "email", "field"),
    [("hanako", "new@farm.example", "username"), ("new", "hanako@farm.example", "email")],
)
def test_it_names_the_field_that_is_taken(
    store: DatabaseStore, user: User, username: str, email: str, field: str
) -> None:
    with pytest.raises(Problem) as refused:
        store.create_user(username, email, keys.digest("x"), "x", ["read"])
    assert refused.value.status == 409
    assert [error["field"] for error in refused.value.errors] == [field]
    assert store.users() == [user]
    assert store.find_key(keys.digest("x")) is None


def test_it_refuses_a_key_that_exists(store: DatabaseStore, user: User) -> None:
    with pytest.raises(Problem) as refused:
        store.create_user("new", "new@farm.example", keys.digest("hanako"), "x", ["read"])
    assert refused.value.status == 409
    assert store.user("new") is None


@pytest.mark.parametrize(
    ("username", "email", "scopes", "field"),
    [
        ("", "a@b.example", ["read"], "username"),
        ("x" * 51, "a@b.example", ["read"], "username"),
        ("a", "nobody", ["read"], "email"),
        ("a", "a b@c.example", ["read"], "email"),
        ("a", "@c.example", ["read"], "email"),
        ("a", "a@", ["read"], "email"),
        ("a", "a@b.example", ["read", "admin"], "scopes"),
        ("a", "a@b.example", [], "scopes"),
    ],
)
def test_it_refuses_impossible_users(
    store: DatabaseStore, username: str, email: str, scopes: list[str], field: str
) -> None:
    with pytest.raises(Problem) as refused:
        store.create_user(username, email, keys.digest("x"), "x", scopes)
    assert refused.value.status == 422
    assert [error["field"] for error in refused.value.errors] == [field]
    assert store.users() == []


def test_it_finds_revoked_keys_and_inactive_users_and_says_so(
    store: DatabaseStore, user: User, moment: datetime
) -> None:
    key = store.add_key(user.id, "phone", keys.digest("phone"), "phone123", ["read"], created_at=moment)
    assert key.created_at == moment
    assert [each.name for each in store.keys(user.id)] == ["phone", "first key"]
    assert store.revoke_key(user.id, key.id, moment)
    assert not store.revoke_key(user.id, key.id, moment + timedelta(days=1))
    assert store.set_active(user.id, False)
    found = store.find_key(key.digest)
    assert found is not None
    assert found[0].revoked_at == moment
    assert found[1].is_active is False
    assert not store.set_active(user.id + 1, False)


def test_it_revokes_only_the_users_own_keys(store: DatabaseStore, user: User, moment: datetime) -> None:
    other = store.create_user("taro", "taro@farm.example", keys.digest("taro"), "taro1234", ["read"])
    theirs = store.keys(other.id)[0]
    assert not store.revoke_key(user.id, theirs.id, moment)
    assert store.keys(other.id) == [theirs]


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63, 10**30])
def test_it_finds_nothing_for_impossible_numbers(
    store: DatabaseStore, user: User, moment: datetime, number: int
) -> None:
    assert store.key(number) is None
    assert not store.revoke_key(user.id, number, moment)


def test_it_notes_the_last_use_at_most_once_a_minute(
    store: DatabaseStore, user: User, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = store.keys(user.id)

    def last_use(opened: DatabaseStore) -> datetime | None:
        return opened.keys(user.id)[0].last_used_at

    store.touch_key(key.id, moment)
    assert last_use(store) == moment
    store.touch_key(key.id, moment + timedelta(seconds=59))
    assert last_use(store) == moment
    other_process = DatabaseStore(store.url)
    other_process.touch_key(key.id, moment + timedelta(seconds=30))
    assert last_use(store) == moment
    store.touch_key(key.id, moment + timedelta(seconds=60))
    assert last_use(store) == moment + timedelta(seconds=60)
    other_process.close()


def test_it_lets_a_request_pass_whose_use_cannot_be_noted(
    store: DatabaseStore, user: User, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = store.keys(user.id)

    def busy(query: object) -> int:
        raise unavailable("busy")

    with monkeypatch.context() as patch:
        patch.setattr(store.db, "run", busy)
        store.touch_key(key.id, moment)
    store.touch_key(key.id, moment + timedelta(seconds=1))  # and the next one tries again
    assert store.keys(user.id)[0].last_used_at == moment + timedelta(seconds=1)


def test_it_knows_the_only_active_user(store: DatabaseStore, user: User) -> None:
    assert store.sole_user() == user
    other = store.create_user("taro", "taro@farm.example", keys.digest("taro"), "taro1234", ["read"])
    assert store.sole_user() is None
    store.set_active(user.id, False)
    assert store.sole_user() == other
    assert [each.username for each in store.users()] == ["hanako", "taro"]
    store.set_active(other.id, False)
    assert store.sole_user() is None
