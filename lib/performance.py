"""How good models are on the photos that people confirmed: the report, from what each model said at the time."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from lib.answers import Answer, Figures, Ranks, canonical, figures_of
from lib.classifier import Taxon
from lib.classifier.taxonomy import decide
from lib.clusters import plants_in
from lib.model_facts import KnownModel, known_model
from lib.model_versions import ModelVersion
from lib.store.records import NamedPhoto

REPORTS_KEPT = 32
# Below, the interval of a share is wider than ten percentage points each way whatever the share.
ENOUGH_PLANTS = 100

Seen = Literal["confirmed", "corrected", "unseen"]
Nothing = Literal["file_mode", "visitor", "nothing_yet", "another_model"]


class Judgements(Protocol):
    """What the report needs of a store."""

    def confirmed(self, session_id: int | None = None) -> list[NamedPhoto]:
        """Photos that a person named, once for each model that looked."""
        ...

    def confirmed_stamp(self, session_id: int | None = None) -> Hashable:
        """Changes whenever `confirmed` would answer otherwise; None when that cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from a decoded photo to its answer, over n photos; null without any."""

    n: int
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One version of a model on the photos that people named; `model_version` is null where it was not recorded.

    The `photos` it looked at show `plants` (near-duplicates are one). Of these a person `confirmed` what the model
    said, `corrected` it, or named them without having seen its answer (`unseen`). `species_listed`: whether its
    list of species is at hand, without which `outside` is empty and a species that it cannot know is a mistake.
    """

    model_name: str
    model_version: str | None
    photos: int
    plants: int
    confirmed: int
    corrected: int
    unseen: int
    species_listed: bool
    latency: Latency
    figures: Figures


@dataclass(frozen=True, slots=True)
class Note:
    """What to know before believing a figure; `kind` is for programs."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """All models that looked at photos named by people, each version by itself, the newest first.

    `photos` that people named; of these `unclassified` have no answer of any model.
    """

    photos: int
    unclassified: int
    models: tuple[ModelReport, ...]


NOTES = {
    "selection": "People choose which photos they name, often those that are easy to confirm: the figures are of "
    "these photos and not of all. For figures of all, name a random sample of photos, the unsure ones included.",
    "anchoring": "Whoever confirms a name has read the model's answer first, which draws doubtful plants to it: "
    "`corrected` and `unseen` count the plants that were named otherwise.",
    "few": f"Fewer than {ENOUGH_PLANTS} plants: read the intervals rather than the values.",
    "unlisted": "One of these models is not the one in MODEL_DIR, or its version was not recorded, so that its "
    "species are not known here: a species that it does not have counts as its mistake.",
    "masked": "Some answers were limited to a regional list, and no species beyond the list can be named then: "
    "`top_1_masked` and `top_1_unmasked` tell them apart.",
    "unseen": "Some photos were named before this model looked: if it was trained on them, its figures are too "
    "good.",
}

_lock = threading.Lock()
_reports: OrderedDict[Hashable, Report] = OrderedDict()


def report_of(store: Judgements, model_dir: Path, session_id: int | None = None) -> Report:
    """The report over one owner's photos, or those of one session.

    Adding it up takes some hundredths of a second for thousands of photos, so it is kept until a label, a
    prediction or the model folder changes.
    """
    model = known_model(model_dir)
    stamp = store.confirmed_stamp(
        session_id
    )  # before the rows: newer rows under an older stamp are read again
    key = (stamp, model_dir, model.stamp)
    with _lock:
        if stamp is not None and key in _reports:
            _reports.move_to_end(key)
            return _reports[key]
    made = report(store.confirmed(session_id), model)
    if stamp is not None:
        with _lock:
            _reports[key] = made
            while len(_reports) > REPORTS_KEPT:
                _reports.popitem(last=False)
    return made


def report(named: Sequence[NamedPhoto], model: KnownModel) -> Report:
    """The report over photos that people named, in the order of photos and, within one, of time.

    `model` is that of MODEL_DIR, whose species are known.
    """
    looks: dict[ModelVersion, list[_Look]] = defaultdict(list)
    newest: dict[ModelVersion, datetime] = {}
    photos = unclassified = 0
    for _, group in groupby(named, key=lambda each: each.id):
        rows = list(group)
        photos += 1
        unclassified += rows[0].model_name is None
        for look in _looks(rows):
            said_by = ModelVersion(str(look.row.model_name), look.row.model_version)
            looks[said_by].append(look)
            if look.row.timestamp is not None:
                newest[said_by] = max(newest.get(said_by, look.row.timestamp), look.row.timestamp)
    order = sorted(looks, key=lambda each: (newest[each], each.name, each.version or ""), reverse=True)
    return Report(photos, unclassified, tuple(_model_report(each, looks[each], model) for each in order))


def only(report: Report, model_name: str | None, version: str | None = None) -> Report:
    """The report with the models of a name, or of a version, alone; what is None is not asked for."""
    return replace(
        report,
        models=tuple(
            each
            for each in report.models
            if model_name in (None, each.model_name) and version in (None, each.model_version)
        ),
    )


def why_nothing(found: Report, asked: Report, *, database: bool, signed_in: bool) -> Nothing | None:
    """Why `asked`, the part of `found` that was asked for, has no model to report on; None where it has one.

    `database`: whether the server has one, without which there are no people; `signed_in`: whether the reader is
    one of them.
    """
    if asked.models:
        return None
    if not database:
        return "file_mode"
    if not signed_in:
        return "visitor"
    return "another_model" if found.models else "nothing_yet"


def notes_of(report: Report) -> list[Note]:
    """What a reader of these models' figures has to know; nothing where there are none."""
    models = report.models
    kinds = {
        "selection": bool(models),
        "anchoring": any(each.confirmed for each in models),
        "few": any(each.plants < ENOUGH_PLANTS for each in models),
        "unlisted": any(not each.species_listed for each in models),
        "masked": any(each.figures.masked for each in models),
        "unseen": any(each.unseen for each in models),
    }
    return [Note(kind, NOTES[kind]) for kind, holds in kinds.items() if holds]


