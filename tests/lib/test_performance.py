"""The report on confirmed photos: which answer is judged by whose name, what counts once, and when it is kept."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib import performance
from lib.model_facts import KnownModel, ModelFacts
from lib.performance import Report, report
from lib.store.records import NamedPhoto, SaidSpecies

NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
CHICKWEED, FAT_HEN, DOCK = "Stellaria media", "Chenopodium album", "Rumex obtusifolius"
STARTER = KnownModel(
    ModelFacts(name="starter", version="1.1.0"), species=frozenset({CHICKWEED, FAT_HEN, DOCK})
)


def said(*named: tuple[str, float]) -> list[SaidSpecies]:
    return [SaidSpecies(name, confidence, name.split(" ")[0]) for name, confidence in named]


def before(label: str, level: str = "species", source: str = "model", at: datetime = LATER) -> dict[str, Any]:
    return {"label": label, "level": level, "source": source, "at": at.isoformat()}


def named(number: int, label: str, *best: tuple[str, float], **changes: Any) -> NamedPhoto:
    """A photo that the model called by its likeliest species, and that a person then named."""
    shown = best[0][0] if best else ""
    values: dict[str, Any] = {
        "id": number,
        "session_id": 1,
        "cluster_id": number,
        "is_representative": True,
        "quality_score": 0.5,
        "label": label,
        "label_level": "species",
        "label_source": "human",
        "label_history": [before(shown)],
        "model_name": "starter",
        "model_version": "1.1.0",
        "processing_time": 0.02,
        "timestamp": NOON,
        "predictions": said(*best),
    }
    return NamedPhoto(**(values | changes))


def only(found: Report) -> performance.ModelReport:
    (one,) = found.models
    return one


def test_confirmed_and_corrected_names_are_told_apart() -> None:
    one = only(
        report(
            [
                named(1, CHICKWEED, (CHICKWEED, 0.9)),
                named(2, DOCK, (FAT_HEN, 0.8), (DOCK, 0.1)),
                named(3, DOCK, (DOCK, 0.6), label_history=[before("Rumex", "genus")]),
            ],
            STARTER,
        )
    )
    assert (one.photos, one.plants, one.confirmed, one.corrected, one.unseen) == (3, 3, 1, 2, 0)
    assert one.figures.top_1.value == pytest.approx(2 / 3)
    assert one.figures.top_3.value == 1.0
    # What the person was shown is what the rule made of it, and the history keeps that.
    assert [(each.level, each.n, each.right) for each in one.figures.rule] == [
        ("species", 2, 1), ("genus", 1, 1), ("family", 0, 0), ("unknown", 0, None),
    ]  # fmt: skip


def test_near_duplicates_count_once_by_the_photo_that_speaks_for_them() -> None:
    one = only(
        report(
            [
                named(1, DOCK, (FAT_HEN, 0.9), cluster_id=1, is_representative=False),
                named(2, DOCK, (DOCK, 0.9), cluster_id=1),
                named(3, DOCK, (FAT_HEN, 0.9), cluster_id=1, is_representative=False),
                named(4, DOCK, (DOCK, 0.9), cluster_id=None),
                named(5, DOCK, (FAT_HEN, 0.9), cluster_id=None),
            ],
            STARTER,
        )
    )
    assert (one.photos, one.plants) == (5, 3)
    assert (one.figures.top_1.value, one.figures.top_1.n) == (pytest.approx(2 / 3), 3)
    assert one.latency.n == 5


def test_a_cluster_that_people_named_differently_is_several_plants() -> None:
    one = only(
        report(
            [
                named(1, DOCK, (DOCK, 0.9), cluster_id=1),
                named(2, FAT_HEN, (DOCK, 0.9), cluster_id=1),
            ],
            STARTER,
        )
    )
    assert (one.plants, one.figures.top_1.value) == (2, 0.5)


def test_a_model_that_looked_after_the_person_was_not_seen() -> None:
    """The rule is asked again then, by the species that are kept."""
    second = {"model_name": "better", "timestamp": LATER + timedelta(days=1)}
    found = report(
        [
            named(1, DOCK, (FAT_HEN, 0.8)),
            named(1, DOCK, (DOCK, 0.75), label_history=[before(FAT_HEN)], **second),
            named(2, DOCK, ("Rumex crispus", 0.3), (DOCK, 0.25), label_history=[before(FAT_HEN)], **second),
        ],
        STARTER,
    )
    better, starter = found.models  # the newest first
    assert (better.model_name, better.unseen, better.corrected) == ("better", 2, 0)
    assert [(each.level, each.n, each.right) for each in better.figures.rule][:2] == [
        ("species", 1, 1), ("genus", 1, 1),
    ]  # fmt: skip
    assert (starter.model_name, starter.corrected, starter.unseen) == ("starter", 1, 0)
    assert found.photos == 2


def test_of_two_looks_before_the_person_the_newest_was_seen() -> None:
    history = [before(DOCK)]
    found = report(
        [
            named(1, DOCK, (FAT_HEN, 0.8), label_history=history),
            named(
                1,
                DOCK,
                (DOCK, 0.9),
                label_history=history,
                model_name="second",
                timestamp=NOON + timedelta(minutes=1),
            ),
        ],
        STARTER,
    )
    assert [(each.model_name, each.confirmed, each.unseen) for each in found.models] == [
        ("second", 1, 0), ("starter", 0, 1),
    ]  # fmt: skip


def test_an_answer_of_the_very_moment_was_seen() -> None:
    one = only(report([named(1, DOCK, (DOCK, 0.9), label_history=[before(DOCK, at=NOON)])], STARTER))
    assert one.confirmed == 1


def test_a_person_who_named_it_first_saw_no_answer() -> None:
    history = [{"label": None, "level": None, "source": None, "at": NOON.isoformat()}]
    one = only(report([named(1, DOCK, (DOCK, 0.9), label_history=history, timestamp=LATER)], STARTER))
    assert (one.confirmed, one.unseen) == (0, 1)


def test_a_second_correction_still_knows_what_the_model_had_said() -> None:
    history = [before(FAT_HEN), before(DOCK, source="human", at=LATER + timedelta(hours=1))]
    one = only(report([named(1, CHICKWEED, (FAT_HEN, 0.8), label_history=history)], STARTER))
    assert (one.corrected, one.figures.rule[0].n, one.figures.rule[0].right) == (1, 1, 0)


def test_a_history_without_times_is_believed() -> None:
    history = [{"label": DOCK, "level": "species", "source": "model"}]
    assert only(report([named(1, DOCK, (DOCK, 0.8), label_history=history)], STARTER)).confirmed == 1


def test_species_that_the_model_has_not_are_outside_when_its_list_is_at_hand() -> None:
    rows = [named(1, "Zea mays", (DOCK, 0.9)), named(2, DOCK, (DOCK, 0.9))]
    listed = only(report(rows, STARTER))
    assert (listed.species_listed, listed.figures.outside.n, listed.figures.top_1.n) == (True, 1, 1)
    other = only(
        report(rows, KnownModel(ModelFacts(name="another", version="1.1.0"), species=STARTER.species))
    )
    assert (other.species_listed, other.figures.outside.n, other.figures.top_1.n) == (False, 0, 2)


def test_photos_that_no_model_saw_are_counted_and_judge_nothing() -> None:
    nobody = {"model_name": None, "timestamp": None, "processing_time": None, "label_history": []}
    found = report([named(1, DOCK, **nobody), named(2, DOCK, (DOCK, 0.9))], STARTER)
    assert (found.photos, found.unclassified) == (2, 1)
    assert only(found).photos == 1


def test_nothing_named_is_an_empty_report() -> None:
    found = report([], STARTER)
    assert found == Report(0, 0, ())
    assert performance.notes_of(found) == []


def test_latency_by_hand() -> None:
    found = performance.latency_of(np.array([0.1, 0.2, 0.3, 0.4, 1.0]))
    assert (found.n, found.median, found.p95) == (5, 0.3, pytest.approx(0.4 + 0.8 * 0.6))
    assert performance.latency_of(np.zeros(0)) == performance.Latency(0, None, None)


def test_the_notes_say_what_to_know() -> None:
    def kinds(*rows: NamedPhoto, model: KnownModel = STARTER) -> list[str]:
        return [note.kind for note in performance.notes_of(report(rows, model))]

    one = named(1, DOCK, (DOCK, 0.9))
    many = [named(number, DOCK, (DOCK, 0.9)) for number in range(100)]
    assert kinds(one) == ["selection", "anchoring", "few"]
    assert kinds(*many) == ["selection", "anchoring"]
    assert kinds(one, model=KnownModel(ModelFacts())) == ["selection", "anchoring", "few", "unlisted"]
    assert "masked" in kinds(named(1, DOCK, (DOCK, 0.9), masked=True))
    assert "unseen" in kinds(named(1, DOCK, (DOCK, 0.9), label_history=[]))


def test_one_model_can_be_asked_for() -> None:
    found = report([named(1, DOCK, (DOCK, 0.9)), named(1, DOCK, (DOCK, 0.9), model_name="second")], STARTER)
    assert [each.model_name for each in performance.only(found, "second").models] == ["second"]
    assert performance.only(found, None) == found
    assert performance.only(found, "third").models == ()


def test_it_is_said_why_there_is_nothing() -> None:
    something, nothing = report([named(1, CHICKWEED, (CHICKWEED, 0.9))], STARTER), report([], STARTER)
    another = performance.only(something, "another")

    def why(found: Report, asked: Report, database: bool = True, signed_in: bool = True) -> str | None:
        return performance.why_nothing(found, asked, database=database, signed_in=signed_in)

    assert why(something, something) is None
    assert why(something, another) == "another_model"
    assert why(nothing, nothing) == "nothing_yet"
    assert why(nothing, nothing, signed_in=False) == "visitor"
    assert why(nothing, nothing, database=False, signed_in=False) == "file_mode"


def test_versions_of_a_model_are_judged_by_themselves_the_newest_first() -> None:
    """Of photos that were named before versions were recorded no version is claimed."""
    found = report(
        [
            named(1, DOCK, (DOCK, 0.9)),
            named(2, DOCK, (FAT_HEN, 0.9), model_version="1.0.0", timestamp=NOON - timedelta(days=1)),
            named(3, DOCK, (DOCK, 0.9), model_version="1.0.0", timestamp=NOON - timedelta(days=2)),
            named(4, DOCK, (FAT_HEN, 0.9), model_version=None, timestamp=NOON - timedelta(days=9)),
        ],
        STARTER,
    )
    assert [(each.model_name, each.model_version, each.photos) for each in found.models] == [
        ("starter", "1.1.0", 1), ("starter", "1.0.0", 2), ("starter", None, 1),
    ]  # fmt: skip
    assert [each.figures.top_1.value for each in found.models] == [1.0, 0.5, 0.0]
    # The species of MODEL_DIR are those of the version in it, and of no other.
    assert [each.species_listed for each in found.models] == [True, False, False]
    unversioned = KnownModel(ModelFacts(name="starter"), species=STARTER.species)
    assert not any(
        each.species_listed for each in report([named(1, DOCK, model_version=None)], unversioned).models
    )
    for version, photos in (("1.0.0", [2]), (None, [1, 2, 1]), ("2.0", [])):
        asked = performance.only(found, "starter", version)
        assert [each.photos for each in asked.models] == photos
    assert performance.only(found, "second", "1.0.0").models == ()


def test_an_older_version_keeps_what_the_person_saw_when_a_newer_one_replaced_its_answer() -> None:
    """A model that looks again replaces its row: the person saw the answer of before, which the history keeps."""
    again = named(1, DOCK, (DOCK, 0.9), model_version="1.1.0", timestamp=LATER + timedelta(days=1))
    one = only(report([replace(again, label_history=[before(FAT_HEN)])], STARTER))
    assert (one.model_version, one.confirmed, one.corrected, one.unseen) == ("1.1.0", 0, 0, 1)


class Rows:
    """A store that counts how often it is read."""

    def __init__(self, stamp: Hashable, *rows: NamedPhoto) -> None:
        self.stamp, self.rows, self.reads = stamp, rows, 0

    def confirmed(self, session_id: int | None = None) -> list[NamedPhoto]:
        self.reads += 1
        return list(self.rows)

    def confirmed_stamp(self, session_id: int | None = None) -> Hashable:
        return self.stamp


def test_a_report_is_kept_until_something_changes(tmp_path: Path) -> None:
    store = Rows(("one", str(tmp_path)), named(1, DOCK, (DOCK, 0.9)))
    first = performance.report_of(store, tmp_path)
    assert performance.report_of(store, tmp_path) is first
    assert store.reads == 1
    store.stamp = ("two", str(tmp_path))
    store.rows = ()
    assert performance.report_of(store, tmp_path).photos == 0
    (tmp_path / "model.json").write_text(json.dumps({"name": "starter"}))
    performance.report_of(store, tmp_path)
    assert store.reads == 3


def test_while_days_wait_nothing_is_kept(tmp_path: Path) -> None:
    store = Rows(None, named(1, DOCK, (DOCK, 0.9)))
    performance.report_of(store, tmp_path)
    performance.report_of(store, tmp_path)
    assert store.reads == 2


def test_only_the_reports_of_late_are_kept(tmp_path: Path) -> None:
    stores = [Rows((number, str(tmp_path))) for number in range(performance.REPORTS_KEPT + 1)]
    for store in stores:
        performance.report_of(store, tmp_path)
    performance.report_of(stores[-1], tmp_path)
    performance.report_of(stores[0], tmp_path)
    assert (stores[-1].reads, stores[0].reads) == (1, 2)
