"""One day as `json/daily_summary_YYYY-MM-DD.json`: written from a row, and read whoever wrote it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn

from lib.definitions import TERMS, definitions, versions
from lib.model_versions import named_by
from lib.outputs.atomic import write_document
from lib.store.records import DayRow, ProcessingRow

FOLDER = "json"
_NAME = re.compile(r"daily_summary_(\d{4}-\d{2}-\d{2})\.json", re.ASCII)
_LARGEST_COUNT = 10**9  # nobody sees as many plants on a day, and their sums over years still fit
# Columns that hold one number each, undefined on some days.
_METRICS = (
    "shannon_diversity",
    "pielou_evenness",
    "simpson_diversity",
    "hill_q0",
    "hill_q1",
    "hill_q2",
    "chao1_estimate",
    "coverage_estimate",
)
# Metrics that lie between 0 and 1.
_SHARES = ("pielou_evenness", "simpson_diversity", "coverage_estimate")
_ROUNDING = 1e-9  # other tools add up floats in another order


class Broken(Exception):
    """A file that cannot be a day; the text says why, for the person who looks after the files."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the files say of a model; `species_count` is its number of classes. None where unknown: the version also
    where several named the photos of a day."""

    name: str
    version: str | None = None
    size: str | None = None
    species_count: int | None = None
    lora_enabled: bool = False


def summary_path(output_dir: Path, day: date) -> Path:
    """Where the summary of a day lies."""
    return output_dir / FOLDER / f"daily_summary_{day.isoformat()}.json"


def is_summary(name: str) -> bool:
    """Whether a file of this name is meant as the summary of a day."""
    return name.startswith("daily_summary_") and name.endswith(".json")


def date_of(name: str) -> date:
    """The day that a file name is the summary of; Broken for a name without a date, or with none that exists."""
    match = _NAME.fullmatch(name)
    try:
        return date.fromisoformat(match[1]) if match else _refuse("its name holds no date")
    except ValueError:
        return _refuse("its name holds no date")


def write_summary(output_dir: Path, row: DayRow, processing: ProcessingRow, model: ModelInfo) -> bool:
    """Write the summary of a day; False when the file says the same already."""
    return write_document(summary_path(output_dir, row.date), summary(row, processing, model))


def summary(row: DayRow, processing: ProcessingRow, model: ModelInfo) -> dict[str, Any]:
    """The document of a day. Beyond the earlier tool's keys it holds `species_counts` and what a row needs."""
    computed = (row.computed_at or datetime.now(UTC)).astimezone(UTC).isoformat()
    metadata = dict(processing.processing_metadata)
    average = processing.processing_time_per_image
    return {
        "date": row.date.isoformat(),
        "timestamp": computed,
        "diversity_metrics": {
            "total_images": row.total_images,
            "processed_images": row.processed_images,
            "species_richness": row.species_richness,
            **{name: getattr(row, name) for name in _METRICS},
            "species_frequencies": dict(row.species_frequencies),
            "known_units": row.known_units,
        },
        "confidence_intervals": {name: dict(each) for name, each in row.confidence_intervals.items()},
        "species_counts": dict(row.species_counts),
        "top_species": [dict(each) for each in row.top_species],
        "estimate": dict(row.estimate),
        "processing_info": {
            "total_processing_time": processing.processing_time_total,
            "average_processing_time": average,
            "average_confidence": processing.average_confidence,
            "total_predictions": processing.predictions_count,
            "successful_predictions": processing.predictions_count,
            "input_images_count": processing.input_images_count,
            "processed_images_count": processing.processed_images_count,
            "low_confidence_count": processing.low_confidence_count,
            "failed_predictions": processing.failed_predictions,
            "processing_metadata": metadata,
        },
        "model_info": {
            "name": row.model_name,
            "version": model.version,
            "versions": _versions(row, processing, model),
            "size": model.size,
            "lora_enabled": model.lora_enabled,
        },
        "quality_assessment": {
            "total_images": row.total_images,
            "low_resolution": metadata.get("low_resolution"),
            "mean_quality_score": metadata.get("mean_quality_score"),
        },
        "clustering_info": {
            "clusters_found": processing.clusters_found,
            "redundancy_reduction_ratio": processing.redundancy_reduction_ratio,
        },
        "metadata": {
            "total_images_processed": row.processed_images,
            "inatag_species_count": model.species_count,
            **versions(metadata.get("analysis_version")),
            "inputs_digest": row.inputs_digest,
            "effort": row.effort,
            "export_timestamp": computed,
        },
        "definitions": definitions(),
        "terms": TERMS,
    }


