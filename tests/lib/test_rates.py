"""Rate limits: who is let through, what the headers say, and a storage that is gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import rates
from lib.rates import Allowance, RateLimiter


@given(st.integers(1, 20), st.integers(1, 40))
def test_as_many_requests_as_the_limit_are_let_through(limit: int, requests: int) -> None:
    limiter = RateLimiter(f"{limit}/day", "memory://")
    found = [limiter.hit("key:1") for _ in range(requests)]
    assert sum(each.allowed for each in found) == min(limit, requests)
    assert [each.remaining for each in found] == [max(0, limit - n) for n in range(1, requests + 1)]
    assert all(each.limit == limit and 0 <= each.reset <= 86400 for each in found)


def test_one_does_not_use_up_anothers() -> None:
    limiter = RateLimiter("1/day", "memory://")
    assert limiter.hit("key:1").allowed
    assert not limiter.hit("key:1").allowed
    assert limiter.hit("address:192.0.2.1").allowed


def test_of_several_limits_the_tightest_is_told() -> None:
    limiter = RateLimiter("10/hour;2/day", "memory://")
    assert (limiter.hit("x").limit, limiter.hit("x").remaining) == (2, 0)
    refused = limiter.hit("x")
    assert (refused.allowed, refused.limit) == (False, 2)


def test_headers_say_when_to_come_again_only_to_whom_is_sent_away() -> None:
    assert Allowance(True, 5, 4, 60).headers() == {
        "RateLimit-Limit": "5", "RateLimit-Remaining": "4", "RateLimit-Reset": "60",
    }  # fmt: skip
    assert Allowance(False, 5, 0, 60).headers()["Retry-After"] == "60"
    assert Allowance(False, 5, 0, 0).headers()["Retry-After"] == "1"


class Lost:
    """A storage that stopped answering."""

    def hit(self, *_: Any) -> bool:
        raise ConnectionError("redis://user:hunter22@cache is gone")


def test_a_storage_that_stops_answering_lets_everyone_through(caplog: pytest.LogCaptureFixture) -> None:
    limiter = RateLimiter("1/day", "memory://")
    assert limiter.hit("x").allowed
    limiter._opened = Lost()  # type: ignore[assignment]
    found = limiter.hit("x")
    assert (found.allowed, found.limit) == (True, 0)
    assert "does not answer" in caplog.text
    assert "hunter22" not in caplog.text


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_jumped_does_not_keep_a_storage_away(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = RateLimiter("2/day", "memory://")
    now = [1000.0]
    monkeypatch.setattr("lib.rates.time.monotonic", lambda: now[0])
    limiter._opened = Lost()  # type: ignore[assignment]
    assert limiter.hit("x") == rates.OPEN
    limiter._opened = None
    assert limiter.hit("x") == rates.OPEN
    now[0] += jump
    assert limiter.hit("x").limit == 2


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_no_jump_of_the_clock_makes_anybody_wait_longer_than_the_window(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1e9]
    monkeypatch.setattr("time.time", lambda: now[0])
    limiter = RateLimiter("1/hour", "memory://")
    assert limiter.hit("x").allowed
    now[0] += jump
    assert 0 <= limiter.hit("x").reset <= 3600


def test_a_storage_that_cannot_be_opened_lets_everyone_through_until_it_can(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = RateLimiter("1/day", "nowhere://")
    now = [1000.0]
    monkeypatch.setattr("lib.rates.time.monotonic", lambda: now[0])
    assert limiter.hit("x") == rates.OPEN
    assert not limiter.reachable()
    limiter._url = "memory://"
    # Not asked again at once, and said once.
    assert limiter.hit("x") == rates.OPEN
    assert [record.message for record in caplog.records].count(rates.GONE) == 1
    assert limiter.reachable()
    now[0] += rates.REST
    assert limiter.hit("x").limit == 1
    assert not limiter.hit("x").allowed


def test_a_storage_that_hangs_is_waited_for_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    import limits

    asked: dict[str, Any] = {}

    def opened(url: str, **options: Any) -> Any:
        asked.update(options, url=url)
        return limits.storage.MemoryStorage()

    monkeypatch.setattr(limits.storage, "storage_from_string", opened)
    assert RateLimiter("1/day", "redis://cache:6379").hit("x").allowed
    assert asked == {"url": "redis://cache:6379"} | rates.STORAGE_SECONDS
    assert max(rates.STORAGE_SECONDS.values()) <= 1
