"""The day's analysis: photos and labels in, one metrics row out; and the recomputing of days that changed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Protocol

from lib import counts, model_versions
from lib.diversity.day_columns import day_columns
from lib.diversity.day_estimate import estimate_day
from lib.photos.duplicates import Item, Membership, cluster
from lib.plants import Plant, evidence_of, plants_of
from lib.store.records import NOT_A_PLANT, DayRow, Photo, ProcessingRow, Session

# Part of every inputs_digest: raise it when the same photos must give another row.
ANALYSIS_VERSION = "4"
# A model is sure of a species from here on (the label rule); below, a prediction counts as low confidence.
LOW_CONFIDENCE = 0.7


class DayStore(Protocol):
    """What recomputing needs of a store of one user."""

    def sessions(self) -> list[Session]:
        """The user's sessions."""
        ...

    def day_transaction(self, session_id: int | None) -> AbstractContextManager[object]:
        """A transaction that no other recomputation of this session (None: of this user) overlaps."""
        ...

    def day_photos(self, session_id: int | None, day: date) -> list[Photo]:
        """The photos of one day; with None those of all the user's sessions."""
        ...

    def day(self, day: date, session_id: int | None = None) -> DayRow | None:
        """The stored row."""
        ...

    def save_clusters(self, members: Iterable[tuple[int, int | None, bool, float | None]]) -> None:
        """Note near-duplicates as (photo, cluster, is it the representative, similarity)."""
        ...

    def save_day(self, row: DayRow, processing: ProcessingRow) -> None:
        """Insert or replace a day."""
        ...

    def delete_day(self, day: date, session_id: int | None = None) -> None:
        """Forget a day."""
        ...


@dataclass(frozen=True, slots=True)
class RecomputeReport:
    """How many days of sessions were computed anew, found unchanged, and removed for want of photos."""

    computed: int = 0
    unchanged: int = 0
    removed: int = 0


def analyse_day(
    day: date, photos: Sequence[Photo], model_name: str, session_id: int | None = None
) -> tuple[DayRow, ProcessingRow, list[Membership]]:
    """The row of `day` from its `photos`, how they were processed, and which photo repeats which.

    Pure: the result depends on the arguments alone, not on the order of the photos, and `computed_at` is left
    to the caller. A cluster of near-duplicates is one plant; with `session_id` None the photos may come from
    several sessions, and clusters stay within each. The metrics are estimates over draws of the labels: a
    plant that a person named is certain, another has the mean of its photos' probabilities. The counts by species
    are those of the labels: a person's (a cluster that people gave several labels is as many plants), else that of
    the representative (of the best labelled photo while that one has none).
    """
    photos = sorted(photos, key=lambda photo: photo.id)
    memberships = _clusters(photos)
    plants = plants_of(photos, memberships)
    confidences: dict[str, list[float]] = defaultdict(list)
    for plant in plants:
        if plant.is_species and plant.label is not None:
            confidences[plant.label].append(plant.confidence)
    evidence = evidence_of(plants)
    # The seed is the day's own, so that the chance errors of the days of a series do not go together.
    estimate = estimate_day(evidence.candidates, evidence.confirmed, evidence.prior, seed=day.toordinal())
    columns = day_columns(
        estimate,
        evidence.species,
        {name: len(each) for name, each in confidences.items()},
        {name: sum(each) / len(each) for name, each in confidences.items()},
        {"genus": evidence.genera, "family": evidence.families},
        evidence.coarse,
    )
    classified = [photo for photo in photos if photo.prediction is not None or photo.label_source == "human"]
    row = DayRow(
        date=day,
        session_id=session_id,
        total_images=len(photos),
        processed_images=len(classified),
        model_name=model_name,
        inputs_digest=inputs_digest(day, photos, model_name, session_id),
        **{each.name: getattr(columns, each.name) for each in fields(columns)},
    )
    return row, _processing(row, photos, plants), memberships


def inputs_digest(day: date, photos: Iterable[Photo], model_name: str, session_id: int | None = None) -> str:
    """SHA-256 (hex) over canonical JSON of everything that `analyse_day` makes its result of."""
    inputs = {
        "version": ANALYSIS_VERSION,
        "date": day.isoformat(),
        "session": session_id,
        "model": model_name,
        "photos": [_inputs(photo) for photo in sorted(photos, key=lambda photo: photo.id)],
    }
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def model_of(photos: Iterable[Photo]) -> str:
    """The model that speaks for a day: of the newest prediction; empty when nothing is classified yet."""
    predictions = [photo.prediction for photo in photos if photo.prediction is not None]
    newest = max(predictions, key=lambda each: (each.timestamp, each.model_name), default=None)
    return "" if newest is None else newest.model_name


def recompute(store: DayStore, session_id: int, dates: Iterable[date]) -> RecomputeReport:
    """Bring the rows of `dates` in step with the photos of `session_id`, and the pooled days with them.

    Each day has a transaction of its own, so that a long run may be stopped and repeated, and two runs at
    once end as one would. A day whose inputs have not changed is left alone; a day without photos is removed.
    """
    done = {"computed": 0, "unchanged": 0, "removed": 0}
    for day in sorted(set(dates)):
        outcome = None
        with _failures_counted(), store.day_transaction(session_id):
            photos = store.day_photos(session_id, day)
            if photos:
                outcome = "computed" if _refresh(store, day, photos, session_id) else "unchanged"
            elif store.day(day, session_id) is not None:
                store.delete_day(day, session_id)
                outcome = "removed"
            # In the same transaction: after a crash between the two, nothing would tell that the pooled day is old.
            recompute_pooled(store, [day])
        if outcome is not None:  # once it is committed
            done[outcome] += 1
            counts.DAYS.add(outcome)
    return RecomputeReport(**done)


