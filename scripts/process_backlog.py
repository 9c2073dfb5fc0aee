#!/usr/bin/env python
"""Classifies photos that wait for the model, brings their days up to date, and sweeps files that no row knows."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.arguments import positive
from scripts.jobs import Job, exit_codes, run

JOB = "process-backlog"


def main(arguments: list[str] | None = None) -> int:
    """Exit codes as scripts.jobs has them; 3 when something still waits or a photo's file is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=exit_codes("something still waits or a photo's file is missing")
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="classify at most so many photos")
    parser.add_argument(
        "--grace-minutes",
        type=positive,
        metavar="N",
        default=60,
        help="leave younger files alone, their row may be on its way (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    return run(JOB, lambda job: _work(job, options))


def _work(job: Job, options: argparse.Namespace) -> bool:
    from tqdm import tqdm

    from lib import backlog
    from lib.photos.storage import open_storage
    from lib.recognition import Recogniser

    store, settings = job.store, job.settings
    files = open_storage(settings)
    recogniser = Recogniser(settings.model_dir, settings.region_species)
    work = backlog.Work()
    try:
        total = min(store.waiting(), options.limit or sys.maxsize)
        with tqdm(total=total, unit="photo", disable=not sys.stderr.isatty()) as bar:
            backlog.process(store, files, recogniser, options.limit, bar.update, job.stopped, work)
        work.days += backlog.refresh_days(store, job.stopped)
    finally:
        job.summary |= {"classified": work.classified, "failed": work.failed, "days_recomputed": work.days}
    waiting = store.waiting()
    job.summary["waiting"] = waiting
    if job.stopped():
        return False
    swept = files.sweep(store.photo_paths(), timedelta(minutes=options.grace_minutes))
    for path in swept.missing:
        print(f"the file of a photo is missing: {path}", file=sys.stderr)
    job.summary |= {"files_swept": len(swept.removed), "files_missing": len(swept.missing)}
    return not waiting and not swept.missing


if __name__ == "__main__":
    sys.exit(main())