@dataclass(frozen=True, slots=True)
class _Look:
    """One model's look at one photo: what the rule made of it, and what the person knew."""

    row: NamedPhoto
    label: str
    label_level: str
    seen: Seen


def _looks(rows: Sequence[NamedPhoto]) -> Iterable[_Look]:
    """Every model's look at one photo; `rows` in the order of time.

    The person saw the label that the newest look before had given, and the history keeps it. Of other looks the
    rule is asked again, by the species that are kept of them.
    """
    shown, at = _label_before(rows[0])
    speaker = None
    for row in rows if shown is not None else ():
        if row.timestamp is not None and (at is None or row.timestamp <= at):
            speaker = row
    for row in rows:
        if row.model_name is None:
            continue
        if row is speaker and shown is not None:
            same = shown == (row.label, row.label_level)
            yield _Look(row, *shown, "confirmed" if same else "corrected")
        else:
            yield _Look(row, *_rule(row), "unseen")


def _label_before(row: NamedPhoto) -> tuple[tuple[str, str] | None, datetime | None]:
    """The model's label that a person's took the place of, and when; None where there was none or nothing says."""
    for entry in reversed(row.label_history):
        if entry.get("source") == "model" and entry.get("label"):
            at = entry.get("at")
            label = str(entry["label"]), str(entry.get("level") or "")
            return label, datetime.fromisoformat(at) if isinstance(at, str) else None
    return None, None


def _rule(row: NamedPhoto) -> tuple[str, str]:
    """What the label rule makes of the species that are kept; what the others would add to a genus is lost."""
    taxa = [Taxon(each.species, each.genus, each.family) for each in row.predictions]
    label = decide([each.confidence for each in row.predictions], taxa)
    return label.name, label.level


def _model_report(said_by: ModelVersion, looks: Sequence[_Look], model: KnownModel) -> ModelReport:
    by_photo = {look.row.id: look for look in looks}
    clusters: dict[int, list[NamedPhoto]] = defaultdict(list)
    for look in looks:
        cluster = look.row.cluster_id
        clusters[look.row.id if cluster is None else cluster].append(look.row)
    # The photo that speaks for a plant: near-duplicates are one, unless people saw different things in them.
    plants = [by_photo[shown.photo.id] for members in clusters.values() for shown in plants_in(members)]
    # Another version may have other species: the folder speaks only of its own.
    listed = bool(model.species) and (
        said_by.version is not None and said_by == (model.facts.name, model.facts.version)
    )
    species = {canonical(each) for each in model.species} if listed else None
    seconds = np.array([look.row.processing_time for look in looks], float)
    return ModelReport(
        model_name=said_by.name,
        model_version=said_by.version,
        photos=len(looks),
        plants=len(plants),
        confirmed=sum(look.seen == "confirmed" for look in plants),
        corrected=sum(look.seen == "corrected" for look in plants),
        unseen=sum(look.seen == "unseen" for look in plants),
        species_listed=listed,
        latency=latency_of(seconds),
        figures=figures_of([_answer(look, species) for look in plants], _ranks(looks)),
    )


def latency_of(seconds: np.ndarray) -> Latency:
    """Median and 95th percentile of these times (N,) in seconds."""
    if not len(seconds):
        return Latency(0, None, None)
    return Latency(len(seconds), float(np.median(seconds)), float(np.quantile(seconds, 0.95)))


def _answer(look: _Look, species: set[str] | None) -> Answer:
    row = look.row
    return Answer(
        truth=row.label,
        level=row.label_level,
        named=[(each.species, each.confidence) for each in row.predictions],
        label=look.label,
        label_level=look.label_level,
        known=None if species is None else canonical(row.label) in species,
        masked=row.masked,
    )


def _ranks(looks: Iterable[_Look]) -> Ranks:
    """Genus and family of every species that a model named, as it has them."""
    return {each.species: (each.genus, each.family) for look in looks for each in look.row.predictions}
