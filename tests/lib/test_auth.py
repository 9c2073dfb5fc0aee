"""Keys in headers, identities, the browser's signed cookie and form tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import auth, keys
from lib.auth import VISITOR, BrowserSession, Identity
from lib.problems import Problem
from lib.store.database import DatabaseStore
from lib.store.records import Key, User

SECRET = "a secret that is only for tests, 32+"
NOW = datetime(2025, 8, 24, 3, 0, tzinfo=UTC)


@pytest.fixture
def accounts(sqlite_url: str) -> Iterator[DatabaseStore]:
    store = DatabaseStore(sqlite_url)
    yield store
    store.close()


def new_user(store: DatabaseStore, *scopes: str) -> tuple[str, User, Key]:
    secret, digest, prefix = keys.new_key()
    name = f"u{uuid4().hex[:12]}"
    user = store.create_user(name, f"{name}@example.org", digest, prefix, scopes or ("read", "write"))
    return secret, user, store.keys(user.id)[0]


def status_of(action: object, *arguments: object) -> int:
    with pytest.raises(Problem) as caught:
        action(*arguments)  # type: ignore[operator]
    return caught.value.status


class TestPresentedKey:
    def test_no_header_is_no_key(self) -> None:
        assert auth.presented_key({}) is None

    @pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER   abc ", " Bearer abc"])
    def test_a_bearer_is_read_as_rfc_9110_writes_schemes(self, value: str) -> None:
        assert auth.presented_key({"Authorization": value}) == "abc"

    def test_the_other_header_is_read_too(self) -> None:
        assert auth.presented_key({"X-API-Key": " abc "}) == "abc"

    def test_both_may_say_the_same(self) -> None:
        assert auth.presented_key({"Authorization": "Bearer abc", "X-API-Key": "abc"}) == "abc"

    @pytest.mark.parametrize("other", ["abd", "ab", "é"])
    def test_both_may_not_differ(self, other: str) -> None:
        with pytest.raises(Problem) as caught:
            auth.presented_key({"Authorization": "Bearer abc", "X-API-Key": other})
        assert caught.value.status == 400
        assert "abc" not in caught.value.detail

    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": ""},
            {"Authorization": "abc"},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer "},
            {"Authorization": "Basic dTpw"},
            {"X-API-Key": ""},
            {"X-API-Key": "  "},
            {"X-API-Key": "x" * 201},
            {"Authorization": "Bearer " + "x" * 201},
            {"Authorization": "Basic dTpw", "X-API-Key": "abc"},
        ],
    )
    def test_what_is_no_key_is_refused_rather_than_overlooked(self, headers: dict[str, str]) -> None:
        assert status_of(auth.presented_key, headers) == 401

    @given(
        st.dictionaries(
            st.sampled_from(["Authorization", "X-API-Key"]), st.text(st.characters(max_codepoint=255))
        )
    )
    def test_no_header_is_a_failure(self, headers: dict[str, str]) -> None:
        try:
            key = auth.presented_key(headers)
        except Problem as problem:
            status = problem.status
        else:
            assert (key is None) == (not headers)
            return
        assert status in (400, 401)


class TestIdentify:
    def test_a_key_is_its_user_with_its_scopes(self, accounts: DatabaseStore) -> None:
        secret, user, key = new_user(accounts, "read")
        found = auth.identify(accounts, secret)
        assert (found.user, found.scopes, found.via) == (user, frozenset({"read"}), "key")
        assert found.key is not None
        assert found.key.id == key.id
        assert accounts.keys(user.id)[0].last_used_at is not None

    @given(st.text())
    def test_no_other_text_is(self, text: str) -> None:
        with patch.object(DatabaseStore, "find_key", return_value=None):
            store = DatabaseStore("sqlite:///unused.db")
            assert status_of(auth.identify, store, text) == 401

    def test_a_row_found_by_accident_is_not_enough(self, accounts: DatabaseStore) -> None:
        _, user, key = new_user(accounts)
        with patch.object(accounts, "find_key", return_value=(key, user)):
            assert status_of(auth.identify, accounts, "another secret") == 401

    def test_the_digest_is_not_a_key(self, accounts: DatabaseStore) -> None:
        secret, _, _ = new_user(accounts)
        assert status_of(auth.identify, accounts, keys.digest(secret)) == 401

    def test_a_revoked_key_is_no_key(self, accounts: DatabaseStore) -> None:
        secret, user, key = new_user(accounts)
        accounts.revoke_key(user.id, key.id, NOW)
        assert status_of(auth.identify, accounts, secret) == 401

    def test_a_user_who_is_switched_off_has_no_key(self, accounts: DatabaseStore) -> None:
        secret, user, _ = new_user(accounts)
        accounts.set_active(user.id, False)
        assert status_of(auth.identify, accounts, secret) == 401
        accounts.set_active(user.id, True)
        assert auth.identify(accounts, secret).user is not None

    def test_every_refusal_reads_the_same(self, accounts: DatabaseStore) -> None:
        secret, user, key = new_user(accounts)
        accounts.revoke_key(user.id, key.id, NOW)
        details = set()
        for each in (secret, "unknown"):
            with pytest.raises(Problem) as caught:
                auth.identify(accounts, each)
            details.add(caught.value.detail)
        assert len(details) == 1


class TestSoleUser:
    def test_one_user_is_everyone_but_runs_no_jobs(self, accounts: DatabaseStore) -> None:
        _, user, _ = new_user(accounts)
        found = auth.sole_user(accounts)
        assert (found.user, found.key, found.scopes, found.via) == (user, None, {"read", "write"}, "sole")

    def test_none_or_two_is_a_problem(self, accounts: DatabaseStore) -> None:
        assert status_of(auth.sole_user, accounts) == 503
        new_user(accounts)
        new_user(accounts)
        assert status_of(auth.sole_user, accounts) == 503


def test_a_scope_is_demanded() -> None:
    identity = Identity(scopes=frozenset({"read"}))
    identity.demand("read")
    assert status_of(identity.demand, "write") == 403
    assert status_of(VISITOR.demand, "read") == 403


class TestCookie:
    browser = BrowserSession(SECRET, production=False)

    @given(st.dictionaries(st.text(), st.text() | st.integers()))
    def test_what_is_written_is_read(self, payload: dict[str, object]) -> None:
        assert self.browser.read(self.browser.write(payload)) == payload

    @given(st.text() | st.text(st.characters(max_codepoint=255)))
    def test_what_somebody_else_wrote_is_empty(self, cookie: str) -> None:
        assert self.browser.read(cookie) == {}

    @given(st.data())
    def test_one_changed_character_makes_it_empty(self, data: st.DataObject) -> None:
        cookie = self.browser.write({"key": 1, "nonce": "n"})
        # The last character of a signature of 32 bytes carries four bits; its other two are not read.
        place = data.draw(st.integers(0, len(cookie) - 2))
        other = data.draw(st.sampled_from("abcABC0189-_.").filter(lambda char: char != cookie[place]))
        assert self.browser.read(cookie[:place] + other + cookie[place + 1 :]) == {}

    def test_another_secret_or_an_older_month_makes_it_empty(self) -> None:
        cookie = self.browser.write({"key": 1})
        assert BrowserSession("another secret of thirty-two bytes", False).read(cookie) == {}
        with patch(
            "itsdangerous.timed.time.time",
            return_value=datetime.now(UTC).timestamp() + auth.COOKIE_MAX_AGE + 2,
        ):
            assert self.browser.read(cookie) == {}
        assert self.browser.read(cookie) == {"key": 1}

    def test_a_signed_list_is_no_payload(self) -> None:
        assert self.browser.read(self.browser._serializer().dumps([1, 2])) == {}
        assert self.browser.read(None) == self.browser.read("") == {}

    def test_its_name_keeps_it_to_one_host_in_production(self) -> None:
        assert (self.browser.cookie_name, self.browser.secure) == ("weeds", False)
        production = BrowserSession(SECRET, production=True)
        assert (production.cookie_name, production.secure) == ("__Host-weeds", True)

    def test_it_holds_neither_key_nor_digest(self, accounts: DatabaseStore) -> None:
        secret, _, key = new_user(accounts)
        text = str(BrowserSession.signed_in(key))
        assert secret not in text
        assert key.digest not in text

    def test_a_secret_of_raw_bytes_signs_too(self) -> None:
        raw = bytes(range(128, 160)).decode("utf-8", "surrogateescape")
        browser = BrowserSession(raw, False)
        assert browser.read(browser.write({"a": 1})) == {"a": 1}
        assert browser.form_token({"nonce": "n"})


class TestBrowserIdentity:
    browser = BrowserSession(SECRET, production=False)

    def test_a_signed_in_browser_is_its_user(self, accounts: DatabaseStore) -> None:
        _, user, key = new_user(accounts, "read")
        found = self.browser.identify(accounts, BrowserSession.signed_in(key))
        assert (found.user, found.scopes, found.via) == (user, {"read"}, "cookie")
        assert accounts.keys(user.id)[0].last_used_at is not None

    def test_a_visitors_browser_is_a_visitor(self, accounts: DatabaseStore) -> None:
        assert self.browser.identify(accounts, BrowserSession.visitor()) == VISITOR
        assert self.browser.identify(accounts, {}) == VISITOR

    @pytest.mark.parametrize(
        "change", [{"key": "1"}, {"key": 10**30}, {"key": -1}, {"print": None}, {"print": "0" * 16}]
    )
    def test_a_payload_that_does_not_fit_is_a_visitor(
        self, accounts: DatabaseStore, change: dict[str, object]
    ) -> None:
        _, _, key = new_user(accounts)
        assert self.browser.identify(accounts, BrowserSession.signed_in(key) | change) == VISITOR

    def test_it_ends_with_its_key_or_its_user(self, accounts: DatabaseStore) -> None:
        _, user, key = new_user(accounts)
        payload = BrowserSession.signed_in(key)
        accounts.set_active(user.id, False)
        assert self.browser.identify(accounts, payload) == VISITOR
        accounts.set_active(user.id, True)
        accounts.revoke_key(user.id, key.id, NOW)
        assert self.browser.identify(accounts, payload) == VISITOR


class TestFormToken:
    browser = BrowserSession(SECRET, production=False)

    def test_it_belongs_to_one_browser_and_one_server(self) -> None:
        one, two = BrowserSession.visitor(), BrowserSession.visitor()
        assert self.browser.form_token(one) == self.browser.form_token(dict(one))
        assert self.browser.form_token(one) != self.browser.form_token(two)
        assert BrowserSession(SECRET + "x", False).form_token(one) != self.browser.form_token(one)
        assert one["nonce"] not in self.browser.form_token(one)

    @pytest.mark.parametrize("payload", [{}, {"nonce": ""}, {"nonce": 7}, {"nonce": None}])
    def test_without_a_nonce_there_is_none_and_none_is_right(self, payload: dict[str, object]) -> None:
        assert self.browser.form_token(payload) == ""
        for token in ("", None, "x"):
            assert status_of(self.browser.check_form_token, payload, token) == 403

    def test_the_right_one_passes(self) -> None:
        payload = BrowserSession.visitor()
        self.browser.check_form_token(payload, self.browser.form_token(payload))

    @given(st.text() | st.none())
    def test_no_other_text_does(self, token: str | None) -> None:
        assert status_of(self.browser.check_form_token, {"nonce": "n"}, token) == 403