def _versions(row: DayRow, processing: ProcessingRow, model: ModelInfo) -> list[str | None]:
    """Each version of the day's model that named photos of it, None for those of which it is not on record."""
    versions = [each.version for each in named_by(row, processing) if each.name == row.model_name]
    return versions if any(versions) or model.version is None else [model.version]


def read_summary(data: bytes, day: date) -> tuple[DayRow, ProcessingRow]:
    """The row of `day` and its processing from the bytes of its file.

    Unknown keys are ignored and most known ones may be missing; metrics that are not there are undefined. Where
    no `species_counts` are given they are taken from `top_species`, of which the earlier tool kept ten. Raises
    Broken for anything that is no day: bad JSON, other types, numbers that are none, another day's date.
    """
    document = _object("the file", _parse(data))
    written = document.get("date")
    if not isinstance(written, str) or written[:10] != day.isoformat():
        _refuse("its date is not that of its name")
    metrics = _object("diversity_metrics", document.get("diversity_metrics"))
    metadata = _object("metadata", document.get("metadata", {}))
    info = _object("processing_info", document.get("processing_info", {}))
    top = _top_species(document.get("top_species") or metrics.get("top_species") or [])
    counts = _counts(document.get("species_counts") or metrics.get("species_counts") or {})
    counts = counts or {each["species_name"]: each["count"] for each in top}
    frequencies = _frequencies(metrics.get("species_frequencies") or {}) or _shares_of(counts)
    processed = _count(
        "processed_images", _first(metrics.get("processed_images"), metadata.get("total_images_processed"), 0)
    )
    total = _count("total_images", _first(metrics.get("total_images"), processed))
    values: dict[str, Any] = {name: _metric(name, metrics.get(name)) for name in _METRICS}
    row = DayRow(
        **values,
        date=day,
        total_images=total,
        processed_images=processed,
        species_richness=_count("species_richness", _first(metrics.get("species_richness"), len(counts))),
        confidence_intervals=_intervals(document.get("confidence_intervals") or {}),
        species_counts=counts,
        species_frequencies=frequencies,
        top_species=top,
        known_units=_number("known_units", metrics.get("known_units")),
        estimate=_estimate(document.get("estimate") or {}),
        model_name=_text(_object("model_info", document.get("model_info") or {}).get("name")),
        computed_at=_moment(document.get("timestamp")),
        inputs_digest=_text(metadata.get("inputs_digest")),
    )
    return row, _processing(row, document, info)


def _processing(row: DayRow, document: dict[str, Any], info: dict[str, Any]) -> ProcessingRow:
    clustering = _object("clustering_info", document.get("clustering_info") or {})
    ratio = _number("redundancy_reduction_ratio", clustering.get("redundancy_reduction_ratio"))
    confidence = _number("average_confidence", info.get("average_confidence"))
    return ProcessingRow(
        date=row.date,
        input_images_count=_count(
            "input_images_count", _first(info.get("input_images_count"), row.total_images)
        ),
        processed_images_count=_count(
            "processed_images_count", _first(info.get("processed_images_count"), row.processed_images)
        ),
        predictions_count=_count("total_predictions", _first(info.get("total_predictions"), 0)),
        processing_time_total=_number("total_processing_time", info.get("total_processing_time")) or 0.0,
        processing_time_per_image=_number("average_processing_time", info.get("average_processing_time")),
        average_confidence=confidence,
        low_confidence_count=_count("low_confidence_count", _first(info.get("low_confidence_count"), 0)),
        failed_predictions=_count("failed_predictions", _first(info.get("failed_predictions"), 0)),
        clusters_found=_count(
            "clusters_found", _first(clustering.get("clusters_found"), clustering.get("clusters_formed"), 0)
        ),
        redundancy_reduction_ratio=ratio or 0.0,
        processing_metadata=_object("processing_metadata", info.get("processing_metadata") or {}),
    )


