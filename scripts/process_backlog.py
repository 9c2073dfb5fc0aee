#!/usr/bin/env python
"""Classifies photos that wait for the model, brings their days up to date, and sweeps files that no row knows."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config
from lib.problems import Problem
from scripts.arguments import positive


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 nothing waits any more, 1 refused, 2 wrong arguments or settings, 3 something still waits
    or a photo's file is missing. Safe to interrupt, to repeat and to run beside the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=positive, help="classify at most so many photos")
    parser.add_argument(
        "--grace-minutes",
        type=positive,
        default=60,
        help="leave younger files alone, their row may be on its way (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        settings = config.load()
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if settings.database_url is None:
        print("DATABASE_URL is not set: file mode keeps no photos; see analyze_folder.", file=sys.stderr)
        return 2
    try:
        return _run(settings, options)
    except Problem as problem:
        print(problem.detail, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; what was done is kept. Run it again to go on.", file=sys.stderr)
        return 130


def _run(settings: config.Settings, options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from lib import backlog
    from lib.photos.storage import open_storage
    from lib.recognition import Recogniser
    from lib.store.database import DatabaseStore

    assert settings.database_url is not None
    store = DatabaseStore(settings.database_url)
    files = open_storage(settings)
    recogniser = Recogniser(settings.model_dir, settings.region_species)
    try:
        with store.connection(), tqdm(unit="photo", disable=not sys.stderr.isatty()) as bar:
            work = backlog.process(store, files, recogniser, options.limit, bar.update)
            work.days += backlog.refresh_days(store)
            swept = files.sweep(store.photo_paths(), timedelta(minutes=options.grace_minutes))
            waiting = store.waiting()
    finally:
        store.close()
    for path in swept.missing:
        print(f"the file of a photo is missing: {path}", file=sys.stderr)
    print(
        json.dumps(
            {
                "classified": work.classified,
                "failed": work.failed,
                "waiting": waiting,
                "days_recomputed": work.days,
                "files_swept": len(swept.removed),
                "files_missing": len(swept.missing),
            }
        )
    )
    return 3 if waiting or swept.missing else 0


if __name__ == "__main__":
    sys.exit(main())
