#!/usr/bin/env python
"""Names the plants in DATA_DIR/YYYY-MM-DD/* and writes each day's diversity as JSON and CSV for file mode."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import config

if TYPE_CHECKING:
    from lib.regions import Region

MISDATED_SHOWN = 5


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 done but some files were refused, 130 stopped.

    Safe to interrupt and to repeat: a second run asks the model only about photos that are new or changed, and
    leaves every file as it is whose content would be the same.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = config.load()
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    timezone = options.timezone or settings.site_timezone
    data_dir = options.data_dir or settings.data_dir
    if not config.is_timezone(timezone):
        print(f"--timezone: {timezone!r} is not an IANA time zone such as Asia/Tokyo", file=sys.stderr)
        return 2
    region = settings.region_species
    if options.region:
        try:
            region = _region(options.region)
        except ValueError as error:
            print(f"--region: {error}", file=sys.stderr)
            return 2
    if not data_dir.is_dir():
        print(f"DATA_DIR: there is no folder {data_dir}", file=sys.stderr)
        return 2
    try:
        return _run(
            data_dir,
            options.output or settings.output_dir,
            options.model or settings.model_dir,
            region,
            timezone,
        )
    except OSError as error:
        print(f"Stopped: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; what was done is kept. Run it again to go on.", file=sys.stderr)
        return 130


def _region(named: str) -> Region | None:
    """The list of this name or in this file; ValueError says why there is none."""
    from lib import regions

    return None if named == "none" else regions.read_region(named)


def _run(data_dir: Path, output_dir: Path, model_dir: Path, region: Region | None, timezone: str) -> int:
    from tqdm import tqdm

    from lib import folder
    from lib.classifier import ModelUnavailable
    from lib.recognition import Recogniser

    found = folder.find(data_dir)
    for name in found.ignored:
        print(f"passed over {name}: not a folder named YYYY-MM-DD", file=sys.stderr)
    try:
        with tqdm(total=found.files, unit="photo", disable=not sys.stderr.isatty()) as bar:
            report = folder.analyse(found, output_dir, Recogniser(model_dir, region), timezone, bar.update)
    except ModelUnavailable as error:
        print(f"No model: {error}", file=sys.stderr)
        return 1
    for path, reason in report.refused:
        print(f"refused {path}: {reason}", file=sys.stderr)
    for path, day in report.misdated[:MISDATED_SHOWN]:
        print(f"note: {path} was taken on {day}; it counts for the day of its folder", file=sys.stderr)
    if len(report.misdated) > MISDATED_SHOWN:
        print(f"note: so were {len(report.misdated) - MISDATED_SHOWN} more", file=sys.stderr)
    print(
        f"{report.days} days, {report.photos} photos ({report.classified} classified, {report.cached} as before, "
        f"{report.duplicates} repeated), {len(report.refused)} refused; "
        f"{report.written} files written, {report.removed} removed in {output_dir}"
    )
    counts = ("days", "photos", "classified", "cached", "duplicates", "written", "removed")
    print(
        json.dumps(
            {name: getattr(report, name) for name in counts}
            | {"refused": len(report.refused), "misdated": len(report.misdated)}
        )
    )
    return 3 if report.refused else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="The folder's name is the day of its photos. Exit codes: 0 done, 1 failed, 2 wrong arguments or "
        "settings, 3 done but some files were refused, 130 stopped.",
    )
    parser.add_argument(
        "data_dir",
        metavar="DATA_DIR",
        type=Path,
        nargs="?",
        help="the photos (default: DATA_DIR of the environment)",
    )
    parser.add_argument("--output", metavar="DIR", type=Path, help="where to write (default: OUTPUT_DIR)")
    parser.add_argument("--model", metavar="DIR", type=Path, help="the model folder (default: MODEL_DIR)")
    parser.add_argument(
        "--region",
        metavar="LIST",
        help="name only the species of this list: a file of scientific names, a list that comes along (hokkaido), "
        "or none (default: REGION_SPECIES)",
    )
    parser.add_argument(
        "--timezone",
        metavar="ZONE",
        help="the site's time zone, for times of cameras (default: SITE_TIMEZONE)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
