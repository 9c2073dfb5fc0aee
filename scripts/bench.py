"""Measures what is promised: start-up, memory, photo to answer, pages, imports, models, intervals, odd requests."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.benchmarks import (  # noqa: E402
    archive,
    container,
    crash,
    fuzz,
    imports,
    load,
    memory,
    models,
    outage,
    pages,
    photo,
    reference,
    restore,
    startup,
    statistics,
)
from scripts.benchmarks.postgres import DATABASES  # noqa: E402

ORDER = ("imports", "startup", "memory", "photo", "pages", "reference", "statistics")
# Not among `all`: they take long, or need more than what the server needs: the packages of training or of
# requirements-scale.txt or those of requirements-dev.txt (a PostgreSQL among them), a control group.
ALONE = ("models", "container", "restore", "dask", "crash", "load", "outage", "fuzz")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("what", choices=(*ORDER, *ALONE, "all"))
    made.add_argument("--runs", type=int, default=11, help="startup: alternating starts of each (default 11)")
    made.add_argument(
        "--photos",
        type=int,
        default=50,
        help="memory: photos in one upload; restore: photos in all (default 50)",
    )
    made.add_argument("--warm", type=int, default=24, help="photo: photos to the warm server (default 24)")
    made.add_argument(
        "--cold", type=int, default=5, help="photo: fresh starts with one photo each (default 5)"
    )
    made.add_argument(
        "--rounds", type=int, default=41, help="pages: how often each page is asked for (default 41)"
    )
    made.add_argument(
        "--replicates", type=int, default=200, help="statistics: simulated days of each kind (default 200)"
    )
    made.add_argument("--sizes", nargs="+", choices=("tiny", "small", "base", "large"), default=models.SIZES)
    made.add_argument(
        "--variants",
        nargs="+",
        default=models.VARIANTS,
        help="models: methods of quantise, :plain, :prepacked",
    )
    made.add_argument(
        "--compare", type=int, default=240, help="models: photos that are compared (default 240)"
    )
    made.add_argument("--checkpoint", type=Path, help="models: a timm state dict of the one size given")
    made.add_argument("--train-venv", type=Path, default=ROOT / ".venv-train", help="models: for new graphs")
    made.add_argument(
        "--model", type=Path, default=ROOT / "lib" / "classifier" / "starter", help="container: model folder"
    )
    made.add_argument("--in-a-row", type=int, default=100, help="container: photos (default 100)")
    made.add_argument("--archive", type=int, default=400, help="dask: waiting photos (default 400)")
    made.add_argument("--repeats", type=int, default=3, help="dask: runs of each kind (default 3)")
    made.add_argument("--uploads", type=int, default=300, help="crash: requests in all (default 300)")
    made.add_argument(
        "--database",
        choices=DATABASES,
        help="crash, fuzz: on which alone (default: crash on both, fuzz on sqlite)",
    )
    made.add_argument(
        "--seed",
        type=int,
        default=1,
        help="crash, fuzz: another one makes other moments and requests (default 1)",
    )
    made.add_argument(
        "--seconds", type=float, help="load, outage: how long (default 120; PostgreSQL is gone for 20)"
    )
    made.add_argument("--readers", type=int, default=30, help="load: clients that read (default 30)")
    made.add_argument("--uploaders", type=int, default=4, help="load: clients that upload (default 4)")
    made.add_argument("--cases", type=int, default=5000, help="fuzz: requests at the least (default 5000)")
    made.add_argument("--alone", action="store_true", help="models: without the server's memory")
    return made


def main(argv: list[str] | None = None) -> int:
    """Prints each result in words and as one line of JSON; 1 when a promise is broken or an answer is a failure."""
    asked = parser().parse_args(argv)
    measurements: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[dict[str, Any]], str]]] = {
        "imports": (imports.measure, imports.describe),
        "startup": (lambda: startup.measure(asked.runs), startup.describe),
        "memory": (lambda: memory.measure(asked.photos), memory.describe),
        "photo": (lambda: photo.measure(asked.cold, asked.warm), photo.describe),
        "pages": (lambda: pages.measure(asked.rounds), pages.describe),
        "reference": (reference.measure, reference.describe),
        "models": (
            lambda: models.measure(
                models.Asked(
                    asked.sizes,
                    asked.variants,
                    asked.compare,
                    asked.checkpoint,
                    asked.train_venv,
                    not asked.alone,
                )
            ),
            models.describe,
        ),
        "restore": (lambda: restore.measure(asked.photos), restore.describe),
        "container": (lambda: container.measure(asked.model, asked.in_a_row), container.describe),
        "fuzz": (lambda: fuzz.measure(asked.cases, asked.seed, asked.database or "sqlite"), fuzz.describe),
        "dask": (lambda: archive.measure(asked.archive, asked.repeats), archive.describe),
        "crash": (lambda: crash.measure(asked.uploads, asked.database, asked.seed), crash.describe),
        "load": (lambda: load.measure(asked.seconds or 120, asked.readers, asked.uploaders), load.describe),
        "outage": (lambda: outage.measure(asked.seconds or 20), outage.describe),
        "statistics": (lambda: statistics.measure(asked.replicates), statistics.describe),
    }
    broken = False
    for name in ORDER if asked.what == "all" else (asked.what,):
        measure, describe = measurements[name]
        found = measure()
        print(describe(found))
        print(json.dumps(found), flush=True)
        broken = broken or bool(found.get("broken") or found.get("failures"))
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
