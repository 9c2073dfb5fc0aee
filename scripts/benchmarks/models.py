"""Swin Transformers of three sizes in every quantisation: file, load, time, memory alone and served, agreement."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmarks.photos import seedlings, twelve_megapixels
from scripts.benchmarks.server import ROOT, Peak, Server

FOLDER = ROOT / "build" / "bench" / "models"
SIZES = ("tiny", "base", "large")
VARIANTS = (
    "none:plain",
    "none",
    "dynamic-int8:plain",
    "dynamic-int8",
    "dynamic-int8:prepacked",
    "dynamic-int8-full",
    "dynamic-int8-7bit",
    "dynamic-uint8",
    "static-int8",
    "static-int8-all",
    "int8-weights",
    "int4-weights-32",
    "int4-weights-128",
)
EXACT = "none"  # what the others are compared with
FITTING, CALIBRATING, WEIGHING = 10, 32, 20  # photos: fitted for each species, calibrated on, weighed with
MEBIBYTE = 1024 * 1024
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure. `checkpoint`: a timm state dict for `sizes`, which must be one then. `train_venv`: where the
    training packages are; only for graphs that are not there yet. `photos`: how many are compared.
    """

    sizes: Sequence[str] = SIZES
    variants: Sequence[str] = VARIANTS
    photos: int = 240
    checkpoint: Path | None = None
    train_venv: Path = ROOT / ".venv-train"
    served: bool = True


def measure(asked: Asked) -> dict[str, Any]:
    """A row for each size and variant; graphs and answers are kept under build/ and not made twice."""
    if asked.checkpoint is not None and len(asked.sizes) != 1:
        raise SystemExit("a checkpoint is of one size: say which (--sizes)")
    rows = []
    for size in asked.sizes:
        place = where(size, asked.checkpoint)
        photos = choose_photos(place, asked.photos)
        make(size, place, photos, [EXACT, *asked.variants], asked)
        for variant in asked.variants:
            print(f"  measuring {size} {variant} …", file=sys.stderr, flush=True)
            folder = place / name(variant)
            row = {"size": size, "variant": variant, **_child("weigh", folder, photos)}
            row |= _agreement(place, variant, photos)
            if asked.served:
                row["served"] = served(folder)
            rows.append(row)
    return {"benchmark": "models", "checkpoint": asked.checkpoint is not None, "rows": rows}


