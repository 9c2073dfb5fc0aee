#!/usr/bin/env python
"""Classifies photos that wait for the model, brings their days up to date, and sweeps files that no row knows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.arguments import positive
from scripts.jobs import Job, exit_codes, run

if TYPE_CHECKING:
    from lib.backlog import Work

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
    parser.add_argument(
        "--engine",
        choices=("plain", "dask"),
        default="plain",
        help="dask: for a large archive, over processes or machines (pip install -r requirements-scale.txt)",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="dask: processes of this machine (default: its processors)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="dask: the workers of a cluster instead, as tcp://10.0.0.5:8786",
    )
    parser.add_argument(
        "--batch", type=positive, metavar="N", help="dask: photos that are written down at once (default: 20)"
    )
    options = parser.parse_args(arguments)
    if options.engine == "plain" and (options.workers or options.scheduler or options.batch):
        parser.error("--workers, --scheduler and --batch go with --engine dask")
    if options.workers and options.scheduler:
        parser.error("--workers: those of a scheduler are started on their own machines")
    if options.engine == "dask" and find_spec("distributed") is None:
        parser.error("--engine dask needs more packages: pip install -r requirements-scale.txt")
    return run(JOB, lambda job: _work(job, options))


def _work(job: Job, options: argparse.Namespace) -> bool:
    from tqdm import tqdm

    from lib import backlog
    from lib.photos.storage import open_storage
    from lib.recognition import Recogniser

    store, settings = job.store, job.settings
    files = open_storage(settings)
    work = backlog.Work()
    try:
        total = min(store.waiting(), options.limit or sys.maxsize)
        with tqdm(total=total, unit="photo", disable=not sys.stderr.isatty()) as bar:
            if options.engine == "dask":
                _over_workers(job, options, work, bar.update)
            else:
                recogniser = Recogniser(settings.model_dir, settings.region_species)
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


def _over_workers(
    job: Job, options: argparse.Namespace, work: Work, progress: Callable[[int], object]
) -> None:
    from lib import archive
    from scripts.scale.cluster import open_askers
    from scripts.scale.worker import fingerprint

    with open_askers(options.scheduler, options.workers, fingerprint(job.settings)) as askers:
        batch = options.batch or archive.BATCH
        try:
            archive.process(job.store, askers, options.limit, batch, progress, job.stopped, work)
        finally:
            job.summary["workers_lost"] = askers.lost


if __name__ == "__main__":
    sys.exit(main())
