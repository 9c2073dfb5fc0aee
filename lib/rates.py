"""Rate limits per key or address, counted in memory or in Redis by the library `limits`."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

LOG = logging.getLogger("weeds.rates")


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


class RateLimiter:
    """Moving-window limits; `spec` as in RATE_LIMIT, `storage` a URL of the library `limits`."""

    def __init__(self, spec: str, storage: str) -> None:
        import limits

        self._items = sorted(limits.parse_many(spec))
        self._strategy = limits.strategies.MovingWindowRateLimiter(
            limits.storage.storage_from_string(storage)
        )

    def hit(self, who: str) -> Allowance:
        """Count one request of `who`; the tightest of several limits is reported.

        When the storage cannot be reached the request is let through, and the log says so: a lost Redis must
        not take the site down.
        """
        tightest: Allowance | None = None
        try:
            for item in self._items:
                allowed = self._strategy.hit(item, who)
                window = self._strategy.get_window_stats(item, who)
                reset = max(0, round(window.reset_time - time.time()))
                found = Allowance(allowed, item.amount, window.remaining if allowed else 0, reset)
                if tightest is None or (found.allowed, found.remaining) < (
                    tightest.allowed,
                    tightest.remaining,
                ):
                    tightest = found
        except Exception:
            LOG.exception("the rate limit storage does not answer; requests are let through")
            tightest = None
        return tightest or Allowance(True, 0, 0, 0)
