#!/usr/bin/env python
"""Writes the photos that a user named or confirmed as a training set: folders by species, and a manifest."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config
from lib.problems import Problem
from scripts.arguments import Refused, store_of

if TYPE_CHECKING:
    from lib.store.database import UserStore
    from lib.training_set import Exported


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 done without the photos that are named,
    130 stopped. Safe to interrupt and to repeat."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.load()
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if settings.database_url is None:
        print("DATABASE_URL is not set: in file mode nobody confirms photos.", file=sys.stderr)
        return 2
    from lib.store.database import DatabaseStore

    store = DatabaseStore(settings.database_url)
    try:
        with store.connection():
            mine = store_of(store, options.username, "--username", "whose photos to write")
            done = _export(mine, settings, options)
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
        print("Stopped; every file that is there is whole. Run it again to go on.", file=sys.stderr)
        return 130
    finally:
        store.close()
    for reason in done.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    counts = {name: getattr(done, name) for name in ("added", "unchanged", "removed", "listed_only")}
    print(json.dumps(counts | {"left_out": len(done.left_out), "species": done.species}))
    return 3 if done.left_out else 0


def _export(mine: UserStore, settings: config.Settings, options: argparse.Namespace) -> Exported:
    from tqdm import tqdm

    from lib import training_set
    from lib.photos.storage import open_storage

    if options.session is not None:
        mine.session(options.session)  # 404 when it is not this user's
    with tqdm(unit="photo", disable=not sys.stderr.isatty()) as bar:
        try:
            return training_set.export(
                mine,
                open_storage(settings),
                options.folder,
                session_id=options.session,
                since=options.since,
                exact=options.exact_copies,
                progress=bar.update,
            )
        except training_set.NotATrainingSet as error:
            raise Refused(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Photos of a species go to Genus_species/, photos labelled not_a_plant to other/; those of a genus, "
        "a family or unknown are only listed in manifest.csv. A second run adds what is new and takes away what "
        "was relabelled or deleted. Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 done, but "
        "photos that are named could not be taken, 130 stopped.",
    )
    parser.add_argument(
        "folder", metavar="OUT", type=Path, help="a new folder, or the one of an earlier export"
    )
    parser.add_argument(
        "--username", "--user", metavar="NAME", help="whose photos, when there are several users"
    )
    parser.add_argument("--session", metavar="N", type=int, help="only this session")
    parser.add_argument(
        "--since", metavar="YYYY-MM-DD", type=date.fromisoformat, help="only this day and later ones"
    )
    parser.add_argument(
        "--exact-copies",
        action="store_true",
        help="keep the files byte for byte, as hard links where the disk allows: never edit them in place, they "
        "are the stored photos themselves. They then hold what the camera wrote, WHERE EACH PHOTO WAS TAKEN "
        "included. Without this, the pixels are copied unchanged and everything else is left out (HEIC, PNG and "
        "WebP become JPEG)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
