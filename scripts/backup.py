#!/usr/bin/env python
"""Backs up the database and the photos to a folder or an s3:// URL, proves it if asked, and lets old ones go."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config
from scripts.arguments import positive


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed or verification differs, 2 wrong arguments or settings, 3 done but photos are
    lost or damaged in the photo store, 130 stopped.

    Safe to interrupt, to repeat, and to run beside the server and other backups.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = config.load()
        target = config.place(options.target, "TARGET")
        url = settings.database_url
        if options.verify_url:
            options.verify_url = config.database(options.verify_url, "--verify-url")
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if url is None:
        print("DATABASE_URL is not set: file mode keeps nothing but its photos and results.", file=sys.stderr)
        return 2
    from scripts.long_work import told

    with told("Stopped; what was copied is kept. Run it again to go on.") as outcome:
        outcome.code = _run(settings, url, target, options)
    return outcome.code


def _run(
    settings: config.Settings, url: str, target: Path | config.ObjectStore, options: argparse.Namespace
) -> int:
    from lib.backups import restoring, retention, taking
    from lib.backups.place import BackupPlace, short
    from lib.photos.storage import open_place, open_storage
    from scripts.long_work import progress

    place = BackupPlace(open_place(target), options.target)
    with _folder() as folder:
        taken = taking.take(
            place, url, open_storage(settings), Path(folder), pg_dump=options.pg_dump, progress=progress
        )
    manifest = taken.manifest
    reasons = [missing.why for missing in manifest.missing]
    for missing in manifest.missing:
        print(f"not in the backup: {missing.path!r} ({missing.why})", file=sys.stderr)
    summary = {
        "backup": short(taken.name),
        "database": manifest.database.kind,
        "database_bytes": manifest.database.size,
        "rows": manifest.rows,
        "photos": len(manifest.photos),
        "photos_copied": taken.photos_copied,
        "bytes_copied": taken.bytes_copied,
        "photos_deleted": reasons.count("deleted"),
        "photos_lost": reasons.count("lost"),
        "photos_damaged": reasons.count("damaged"),
        "verified": None,
        "backups_removed": 0,
        "blobs_removed": 0,
        "blobs_to_go": 0,
    }
    code = 3 if {"lost", "damaged"} & set(reasons) else 0
    if options.verify:
        with _folder() as folder:
            differences = restoring.verify(
                place,
                place.manifest(taken.name),
                Path(folder),
                server=options.verify_url or url,
                pg_restore=options.pg_restore,
                progress=progress,
            )
        for line in differences:
            print(f"differs: {line}", file=sys.stderr)
        summary["verified"] = not differences
        code = 1 if differences else code
    if options.keep or options.keep_days:
        if code:
            print("No old backup is let go, because this one is not all that it should be.", file=sys.stderr)
        else:
            pruned = retention.prune(place, options.keep, options.keep_days, taken.name, datetime.now(UTC))
            for name in pruned.unreadable:
                print(f"{short(name)} is damaged; until it is removed, nothing is freed.", file=sys.stderr)
            summary |= {
                "backups_removed": pruned.backups,
                "blobs_removed": pruned.blobs,
                "blobs_to_go": pruned.to_go,
            }
    print(json.dumps(summary))
    return code


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="weed-backup-")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Exit codes: 0 done, 1 failed or verification differs, 2 wrong arguments or settings, 3 done but "
        "photos are lost or damaged in the photo store, 130 stopped. An s3:// URL is reached with the AWS_… "
        "variables of the photo store. TMPDIR needs room for a copy of the database.",
    )
    parser.add_argument("target", metavar="TARGET", help="a folder, or s3://bucket/prefix")
    parser.add_argument("--verify", action="store_true", help="restore it into a temporary place and compare")
    parser.add_argument(
        "--verify-url",
        metavar="URL",
        help="the PostgreSQL server for the temporary database (default: the one that is backed up)",
    )
    parser.add_argument("--keep", metavar="N", type=positive, help="let all but the newest N backups go")
    parser.add_argument(
        "--keep-days",
        metavar="D",
        type=positive,
        help="let backups go that are older; with --keep, those that are neither",
    )
    parser.add_argument("--pg-dump", metavar="PROGRAM", help="PostgreSQL's pg_dump (default: on the path)")
    parser.add_argument("--pg-restore", metavar="PROGRAM", help="the same for --verify")
    return parser


if __name__ == "__main__":
    sys.exit(main())
