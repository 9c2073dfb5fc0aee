"""The manners that all jobs share: settings, the lock, Ctrl-C and SIGTERM, a last line of JSON, exit codes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from lib import config
from lib.problems import Problem
from scripts.arguments import Refused

if TYPE_CHECKING:
    from lib.store.database import DatabaseStore
    from lib.store.job_lock import JobLock

DONE, FAILED, WRONG, LEFT, RUNNING = 0, 1, 2, 3, 4
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def exit_codes(left: str) -> str:
    """What the exit codes of a job mean, for its --help; `left` is what 3 says."""
    return (
        f"Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 {left}, 4 another run of this job is "
        "at work, 130 (Ctrl-C) or 143 (SIGTERM) stopped after the step in hand; a second signal stops at once. "
        "Safe to repeat, and beside the server. The last line of the output is JSON."
    )


@dataclass(slots=True)
class Job:
    """A run that holds the lock of its job; what is in `summary` is printed at the end, however it ends."""

    settings: config.Settings
    store: DatabaseStore
    lock: JobLock
    signalled: Callable[[], bool]
    summary: dict[str, Any] = field(default_factory=dict)

    def stopped(self) -> bool:
        """Asked between two steps: whether somebody wants the run to end. 503 when the lock was lost."""
        self.lock.check()
        return self.signalled()


def run(name: str, work: Callable[[Job], bool]) -> int:
    """Run the job `name` alone on the database of the settings; its exit code. `work` tells whether all is well.

    Nothing is written to standard error when all is well: cron, which mails what is written there, stays quiet.
    """
    try:
        settings = config.load()
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG
    if settings.database_url is None:
        print("DATABASE_URL is not set: file mode keeps no photos; see analyze_folder.", file=sys.stderr)
        return WRONG
    from lib.store import job_lock
    from lib.store.database import DatabaseStore

    store = DatabaseStore(settings.database_url)
    job: Job | None = None
    with _signals() as received:
        try:
            with job_lock.held(settings.database_url, name) as lock, store.connection():
                job = Job(settings, store, lock, lambda: bool(received))
                code = DONE if work(job) else LEFT
        except Refused as error:
            print(error, file=sys.stderr)
            return WRONG
        except Problem as problem:
            code = RUNNING if problem.kind == "job-running" else FAILED
            # That another run is at work is nothing to wake anybody for, and cron mails the standard error.
            print(problem.detail, file=sys.stdout if code == RUNNING else sys.stderr)
        except OSError as error:
            print(f"Stopped: {error.strerror}: {error.filename}", file=sys.stderr)
            code = FAILED
        except KeyboardInterrupt:
            code = FAILED  # a second signal: `received` says which
        finally:
            store.close()
    if received and code != RUNNING:
        print("Stopped; what was done is kept. Run it again to go on.", file=sys.stderr)
        code = 128 + received[0]
    print(json.dumps((job.summary if job else {}) | {"complete": code in (DONE, LEFT)}))
    return code


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that came, which only ask to stop; from the second on they interrupt."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    before = {each: signal.signal(each, note) for each in SIGNALS}
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
