"""POST /api/jobs/recompute-metrics: brings the caller's days in step with their photos, for cron."""

from __future__ import annotations

import datetime as dt
import time

import msgspec

from lib.dispatcher import Call
from lib.operations import operation
from lib.recomputation import JOB, FailedDay, Recomputation, recompute
from lib.scope import Identifier
from lib.store import job_lock

# Less than servers have to end their requests when they are stopped (25), and than proxies wait for an answer (60).
SECONDS = 20.0


class Query(msgspec.Struct):
    """`since`: only days from this one on; `session`: only those of one session."""

    since: dt.date | None = None
    session: Identifier | None = None


class Recomputed(msgspec.Struct):
    """How many days of sessions were looked at, and what became of them.

    `unchanged` had nothing new; `removed` had no photos any more; `failures` are the `failed` ones, whose reasons
    the server's log tells. A season that is too long for one request is left off, `complete` false: ask again
    with `next_since` as `since`.
    """

    days: int
    computed: int
    unchanged: int
    removed: int
    failed: int
    failures: list[FailedDay]
    complete: bool
    next_since: dt.date | None


@operation("Bring days in step with their photos", problems=(404, 409))
def post(call: Call, query: Query) -> Recomputed:
    mine = call.mine
    done = Recomputation()
    ends = time.monotonic() + SECONDS

    def stopped() -> bool:
        # Not before the first date is done: however short the time is, asking again comes to an end.
        return done.days > 0 and time.monotonic() >= ends

    with job_lock.held(call.services.database.url, JOB):
        following = recompute(mine, done, query.session, query.since, stopped=stopped)
    return Recomputed(
        days=done.days,
        computed=done.computed,
        unchanged=done.unchanged,
        removed=done.removed,
        failed=len(done.failures),
        failures=done.failures,
        complete=following is None,
        next_since=following,
    )
