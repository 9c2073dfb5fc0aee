"""JSON shapes that several endpoints answer: a photo, a session, a day's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from lib.store.records import DayRow, Key, Photo, Session


class PredictionShape(msgspec.Struct):
    """One of a photo's best guesses; the confidences need not sum to one: the rest is something else."""

    species: str
    common_name: str | None
    confidence: float
    taxonomic_level: str


class QualityShape(msgspec.Struct):
    """How usable the photo is; definitions in lib/photos/quality.py."""

    blur_score: float | None
    exposure_score: float | None
    brightness_mean: float | None
    contrast_std: float | None
    quality_score: float | None
    low_resolution: bool


class ImageShape(msgspec.Struct):
    """A photo; `label` is null until it is classified, `date_source` says where its day comes from.

    `model_version` is null where it was not recorded. `masked`: the predictions were limited to the species of a
    list, which `region` names.
    """

    id: int
    session_id: int
    filename: str
    date: date
    date_source: str
    captured_at: datetime | None
    width: int
    height: int
    file_size_bytes: int
    media_type: str
    sha256: str
    label: str | None
    label_level: str | None
    label_source: str | None
    label_history: list[dict[str, Any]]
    is_processed: bool
    is_representative: bool
    cluster_id: int | None
    similarity_score: float | None
    predictions: list[PredictionShape]
    prediction_entropy: float | None
    model_name: str | None
    model_version: str | None
    masked: bool
    region: str | None
    quality: QualityShape
    created_at: datetime


class SessionShape(msgspec.Struct):
    """A field, plot or campaign; `region_species` is null where the site's list holds."""

    id: int
    session_name: str
    description: str
    start_date: date | None
    end_date: date | None
    timezone: str
    latitude: float | None
    longitude: float | None
    region_species: str | list[str] | None
    created_at: datetime
    photos: int


class DayMetrics(msgspec.Struct):
    """The row of one day; null where a metric is undefined.

    The metrics are estimates over draws of the labels; `expected_counts` are the plants of each species on
    average over them, `unknown_units` those expected to be of no known species, `too_few` says why there are no
    intervals. `species_counts` and `top_species` count labels. `ranks` has the same day by genus and family.
    """

    date: date
    session_id: int | None
    total_images: int
    processed_images: int
    species_richness: int
    shannon_diversity: float | None
    pielou_evenness: float | None
    simpson_diversity: float | None
    hill_q0: float | None
    hill_q1: float | None
    hill_q2: float | None
    chao1_estimate: float | None
    coverage_estimate: float | None
    confidence_intervals: dict[str, Any]
    species_counts: dict[str, int]
    species_frequencies: dict[str, float]
    top_species: list[dict[str, Any]]
    known_units: float | None
    unknown_units: float | None
    too_few: str | None
    expected_counts: dict[str, float]
    ranks: dict[str, Any]
    effort: str
    model_name: str
    computed_at: datetime | None


PREDICTIONS_SHOWN = 3  # five are kept for the statistics, three are shown


def image(photo: Photo) -> ImageShape:
    """The JSON of a photo; never its place on disk, never where it was taken."""
    prediction = photo.prediction
    return ImageShape(
        id=photo.id,
        session_id=photo.session_id,
        filename=photo.original_filename,
        date=photo.date,
        date_source=photo.date_source,
        captured_at=photo.captured_at,
        width=photo.width,
        height=photo.height,
        file_size_bytes=photo.file_size_bytes,
        media_type=photo.media_type,
        sha256=photo.sha256,
        label=photo.label,
        label_level=photo.label_level,
        label_source=photo.label_source,
        label_history=[dict(entry) for entry in photo.label_history],
        is_processed=photo.is_processed,
        is_representative=photo.is_representative,
        cluster_id=photo.cluster_id,
        similarity_score=photo.similarity_score,
        predictions=[_prediction(entry) for entry in prediction.predictions[:PREDICTIONS_SHOWN]]
        if prediction
        else [],
        prediction_entropy=prediction.prediction_entropy if prediction else None,
        model_name=prediction.model_name if prediction else None,
        model_version=prediction.model_version if prediction else None,
        masked=prediction.masked if prediction else False,
        region=prediction.region if prediction else None,
        quality=QualityShape(
            photo.blur_score,
            photo.exposure_score,
            photo.brightness_mean,
            photo.contrast_std,
            photo.quality_score,
            photo.low_resolution,
        ),
        created_at=photo.created_at,
    )


def _prediction(entry: Mapping[str, Any]) -> PredictionShape:
    return PredictionShape(
        species=entry["species"],
        common_name=entry.get("common_name"),
        confidence=entry["confidence"],
        taxonomic_level=entry.get("taxonomic_level", "species"),
    )


def session(record: Session) -> SessionShape:
    """The JSON of a session."""
    region = record.region_species
    return SessionShape(
        id=record.id,
        session_name=record.session_name,
        description=record.description,
        start_date=record.start_date,
        end_date=record.end_date,
        timezone=record.timezone,
        latitude=record.latitude,
        longitude=record.longitude,
        region_species=list(region) if isinstance(region, tuple) else region,
        created_at=record.created_at,
        photos=record.photos,
    )


def day(row: DayRow) -> DayMetrics:
    """The JSON of a day's row."""
    return DayMetrics(
        date=row.date,
        session_id=row.session_id,
        total_images=row.total_images,
        processed_images=row.processed_images,
        species_richness=row.species_richness,
        shannon_diversity=row.shannon_diversity,
        pielou_evenness=row.pielou_evenness,
        simpson_diversity=row.simpson_diversity,
        hill_q0=row.hill_q0,
        hill_q1=row.hill_q1,
        hill_q2=row.hill_q2,
        chao1_estimate=row.chao1_estimate,
        coverage_estimate=row.coverage_estimate,
        confidence_intervals=dict(row.confidence_intervals),
        species_counts=dict(row.species_counts),
        species_frequencies=dict(row.species_frequencies),
        top_species=[dict(entry) for entry in row.top_species],
        known_units=row.known_units,
        unknown_units=row.estimate.get("unknown"),
        too_few=row.estimate.get("too_few"),
        expected_counts=dict(row.estimate.get("expected_counts", {})),
        ranks=dict(row.estimate.get("ranks", {})),
        effort=row.effort,
        model_name=row.model_name,
        computed_at=row.computed_at,
    )


class KeyShape(msgspec.Struct):
    """A key without its secret; `prefix` is its beginning, for telling keys apart."""

    id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def key(record: Key) -> KeyShape:
    """The JSON of a key."""
    return KeyShape(
        id=record.id,
        name=record.name,
        prefix=record.prefix,
        scopes=list(record.scopes),
        created_at=record.created_at,
        last_used_at=record.last_used_at,
        revoked_at=record.revoked_at,
    )
