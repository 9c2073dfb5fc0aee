"""The CSV files: predictions photo by photo, species over a period, and soft voting for comparison."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lib.outputs import csvw
from lib.outputs.atomic import write_changed, write_document
from lib.outputs.csvw import Provenance
from lib.outputs.summaries import ModelInfo
from lib.store.records import DayRow, Photo

FOLDER = "csv"
CHUNK = 64 * 1024  # characters that are gathered before they are sent on
SHOWN = 3  # predictions a line has room for
# What makes Excel, LibreOffice and Sheets take a cell for a formula, also in the wide forms of a Japanese keyboard.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_PREDICTION_COLUMNS = ("species_name", "confidence", "inatag_id", "taxonomic_level")
DAILY_COLUMNS = (
    "date",
    "image_id",
    "image_path",
    "processing_time",
    "timestamp",
    "model_name",
    "total_predictions",
    "model_size",
    "lora_enabled",
    "device_used",
    *(f"{name}_{place}" for place in range(1, SHOWN + 1) for name in _PREDICTION_COLUMNS),
    "top_confidence",
    "mean_confidence",
    "confidence_std",
    "prediction_entropy",
)
AGGREGATED_COLUMNS = (
    "date",
    "image_id",
    "image_path",
    "processing_time",
    *(f"{name}_{place}" for place in range(1, SHOWN + 1) for name in _PREDICTION_COLUMNS[:2]),
)
SPECIES_COLUMNS = (
    "species_name",
    "total_occurrences",
    "days_observed",
    "observation_frequency",
    "average_confidence",
    "confidence_std",
    "min_confidence",
    "max_confidence",
    "first_observed",
    "last_observed",
)
SOFT_COLUMNS = (
    "date",
    "species_name",
    "soft_voting_weight",
    "normalized_weight",
    "taxonomic_level",
    "hard_voting_weight",
    "weight_difference",
    "diversity_species_richness",
    "diversity_shannon_diversity",
    "diversity_simpson_diversity",
)


# What is known of a model by its name and version.
Info = Callable[[str, str | None], ModelInfo]

# The columns of each kind of file.
COLUMNS = {
    "daily_predictions": DAILY_COLUMNS,
    "aggregated_predictions": AGGREGATED_COLUMNS,
    "species_summary": SPECIES_COLUMNS,
    "soft_voting": SOFT_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class AnalysedDay:
    """A day's row with the photos it is made of, their clusters noted."""

    row: DayRow
    photos: Sequence[Photo]


def daily_path(output_dir: Path, day: date) -> Path:
    """Where the predictions of a day lie."""
    return output_dir / FOLDER / f"daily_predictions_{day.isoformat()}.csv"


def soft_voting_path(output_dir: Path, day: date) -> Path:
    """Where the soft voting of a day lies."""
    return output_dir / FOLDER / f"soft_voting_{day.isoformat()}.csv"


def period_paths(output_dir: Path, days: Sequence[AnalysedDay]) -> tuple[Path, Path]:
    """Where aggregated predictions and species summary of these days lie (at least one, in order)."""
    period = f"{days[0].row.date.isoformat()}_to_{days[-1].row.date.isoformat()}"
    folder = output_dir / FOLDER
    return folder / f"aggregated_predictions_{period}.csv", folder / f"species_summary_{period}.csv"


def write_daily(output_dir: Path, day: AnalysedDay, info: Info, about: Provenance) -> int:
    """Write the predictions of a day and what its columns mean; how many of the two files changed."""
    return write_described(
        daily_path(output_dir, day.row.date), "daily_predictions", daily_lines(day, info), about
    )


def write_soft_voting(output_dir: Path, day: AnalysedDay, about: Provenance) -> int:
    """Write the soft voting of a day and what its columns mean; how many of the two files changed."""
    return write_described(
        soft_voting_path(output_dir, day.row.date), "soft_voting", soft_voting_lines(day), about
    )


def write_period(output_dir: Path, days: Sequence[AnalysedDay], about: Provenance) -> int:
    """Write aggregated predictions and species summary of the days, and what their columns mean; how many of
    the four files changed."""
    aggregated, species = period_paths(output_dir, days)
    return write_described(
        aggregated, "aggregated_predictions", aggregated_lines(days), about
    ) + write_described(species, "species_summary", species_lines(days), about)


def write_described(path: Path, kind: str, lines: Iterable[Mapping[str, Any]], about: Provenance) -> int:
    """Write a table and, beside it, its metadata; how many of the two files changed."""
    written = write_table(path, COLUMNS[kind], lines)
    return written + write_document(metadata_path(path), csvw.metadata(kind, path.name, COLUMNS[kind], about))


def metadata_path(path: Path) -> Path:
    """Where it is said what the columns of a CSV file mean."""
    return path.with_name(path.name + csvw.SUFFIX)


def daily_lines(day: AnalysedDay, info: Info) -> Iterable[dict[str, Any]]:
    """One line a photo, in order; a photo without a prediction has empty cells, not zeros.

    `info` is asked about the very version that named the photo.

    `inatag_id` stays empty: no model in use counts its classes as iNatAg does.
    """
    for photo in day.photos:
        line: dict[str, Any] = {
            "date": photo.date.isoformat(),
            "image_id": photo.id,
            "image_path": photo.path,
            "total_predictions": 0,
        }
        prediction = photo.prediction
        if prediction is not None:
            confidences = [float(each["confidence"]) for each in prediction.predictions]
            model = info(prediction.model_name, prediction.model_version)
            line |= {
                "processing_time": prediction.processing_time,
                "timestamp": prediction.timestamp.isoformat(),
                "model_name": prediction.model_name,
                "total_predictions": len(confidences),
                "model_size": model.size,
                "lora_enabled": model.lora_enabled,
                "device_used": "cpu",
                "top_confidence": prediction.top_prediction_confidence,
                "mean_confidence": prediction.mean_confidence,
                "confidence_std": _spread(confidences),
                "prediction_entropy": prediction.prediction_entropy,
                **_places(prediction.predictions),
            }
        yield line


