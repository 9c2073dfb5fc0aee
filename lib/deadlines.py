"""Until when the work of this thread must be done: a request begins its time, what may take long asks for it."""

from __future__ import annotations

import math
import threading
import time

from lib.problems import Problem, unavailable

KIND = "took-too-long"
_local = threading.local()


def begin(seconds: float) -> None:
    """From now on this thread has so many seconds."""
    _local.ends = time.monotonic() + seconds


def end() -> None:
    """What this thread does now nobody waits for."""
    _local.ends = math.inf


def left() -> float:
    """The seconds that are left, negative when they are over; infinite outside of requests.

    A clock that jumps while a machine sleeps ends a request early, which is then asked again: no deadline is
    kept from one request to the next.
    """
    ends: float = getattr(_local, "ends", math.inf)
    return ends - time.monotonic()


def check() -> None:
    """503 when the time is over."""
    if left() <= 0:
        raise over()


def over() -> Problem:
    """The problem of work that took longer than it may."""
    return unavailable(
        "This took longer than the server may work on one request; ask for less, or again later.",
        retry_after=10,
        kind=KIND,
    )
