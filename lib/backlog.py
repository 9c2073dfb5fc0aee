"""Photos that wait for the model, and days that wait for their photos: done after requests and by a script."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from lib import analysis, stopping
from lib.intake import Intake
from lib.photos.storage import PhotoFiles
from lib.problems import Problem
from lib.recognition import Recogniser
from lib.store import job_lock
from lib.store.connection import is_postgres
from lib.store.database import DatabaseStore

LOG = logging.getLogger("weeds.backlog")
BATCH = 20
REST = 3600.0  # seconds
LOCK = "backlog"  # not the script's: whoever calls that wants it to work


@dataclass(slots=True)
class Work:
    """What a run did. `waiting` photos could not be classified now and stay for the next run."""

    classified: int = 0
    waiting: int = 0
    failed: int = 0
    days: int = 0


def process(
    store: DatabaseStore,
    files: PhotoFiles,
    recogniser: Recogniser,
    limit: int | None = None,
    progress: Callable[[int], object] = lambda done: None,
    stopped: Callable[[], bool] = lambda: False,
    work: Work | None = None,
) -> Work:
    """Classify photos that no model has seen, oldest first, and bring their days up to date.

    Each photo is finished before the next is begun, so that stopping loses nothing. Two runs at once may do a
    photo twice, with the same result. When the model cannot be asked, the run ends and the photos wait. A photo
    that fails in a way nobody foresaw is left to the next run and does not hold up those behind it. `stopped` is
    asked before each photo; the days of those that are done are brought up to date all the same. `work` is what the
    run counts in, for callers that want to know how far it came before a problem ended it.
    """
    work = work or Work()
    after = 0
    ended = False
    while not ended and (limit is None or work.classified + work.failed < limit):
        room = BATCH if limit is None else min(BATCH, limit - work.classified - work.failed)
        batch = store.unprocessed(room, after)
        if not batch:
            break
        touched = set()
        for user_id, photo in batch:
            if stopped():
                ended = True
                break
            after = photo.id
            mine = store.for_user(user_id)
            try:
                if mine.photo(photo.id).is_processed:
                    continue  # by somebody else since the batch was read
                problem = Intake(mine, files, recogniser).classify(photo)
            except Problem as refused:
                if refused.status != 404:
                    raise
                continue  # deleted since the batch was read
            except Exception:
                LOG.exception("photo %d cannot be classified now", photo.id)
                work.waiting += 1
                continue
            if problem is not None and problem.kind == "not-yet-classified":
                work.waiting += 1
                ended = True
                break
            work.failed += problem is not None
            work.classified += problem is None
            touched.add((user_id, photo.session_id, photo.date))
            progress(1)
        for user_id, session_id, day in sorted(touched):
            report = analysis.recompute(store.for_user(user_id), session_id, [day])
            work.days += report.computed
    return work


def refresh_days(store: DatabaseStore, stopped: Callable[[], bool] = lambda: False) -> int:
    """Recompute the days that a crash left behind their photos; how many there were.

    `stopped` is asked before each.
    """
    return sum(
        analysis.recompute(store.for_user(user_id), session_id, [day]).computed
        for user_id, session_id, day in store.stale_days()
        if not stopped()
    )


class Backlog:
    """One background thread at most, started when a request is over and only while there is work."""

    def __init__(self, store: DatabaseStore, files: PhotoFiles, recogniser: Recogniser) -> None:
        self._store = store
        self._files = files
        self._recogniser = recogniser
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running = False
        self._again = False
        self._gave_up = float("-inf")

    def start(self) -> None:
        """Work off what waits, beside the caller, unless it was in vain a short while ago.

        While that is going on, it is gone through once more at the end: the model may have come back meanwhile.
        """
        with self._lock:
            if self._running:
                self._again = True
                return
            if stopping.asked():
                return
            # A clock that jumped back after the machine slept must not stop the work.
            if 0 <= time.monotonic() - self._gave_up < REST:
                return
            # No daemon: a process that ends waits for the photo in hand, and no longer.
            self._thread = threading.Thread(target=self._run, name="backlog")
            self._thread.start()
            self._running = True

    def rouse(self) -> None:
        """A photo was left waiting whose file is there: the next `start` works, however vain the last run was."""
        with self._lock:
            self._gave_up = float("-inf")

    def _run(self) -> None:
        while True:
            self._work_off()
            with self._lock:
                if not self._again or stopping.asked():
                    self._running = False
                    return
                self._again = False

    def _work_off(self) -> None:
        try:
            with self._alone(), self._store.connection():
                work = process(self._store, self._files, self._recogniser, stopped=stopping.asked)
                work.days += refresh_days(self._store, stopping.asked)
            if work.failed and not work.classified and self._store.waiting():
                # Files are missing, perhaps a whole disk: looking for them each minute would only fill the log.
                self._gave_up = time.monotonic()
            if work != Work():
                LOG.info(
                    "backlog",
                    extra={"classified": work.classified, "waiting": work.waiting, "days": work.days},
                )
        except Exception as error:
            if isinstance(error, Problem) and error.kind == job_lock.RUNNING:
                return  # another machine is at it, and comes to what waits here as well
            LOG.exception("the backlog could not be worked off; the next request tries again")

    def _alone(self) -> AbstractContextManager[object]:
        """Of several machines one at a time: together they would ask their models about the same photos.

        SQLite is the database of one machine, which has one thread for this.
        """
        url = self._store.db.url
        return job_lock.held(url, LOCK) if is_postgres(url) else nullcontext()
