"""Many days as JSON: `time_series_A_to_B.json` and `github_calendar_METRIC.json`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib import calendars
from lib.definitions import TERMS, definitions, versions
from lib.outputs.atomic import write_document
from lib.outputs.summaries import FOLDER
from lib.store.records import METRICS, DayRow, ProcessingRow

Days = Sequence[tuple[DayRow, ProcessingRow]]


def period_of(days: Days) -> str:
    """`A_to_B`, the first and the last of the days (at least one, in order), as file names have it."""
    return f"{days[0][0].date.isoformat()}_to_{days[-1][0].date.isoformat()}"


def time_series_path(output_dir: Path, days: Days) -> Path:
    """Where the time series of these days lies."""
    return output_dir / FOLDER / f"time_series_{period_of(days)}.json"


def calendar_path(output_dir: Path, metric: str) -> Path:
    """Where the calendar of a metric lies."""
    return output_dir / FOLDER / f"github_calendar_{metric}.json"


def write_time_series(output_dir: Path, days: Days, analysis_version: str) -> bool:
    """Write the series of `days` (at least one, in order of dates); False when it stands already."""
    return write_document(time_series_path(output_dir, days), time_series(days, analysis_version))


def write_calendar(output_dir: Path, days: Days, metric: str, analysis_version: str) -> bool:
    """Write one metric's calendar over all `days`; False when it stands already."""
    rows = [row for row, _ in days]
    return write_document(calendar_path(output_dir, metric), github_calendar(rows, metric, analysis_version))


def time_series(days: Days, analysis_version: str) -> dict[str, Any]:
    """Lists of equal length by date; null where a metric is undefined; days without photos are absent."""
    rows = [row for row, _ in days]
    names = sorted({name for row in rows for name in row.species_counts})
    return {
        "period": {
            "start_date": rows[0].date.isoformat(),
            "end_date": rows[-1].date.isoformat(),
            "total_days": len(rows),
        },
        "diversity_trends": {
            "dates": [row.date.isoformat() for row in rows],
            **{metric: [getattr(row, metric) for row in rows] for metric in METRICS},
        },
        "confidence_intervals": {metric: _interval(rows, metric) for metric in METRICS},
        "standardised": {metric: _standardised(rows, metric) for metric in calendars.STANDARDISED},
        "standard_coverage": calendars.STANDARD_COVERAGE,
        "effort": [row.effort for row in rows],
        "species_trends": {
            "total_unique_species": len(names),
            "species_list": names,
            "daily_species_counts": [len(row.species_counts) for row in rows],
        },
        "processing_trends": {
            "dates": [row.date.isoformat() for row in rows],
            "processing_times": [processing.processing_time_total for _, processing in days],
            "image_counts": [row.total_images for row in rows],
            "average_confidences": [processing.average_confidence for _, processing in days],
        },
        "summary_statistics": {
            **{metric: _statistics(rows, metric) for metric in ("shannon_diversity", "species_richness")},
            "total_days_analyzed": len(rows),
        },
        "metadata": {
            "export_timestamp": _now(),
            **versions(analysis_version),
            "model_names": sorted({row.model_name for row in rows} - {""}),
        },
        "definitions": definitions(),
        "terms": TERMS,
    }


def github_calendar(rows: Sequence[DayRow], metric: str, analysis_version: str) -> dict[str, Any]:
    """One entry a day with its level, 0 to 4, as the calendar page of its year shows it; null where undefined."""
    entries: list[dict[str, Any]] = []
    for year in sorted({row.date.year for row in rows}):
        shown = calendars.build(rows, metric, year, False, year)
        entries += [
            {
                "date": day,
                "value": cell.value,
                "level": cell.level,
                "species_count": cell.species_richness,
                "total_images": cell.total_images,
                "low": cell.low,
                "high": cell.high,
                "standardised": _values(cell.standardised) if cell.standardised else None,
                "effort": cell.effort,
            }
            for day, cell in shown.data.items()
        ]
    return {
        "metric": metric,
        "data": entries,
        "scale": _scale([entry["value"] for entry in entries if entry["value"] is not None]),
        "metadata": {
            "total_days": len(entries),
            "metric_description": calendars.PRESENTED[metric].description,
            **versions(analysis_version),
            "model_names": sorted({row.model_name for row in rows} - {""}),
            "export_timestamp": _now(),
        },
        "definitions": definitions([metric]),
        "terms": {name: TERMS[name] for name in ("level", "effort", "standardised")},
    }


def _interval(rows: Sequence[DayRow], metric: str) -> dict[str, list[float | None]]:
    bounds = [calendars.interval_of(row, metric) for row in rows]
    return {"low": [low for low, _ in bounds], "high": [high for _, high in bounds]}


def _standardised(rows: Sequence[DayRow], metric: str) -> dict[str, list[float | None]]:
    found = [calendars.standardised_of(row, metric) for row in rows]
    days = [_values(each) if each else {} for each in found]
    return {name: [day.get(name) for day in days] for name in ("value", "low", "high")}


def _values(found: calendars.Standardised) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _scale(values: Sequence[float]) -> dict[str, float]:
    """Range and quartiles (linear interpolation) of the values; those of an index when there is none."""
    ordered = sorted(values) or [0.0, 1.0]
    names = {"min": 0.0, "q25": 0.25, "q50": 0.5, "q75": 0.75, "max": 1.0}
    return {name: calendars.quantile(ordered, share) for name, share in names.items()}


def _statistics(rows: Sequence[DayRow], metric: str) -> dict[str, float | None]:
    """Mean, population standard deviation and range over the days on which the metric is defined."""
    values = [value for row in rows if (value := calendars.value_of(row, metric)) is not None]
    if not values:
        return {"mean": None, "std": None, "min": None, "max": None}
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / len(values)
    return {"mean": mean, "std": spread**0.5, "min": min(values), "max": max(values)}


def _now() -> str:
    return datetime.now(UTC).isoformat()
