"""What a model folder says of itself and what was measured of it, read without loading the model."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lib.classifier import ModelUnavailable
from lib.classifier.taxonomy import Taxon, read_labels

FILES = ("model.json", "labels.csv", "metrics.json")
LARGEST_BYTES = 5_000_000  # the metrics of thousands of species take some hundred kB
LONGEST_TEXT = 2000
MOST_FACTS = 50
MOST_MISTAKES = 10_000
MOST_PARAGRAPHS = 20
TOPS = ("top_1", "top_3", "top_5")
# The card of an adapted model leaves much to that of the model it was made of.
CARDS = ("MODEL_CARD.md", "BASE_MODEL_CARD.md")
# The section of a card that says so, under a heading that converted and trained models share.
_USE = re.compile(r"^## What it is for\b[^\n]*\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_PARTS = re.compile(r"\n\s*\n|\n(?=- )")
_MARKS = re.compile(r"^- |\*\*|`")

Fact = str | int | float | bool | None
Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The model of MODEL_DIR by its own card; null where the card does not say.

    `parity`: agreement with the source it was converted from; `measured`: its figures on the held-out photos of its
    makers (metrics.json), as far as they are single numbers. `available`: the folder holds a graph.
    """

    name: str | None = None
    version: str | None = None
    licence: str | None = None
    source: str | None = None
    attribution: str | None = None
    architecture: str | None = None
    classes: int = 0
    quantisation: str | None = None
    temperature: float | None = None
    parity: dict[str, Fact] | None = None
    measured: dict[str, Fact] | None = None
    available: bool = False


@dataclass(frozen=True, slots=True)
class Mistake:
    """How many of the makers' test photos of the species `true` the model named `named`."""

    true: str
    named: str
    photos: int


@dataclass(frozen=True, slots=True)
class Recalled:
    """The share of test photos that the model named rightly, of `photos`, with its 95 % interval."""

    share: float
    low: float | None
    high: float | None
    photos: int


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model folder as read last: its facts, its taxa, and what changes when one of its files does.

    `mistakes`, `recalled` (by species) and `shares` (by `top_1`, `top_3`, `top_5`: the right species is among so
    many likeliest) are of the held-out photos of its makers, where metrics.json has them.
    """

    facts: ModelFacts
    taxa: tuple[Taxon, ...] = ()
    stamp: Stamp = ()
    species: frozenset[str] = field(default=frozenset())
    mistakes: tuple[Mistake, ...] = ()
    recalled: Mapping[str, Recalled] = field(default_factory=dict)
    shares: Mapping[str, Recalled] = field(default_factory=dict)


_lock = threading.Lock()
_read: dict[Path, KnownModel] = {}


def known_model(folder: Path) -> KnownModel:
    """The model folder's facts and taxa; empty ones where its files cannot be read. Read anew when they change."""
    stamp = tuple(_stamp(folder / name) for name in (*FILES, "model.onnx"))
    with _lock:
        known = _read.get(folder)
        if known is None or known.stamp != stamp:
            known = _look(folder, stamp)
            _read.clear()  # one process serves one folder; tests serve many
            _read[folder] = known
        return known


def use_of(folder: Path) -> tuple[str, ...]:
    """What a model is for and what not, as its makers' card says it, in paragraphs; empty where no card does."""
    for name in CARDS:
        found = _USE.search(_text_of(folder / name))
        if found:
            parts = (_MARKS.sub("", " ".join(part.split())) for part in _PARTS.split(found[1]))
            return tuple(part[:LONGEST_TEXT] for part in parts if part)[:MOST_PARAGRAPHS]
    return ()


def _look(folder: Path, stamp: Stamp) -> KnownModel:
    card = _document(folder / "model.json")
    try:
        taxa = read_labels(folder / "labels.csv")
    except ModelUnavailable:
        taxa = ()
    metrics = _document(folder / "metrics.json")
    quantisation = card.get("quantisation")
    facts = ModelFacts(
        name=_text(card.get("name")),
        version=_text(card.get("version")),
        licence=_text(card.get("licence")),
        source=_text(card.get("source")),
        attribution=_text(card.get("attribution")),
        architecture=_text(card.get("architecture")),
        classes=len(taxa),
        quantisation=_text(quantisation.get("kind") if isinstance(quantisation, dict) else quantisation),
        temperature=_number(card.get("temperature")),
        parity=_facts(card.get("parity") or metrics.get("parity")),
        measured=_facts(_figures(metrics)),
        available=bool(card) and bool(taxa) and (folder / "model.onnx").is_file(),
    )
    species = frozenset(taxon.species for taxon in taxa)
    shares = _shares({name: metrics.get(name) for name in TOPS})
    return KnownModel(facts, taxa, stamp, species, _mistakes(metrics), _shares(metrics.get("recall")), shares)


def _document(path: Path) -> dict[str, Any]:
    """A JSON object of a file; empty where there is none. NaN and infinity are no JSON and read as none."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return {}
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text_of(path: Path) -> str:
    try:
        small = path.stat().st_size <= LARGEST_BYTES
        return path.read_text(encoding="utf-8", errors="replace") if small else ""
    except OSError:
        return ""


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a metrics.json that tell a model's quality in a number."""
    named = ("top_1", "top_3", "top_5", "calibration_error", "temperature", "risk_coverage", "aurc")
    return {name: metrics[name] for name in named if name in metrics}


def _mistakes(metrics: Mapping[str, Any]) -> tuple[Mistake, ...]:
    """Those of its `confusions` that are what they should be."""
    listed = metrics.get("confusions")
    found = []
    for each in listed[:MOST_MISTAKES] if isinstance(listed, list) else ():
        if not isinstance(each, dict):
            continue
        true, named, photos = each.get("true"), each.get("named"), _count(each.get("count"))
        if isinstance(true, str) and isinstance(named, str) and photos:
            found.append(Mistake(true[:LONGEST_TEXT], named[:LONGEST_TEXT], photos))
    return tuple(found)


def _shares(listed: object) -> dict[str, Recalled]:
    """Those of a block that are shares of some photos, by their names."""
    found = {}
    for name, each in listed.items() if isinstance(listed, dict) else ():
        if not isinstance(each, dict):
            continue
        share, low, high = (_share(each.get(part)) for part in ("value", "low", "high"))
        photos = _count(each.get("n"))
        if share is not None and photos:
            found[str(name)] = Recalled(share, low, high, photos)
    return found


def _count(value: object) -> int:
    """A number of things; 0 for what is none."""
    counts = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53
    return value if counts and isinstance(value, int) else 0


def _share(value: object) -> float | None:
    number = _number(value)
    # 0.9999999999999998 is the 1 that a computation just missed.
    return round(number, 12) if number is not None and 0 <= number <= 1 else None


def _facts(block: object) -> dict[str, Fact] | None:
    """Single values of a block, those of blocks within it under `block.name`; lists are left out."""
    if not isinstance(block, dict):
        return None
    found: dict[str, Fact] = {}
    for name, value in block.items():
        inner = value.items() if isinstance(value, dict) else ()
        for key, each in (*((f"{name}.{part}", each) for part, each in inner), (str(name), value)):
            if isinstance(each, str | int | float | bool) and len(found) < MOST_FACTS:
                found[key] = each[:LONGEST_TEXT] if isinstance(each, str) else each
    return found or None


def _text(value: object) -> str | None:
    return value[:LONGEST_TEXT] if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON's numbers may have any number of digits
        return None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)
