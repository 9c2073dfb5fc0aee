"""The model folder: `model.json` read and checked, every file compared with its digest."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.classifier import taxonomy, weights
from lib.classifier.refusals import ModelUnavailable

REQUIRED_FILES = ("model.onnx", "labels.csv")
RESAMPLES = ("bilinear", "bicubic")
# Graph optimisations that a folder may have behind it. Those for one instruction set (`layout`, `all`) are not
# among them: they would hold on the machine that made them alone.
OPTIMISED = ("basic", "extended")
LONGEST_VERSION = 50  # the version is kept with every photo


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a graph wants to be loaded: the `runtime` block of model.json.

    `optimised`: the optimisations that it has behind it, empty for none, by the version `onnxruntime` of ONNX
    Runtime. `prepacking`: whether weights are repacked at load: up to a tenth faster, but they lie on the heap
    instead of being mapped from their file.
    """

    optimised: str = ""
    onnxruntime: str = ""
    prepacking: bool = True


@dataclass(frozen=True, slots=True)
class Card:
    """The checked contents of a `model.json`; `raw` is the whole document.

    `place`: latitude and longitude in degrees for photos without a place, of a model that asks for one.
    """

    name: str
    version: str
    input_width: int
    input_height: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize_short_side: int
    resample: str
    temperature: float
    prior: tuple[float, ...]
    digests: Mapping[str, str]
    out_of_domain: Mapping[str, Any]
    place: tuple[float, float] | None
    runtime: Runtime
    raw: dict[str, Any]


def read(folder: Path) -> Card:
    """The card of a model folder, its files verified. Raises ModelUnavailable with the first thing that is
    wrong.
    """
    if not folder.is_dir():
        raise ModelUnavailable("the model folder does not exist (MODEL_DIR).")
    try:
        raw = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except OSError:
        raise ModelUnavailable("the model folder has no readable model.json.") from None
    except (ValueError, RecursionError):
        raise ModelUnavailable("model.json is not valid JSON.") from None
    if not isinstance(raw, dict):
        raise ModelUnavailable("model.json must be an object.")
    card = parse(raw)
    verify(folder, card.digests)
    return card


def parse(raw: dict[str, Any]) -> Card:
    """Check every field of a `model.json`; raises ModelUnavailable naming the first bad one."""
    runtime = _runtime(raw)
    size = _numbers(raw, "input_size", 2)
    short = _number(_object(raw, "resize"), "short_side", "resize.short_side")
    resample = _object(raw, "resize").get("resample")
    prior = _numbers(raw, "prior")
    temperature = _number(raw, "temperature")
    std = _numbers(raw, "std", 3)
    digests = _object(raw, "sha256")
    place = _numbers(_object(raw, "place"), "default", 2, "place.default") if "place" in raw else None
    checks = {
        "name": bool(raw.get("name")) and taxonomy.is_name(raw["name"]),
        "version": taxonomy.is_name(raw.get("version")) and len(raw["version"]) <= LONGEST_VERSION,
        "input_size": all(side == int(side) and 16 <= side <= 2048 for side in size),
        "resize.short_side": short == int(short) and short > 0 and min(size) <= short,
        "resize.resample": resample in RESAMPLES,
        "crop": raw.get("crop") == "center",
        "std": all(value > 0 for value in std),
        "temperature": temperature > 0,
        "prior": all(value > 0 for value in prior) and abs(math.fsum(prior) - 1) < 1e-3,
        "sha256": all(isinstance(digest, str) for digest in digests.values()),
        "out_of_domain": isinstance(raw.get("out_of_domain", {}), dict),
        "place.default": place is None or (abs(place[0]) <= 90 and abs(place[1]) <= 180),
    }
    for field, good in checks.items():
        if not good:
            raise ModelUnavailable(f"model.json: {field} is missing or not usable.")
    total = math.fsum(prior)
    return Card(
        name=raw["name"],
        version=raw["version"],
        input_height=int(size[0]),
        input_width=int(size[1]),
        mean=_numbers(raw, "mean", 3),
        std=std,
        resize_short_side=int(short),
        resample=str(resample),
        temperature=temperature,
        prior=tuple(value / total for value in prior),
        digests=digests,
        out_of_domain=raw.get("out_of_domain", {}),
        place=(place[0], place[1]) if place else None,
        runtime=runtime,
        raw=raw,
    )


def verify(folder: Path, digests: Mapping[str, str]) -> None:
    """Compare every listed file with its SHA-256; `model.onnx`, the files that it keeps weights in, and
    `labels.csv` must be listed.
    """
    for name in REQUIRED_FILES:
        if name not in digests:
            raise ModelUnavailable(f"model.json gives no sha256 for {name}.")
    for name, expected in digests.items():
        if Path(name).name != name:
            raise ModelUnavailable("model.json: sha256 may name files of the folder only.")
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise ModelUnavailable(f"{name} is missing from the model folder.") from None
        except OSError:
            raise ModelUnavailable(f"{name} in the model folder cannot be read.") from None
        if found != expected.lower():
            raise ModelUnavailable(
                f"{name} is not the file that model.json was written for (its sha256 differs)."
            )
    for name in sorted(weights.files(folder / "model.onnx")):
        if name not in digests:
            # Its last part alone: the rest may be of the machine that made it, and anybody may read this.
            last = re.split(r"[/\\]", name)[-1]
            raise ModelUnavailable(
                f"model.onnx keeps weights in {last!r}, of which model.json gives no sha256."
            )


def _runtime(raw: Mapping[str, Any]) -> Runtime:
    """The `runtime` block, which folders without one are loaded without."""
    if "runtime" not in raw:
        return Runtime()
    block = _object(raw, "runtime")
    prepacking = block.get("prepacking", True)
    optimised = block.get("optimised", "")
    version = block.get("onnxruntime", "")
    if not isinstance(prepacking, bool):
        raise ModelUnavailable("model.json: runtime.prepacking is not usable.")
    if optimised not in ("", *OPTIMISED):
        raise ModelUnavailable(
            "model.json: runtime.optimised is not usable: a graph may have the optimisations "
            f"{' or '.join(OPTIMISED)} behind it; others hold on the machine that made them alone."
        )
    if not isinstance(version, str) or (optimised and not version):
        raise ModelUnavailable("model.json: runtime.onnxruntime is missing or not usable.")
    return Runtime(optimised, version, prepacking)


def _object(raw: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = raw.get(field)
    if not isinstance(value, dict):
        raise ModelUnavailable(f"model.json: {field} is missing or not usable.")
    return value


def _number(raw: Mapping[str, Any], field: str, name: str | None = None) -> float:
    value = raw.get(field)
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:  # JSON's numbers may have any number of digits
        number = math.nan
    if not math.isfinite(number):
        raise ModelUnavailable(f"model.json: {name or field} is missing or not usable.")
    return number


def _numbers(
    raw: Mapping[str, Any], field: str, length: int | None = None, name: str | None = None
) -> tuple[float, ...]:
    value = raw.get(field)
    if not isinstance(value, list) or not value or (length is not None and len(value) != length):
        raise ModelUnavailable(f"model.json: {name or field} is missing or not usable.")
    return tuple(_number({field: item}, field, name) for item in value)
