#!/usr/bin/env python
"""Says how good a model folder is on labelled photos: your confirmed ones, or a tree of folders by species."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config
from lib.problems import Problem
from scripts.arguments import Refused, store_of

if TYPE_CHECKING:
    from lib.regions import Region
    from scripts.evaluation.asking import Run
    from scripts.evaluation.cases import Case

UNREADABLE_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 done without the photos that are named,
    130 stopped: the report is then of the photos looked at until then, and says so. Nothing is changed."""
    options = _parser().parse_args(arguments)
    from lib.classifier import ModelUnavailable
    from scripts.evaluation.asking import NothingPossible
    from scripts.evaluation.cases import NoPhotos

    try:
        settings = config.load()
        region = _region(options.region)
        cases = _cases(options, settings)
        return _run(options, cases, region)
    except (config.ConfigError, Refused) as error:
        print(error, file=sys.stderr)
        return 2
    except NothingPossible as error:
        print(f"--region: {error}", file=sys.stderr)
        return 2
    except NoPhotos as error:
        print(error, file=sys.stderr)
        return 1
    except ModelUnavailable as error:
        print(f"No model: {error}", file=sys.stderr)
        return 1
    except Problem as problem:
        print(problem.detail, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Stopped: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped before the first photo.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, cases: list[Case], region: Region | None) -> int:
    from scripts.evaluation import judging, words

    run = _ask(options.folder, cases, region)
    found: dict[str, Any] = judging.report(run, len(cases))
    print(words.text(found))
    interrupted, unreadable = run.interrupted, run.unreadable
    if options.compare is not None and not interrupted:
        other = _ask(options.compare, cases, region)
        second = judging.report(other, len(cases))
        compared = judging.comparison(run, other)
        print("\n" + words.text(second))
        print(words.compared(compared, _name(run), _name(other)))
        found |= {"compared_with": second, "comparison": compared}
        interrupted = other.interrupted
    for name, reason in unreadable[:UNREADABLE_SHOWN]:
        print(f"left out {name}: {reason}", file=sys.stderr)
    if len(unreadable) > UNREADABLE_SHOWN:
        print(f"left out {len(unreadable) - UNREADABLE_SHOWN} more", file=sys.stderr)
    line = json.dumps(found, ensure_ascii=False, allow_nan=False)
    print(line)
    if options.json is not None:
        from lib.outputs.atomic import write_atomically

        write_atomically(options.json, (line + "\n").encode())
    if interrupted:
        print("Stopped; the report is of the photos looked at until then.", file=sys.stderr)
        return 130
    if not run.said:
        print("None of the photos could be read.", file=sys.stderr)
        return 1
    return 3 if unreadable else 0


def _ask(folder: Path, cases: list[Case], region: Region | None) -> Run:
    from tqdm import tqdm

    from scripts.evaluation.asking import ask

    with tqdm(total=len(cases), unit="photo", disable=not sys.stderr.isatty()) as bar:
        return ask(folder, cases, region, bar.update)


def _name(run: Run) -> str:
    return f"{run.model['name']} {run.model['version']}"


def _region(named: str | None) -> Region | None:
    if named is None:
        return None
    from lib import regions

    try:
        return regions.read_region(named)
    except regions.RegionUnreadable as error:
        raise Refused(f"--region: {error}") from None


def _cases(options: argparse.Namespace, settings: config.Settings) -> list[Case]:
    from scripts.evaluation import cases

    if options.photos is not None:
        return cases.spread(cases.of_folder(options.photos), options.limit)
    if settings.database_url is None:
        raise Refused("DATABASE_URL is not set, so there are no confirmed photos: say --photos DIR.")
    from lib.photos.storage import open_storage
    from lib.store.database import DatabaseStore

    store = DatabaseStore(settings.database_url)
    try:
        with store.connection():
            mine = store_of(store, options.username, "--username", "whose photos to judge by")
            found = cases.of_database(mine, open_storage(settings))
    finally:
        store.close()
    return cases.spread(found, options.limit)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Near-duplicate photos count as one plant. The last line of the output is the report as JSON. Exit "
        "codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 done, but photos that are named could not be "
        "read, 130 stopped (the report is of the photos looked at until then).",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the model folder")
    parser.add_argument(
        "--photos",
        metavar="DIR",
        type=Path,
        help="labelled photos, DIR/Genus_species/*.jpg, `other` for photos that show no plant (default: the photos "
        "confirmed in DATABASE_URL, from DATA_DIR or PHOTO_STORE)",
    )
    parser.add_argument(
        "--username", metavar="NAME", help="whose confirmed photos, when there are several users"
    )
    parser.add_argument(
        "--limit", metavar="N", type=_positive, help="at most so many photos, spread over all"
    )
    parser.add_argument(
        "--region",
        metavar="LIST",
        help="hold the model to the species of a list: a file, or the name of a shipped one",
    )
    parser.add_argument(
        "--compare",
        metavar="FOLDER",
        type=Path,
        help="a second model, compared with the first on the same photos",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the report to this file")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
