#!/usr/bin/env python
"""Brings the metrics of days in step with their photos: after an update that computes otherwise, or after a mishap.

Days whose photos, labels and model are as they were stay untouched, so that it costs little to run it every night.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.arguments import Refused, store_of
from scripts.jobs import Job, exit_codes, run

if TYPE_CHECKING:
    from lib.store.database import UserStore


def main(arguments: list[str] | None = None) -> int:
    """Exit codes as scripts.jobs has them; 3 when some days failed."""
    options = _parser().parse_args(arguments)
    from lib.recomputation import JOB

    return run(JOB, lambda job: _work(job, options))


def _work(job: Job, options: argparse.Namespace) -> bool:
    from tqdm import tqdm

    from lib.recomputation import Recomputation, recompute

    if options.since and options.until and options.until < options.since:
        raise Refused("--until: lies before --since")
    owners = _owners(job, options)
    period = (options.session, options.since, options.until)
    done = Recomputation()
    try:
        total = sum(len(sessions) for mine in owners for sessions in mine.days_on_record(*period).values())
        with tqdm(total=total, unit="day", disable=not sys.stderr.isatty()) as bar:
            for mine in owners:
                recompute(mine, done, *period, job.stopped, bar.update)
    finally:
        job.summary |= {
            **{name: getattr(done, name) for name in ("days", "computed", "unchanged", "removed")},
            "failed": len(done.failures),
        }
    return not done.failures


def _owners(job: Job, options: argparse.Namespace) -> list[UserStore]:
    """Whose days: those of one user, of the owner of the session, or of everybody."""
    if options.user is not None:
        found = [store_of(job.store, options.user, "--user", "whose days to compute")]
    else:
        found = [job.store.for_user(user.id) for user in job.store.users()]
    if options.session is None:
        return found
    owners = [mine for mine in found if any(each.id == options.session for each in mine.sessions())]
    if not owners:
        raise Refused(f"--session: there is no session {options.session}")
    return owners


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=exit_codes("some days failed; the log says why")
    )
    parser.add_argument("--user", metavar="NAME", help="only the days of this user")
    parser.add_argument("--session", metavar="N", type=int, help="only those of this session")
    for name, meaning in (("since", "the first day"), ("until", "the last day")):
        parser.add_argument(f"--{name}", metavar="YYYY-MM-DD", type=date.fromisoformat, help=meaning)
    return parser


if __name__ == "__main__":
    sys.exit(main())
