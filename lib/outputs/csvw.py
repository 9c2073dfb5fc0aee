"""What the columns of the CSV files mean: a `….csv-metadata.json` beside each (W3C, CSV on the Web)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lib.definitions import DEFINITIONS, PRODUCT, TERMS, definitions, versions

MEDIA_TYPE = "application/csvm+json"
SUFFIX = "-metadata.json"  # of a CSV's own name: where the standard lets readers look for it


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a file: the way of analysing, the models (name and version each), and when it was exported."""

    analysis_version: str | None
    models: Sequence[dict[str, Any]] = ()
    exported: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> dict[str, Any]:
        """As the exports have it."""
        return {
            **versions(self.analysis_version),
            "models": list(self.models),
            "export_timestamp": self.exported.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Column:
    """A column's XML Schema datatype, what it means, and its unit where it has one."""

    datatype: str
    meaning: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of CSV file: what a line is, the columns that tell lines apart, and the metrics that occur in it."""

    title: str
    line: str
    key: tuple[str, ...]
    metrics: tuple[str, ...] = ()


TABLES = {
    "daily_predictions": Table(
        "What the classifier said of each photo of a day",
        "One line a photo, near-duplicates included; cells are empty where no model has seen the photo.",
        ("date", "image_id"),
    ),
    "aggregated_predictions": Table(
        "What the classifier said of each photo of a period",
        "One line a photo, near-duplicates included, in order of days.",
        ("image_id",),
    ),
    "species_summary": Table(
        "The species of a period",
        "One line a species, most frequent first. Only units whose label is a species are counted.",
        ("species_name",),
    ),
    "soft_voting": Table(
        "Sums of probabilities beside counts of the likeliest label",
        "For comparison only: both inflate richness severalfold, and no metric of a day is made of them. One line "
        "a species, over one photo of each group of near-duplicates; the last line, SUMMARY, is their sum.",
        ("species_name",),
        ("species_richness", "shannon_diversity", "simpson_diversity"),
    ),
}
_ESCAPED = "A text that a spreadsheet would run as a formula has an apostrophe before it."
_CONFIDENCE = TERMS["confidence"]
COLUMNS = {
    "date": Column("date", "Local calendar day at the site."),
    "image_id": Column("string", "Number of the photo; in file mode its number within the day."),
    "image_path": Column("string", "Day and name of the file as it was sent."),
    "processing_time": Column("number", "Time that the classifier took for the photo.", "seconds"),
    "timestamp": Column("dateTimeStamp", "When the classifier saw the photo (UTC)."),
    "model_name": Column("string", "The classifier; which versions of it, is told by `models` in the notes."),
    "total_predictions": Column("integer", "How many species the classifier's answer keeps."),
    "model_size": Column("string", "Architecture of the classifier, where known."),
    "lora_enabled": Column("boolean", "Whether the classifier's weights hold merged LoRA weights."),
    "device_used": Column("string", "What the classifier ran on."),
    "top_confidence": Column("number", f"Of the likeliest species. {_CONFIDENCE}"),
    "mean_confidence": Column("number", "Mean over the species that the answer keeps."),
    "confidence_std": Column("number", "Population standard deviation of the confidences."),
    "prediction_entropy": Column(
        "number", "Entropy of the classifier's probabilities; 0 when it is certain.", "nats"
    ),
    "species_name": Column("string", "Scientific name; SUMMARY on the line that sums up."),
    "total_occurrences": Column("integer", f"Units of the species over all days. {TERMS['unit']}"),
    "days_observed": Column("integer", "Days on which the species was found."),
    "observation_frequency": Column("number", "days_observed as a share of the days with a survey."),
    "average_confidence": Column("number", f"Mean over the photos with this label. {_CONFIDENCE}"),
    "min_confidence": Column("number", "Smallest over the photos with this label."),
    "max_confidence": Column("number", "Largest over the photos with this label."),
    "first_observed": Column("date", "First day on which the species was found."),
    "last_observed": Column("date", "Last day on which the species was found."),
    "soft_voting_weight": Column("number", "Sum of the confidences of the species.", "units"),
    "normalized_weight": Column("number", "soft_voting_weight as a share of all."),
    "taxonomic_level": Column("string", "Rank of the name; summary on the line that sums up."),
    "hard_voting_weight": Column("number", "Photos whose likeliest species it is.", "units"),
    "weight_difference": Column("number", "soft_voting_weight less hard_voting_weight.", "units"),
}
# Columns that come once for each of the likeliest species.
_PLACED = {
    "species_name": Column("string", "Scientific name of the species in this place."),
    "confidence": Column("number", f"Of the species in this place. {_CONFIDENCE}"),
    "inatag_id": Column(
        "string", "Class number in iNatAg; empty, since no model in use counts its classes so."
    ),
    "taxonomic_level": Column("string", "Rank of the name in this place."),
}


def metadata(kind: str, name: str, columns: Sequence[str], about: Provenance) -> dict[str, Any]:
    """The description of the CSV file `name` of a kind, with exactly these columns."""
    table = TABLES[kind]
    document: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": name,
        "dc:title": table.title,
        "dc:description": f"{table.line} {_ESCAPED}",
        "dc:creator": f"{PRODUCT} {about.as_json()['product_version']}",
        "dialect": {"encoding": "utf-8", "header": True, "lineTerminators": ["\r\n", "\n"]},
        "tableSchema": {
            "columns": [_column(each) for each in columns],
            "primaryKey": list(table.key),
        },
        "notes": [about.as_json()],
    }
    if table.metrics:
        document["notes"].append({"definitions": definitions(table.metrics)})
    return document


def _column(name: str) -> dict[str, Any]:
    found = column_of(name)
    described: dict[str, Any] = {
        "name": name,
        "titles": name,
        # The files are written by Python, whose truth begins with a capital.
        "datatype": {"base": "boolean", "format": "True|False"}
        if found.datatype == "boolean"
        else found.datatype,
        "dc:description": found.meaning,
    }
    if found.unit:
        described["schema:unitText"] = found.unit
    return described


def column_of(name: str) -> Column:
    """What a column means. KeyError for one that is not described."""
    metric = name.removeprefix("diversity_")
    if metric != name:
        defined = DEFINITIONS[metric]
        return Column(
            "number", f"{defined.formula}, of the soft voting weights; on the line SUMMARY.", defined.unit
        )
    base, _, place = name.rpartition("_")
    return _PLACED[base] if place.isdigit() else COLUMNS[name]
