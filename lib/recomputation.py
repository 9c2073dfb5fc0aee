"""Many days brought in step with their photos: after an update that computes otherwise, after a mishap, by cron."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from lib import analysis
from lib.problems import Problem
from lib.store.database import UserStore

JOB = "recompute-metrics"
LOG = logging.getLogger("weeds.recomputation")
# SQLite has no queue for those who want to write: they look again every tenth of a second. A day that takes its
# time and is followed at once by the next would keep an upload out until it gives up.
LET_OTHERS_WRITE = 0.11  # seconds


@dataclass(frozen=True, slots=True)
class FailedDay:
    """A day of a session whose computation failed; the log says why."""

    session_id: int
    date: date


@dataclass(slots=True)
class Recomputation:
    """What a run has done so far: `days` of sessions looked at, and what became of each.

    `unchanged` had the same photos, labels and model as when they were computed; `removed` had no photos any more.
    """

    days: int = 0
    computed: int = 0
    unchanged: int = 0
    removed: int = 0
    failures: list[FailedDay] = field(default_factory=list)


def recompute(
    mine: UserStore,
    done: Recomputation,
    session_id: int | None = None,
    since: date | None = None,
    until: date | None = None,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int], object] = lambda days: None,
) -> date | None:
    """Bring one user's days from `since` to `until` (both included) in step, the oldest first, and count in `done`.

    Each day is a transaction of its own, so that a run that was killed loses nothing and the next one goes on. A
    day that fails is logged and counted, and the others follow. `stopped` is asked before each date; the date that
    was not come to any more is returned, None at the end. A problem of the database ends the run.
    """
    for day, sessions in mine.days_on_record(session_id, since, until).items():
        if stopped():
            return day
        computed = done.computed
        for each in sessions:
            _recompute_day(mine, done, each, day)
        mine.drop_lone_pooled_day(day)
        progress(len(sessions))
        if done.computed > computed and not mine.db.postgres:
            time.sleep(LET_OTHERS_WRITE)
    return None


def _recompute_day(mine: UserStore, done: Recomputation, session_id: int, day: date) -> None:
    try:
        report = analysis.recompute(mine, session_id, [day])
    except Problem as problem:
        if problem.status != 404:
            raise
        return  # the session was deleted since the days were listed
    except Exception:
        LOG.exception("the day %s of session %d cannot be computed", day, session_id)
        done.days += 1
        done.failures.append(FailedDay(session_id, day))
        return
    done.days += 1
    done.computed += report.computed
    done.unchanged += report.unchanged
    done.removed += report.removed