def describe(found: dict[str, Any]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "Memory in MB. Alone: one process that only classifies, one core; file = of it mapped from files, which "
        "the system may drop. Served: gunicorn's master and worker after 20 photos of 12 megapixels one by one, "
        "and their highest (PSS). Agreement: the same likeliest class as float32; ΔP: largest difference of a "
        "probability among the photos' species.",
        "",
        "| model | weights | file | load ms | ms/photo (CPU) | alone: RSS (file, peak) | served: PSS (peak) "
        "| agreement | ΔP |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        after, there = row["after"], row.get("served")
        serving = f"{there['pss_mb']:.0f} ({there['peak_pss_mb']:.0f})" if there else "–"
        lines.append(
            f"| {row['size']} | {row['variant']} | {row['files_mb']:.0f} | {row['load_ms']} "
            f"| {row['median_ms']:.0f} ({row['median_cpu_ms']:.0f}) "
            f"| {after['rss_mb']:.0f} ({after['file_mb']:.0f}, {after['peak_mb']:.0f}) "
            f"| {serving} "
            f"| {100 * row['agreement']:.1f} % of {row['photos']} | {row['largest_probability']:.3f} |"
        )
    return "\n".join(lines)


def name(variant: str) -> str:
    """The folder of a variant."""
    return variant.replace(":", "-")


def where(size: str, checkpoint: Path | None) -> Path:
    """The folder of a size, one for each checkpoint."""
    if checkpoint is None:
        return FOLDER / size
    with checkpoint.open("rb") as file:
        return FOLDER / f"{size}-{hashlib.file_digest(file, 'sha256').hexdigest()[:12]}"


def choose_photos(place: Path, compared: int) -> Path:
    """A file of which photos are for what; none is for two things that must not meet."""
    chosen: dict[str, Any] = {
        "species": [],
        "fitting": [],
        "calibrating": [],
        "comparing": [],
        "weighing": [],
    }
    folders = seedlings()
    each = -(-compared // len(folders))
    for number, (species, paths) in enumerate(folders.items()):
        chosen["species"].append(species)
        spread = [str(paths[i * len(paths) // (FITTING + each)]) for i in range(FITTING + each)]
        # Neighbours in the list are of one day and plant: fitted ones from one end, compared ones from the other.
        chosen["fitting"] += [(number, path) for path in spread[:FITTING]]
        chosen["comparing"] += [(number, path) for path in spread[FITTING:]]
    chosen["comparing"] = chosen["comparing"][:: max(1, len(chosen["comparing"]) // compared)][:compared]
    step = len(chosen["fitting"]) // CALIBRATING
    chosen["calibrating"] = [path for _, path in chosen["fitting"][:: max(1, step)][:CALIBRATING]]
    chosen["weighing"] = [path for _, path in chosen["comparing"][:WEIGHING]]
    place.mkdir(parents=True, exist_ok=True)
    target = place / f"photos-{compared}.json"
    target.write_text(json.dumps(chosen), encoding="utf-8")
    return target


def make(size: str, place: Path, photos: Path, variants: Sequence[str], asked: Asked) -> None:
    """Make the folders that are not there yet, in the training environment."""
    missing = [variant for variant in variants if not (place / name(variant) / "model.json").exists()]
    if not missing:
        return
    python = asked.train_venv / "bin" / "python"
    if not python.exists():
        raise SystemExit(
            f"making the graphs needs the training packages: no {python} (make train, --train-venv)"
        )
    command = [str(python), "-m", "scripts.benchmarks.make_models", size, str(place), "--photos", str(photos)]
    command += ["--variants", *dict.fromkeys(missing)]
    if asked.checkpoint is not None:
        command += ["--checkpoint", str(asked.checkpoint)]
    subprocess.run(command, cwd=ROOT, check=True)


def served(folder: Path, count: int = WEIGHING) -> dict[str, float]:
    """What the server holds with a model after `count` photos one by one, and at its highest."""
    photos = twelve_megapixels(count)
    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place))
        server.environment["MODEL_DIR"] = str(folder)
        with server.prepare(), Peak(server) as peak:
            seconds = sorted(server.upload([photo])[0] for photo in photos)
            time.sleep(SETTLE_SECONDS)
            now = server.memory()
    return {
        "pss_mb": round(now.pss / MEBIBYTE, 1),
        "rss_mb": round(now.rss / MEBIBYTE, 1),
        "peak_pss_mb": round(peak.highest.pss / MEBIBYTE, 1),
        "median_answer_ms": round(seconds[len(seconds) // 2] * 1000),
    }


def _agreement(place: Path, variant: str, photos: Path) -> dict[str, Any]:
    """The variant's answers beside those of float32; both are asked once and kept."""
    compared = photos.stem.rpartition("-")[2]
    logits = {}
    for one in (EXACT, variant.partition(":")[0]):
        logits[one] = place / f"{name(one)}-{compared}.npy"
        if not logits[one].exists():
            make_of = place / name(one if (place / name(one)).exists() else variant)
            _run("answer", make_of, photos, "--logits", str(logits[one]))
    return dict(
        json.loads(_run("compare", logits[EXACT], photos, "--logits", str(logits[variant.partition(":")[0]])))
    )


def _child(what: str, folder: Path, photos: Path) -> dict[str, Any]:
    return dict(json.loads(_run(what, folder, photos)))


def _run(what: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.ask_model", what, *map(str, arguments)],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        env=os.environ | {"MALLOC_ARENA_MAX": "2"},
    )
    return done.stdout
