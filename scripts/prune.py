#!/usr/bin/env python
"""Frees disk space: thumbnails that nobody looked at for long, answers to requests past their day; if asked, more.

That is: old exports, and old near-duplicate photos. A photo that a person named or confirmed always stays.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.arguments import positive
from scripts.jobs import Job, exit_codes, run

JOB = "prune"
A_CENTURY = 36_500  # days; as good as never, and still a date


def main(arguments: list[str] | None = None) -> int:
    """Exit codes as scripts.jobs has them; 3 when the exports could not be told from what must stay."""
    options = _parser().parse_args(arguments)
    return run(JOB, lambda job: _work(job, options))


def _work(job: Job, options: argparse.Namespace) -> bool:
    """What can be made again goes first, and photos last."""
    from lib import retention
    from lib.photos.storage import open_storage

    now, dry_run = datetime.now(UTC), options.dry_run
    store, files = job.store, open_storage(job.settings)
    job.summary["dry_run"] = dry_run
    thumbnails = files.forget_thumbnails(timedelta(days=options.thumbnails_older_than), dry_run=dry_run)
    job.summary["thumbnails"] = asdict(retention.Freed(*thumbnails))
    well = True
    if options.exports_older_than and not job.stopped():
        output_dir = job.settings.output_dir
        if retention.holds_analyses(output_dir):
            print(
                f"{output_dir} holds the results of analyze_folder, not only exports: left alone",
                file=sys.stderr,
            )
            well = False
        else:
            age = timedelta(days=options.exports_older_than)
            job.summary["exports"] = asdict(retention.prune_exports(output_dir, age, dry_run=dry_run))
    if not job.stopped():
        forget = store.expired_requests if dry_run else store.forget_expired_requests
        job.summary["answers"] = {"count": forget(now)}
    if options.duplicates_older_than:
        before = now - timedelta(days=options.duplicates_older_than)
        freed = retention.Freed()
        try:
            retention.prune_duplicates(store, files, before, freed, dry_run=dry_run, stopped=job.stopped)
        finally:
            job.summary["photos"] = asdict(freed)
    return well


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=exit_codes("OUTPUT_DIR holds more than exports and was left alone")
    )
    parser.add_argument("--dry-run", action="store_true", help="remove nothing; count what would go")
    parser.add_argument(
        "--thumbnails-older-than",
        metavar="DAYS",
        type=_days,
        default=30,
        help="thumbnails that nobody asked for in so long; they are made again when needed (default: %(default)s)",
    )
    parser.add_argument(
        "--exports-older-than",
        metavar="DAYS",
        type=_days,
        help="files that scripts/export.py wrote to OUTPUT_DIR so long ago (default: none)",
    )
    parser.add_argument(
        "--duplicates-older-than",
        metavar="DAYS",
        type=_days,
        help="photos sent so long ago that repeat a plant which a person named on another photo, are not its best "
        "one, and without which every number of their day but the count of photos stays as it is (default: none)",
    )
    return parser


def _days(text: str) -> int:
    return min(positive(text), A_CENTURY)


if __name__ == "__main__":
    sys.exit(main())
