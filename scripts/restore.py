#!/usr/bin/env python
"""Restores a backup into an empty database and an empty photo store, or lists the backups that there are."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed or refused, 2 wrong arguments or settings, 130 stopped.

    Safe to interrupt and to repeat: the database appears last, and what lies there already is left alone.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = config.load()
        source = config.place(options.source, "SOURCE")
        url = settings.database_url
        if options.database_url:
            url = config.database(options.database_url, "--database-url")
        where: Path | config.ObjectStore = settings.object_store or settings.data_dir
        if options.data_dir:
            where = options.data_dir.absolute()
        elif options.photo_store:
            where = config.place(options.photo_store, "--photo-store")
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if url is None and not options.list:
        print("DATABASE_URL is not set: say where to with --database-url.", file=sys.stderr)
        return 2
    from scripts.long_work import told

    with told("Stopped; the database is not there yet. Run it again to go on.") as outcome:
        if options.list:
            outcome.code = _list(source, options.source)
        else:
            assert url is not None
            outcome.code = _run(source, url, where, options)
    return outcome.code


def _list(source: Path | config.ObjectStore, called: str) -> int:
    from lib.backups.manifest import BackupFailed
    from lib.backups.place import BackupPlace, short
    from lib.photos.storage import open_place

    place = BackupPlace(open_place(source), called)
    code = 0
    for name in place.manifests():
        try:
            manifest = place.manifest(name)
        except BackupFailed as error:
            print(f"{short(name)}  {error}")
            code = 1
            continue
        size = sum({photo.sha256: photo.size for photo in manifest.photos}.values()) + manifest.database.size
        print(
            f"{short(name)}  {manifest.database.kind}, {manifest.rows} rows, {len(manifest.photos)} photos, "
            f"{size / 1e6:.1f} MB, {manifest.migrations[-1] if manifest.migrations else 'no migrations'}"
            + (f", {len(manifest.missing)} photos missing" if manifest.missing else "")
        )
    return code


def _run(
    source: Path | config.ObjectStore, url: str, where: Path | config.ObjectStore, options: argparse.Namespace
) -> int:
    from lib.backups.place import BackupPlace, short
    from lib.backups.restoring import restore
    from lib.photos.storage import open_photos, open_place
    from scripts.long_work import progress

    place = BackupPlace(open_place(source), options.source)
    name = place.find(options.backup)
    manifest = place.manifest(name)
    with tempfile.TemporaryDirectory(prefix="weed-restore-") as folder:
        done = restore(
            place,
            manifest,
            url,
            open_photos(where),
            Path(folder),
            pg_restore=options.pg_restore,
            progress=progress,
        )
    for missing in manifest.missing:
        print(f"was not in the backup: {missing.path!r} ({missing.why})", file=sys.stderr)
    print(
        json.dumps(
            {
                "backup": short(name),
                "database": manifest.database.kind,
                "rows": manifest.rows,
                "photos": len(manifest.photos),
                "photos_written": done.photos_written,
                "photos_there": done.photos_there,
                "photos_missing": len(manifest.missing),
                "migrations_applied": len(done.migrations),
            }
        )
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Everything is verified before anything is written. Exit codes: 0 done, 1 failed or refused, 2 "
        "wrong arguments or settings, 130 stopped.",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="where the backups lie: a folder, or s3://bucket/prefix"
    )
    parser.add_argument("--list", action="store_true", help="list the backups, oldest first")
    parser.add_argument(
        "--backup", metavar="NAME", default="latest", help="the beginning of a name (default: %(default)s)"
    )
    parser.add_argument("--database-url", metavar="URL", help="where to (default: DATABASE_URL)")
    photos = parser.add_mutually_exclusive_group()
    photos.add_argument(
        "--data-dir", metavar="DIR", type=Path, help="where to put the photos (default: DATA_DIR)"
    )
    photos.add_argument("--photo-store", metavar="URL", help="s3://bucket/prefix (default: PHOTO_STORE)")
    parser.add_argument(
        "--pg-restore", metavar="PROGRAM", help="PostgreSQL's pg_restore (default: on the path)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
