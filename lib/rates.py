"""Rate limits per key or address, counted in memory or in Redis by the library `limits`."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits.strategies import MovingWindowRateLimiter

LOG = logging.getLogger("weeds.rates")
# A storage that hangs must not hang every request: seconds to connect to it and to wait for its answer.
STORAGE_SECONDS = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0}
# So long a storage that did not answer is not asked again: not every request is to wait for it and log that.
REST = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit: requests, and seconds until it is whole again."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """The `RateLimit-*` headers, and `Retry-After` when nothing is left."""
        shown = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return shown if self.allowed else shown | {"Retry-After": str(max(1, self.reset))}


GONE = "the rate limit storage does not answer; requests are let through"
OPEN = Allowance(True, 0, 0, 0)  # for want of a storage that could say otherwise


class RateLimiter:
    """Moving-window limits; `spec` as in RATE_LIMIT, `storage` a URL of the library `limits`."""

    def __init__(self, spec: str, storage: str) -> None:
        import limits

        self._items = sorted(limits.parse_many(spec))
        self._url = storage
        self._lock = threading.Lock()
        self._opened: MovingWindowRateLimiter | None = None
        self._failed = float("-inf")

    def _strategy(self) -> MovingWindowRateLimiter:
        """Opened by the first request that counts, so that a storage that cannot be opened stops nobody."""
        import limits

        with self._lock:
            if self._opened is None:
                seconds = {} if self._url.startswith("memory") else STORAGE_SECONDS
                storage = limits.storage.storage_from_string(self._url, **seconds)
                self._opened = limits.strategies.MovingWindowRateLimiter(storage)
            return self._opened

    def hit(self, who: str) -> Allowance:
        """Count one request of `who`; the tightest of several limits is reported.

        When the storage cannot be reached the request is let through, and the log says so: a lost Redis must
        not take the site down.
        """
        tightest: Allowance | None = None
        # A clock that jumped back while the machine slept must not prolong the rest.
        if 0 <= time.monotonic() - self._failed < REST:
            return OPEN
        try:
            strategy = self._strategy()
            for item in self._items:
                allowed = strategy.hit(item, who)
                window = strategy.get_window_stats(item, who)
                # No longer than the window, whatever the clock did since it began.
                reset = min(max(0, round(window.reset_time - time.time())), item.get_expiry())
                found = Allowance(allowed, item.amount, window.remaining if allowed else 0, reset)
                if tightest is None or (found.allowed, found.remaining) < (
                    tightest.allowed,
                    tightest.remaining,
                ):
                    tightest = found
        except Exception as error:
            self._failed = time.monotonic()
            # Its text may hold the address, with the password in it.
            LOG.error(GONE, extra={"reason": type(error).__name__})
            return OPEN
        return tightest or OPEN

    def reachable(self) -> bool:
        """Whether the storage answers."""
        try:
            return bool(self._strategy().storage.check())
        except Exception:
            return False
