"""What one day's estimate costs: time, memory, and the import of the package, in processes of one thread.

Run as a module with a number of photos it is such a process, and prints its figures as one line of JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.benchmarks.server import ROOT

PHOTOS = (50, 200, 1000)
CLASSES = 2959
SPECIES = 12
RUNS = 9
IMPORTS = 11
MEBIBYTE = 1024 * 1024
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def measure() -> dict[str, Any]:
    """A process for each number of photos; then alternating starts with and without the package."""
    days = [json.loads(_said("-m", "scripts.benchmarks.day_costs", str(photos))) for photos in PHOTOS]
    seconds: dict[str, list[float]] = {"numpy": [], "numpy, lib.diversity": []}
    for _ in range(IMPORTS + 1):
        for names, found in seconds.items():
            found.append(float(_said("-c", IMPORT.format(names))))
    # The first pair reads everything from the disk; it is not counted.
    bare, ours = (statistics.median(found[1:]) * 1000 for found in seconds.values())
    return {
        "day_classes": CLASSES,
        "days": days,
        "import_ms": {
            "numpy": round(bare, 1),
            "with_diversity": round(ours, 1),
            "added": round(ours - bare, 1),
        },
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    days = "; ".join(
        f"{day['photos']} photos {day['ms']} ms, {day['resident_mb']} MB more resident "
        f"({day['allocated_mb']} MB allocated)"
        for day in found["days"]
    )
    cost = found["import_ms"]
    return (
        f"A day of {found['day_classes']} classes with all its intervals, on one core (median of {RUNS} runs; "
        f"memory at its peak): {days}. Import of lib.diversity: {cost['added']} ms more than NumPy's "
        f"{cost['numpy']} ms (medians of {IMPORTS} alternating starts)."
    )


def realistic_day(photos: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Probabilities as a model gives them: the top label 0.75 to 0.95, a look-alike, the rest scattered."""
    found = np.empty((photos, CLASSES), dtype=np.float32)
    frequent = 0.7 ** np.arange(SPECIES)
    species = generator.permutation(CLASSES)[:SPECIES]
    for row in found:
        row[:] = generator.standard_exponential(CLASSES, dtype=np.float32) ** 4
        named = int(generator.choice(species, p=frequent / frequent.sum()))
        row[named] = row[named ^ 1 if named ^ 1 < CLASSES else named - 2] = 0.0
        top = generator.uniform(0.75, 0.95)
        row *= (1 - top) / 2 / row.sum()
        row[named], row[named ^ 1 if named ^ 1 < CLASSES else named - 2] = top, (1 - top) / 2
        row /= row.sum() * np.float32(1 + 1e-6)  # rounding must not lift a row above 1
    return found


def one_day(photos: int) -> dict[str, Any]:
    """Median time of a day in this process, and what its first run adds to the memory, input not counted."""
    from lib.diversity import day_estimate

    day_estimate(np.eye(3)[[0, 0, 0, 1, 1, 2]])  # loads what is loaded once
    day = realistic_day(photos, np.random.default_rng(1))
    before = _highest()
    estimate = day_estimate(day)
    resident = _highest() - before
    if estimate.too_few or estimate.chao1 is None:
        raise RuntimeError("the day is to have all its intervals")
    seconds = []
    for seed in range(RUNS):
        start = time.perf_counter()
        day_estimate(day, seed=seed)
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    day_estimate(day)
    allocated = tracemalloc.get_traced_memory()[1]
    return {
        "photos": photos,
        "ms": round(statistics.median(seconds) * 1000, 1),
        "range_ms": [round(min(seconds) * 1000, 1), round(max(seconds) * 1000, 1)],
        "resident_mb": round(resident / MEBIBYTE, 1),
        "allocated_mb": round(allocated / MEBIBYTE, 1),
    }


def _highest() -> int:
    """Most resident memory this process ever had, in bytes; that of `getrusage` would count its parent's, too."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell the peak of a process's memory")


def _said(*arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return run.stdout


if __name__ == "__main__":
    print(json.dumps(one_day(int(sys.argv[1]))))
