#!/usr/bin/env python
"""Writes the days and photos of a user, or of file mode, as JSON, CSV and a Darwin Core Archive."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config
from lib.problems import Problem
from scripts.arguments import Refused, store_of

if TYPE_CHECKING:
    from lib.outputs.exports import Exporter, ExportFile


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 130 stopped. Safe to interrupt and to repeat:
    every file is there whole or not at all, and a JSON file that would say the same stays as it is."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.load()
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            exporter = _exporter(settings, options, stack)
            counts = _write(exporter, options, options.output or settings.output_dir)
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    except Problem as problem:
        print(problem.detail, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Stopped: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; what was written is whole. Run it again to go on.", file=sys.stderr)
        return 130
    print(json.dumps(counts))
    return 0


def _exporter(settings: config.Settings, options: argparse.Namespace, stack: ExitStack) -> Exporter:
    from lib.outputs import exports
    from lib.scope import Period, check_period

    period = Period(options.start_date, options.end_date, options.session)
    if settings.database_url is None:
        from lib.store.files import FileStore

        if options.user is not None:
            raise Refused("--user: file mode has no users (DATABASE_URL is not set)")
        files = FileStore(settings.output_dir)
        check_period(files, period)
        return exports.of_folder(files, settings.model_dir, options.start_date, options.end_date)
    from lib.store.database import DatabaseStore

    store = DatabaseStore(settings.database_url)
    stack.callback(store.close)
    connection: AbstractContextManager[None] = store.connection()
    stack.enter_context(connection)
    mine = store_of(store, options.user, "--user", "whose data to write")
    check_period(mine, period)
    return exports.of_user(mine, settings.model_dir, options.start_date, options.end_date, options.session)


def _write(exporter: Exporter, options: argparse.Namespace, folder: Path) -> dict[str, int]:
    """Write what was asked for; how many files were written, and how many stand as before."""
    from tqdm import tqdm

    from lib.outputs.exports import KINDS

    unknown = [kind for kind in options.kinds if kind not in KINDS]
    if unknown:
        raise Refused(f"there is no export {unknown[0]!r}; the kinds are: {', '.join(KINDS)}")
    files: list[ExportFile] = []
    for kind in options.kinds:
        file = exporter.file(kind, options.date, options.metric)
        description = file.described()
        files += [file] if description is None else [file, description]
    counts = {"written": 0, "unchanged": 0}
    for file in tqdm(files or exporter.files(), unit="file", disable=not sys.stderr.isatty()):
        counts["written" if _write_file(exporter, file, folder) else "unchanged"] += 1
    return counts


def _write_file(exporter: Exporter, file: ExportFile, folder: Path) -> bool:
    from lib.outputs.atomic import write_chunks, write_document

    target = folder / file.path
    if exporter.is_source(file, folder) and target.exists():
        return False
    if target.suffix == ".json":
        return write_document(target, json.loads(b"".join(file.content())))
    write_chunks(target, file.content())
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Kinds: daily-summary, time-series, calendar, daily-predictions, aggregated-predictions, "
        "species-summary, soft-voting, darwin-core, and all (one archive of everything). "
        "Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 130 stopped.",
    )
    parser.add_argument(
        "kinds",
        metavar="KIND",
        nargs="*",
        help="what to write (default: every file of every kind, in folders)",
    )
    parser.add_argument("--output", metavar="DIR", type=Path, help="where to write (default: OUTPUT_DIR)")
    parser.add_argument("--user", metavar="NAME", help="whose data, when there are several users")
    parser.add_argument("--session", metavar="N", type=int, help="only this session")
    for name, meaning in (
        ("start-date", "the first day"),
        ("end-date", "the last day"),
        ("date", "the day of an export of one day (default: the newest)"),
    ):
        parser.add_argument(f"--{name}", metavar="YYYY-MM-DD", type=date.fromisoformat, help=meaning)
    parser.add_argument("--metric", help="the metric of calendar (default: shannon_diversity)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
