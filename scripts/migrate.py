#!/usr/bin/env python
"""Brings the database of DATABASE_URL to the schema of this version, or back: up, down, status, check."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config
from lib.problems import Problem


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 refused or differing, 2 wrong arguments or settings."""
    options = _parser().parse_args(arguments)
    try:
        url = options.database_url or config.load().database_url
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if not url:
        print("DATABASE_URL is not set: file mode has nothing to migrate.", file=sys.stderr)
        return 2
    from lib.store import migrate

    try:
        return int(globals()[f"_{options.command}"](url, options))
    except Problem as problem:
        print(problem.detail, file=sys.stderr)
    except OSError as error:
        print(f"The database's folder cannot be used: {error.strerror}: {error.filename}", file=sys.stderr)
    except migrate.UnknownMigration as error:
        print(f"There is no migration {error}; see `status`.", file=sys.stderr)
    except migrate.BrokenReferences as error:
        print(f"Rolled back, because rows would point to nothing: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", help="instead of the environment's DATABASE_URL")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="apply what is missing; safe to run several times at once")
    up.add_argument("name", nargs="?", help="stop after this migration")
    down = commands.add_parser("down", help="roll back the last migration: its tables lose their rows")
    down.add_argument("name", nargs="?", help="roll back all that came after this one; `zero` rolls back all")
    commands.add_parser("status", help="list the migrations and when they were applied")
    commands.add_parser("check", help="compare the database with the models; 1 when they differ")
    return parser


def _up(url: str, options: argparse.Namespace) -> int:
    from lib.store import migrate

    applied = migrate.up(url, options.name)
    for name in applied:
        print(f"applied {name}")
    print(
        f"{len(applied)} applied; the database is up to date." if applied else "The database is up to date."
    )
    return 0


def _down(url: str, options: argparse.Namespace) -> int:
    from lib.store import migrate

    undone = migrate.down(url, options.name)
    for name in undone:
        print(f"rolled back {name}")
    print(f"{len(undone)} rolled back.")
    return 0


def _status(url: str, options: argparse.Namespace) -> int:
    from lib.store import migrate

    for name, applied in migrate.status(url):
        when = f"applied {applied:%Y-%m-%d %H:%M:%S} UTC" if applied else "pending"
        print(f"{name}  {when}{'  (its file is missing here)' if migrate.is_missing_file(name) else ''}")
    return 0


def _check(url: str, options: argparse.Namespace) -> int:
    from lib.store import migrate, schema

    differences = [f"{name}: migration is not applied" for name in migrate.pending(url)] or schema.check(url)
    for line in differences:
        print(line)
    if not differences:
        print("The database is as the models say.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