def aggregated_lines(days: Iterable[AnalysedDay]) -> Iterable[dict[str, Any]]:
    """One line a photo over all days; `image_id` is the day and the photo's number in it."""
    for day in days:
        for photo in day.photos:
            prediction = photo.prediction
            yield {
                "date": photo.date.isoformat(),
                "image_id": f"{photo.date.isoformat()}_{photo.id}",
                "image_path": photo.path,
                "processing_time": None if prediction is None else prediction.processing_time,
                **({} if prediction is None else _places(prediction.predictions)),
            }


def species_lines(days: Iterable[AnalysedDay]) -> list[dict[str, Any]]:
    """One line a species, most frequent first; occurrences are units as the days count them.

    Confidences are those of the photos that carry the species as their label; a person's label counts as 1.
    """
    occurrences: Counter[str] = Counter()
    seen: dict[str, list[date]] = defaultdict(list)
    confidences: dict[str, list[float]] = defaultdict(list)
    surveyed = 0
    for day in days:
        surveyed += 1
        for name, count in day.row.species_counts.items():
            occurrences[name] += count
            seen[name].append(day.row.date)
        for photo in day.photos:
            if photo.label is not None and photo.label_level == "species":
                confidences[photo.label].append(_confidence(photo))
    return [
        {
            "species_name": name,
            "total_occurrences": count,
            "days_observed": len(seen[name]),
            "observation_frequency": len(seen[name]) / surveyed,
            "average_confidence": _mean(confidences[name]),
            "confidence_std": _spread(confidences[name]),
            "min_confidence": min(confidences[name], default=None),
            "max_confidence": max(confidences[name], default=None),
            "first_observed": min(seen[name]).isoformat(),
            "last_observed": max(seen[name]).isoformat(),
        }
        for name, count in sorted(occurrences.items(), key=lambda item: (-item[1], item[0]))
    ]


def soft_voting_lines(day: AnalysedDay) -> list[dict[str, Any]]:
    """Sums of probabilities beside counts of the likeliest label, over one photo a cluster, and a SUMMARY line.

    Only for comparison: both inflate richness severalfold, which is why no metric is made of them.
    """
    from lib import diversity

    soft: Counter[str] = Counter()
    hard: Counter[str] = Counter()
    for photo in day.photos:
        if photo.is_representative and photo.prediction is not None:
            hard[photo.prediction.top_prediction_species] += 1
            for each in photo.prediction.predictions:
                soft[each["species"]] += each["confidence"]
    total = math.fsum(soft.values())
    if total <= 0:
        return []
    text = day.row.date.isoformat()
    lines: list[dict[str, Any]] = [
        {
            "date": text,
            "species_name": name,
            "soft_voting_weight": weight,
            "normalized_weight": weight / total,
            "taxonomic_level": "species",
            "hard_voting_weight": hard[name],
            "weight_difference": weight - hard[name],
        }
        for name, weight in sorted(soft.items(), key=lambda item: (-item[1], item[0]))
    ]
    weights = [line["soft_voting_weight"] for line in lines]
    summary = {
        "date": text,
        "species_name": "SUMMARY",
        "soft_voting_weight": total,
        "normalized_weight": 1.0,
        "taxonomic_level": "summary",
        "diversity_species_richness": diversity.richness(weights),
        "diversity_shannon_diversity": diversity.shannon(weights),
        "diversity_simpson_diversity": diversity.simpson(weights),
    }
    return [*lines, summary]


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> bool:
    """Write lines as CSV (UTF-8, CRLF) with exactly these columns; False when the file holds them already."""
    return write_changed(path, table(columns, lines))


def table(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> bytes:
    """CSV of the lines: missing and undefined cells are empty, numbers keep all digits, text is no formula."""
    return b"".join(table_chunks(columns, lines))


def table_chunks(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The same piece by piece, so that the lines need not be in memory at once."""
    text = io.StringIO()
    # RFC 4180's line ends; with LF alone Python before 3.13 would leave a carriage return in a cell unquoted.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for line in lines:
        writer.writerow([cell(line.get(column)) for column in columns])
        if text.tell() >= CHUNK:
            yield text.getvalue().encode("utf-8", "replace")
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode("utf-8", "replace")


def cell(value: Any) -> Any:
    """A value as it is written. Text that a spreadsheet would run gets an apostrophe before it; numbers do not.

    Text that looks as if it had got one gets another, so that `read_table` gives back what was written.
    """
    if isinstance(value, str) and value.lstrip("'").startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def read_table(data: bytes) -> list[dict[str, str]]:
    """The lines of a CSV that `table` made, or another tool in this shape; a byte order mark is passed over."""
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    return [{name: _plain(text or "") for name, text in line.items() if name is not None} for line in reader]


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def _places(predictions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for place, each in enumerate(predictions[:SHOWN], 1):
        cells[f"species_name_{place}"] = each["species"]
        cells[f"confidence_{place}"] = each["confidence"]
        cells[f"taxonomic_level_{place}"] = each.get("taxonomic_level", "species")
    return cells


def _confidence(photo: Photo) -> float:
    if photo.label_source == "human" or photo.prediction is None:
        return 1.0
    kept = {each["species"]: float(each["confidence"]) for each in photo.prediction.predictions}
    return kept.get(photo.label or "", 0.0)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _spread(values: Sequence[float]) -> float | None:
    """Population standard deviation."""
    mean = _mean(values)
    return (
        None if mean is None else math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    )
