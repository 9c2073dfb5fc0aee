#!/usr/bin/env python
"""Copies a database into an empty one, SQLite into PostgreSQL when one machine is outgrown, or the other way."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed or refused, 2 wrong arguments, 130 stopped. All or nothing is copied."""
    options = _parser().parse_args(arguments)
    try:
        source = config.database(options.source, "--from")
        target = config.database(options.target, "--to")
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if source == target:
        print("--from and --to are the same database.", file=sys.stderr)
        return 2
    from scripts.long_work import told

    with told("Stopped; nothing was copied.") as outcome:
        outcome.code = _run(source, target)
    return outcome.code


def _run(source: str, target: str) -> int:
    from tqdm import tqdm

    from lib.store import copying

    total = sum(copying.row_counts(source).values())
    with tqdm(total=total, unit="row", disable=not sys.stderr.isatty()) as bar:
        copied = copying.copy_database(source, target, bar.update)
    print(
        json.dumps(
            {
                "rows": copied.rows,
                "differences": 0,
                "tables": {
                    name: {"rows": table.rows, "digest": table.digest}
                    for name, table in copied.tables.items()
                },
            }
        )
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Stop the server first: what it writes meanwhile would be left behind, and then nothing is copied. "
        "The target is made and migrated before: createdb, then scripts/migrate.py up. Photos stay where they "
        "are. Exit codes: 0 done, 1 failed or refused, 2 wrong arguments, 130 stopped.",
    )
    parser.add_argument(
        "--from", dest="source", metavar="URL", required=True, help="sqlite:///… or postgresql://…"
    )
    parser.add_argument(
        "--to", dest="target", metavar="URL", required=True, help="sqlite:///… or postgresql://…"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
