#!/usr/bin/env python3
"""Train the starter model from the labelled plant photos; or, with `adapt`, teach a model its owner's photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.adaptation import command  # noqa: E402  (found from any folder)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__,
        epilog="Without a command, the starter model is trained, measured and written.",
    )
    commands = made.add_subparsers(dest="command", metavar="adapt")
    command.add_arguments(
        commands.add_parser(
            "adapt",
            help="fine-tune a model on confirmed photos; it is written only if it is better (adapt --help)",
            description="Teaches a model the species of its owner's confirmed photos, judges it by whole days "
            "that it has not learned from, and writes it only if it is better than the old one.",
            epilog="Exit codes: 0 written, 1 cannot be done (the reason is told), 2 wrong arguments or missing "
            "packages, 3 not better: nothing was written, 130 stopped.",
        )
    )
    made.add_argument(
        "--photos",
        type=Path,
        default=ROOT.parent / "shared" / "photos" / "plant_seedlings",
        help="folder with one folder of .jpg photos for each species, named Genus_species",
    )
    made.add_argument(
        "--output", type=Path, default=ROOT / "lib" / "classifier" / "starter", help="model folder"
    )
    made.add_argument(
        "--work", type=Path, default=ROOT / "build" / "training", help="checkpoints; a rerun goes on there"
    )
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--epochs", type=int, default=18)
    made.add_argument(
        "--left-out-epochs", type=int, default=11, help="epochs of the run without the left-out species"
    )
    made.add_argument(
        "--leave-out",
        nargs=2,
        default=["Triticum aestivum", "Sinapis arvensis"],
        metavar="SPECIES",
        help="the two species that a second run never sees, to learn what other plants are called",
    )
    made.add_argument(
        "--other-photos",
        type=Path,
        help="folder of folders with photos of anything else (plants/, objects/), to measure what they are called",
    )
    made.add_argument("--threads", type=int, default=2)
    return made


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.command == "adapt":
        return command.main(arguments)
    try:
        from scripts.training import run
    except ImportError as missing:
        print(f"{missing}. Install the training packages first: make train", file=sys.stderr)
        return 2
    try:
        run.run(arguments)
    except (FileNotFoundError, ValueError) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