@contextmanager
def _failures_counted() -> Iterator[None]:
    """Counts a day that could not be computed; that its session is gone (404) is no failure."""
    try:
        yield
    except Exception as error:
        if getattr(error, "status", 500) != 404:
            counts.DAYS.add("failed")
        raise


def recompute_pooled(store: DayStore, dates: Iterable[date]) -> None:
    """Bring days over all sessions in step; one exists only while several sessions have photos on it."""
    if len(store.sessions()) < 2:
        return
    for day in sorted(set(dates)):
        with store.day_transaction(None):
            photos = store.day_photos(None, day)
            if len({photo.session_id for photo in photos}) > 1:
                _refresh(store, day, photos, None)
            else:
                store.delete_day(day, None)


def _refresh(store: DayStore, day: date, photos: list[Photo], session_id: int | None) -> bool:
    """Write the day unless the stored one was made of the same inputs; True when written."""
    model_name = model_of(photos)
    stored = store.day(day, session_id)
    if (
        stored is not None
        and stored.computed_at is not None  # else a crash came between a change and its analysis
        and stored.inputs_digest == inputs_digest(day, photos, model_name, session_id)
    ):
        return False
    row, processing, memberships = analyse_day(day, photos, model_name, session_id)
    if session_id is not None:
        # Clusters never cross sessions, so a pooled day has nothing to add to what its sessions wrote.
        store.save_clusters(
            (each.id, each.cluster_id, each.is_representative, each.similarity_score) for each in memberships
        )
    store.save_day(replace(row, computed_at=datetime.now(UTC)), processing)
    return True


def _inputs(photo: Photo) -> dict[str, Any]:
    prediction = photo.prediction
    return {
        "id": photo.id,
        "session": photo.session_id,
        "label": photo.label,
        "level": photo.label_level,
        "source": photo.label_source,
        "labelled_at": _labelled_at(photo).isoformat() if photo.label_source == "human" else None,
        "fingerprint": photo.fingerprint,
        "quality": photo.quality_score,
        "low_resolution": photo.low_resolution,
        "processed": photo.is_processed,
        "prediction": prediction
        and {
            "model": prediction.model_name,
            "seconds": prediction.processing_time,
            "top": prediction.top_prediction_confidence,
            "in_domain": prediction.in_domain,
            "classes": prediction.classes,
            "species": [
                [each.get(name) for name in ("species", "confidence", "prior", "genus", "family")]
                for each in prediction.predictions
            ],
        }
        # Only here, so that days without a list, or without a version on record, keep the digest that they had
        # before there were any.
        | ({"region": prediction.region, "prior_mass": prediction.prior_mass} if prediction.masked else {})
        | ({} if prediction.model_version is None else {"version": prediction.model_version}),
    }


def _clusters(photos: Sequence[Photo]) -> list[Membership]:
    """Near-duplicates within each session; a photo without a fingerprint repeats nothing."""
    items: dict[int, list[Item]] = defaultdict(list)
    memberships = []
    for photo in photos:
        if photo.fingerprint:
            items[photo.session_id].append(Item(photo.id, photo.fingerprint, photo.quality_score or 0.0))
        else:
            memberships.append(Membership(photo.id, photo.id, True, 1.0))
    for session in sorted(items):
        memberships += cluster(items[session])
    return sorted(memberships, key=lambda membership: membership.id)


def _labelled_at(photo: Photo) -> datetime:
    """When a person last labelled the photo; its arrival where the history does not say."""
    for entry in reversed(photo.label_history):
        if isinstance(at := entry.get("at"), str):
            return datetime.fromisoformat(at)
    return photo.created_at


def _processing(row: DayRow, photos: Sequence[Photo], units: Sequence[Plant]) -> ProcessingRow:
    predictions = [photo.prediction for photo in photos if photo.prediction is not None]
    confidences = [prediction.top_prediction_confidence for prediction in predictions]
    seconds = [prediction.processing_time for prediction in predictions]
    masked = Counter(str(prediction.region) for prediction in predictions if prediction.masked)
    unsure = Counter(
        unit.label for unit in units if unit.label not in (None, NOT_A_PLANT) and not unit.is_species
    )
    return ProcessingRow(
        date=row.date,
        session_id=row.session_id,
        input_images_count=len(photos),
        processed_images_count=row.processed_images,
        predictions_count=len(predictions),
        processing_time_total=sum(seconds),
        processing_time_per_image=_mean(seconds),
        average_confidence=_mean(confidences),
        low_confidence_count=sum(confidence < LOW_CONFIDENCE for confidence in confidences),
        failed_predictions=sum(
            photo.is_processed and photo.prediction is None and photo.label_source is None for photo in photos
        ),
        clusters_found=len(units),
        redundancy_reduction_ratio=1 - len(units) / len(photos) if photos else 0.0,
        processing_metadata={
            "analysis_version": ANALYSIS_VERSION,
            # Plants (clusters) by their labels, which add up to clusters_found:
            "counted": sum(unit.is_species for unit in units),
            "unsure": unsure.total(),
            "not_a_plant": sum(unit.label == NOT_A_PLANT for unit in units),
            "unprocessed": sum(unit.label is None for unit in units),
            "unsure_labels": {str(label): count for label, count in sorted(unsure.items(), key=str)},
            # Photos:
            "human_labels": sum(photo.label_source == "human" for photo in photos),
            "low_resolution": sum(photo.low_resolution for photo in photos),
            "mean_quality_score": _mean(
                [photo.quality_score for photo in photos if photo.quality_score is not None]
            ),
            **model_versions.counted(predictions),
            # How many photos which regional list limited; absent where none did.
            **({"regions": dict(sorted(masked.items()))} if masked else {}),
        },
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
