"""Keys are long, random, and kept as digests only."""

from __future__ import annotations

import hashlib

import pytest

from lib import keys


def test_it_makes_a_secret_with_its_digest_and_prefix() -> None:
    secret, digest, prefix = keys.new_key()
    assert len(secret) == 43
    assert digest == hashlib.sha256(secret.encode()).hexdigest() == keys.digest(secret)
    assert prefix == secret[:8]


def test_no_program_takes_a_key_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter(["-first", "--second", "third", "fourth"])
    monkeypatch.setattr("lib.keys.secrets.token_urlsafe", lambda _: next(made))
    assert [keys.new_key()[0], keys.new_key()[0]] == ["third", "fourth"]


def test_it_never_makes_the_same_key_twice() -> None:
    assert len({keys.new_key()[0] for _ in range(100)}) == 100


def test_it_digests_whatever_a_header_may_hold() -> None:
    assert len(keys.digest("\udcff\x00キー")) == 64
