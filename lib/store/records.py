"""The plain records that every store reads and writes; the names are those of the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

# The metrics of a day that calendar and time series can show, in the order of the documentation.
METRICS = (
    "species_richness",
    "shannon_diversity",
    "pielou_evenness",
    "simpson_diversity",
    "hill_q0",
    "hill_q1",
    "hill_q2",
    "chao1_estimate",
    "coverage_estimate",
    "total_images",
)


# What a session has in place of a regional list's name when the model may name all its species.
NO_REGION = "none"
# What a person labels a photo that shows no plant.
NOT_A_PLANT = "not_a_plant"


@dataclass(frozen=True, slots=True)
class DayRow:
    """One row of `diversity_metrics`: what the photos of one local day come to.

    A metric that is undefined is None, never NaN. The metrics are estimates over draws of the labels;
    `known_units` is how many units (a cluster of near-duplicate photos is one) are expected to be of a known
    species, None where only labels were counted, and `estimate` holds units, unknown, too_few, expected_counts,
    draws and ranks as lib.diversity.day_columns makes them. `species_counts` counts the units whose label is a
    species; `top_species` holds species_name, count, frequency, average_confidence, highest count first.
    `session_id` is None for a day pooled over sessions and for days read from files.
    """

    date: date
    session_id: int | None = None
    total_images: int = 0
    processed_images: int = 0
    species_richness: int = 0
    shannon_diversity: float | None = None
    pielou_evenness: float | None = None
    simpson_diversity: float | None = None
    hill_q0: float | None = None
    hill_q1: float | None = None
    hill_q2: float | None = None
    chao1_estimate: float | None = None
    coverage_estimate: float | None = None
    known_units: float | None = None
    confidence_intervals: Mapping[str, Any] = field(default_factory=dict)
    species_counts: Mapping[str, int] = field(default_factory=dict)
    species_frequencies: Mapping[str, float] = field(default_factory=dict)
    top_species: Sequence[Mapping[str, Any]] = ()
    estimate: Mapping[str, Any] = field(default_factory=dict)
    model_name: str = ""
    computed_at: datetime | None = None
    inputs_digest: str = ""

    @property
    def plants(self) -> float:
        """Units of a known species: expected where the labels were drawn, else as labelled."""
        return sum(self.species_counts.values()) if self.known_units is None else self.known_units

    @property
    def effort(self) -> str:
        """`none` without a photo that counts, `low` when too few to compare days by, else `ok`."""
        units = self.plants
        if units < LEAST_UNITS:
            return "none"
        return (
            "ok" if units >= MINIMUM_UNITS and (self.coverage_estimate or 0.0) >= MINIMUM_COVERAGE else "low"
        )


# Below either, a day is marked as too little effort: five units is the least that lets coverage be estimated at
# all on days with repeats, and half of the community unseen makes any comparison a comparison of effort.
MINIMUM_UNITS = 5
MINIMUM_COVERAGE = 0.5
LEAST_UNITS = 0.5  # expected: fewer than half a plant of known species is none


def counts_of(rows: Sequence[DayRow]) -> dict[str, int]:
    """`sessions`, `photos`, `days`, `species` of days that belong to no user, and so to no session."""
    return {
        "sessions": 0,
        "photos": sum(row.total_images for row in rows),
        "days": len(rows),
        "species": len({name for row in rows for name, count in row.species_counts.items() if count}),
    }


@dataclass(frozen=True, slots=True)
class ProcessingRow:
    """One row of `processing_results`: what analysing one day took and how sure the model was."""

    date: date
    session_id: int | None = None
    input_images_count: int = 0
    processed_images_count: int = 0
    predictions_count: int = 0
    processing_time_total: float = 0.0
    processing_time_per_image: float | None = None
    average_confidence: float | None = None
    low_confidence_count: int = 0
    failed_predictions: int = 0
    clusters_found: int = 0
    redundancy_reduction_ratio: float = 0.0
    processing_metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class User:
    """A person with keys; `username` and `email` are unique."""

    id: int
    username: str
    email: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret: `prefix` is for display, `digest` the SHA-256 of the secret in hex."""

    id: int
    user_id: int
    name: str
    prefix: str
    digest: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A field, plot or campaign of one user; `timezone` decides which day its photos belong to.

    `region_species` limits what the model may name in its photos: None for the site's list, `none` for no list, the
    name of a shipped list, or the scientific names themselves.
    """

    id: int
    user_id: int
    session_name: str
    description: str
    start_date: date | None
    end_date: date | None
    timezone: str
    latitude: float | None
    longitude: float | None
    created_at: datetime
    photos: int = 0
    region_species: str | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model said of one photo: `predictions` is top-k, best first, each with species, common_name,
    confidence and taxonomic_level, and where the model says so genus, family and prior (the share of the species in
    training). `in_domain` is the probability that the photo shows any of the model's species; None where not known.
    `classes` is how many species were possible. `masked`: a regional list limited them; `region` is its name with
    the first letters of its digest, and `prior_mass` the share of the training photos that are of its species.
    `model_version` is None where it was not recorded."""

    model_name: str
    processing_time: float
    timestamp: datetime
    predictions: Sequence[Mapping[str, Any]]
    top_prediction_species: str
    top_prediction_confidence: float
    mean_confidence: float
    prediction_entropy: float
    in_domain: float | None = None
    classes: int | None = None
    masked: bool = False
    prior_mass: float | None = None
    region: str | None = None
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """What is known of a photo when its file is safe on disk; becomes a row of `image_data`."""

    session_id: int
    path: str
    date: date
    date_source: str
    captured_at: datetime | None
    original_filename: str
    width: int
    height: int
    file_size_bytes: int
    sha256: str
    media_type: str
    blur_score: float
    exposure_score: float
    brightness_mean: float
    contrast_std: float
    quality_score: float
    low_resolution: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Photo:
    """One row of `image_data` with its newest prediction.

    `label` is a species, a genus, a family, `unknown`, `not_a_plant`, or None before classification;
    `label_level` says which of these it is. `label_source` is `model` or `human`.
    """

    id: int
    session_id: int
    path: str
    date: date
    date_source: str
    captured_at: datetime | None
    original_filename: str
    width: int
    height: int
    file_size_bytes: int
    sha256: str
    media_type: str
    blur_score: float | None
    exposure_score: float | None
    brightness_mean: float | None
    contrast_std: float | None
    quality_score: float | None
    low_resolution: bool
    fingerprint: str
    is_processed: bool
    is_representative: bool
    cluster_id: int | None
    similarity_score: float | None
    label: str | None
    label_level: str | None
    label_source: str | None
    label_history: Sequence[Mapping[str, Any]]
    created_at: datetime
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class SaidSpecies:
    """One of the likeliest species of a photo, as a model named it; what it did not say of its rank is empty."""

    species: str
    confidence: float
    genus: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True)
class NamedPhoto:
    """A photo that a person named, and what one model said of it: None and nothing where no model looked."""

    id: int
    session_id: int
    cluster_id: int | None
    is_representative: bool
    quality_score: float | None
    label: str
    label_level: str
    label_source: str
    label_history: Sequence[Mapping[str, Any]]
    model_name: str | None = None
    model_version: str | None = None
    processing_time: float | None = None
    timestamp: datetime | None = None
    predictions: Sequence[SaidSpecies] = ()
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The days of a session that have photos: how many, the first and the last."""

    days: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class DeletedSession:
    """What a deleted session leaves to do: files to remove, and days whose pooled row may have changed."""

    paths: list[str]
    dates: list[date]


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer that a request with the same Idempotency-Key got before."""

    status: int
    response: Any