def _parse(data: bytes) -> Any:
    try:
        return json.loads(
            data,
            parse_float=_finite,
            parse_constant=lambda name: _refuse(f"it holds {name}, which is no number"),
        )
    except RecursionError:
        _refuse("it is nested too deeply")
    except ValueError:  # UnicodeDecodeError is one as well
        _refuse("it is not JSON")


def _finite(text: str) -> float:
    """A float of the file; also those under keys that nothing here reads are handed on, and must be numbers."""
    number = float(text)
    return number if math.isfinite(number) else _refuse("it holds a number that is not finite")


def _top_species(value: Any) -> list[dict[str, Any]]:
    """Entries with the keys of the shape, in the order of the file; `expected_count` where it is given."""
    if not isinstance(value, list):
        _refuse("top_species is not a list")
    entries = []
    for each in value:
        entry = _object("an entry of top_species", each)
        name = entry.get("species_name")
        if not isinstance(name, str) or not name:
            _refuse("an entry of top_species has no species_name")
        read = {
            "species_name": name,
            "count": _count("count", entry.get("count")),
            "frequency": _number("frequency", entry.get("frequency")),
            "average_confidence": _number("average_confidence", entry.get("average_confidence")),
        }
        if (expected := _number("expected_count", entry.get("expected_count"))) is not None:
            read["expected_count"] = expected
        entries.append(read)
    return entries


def _estimate(value: Any) -> dict[str, Any]:
    """What the labels were drawn from; comparisons rely on its draws: whole counts, as many of each species."""
    estimate = _object("estimate", value)
    draws = _object("the draws", estimate.get("draws", {}))
    lengths = set()
    for counts in draws.values():
        if not isinstance(counts, list):
            _refuse("the draws of a species are not a list")
        lengths.add(len(counts))
        for count in counts:
            _count("a draw", count)
    if len(lengths) > 1 or 0 in lengths:
        _refuse("the species have different numbers of draws")
    expected = _object("expected_counts", estimate.get("expected_counts", {}))
    named = [("units", estimate.get("units")), ("unknown", estimate.get("unknown"))]
    for name, number in [*named, *(("an expected count", count) for count in expected.values())]:
        if (_number(name, number) or 0.0) < 0:
            _refuse(f"{name} is below zero")
    return estimate


def _intervals(value: Any) -> dict[str, dict[str, Any]]:
    """Intervals as mappings with low and high; the earlier tool wrote pairs, and null where it had none."""
    intervals: dict[str, dict[str, Any]] = {}
    for name, each in _object("confidence_intervals", value).items():
        if each is None:
            continue
        if isinstance(each, list) and len(each) == 2:
            each = {"low": each[0], "high": each[1]}
        ends = _object(f"the interval of {name}", each)
        low, high = (_number(f"the interval of {name}", ends.get(end)) for end in ("low", "high"))
        if low is None or high is None:
            _refuse(f"the interval of {name} has no two ends")
        if low > high:
            _refuse(f"the interval of {name} ends before it begins")
        intervals[name] = ends | {"low": ends["low"], "high": ends["high"]}
    return intervals


def _counts(value: Any) -> dict[str, int]:
    return {name: _count("species_counts", each) for name, each in _object("species_counts", value).items()}


def _frequencies(value: Any) -> dict[str, float]:
    numbers = {
        name: _number("species_frequencies", each)
        for name, each in _object("species_frequencies", value).items()
    }
    return {name: number for name, number in numbers.items() if number is not None}


def _shares_of(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _metric(name: str, value: Any) -> float | None:
    number = _number(name, value)
    if number is not None and (number < -_ROUNDING or (name in _SHARES and number > 1 + _ROUNDING)):
        _refuse(f"{name} is out of its range")
    return number


def _number(name: str, value: Any) -> float | None:
    """A finite number or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(f"{name} is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(f"{name} is not a finite number")
    return number


def _count(name: str, value: Any) -> int:
    """A whole number from 0; other tools write some of them as 5.0."""
    number = _number(name, value)
    if number is None or number < 0 or number != int(number) or number > _LARGEST_COUNT:
        _refuse(f"{name} is not a count")
    return int(number)


def _object(name: str, value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else _refuse(f"{name} is not an object")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    """When the file says it was made; times without an offset are taken as UTC, unreadable ones as unknown."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _refuse(reason: str) -> NoReturn:
    raise Broken(reason)
