"""The day's analysis: what counts as one plant, what it is called, and when a row is computed again."""

from __future__ import annotations

import importlib
import json
import math
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import analysis, calendars, diversity
from lib.diversity import labelling_samples
from lib.photos.duplicates import Membership
from lib.plants import Evidence, evidence_of, plants_of
from lib.store import records
from lib.store.records import DayRow, Photo, Prediction, ProcessingRow, Session

# By its name in sys.modules: the package offers a function of the same name.
day_estimate = importlib.import_module("lib.diversity.day_estimate")

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
CHICKWEED, FAT_HEN, DOCK = "Stellaria media", "Chenopodium album", "Rumex obtusifolius"


def fingerprint(seed: object) -> str:
    """A fingerprint that resembles no other: random bits differ by half."""
    return random.Random(str(seed)).randbytes(32).hex()


def prediction(species: str, confidence: float = 0.9, **changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "model_name": "starter",
        "processing_time": 0.02,
        "timestamp": NOON,
        "predictions": [
            {"species": species, "common_name": "", "confidence": confidence, "taxonomic_level": "species"},
            {"species": "Zea mays", "common_name": "", "confidence": 0.01, "taxonomic_level": "species"},
        ],
        "top_prediction_species": species,
        "top_prediction_confidence": confidence,
        "mean_confidence": confidence / 2,
        "prediction_entropy": 0.3,
        "in_domain": 1.0,
        "classes": 12,
    }
    return Prediction(**(values | changes))


def photo(number: int, label: str | None = CHICKWEED, **changes: Any) -> Photo:
    """A photo that the model has named `label`, or has not seen when None."""
    values: dict[str, Any] = {
        "id": number,
        "session_id": 1,
        "path": f"1/{number}.jpg",
        "date": DAY,
        "date_source": "exif_local",
        "captured_at": None,
        "original_filename": f"{number}.jpg",
        "width": 600,
        "height": 600,
        "file_size_bytes": 1000,
        "sha256": f"{number:064x}",
        "media_type": "image/jpeg",
        "blur_score": 0.5,
        "exposure_score": 0.5,
        "brightness_mean": 100.0,
        "contrast_std": 40.0,
        "quality_score": 0.5,
        "low_resolution": False,
        "fingerprint": fingerprint(number),
        "is_processed": label is not None,
        "is_representative": True,
        "cluster_id": None,
        "similarity_score": None,
        "label": label,
        "label_level": None if label is None else "species",
        "label_source": None if label is None else "model",
        "label_history": [],
        "created_at": NOON,
        "prediction": None if label is None else prediction(label),
    }
    return Photo(**(values | changes))


def by_hand(number: int, label: str, at: datetime = NOON, level: str = "species", **changes: Any) -> Photo:
    """A photo that the model called fat hen, and then a person something else."""
    history = [{"label": FAT_HEN, "level": "species", "source": "model", "at": at.isoformat()}]
    human = {"label": label, "label_level": level, "label_source": "human", "label_history": history}
    return replace(photo(number, FAT_HEN), **(human | changes))


def analyse(*photos: Photo, session_id: int | None = 1) -> tuple[DayRow, ProcessingRow]:
    row, processing, _ = analysis.analyse_day(DAY, photos, "starter", session_id)
    return row, processing


def test_the_metrics_of_labels_that_people_gave_are_the_plain_formulas() -> None:
    names = [CHICKWEED] * 3 + [FAT_HEN] * 2 + [DOCK]
    row, processing = analyse(*(by_hand(number, name) for number, name in enumerate(names, 1)))
    counts = [3, 2, 1]
    assert row.species_counts == {CHICKWEED: 3, FAT_HEN: 2, DOCK: 1}
    assert list(row.species_counts) == [CHICKWEED, FAT_HEN, DOCK]
    assert row.species_frequencies == {CHICKWEED: 3 / 6, FAT_HEN: 2 / 6, DOCK: 1 / 6}
    assert (row.date, row.session_id, row.total_images, row.processed_images) == (DAY, 1, 6, 6)
    assert row.species_richness == 3
    assert row.shannon_diversity == pytest.approx(diversity.shannon(counts), rel=1e-12)
    assert row.pielou_evenness == pytest.approx(diversity.pielou(counts), rel=1e-12)
    assert row.simpson_diversity == pytest.approx(diversity.simpson(counts), rel=1e-12)
    for q, value in enumerate((row.hill_q0, row.hill_q1, row.hill_q2)):
        assert value == pytest.approx(diversity.hill(counts, q), rel=1e-12)
    assert row.coverage_estimate == pytest.approx(diversity.coverage(counts), rel=1e-12)
    estimate = diversity.chao1(counts)
    assert estimate is not None
    assert row.chao1_estimate == pytest.approx(estimate.value)
    interval = row.confidence_intervals["chao1_estimate"]
    assert (interval["low"], interval["high"]) == pytest.approx((estimate.low, estimate.high))
    assert interval["level"] == 0.95
    assert row.estimate["expected_counts"] == {CHICKWEED: 3.0, FAT_HEN: 2.0, DOCK: 1.0}
    assert row.estimate["draws"] == {CHICKWEED: [3], FAT_HEN: [2], DOCK: [1]}
    assert (row.known_units, row.estimate["unknown"], row.estimate["too_few"]) == (6.0, 0.0, None)
    assert row.model_name == "starter"
    assert row.computed_at is None
    assert processing.clusters_found == 6
    assert processing.redundancy_reduction_ratio == 0


METRICS_WITH_INTERVALS = (
    "species_richness",
    "shannon_diversity",
    "pielou_evenness",
    "simpson_diversity",
    "hill_q0",
    "hill_q1",
    "hill_q2",
    "chao1_estimate",
    "coverage_estimate",
)


def test_every_metric_has_an_interval_around_its_value_and_hill_numbers_a_fair_form() -> None:
    names = [CHICKWEED] * 6 + [FAT_HEN] * 4 + [DOCK] * 2
    row, _ = analyse(*(photo(number, name) for number, name in enumerate(names, 1)))
    for metric in METRICS_WITH_INTERVALS:
        interval = row.confidence_intervals[metric]
        value = getattr(row, metric)
        if metric == "species_richness":
            value = row.hill_q0  # the column holds the whole number next to it
        assert interval["low"] <= value <= interval["high"]
        assert interval["se"] >= 0
    for order in range(3):
        fair = row.confidence_intervals[f"hill_q{order}_standardised"]
        assert fair["coverage"] == 0.8
        assert 1 <= fair["low"] <= fair["value"] <= fair["high"]
    assert row.effort == "ok"


def test_doubt_about_labels_widens_the_intervals_and_confirming_them_narrows_them() -> None:
    names = [CHICKWEED] * 10 + [FAT_HEN] * 6 + [DOCK] * 4

    def doubtful(number: int, name: str) -> Photo:
        other = {CHICKWEED: "Cerastium fontanum", FAT_HEN: "Atriplex patula", DOCK: "Rumex crispus"}[name]
        entries = [
            {"species": each, "confidence": chance, "taxonomic_level": "species"}
            for each, chance in ((name, 0.55), (other, 0.45))
        ]
        return photo(number, name, prediction=prediction(name, 0.55, predictions=entries))

    unsure, _ = analyse(*(doubtful(number, name) for number, name in enumerate(names, 1)))
    sure, _ = analyse(*(by_hand(number, name) for number, name in enumerate(names, 1)))

    def width(row: DayRow) -> float:
        interval = row.confidence_intervals["hill_q0"]
        return float(interval["high"] - interval["low"])

    assert width(unsure) > width(sure)
    assert len(unsure.estimate["draws"][CHICKWEED]) >= 12
    assert unsure.species_counts == sure.species_counts


def test_reads_know_the_limits_of_the_statistics_without_loading_them() -> None:
    assert (records.MINIMUM_UNITS, records.MINIMUM_COVERAGE, records.LEAST_UNITS) == (
        day_estimate.FEWEST_UNITS,
        day_estimate.LEAST_COVERAGE,
        day_estimate.LEAST_UNITS,
    )
    assert calendars.STANDARD_COVERAGE == labelling_samples.STANDARD_COVERAGE


def test_with_too_few_plants_there_is_a_value_but_no_interval() -> None:
    row, _ = analyse(photo(1), photo(2, FAT_HEN), photo(3, FAT_HEN))
    assert row.estimate["too_few"] == "few_plants"
    assert row.confidence_intervals == {}
    assert row.hill_q1 is not None
    assert row.effort == "low"


def test_what_may_be_none_of_the_model_s_species_is_unknown_and_no_species() -> None:
    outside = [
        photo(
            number,
            "unknown",
            label_level="unknown",
            prediction=prediction(
                FAT_HEN,
                0.1,
                predictions=[{"species": FAT_HEN, "confidence": 0.1, "taxonomic_level": "species"}],
                in_domain=0.1,
            ),
        )
        for number in range(1, 11)
    ]
    row, _ = analyse(*outside, *(photo(number, CHICKWEED) for number in range(11, 31)))
    assert row.estimate["unknown"] == pytest.approx(9.0)
    assert row.known_units == pytest.approx(21.0)
    assert row.estimate["units"] == 30
    assert sum(row.estimate["expected_counts"].values()) == pytest.approx(21.0, abs=1.5)


def test_a_day_of_half_a_chance_of_a_plant_has_no_values() -> None:
    """It counts as a day without a plant, which must not have a richness of one all the same."""
    said = prediction(FAT_HEN, 0.3, predictions=[{"species": FAT_HEN, "confidence": 0.3}], in_domain=0.3)
    row, _ = analyse(photo(1, "unknown", label_level="unknown", prediction=said))
    assert row.known_units == pytest.approx(0.3)
    assert row.effort == "none"
    assert (row.species_richness, row.hill_q0, row.coverage_estimate) == (0, None, None)
    assert row.estimate["too_few"] == "no_plants"
    assert row.estimate["ranks"]["genus"]["richness"] is None


def test_the_training_shares_are_divided_out() -> None:
    """Equal probabilities of a species that was half of the training photos speak for the rarer one."""

    def torn(number: int) -> Photo:
        entries = [
            {"species": FAT_HEN, "confidence": 0.5, "prior": 0.9},
            {"species": DOCK, "confidence": 0.5, "prior": 0.01},
        ]
        return photo(number, FAT_HEN, prediction=prediction(FAT_HEN, 0.5, predictions=entries))

    row, _ = analyse(*(torn(number) for number in range(1, 21)))
    expected = row.estimate["expected_counts"]
    assert expected[DOCK] > 15 > expected.get(FAT_HEN, 0.0)


def test_a_species_that_only_a_person_named_takes_no_other_plant_with_it() -> None:
    """The shares in training of the model's own species leave nothing for it, which must not be divided by."""
    own = [CHICKWEED, FAT_HEN, DOCK, "Galium aparine", "Poa annua", "Zea mays"]
    shares = [0.1, 0.2, 0.3, 0.1, 0.1, 0.2]

    def seen(number: int, likeliest: int) -> Photo:
        chances = {
            own[(likeliest + step) % 6]: chance for step, chance in enumerate([0.8, 0.1, 0.05, 0.03, 0.01])
        }
        entries = [
            {"species": name, "confidence": chance, "prior": shares[own.index(name)]}
            for name, chance in chances.items()
        ]
        said = prediction(own[likeliest], 0.8, predictions=entries, classes=6)
        return photo(number, own[likeliest], prediction=said)

    photos = [seen(number, number % 6) for number in range(1, 19)]
    named = replace(photos[0], label="Rosa rugosa", label_level="species", label_source="human")
    before, _ = analyse(*photos)
    after, _ = analyse(named, *photos[1:])
    expected = after.estimate["expected_counts"]
    assert expected["Rosa rugosa"] == 1.0
    assert set(after.estimate["draws"]["Rosa rugosa"]) == {1}
    assert after.estimate["ranks"]["genus"]["counts"]["Rosa"] == 1.0
    assert sum(expected.values()) == pytest.approx(18.0, abs=1e-3)
    assert abs(after.species_richness - before.species_richness) <= 2


def test_species_roll_up_to_genus_and_family() -> None:
    names = [DOCK] * 4 + ["Rumex crispus"] * 3 + [CHICKWEED] * 3
    row, _ = analyse(
        *(by_hand(number, name) for number, name in enumerate(names, 1)),
        by_hand(20, "Galium", level="genus"),
        by_hand(21, "Poaceae", level="family"),
    )
    genera, families = row.estimate["ranks"]["genus"], row.estimate["ranks"]["family"]
    assert row.species_richness == 3
    assert genera["counts"] == {"Rumex": 7.0, "Stellaria": 3.0, "Galium": 1.0}
    assert genera["richness"]["value"] == 3.0
    assert genera["hill_q1"]["value"] == pytest.approx(diversity.hill([7, 3, 1], 1))
    assert families["counts"] == {
        "Polygonaceae": 7.0,
        "Caryophyllaceae": 3.0,
        "Poaceae": 1.0,
        "Rubiaceae": 1.0,
    }
    assert row.estimate["unknown"] == 2.0


def test_top_species_come_most_frequent_first_and_equal_ones_by_name() -> None:
    row, _ = analyse(photo(1, DOCK), photo(2, FAT_HEN), photo(3, CHICKWEED), photo(4, CHICKWEED))
    assert [top["species_name"] for top in row.top_species] == [CHICKWEED, FAT_HEN, DOCK]
    assert row.top_species[0] == {
        "species_name": CHICKWEED,
        "count": 2,
        "frequency": 0.5,
        "average_confidence": pytest.approx(0.9),
        "expected_count": pytest.approx(2.0, abs=0.5),
    }


def test_near_duplicates_count_once_and_the_best_one_speaks() -> None:
    same = fingerprint("one plant")
    photos = [
        photo(1, FAT_HEN, fingerprint=same, quality_score=0.2),
        photo(2, CHICKWEED, fingerprint=same, quality_score=0.9),
        photo(3, FAT_HEN, fingerprint=same, quality_score=0.3),
        photo(4, DOCK),
    ]
    row, processing, memberships = analysis.analyse_day(DAY, photos, "starter", 1)
    assert row.species_counts == {CHICKWEED: 1, DOCK: 1}
    assert row.total_images == 4
    assert [(each.id, each.cluster_id, each.is_representative) for each in memberships] == [
        (1, 1, False),
        (2, 1, True),
        (3, 1, False),
        (4, 4, True),
    ]
    assert processing.clusters_found == 2
    assert processing.redundancy_reduction_ratio == 0.5


def test_a_representative_without_a_label_leaves_the_word_to_the_best_that_has_one() -> None:
    same = fingerprint("one plant")
    row, _ = analyse(
        photo(1, None, fingerprint=same, quality_score=0.9),
        photo(2, DOCK, fingerprint=same, quality_score=0.2),
        photo(3, CHICKWEED, fingerprint=same, quality_score=0.4),
    )
    assert row.species_counts == {CHICKWEED: 1}


def test_photos_without_a_fingerprint_repeat_nothing() -> None:
    row, processing = analyse(photo(1, fingerprint=""), photo(2, fingerprint=""))
    assert row.species_counts == {CHICKWEED: 2}
    assert processing.clusters_found == 2


def test_a_human_label_wins_in_its_cluster_and_is_certain() -> None:
    same = fingerprint("one plant")
    row, processing = analyse(
        photo(1, FAT_HEN, fingerprint=same, quality_score=0.9),
        by_hand(2, DOCK, fingerprint=same, quality_score=0.1),
    )
    assert row.species_counts == {DOCK: 1}
    assert row.top_species[0]["average_confidence"] == 1.0
    assert processing.processing_metadata["human_labels"] == 1


def test_photos_that_people_named_differently_show_different_plants_however_alike() -> None:
    same = fingerprint("two plants")
    row, processing = analyse(
        by_hand(2, DOCK, fingerprint=same),
        by_hand(3, CHICKWEED, fingerprint=same),
        by_hand(4, CHICKWEED, fingerprint=same),
        photo(5, FAT_HEN, fingerprint=same, quality_score=1.0),
    )
    assert row.species_counts == {CHICKWEED: 1, DOCK: 1}
    assert processing.clusters_found == 2


def test_unknown_beside_a_species_in_one_cluster_is_no_plant_of_its_own() -> None:
    same = fingerprint("one plant")
    row, processing = analyse(
        by_hand(1, "unknown", level="unknown", fingerprint=same), by_hand(2, DOCK, fingerprint=same)
    )
    assert row.species_counts == {DOCK: 1}
    assert processing.clusters_found == 1
    assert row.estimate["unknown"] == 0.0


def test_training_shares_of_an_older_model_are_left_aside() -> None:
    def by(model: str, number: int, days: int, prior: float) -> Photo:
        entries = [{"species": CHICKWEED, "confidence": 1.0, "prior": prior}]
        said = prediction(
            CHICKWEED,
            1.0,
            model_name=model,
            predictions=entries,
            timestamp=NOON + timedelta(days=days),
            classes=4,
        )
        return photo(number, CHICKWEED, prediction=said)

    plants = plants_of(
        photos := [by("old", 1, 0, 0.99), by("new", 2, 1, 0.4)],
        [Membership(each.id, each.id, True, 1.0) for each in photos],
    )
    assert evidence_of(plants).prior == pytest.approx([0.4, 0.2, 0.2, 0.2])


def under_a_list(number: int, region: str | None = "hokkaido@1", **changes: Any) -> Photo:
    """Half a dock, a third of it one of the list's other species."""
    entries = [
        {"species": DOCK, "confidence": 0.5, "prior": 0.02},
        {"species": CHICKWEED, "confidence": 0.2, "prior": 0.01},
    ]
    masked = {"predictions": entries, "masked": True, "region": region, "prior_mass": 0.09, "classes": 5}
    said = prediction(DOCK, 0.5, **(masked | changes))
    return photo(number, DOCK, prediction=said)


def evidence(*photos: Photo) -> Evidence:
    return evidence_of(plants_of(photos, [Membership(each.id, each.id, True, 1.0) for each in photos]))


def test_under_a_list_the_classes_of_the_day_are_those_of_the_list() -> None:
    found = evidence(under_a_list(1), under_a_list(2))
    assert found.candidates.size == 5
    assert set(found.species.values()) == {DOCK, CHICKWEED}
    # Its other three species share what the named ones leave of the list's share of the training photos.
    assert sorted(found.prior) == pytest.approx([0.01, 0.02, 0.02, 0.02, 0.02])
    # They also share the third that the model gave them.
    assert found.candidates.values.sum(axis=1) == pytest.approx([1, 1])
    assert sorted(found.candidates.values[0]) == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.5])


def test_a_look_alike_that_a_list_leaves_out_is_never_drawn() -> None:
    """Fat hen is all over the day's other photos, which the model saw without the list."""
    hens = [photo(number, FAT_HEN, prediction=prediction(FAT_HEN, 0.99)) for number in range(1, 21)]
    row, processing = analyse(*hens, *(under_a_list(number) for number in range(21, 31)))
    assert set(row.estimate["draws"][FAT_HEN]) == {20}
    assert row.estimate["unknown"] == pytest.approx(0)
    assert processing.processing_metadata["regions"] == {"hokkaido@1": 10}
    assert "regions" not in analyse(*hens)[1].processing_metadata


def test_of_two_lists_on_a_day_neither_gives_the_others_species_a_chance() -> None:
    entries = [{"species": FAT_HEN, "confidence": 0.99, "prior": 0.3}]
    hens = [
        under_a_list(number, "session@2", classes=5, predictions=entries, prior_mass=0.5)
        for number in range(1, 21)
    ]
    row, _ = analyse(*hens, *(under_a_list(number) for number in range(21, 31)))
    assert set(row.estimate["draws"][FAT_HEN]) == {20}


def test_a_list_of_strangers_leaves_plants_unknown() -> None:
    none = prediction(
        DOCK, 0.0, predictions=[], masked=True, region="x@0", classes=0, prior_mass=0.0, in_domain=0.0
    )
    row, _ = analyse(*(photo(n, "unknown", label_level="unknown", prediction=none) for n in range(1, 11)))
    assert (row.estimate["unknown"], row.known_units, row.species_richness) == (10.0, 0.0, 0)


def test_a_day_without_a_list_has_the_digest_of_the_time_before_lists() -> None:
    """Nothing is computed again because the program has learned of lists."""
    inputs = analysis._inputs(photo(1))["prediction"]
    assert set(inputs) == {"model", "seconds", "top", "in_domain", "classes", "species"}


def test_a_day_without_versions_on_record_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed again, and the day says no more, because the program has learned of versions."""
    monkeypatch.setattr(analysis, "ANALYSIS_VERSION", "4")
    before = (
        "e4cd930dbed659dd50079fe94a739c30c708bc7ec2c24d56d2c10f100899be44"  # by the program without versions
    )
    assert analysis.inputs_digest(DAY, [photo(1)], "starter", 1) == before
    _, processing = analyse(photo(1))
    assert "model_versions" not in processing.processing_metadata


def test_a_day_keeps_which_versions_named_its_photos() -> None:
    photos = [
        photo(number, prediction=prediction(CHICKWEED, model_version=version))
        for number, version in enumerate(("1.1.0", "1.0.0", "1.1.0", None), 1)
    ]
    row, processing = analyse(*photos)
    assert row.model_name == "starter"
    assert processing.processing_metadata["models"] == {"starter": 4}
    assert processing.processing_metadata["model_versions"] == {"starter": {"1.0.0": 1, "1.1.0": 2}}


def test_shares_in_training_are_of_the_newest_version_alone() -> None:
    """Those of two versions do not add up to one: what the older says of its species is no share of the newer."""

    def prior_of(version: str) -> Any:
        said = [
            photo(
                number,
                species,
                prediction=prediction(
                    species,
                    model_version=each,
                    timestamp=NOON + timedelta(minutes=number),
                    predictions=[{"species": species, "confidence": 0.9, "prior": share}],
                    classes=2,
                ),
            )
            for number, (species, each, share) in enumerate(
                ((DOCK, version, 0.9), (CHICKWEED, "1.1.0", 0.5)), 1
            )
        ]
        plants = plants_of(said, analysis._clusters(said))
        return evidence_of(plants).prior.tolist()

    assert prior_of("1.1.0") == [0.9, 0.5] or prior_of("1.1.0") == [0.5, 0.9]
    assert prior_of("1.0.0") == [0.5, 0.5]


def test_unsure_labels_are_no_species_and_are_not_lost() -> None:
    row, processing = analyse(
        photo(1, CHICKWEED),
        photo(2, "Rumex", label_level="genus"),
        photo(3, "Poaceae", label_level="family"),
        photo(4, "unknown", label_level="unknown"),
        photo(5, "Rumex", label_level="genus"),
        by_hand(6, "not_a_plant", level="not_a_plant"),
        photo(7, None),
    )
    assert row.species_counts == {CHICKWEED: 1}
    assert row.processed_images == 6
    metadata = processing.processing_metadata
    assert metadata["unsure"] == 4
    assert metadata["unsure_labels"] == {"Poaceae": 1, "Rumex": 2, "unknown": 1}
    assert metadata["not_a_plant"] == 1
    assert metadata["unprocessed"] == 1
    assert metadata["counted"] == 1
    named = ("counted", "unsure", "not_a_plant", "unprocessed")
    assert sum(metadata[name] for name in named) == processing.clusters_found


def test_not_a_plant_never_counts_whatever_its_level() -> None:
    row, processing = analyse(by_hand(1, "not_a_plant", level="species"))
    assert row.species_counts == {}
    assert processing.processing_metadata["not_a_plant"] == 1


def test_a_day_without_a_plant_has_zeros_and_no_metric() -> None:
    row, processing = analyse(photo(1, None), by_hand(2, "not_a_plant", level="not_a_plant"))
    assert (row.total_images, row.processed_images, row.species_richness) == (2, 1, 0)
    for name in ("shannon_diversity", "pielou_evenness", "simpson_diversity", "chao1_estimate"):
        assert getattr(row, name) is None
    assert (row.hill_q0, row.hill_q1, row.hill_q2, row.coverage_estimate) == (None,) * 4
    assert (row.species_counts, row.species_frequencies, list(row.top_species)) == ({}, {}, [])
    assert row.confidence_intervals == {}
    assert row.effort == "none"
    assert processing.average_confidence == pytest.approx(0.9)


def test_an_empty_day_is_possible() -> None:
    row, processing = analyse()
    assert (row.total_images, processing.clusters_found, processing.redundancy_reduction_ratio) == (0, 0, 0)
    assert processing.processing_time_per_image is None
    assert processing.average_confidence is None


def test_the_model_s_confidence_is_that_of_the_label() -> None:
    relabelled = photo(1, "Zea mays", prediction=prediction(CHICKWEED))
    assert analyse(relabelled)[0].top_species[0]["average_confidence"] == 0.01
    elsewhere = photo(1, DOCK, prediction=prediction(CHICKWEED))
    assert analyse(elsewhere)[0].top_species[0]["average_confidence"] == 0
    lost = photo(1, DOCK, prediction=None)
    assert analyse(lost)[0].top_species[0]["average_confidence"] == 0


def test_processing_tells_time_confidence_and_failures() -> None:
    _, processing = analyse(
        photo(1, prediction=prediction(CHICKWEED, 0.9, processing_time=0.03)),
        photo(
            2, "Rumex", label_level="genus", prediction=prediction("Rumex acetosa", 0.5, processing_time=0.01)
        ),
        photo(3, None, is_processed=True),
        photo(4, None, low_resolution=True),
    )
    assert processing.input_images_count == 4
    assert processing.processed_images_count == 2
    assert processing.predictions_count == 2
    assert processing.processing_time_total == pytest.approx(0.04)
    assert processing.processing_time_per_image == pytest.approx(0.02)
    assert processing.average_confidence == pytest.approx(0.7)
    assert processing.low_confidence_count == 1
    assert processing.failed_predictions == 1
    assert processing.processing_metadata["low_resolution"] == 1
    assert processing.processing_metadata["models"] == {"starter": 2}


def test_clusters_never_join_photos_of_different_sessions() -> None:
    same = fingerprint("one plant")
    photos = [photo(1, fingerprint=same), photo(2, fingerprint=same, session_id=2)]
    row, processing, _ = analysis.analyse_day(DAY, photos, "starter", None)
    assert row.species_counts == {CHICKWEED: 2}
    assert row.session_id is None
    assert processing.clusters_found == 2


labels = st.sampled_from([CHICKWEED, FAT_HEN, DOCK, "Rumex", "unknown", "not_a_plant", None])
drawn = st.lists(st.tuples(labels, st.integers(0, 5), st.floats(0, 1)), max_size=12)


@given(drawn, st.randoms(use_true_random=False))
def test_the_row_is_a_pure_function_of_the_photos(
    draws: list[tuple[str | None, int, float]], shuffler: random.Random
) -> None:
    photos = [
        photo(
            number,
            label,
            fingerprint=fingerprint(plant),
            quality_score=quality,
            label_level="species" if label and " " in label else label and "unknown",
        )
        for number, (label, plant, quality) in enumerate(draws, 1)
    ]
    shuffled = photos[:]
    shuffler.shuffle(shuffled)
    row, processing, memberships = analysis.analyse_day(DAY, photos, "starter", 1)
    assert (row, processing, memberships) == analysis.analyse_day(DAY, shuffled, "starter", 1)
    assert sum(row.species_counts.values()) <= processing.clusters_found <= len(photos)
    assert sum(each.is_representative for each in memberships) == processing.clusters_found
    text = json.dumps([asdict(row), asdict(processing)], default=str, allow_nan=False)
    assert "NaN" not in text
    assert row.effort in ("none", "low", "ok")


CHANGES: dict[str, dict[str, Any]] = {
    "a label": {"label": DOCK},
    "its level": {"label_level": "genus"},
    "who gave it": {"label_source": "human"},
    "the fingerprint": {"fingerprint": fingerprint("another")},
    "the quality": {"quality_score": 0.4},
    "the confidence": {"prediction": prediction(CHICKWEED, 0.8)},
    "the model": {"prediction": prediction(CHICKWEED, model_name="other")},
    "its version": {"prediction": prediction(CHICKWEED, model_version="1.1.0")},
    "the time taken": {"prediction": prediction(CHICKWEED, processing_time=9.0)},
    "no prediction": {"prediction": None},
    "a regional list": {"prediction": prediction(CHICKWEED, masked=True, region="a@1")},
    "a small photo": {"low_resolution": True},
    "whether it was tried": {"is_processed": False},
    "the session": {"session_id": 2},
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_sees_everything_the_row_is_made_of(change: str) -> None:
    first = analysis.inputs_digest(DAY, [photo(1), photo(2)], "starter", 1)
    assert len(first) == 64
    assert first == analysis.inputs_digest(DAY, [photo(2), photo(1)], "starter", 1)
    assert first != analysis.inputs_digest(
        DAY, [replace(photo(1), **CHANGES[change]), photo(2)], "starter", 1
    )


def test_the_digest_sees_the_day_the_model_the_session_and_the_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digests = {
        analysis.inputs_digest(DAY, [photo(1)], "starter", 1),
        analysis.inputs_digest(DAY + timedelta(days=1), [photo(1)], "starter", 1),
        analysis.inputs_digest(DAY, [photo(1)], "other", 1),
        analysis.inputs_digest(DAY, [photo(1)], "starter", None),
        analysis.inputs_digest(DAY, [], "starter", 1),
        analysis.inputs_digest(DAY, [by_hand(1, DOCK)], "starter", 1),
        analysis.inputs_digest(DAY, [by_hand(1, DOCK, NOON + timedelta(hours=1))], "starter", 1),
    }
    monkeypatch.setattr(analysis, "ANALYSIS_VERSION", "next")
    digests.add(analysis.inputs_digest(DAY, [photo(1)], "starter", 1))
    assert len(digests) == 8


def test_the_digest_does_not_see_what_the_analysis_writes() -> None:
    clustered = replace(photo(1), cluster_id=7, is_representative=False, similarity_score=0.9)
    assert analysis.inputs_digest(DAY, [clustered], "m") == analysis.inputs_digest(DAY, [photo(1)], "m")


def test_the_newest_prediction_names_the_day_s_model() -> None:
    late = photo(1, prediction=prediction(CHICKWEED, model_name="b", timestamp=NOON + timedelta(days=1)))
    assert analysis.model_of([late, photo(2)]) == "b"
    assert analysis.model_of([photo(1, None)]) == ""
    assert analysis.model_of([]) == ""


class MemoryStore:
    """Days and photos of one user in dictionaries; counts the writes."""

    def __init__(self, photos: Iterable[Photo], sessions: int = 1) -> None:
        self.photos = {each.id: each for each in photos}
        self.rows: dict[tuple[date, int | None], tuple[DayRow, ProcessingRow]] = {}
        self.numbers = range(1, sessions + 1)
        self.locked: list[int | None] = []
        self.writes = 0

    def sessions(self) -> list[Session]:
        return [
            Session(number, 1, f"field {number}", "", None, None, "Asia/Tokyo", None, None, NOON)
            for number in self.numbers
        ]

    @contextmanager
    def day_transaction(self, session_id: int | None) -> Iterator[None]:
        self.locked.append(session_id)
        yield
        self.locked.pop()

    def day_photos(self, session_id: int | None, day: date) -> list[Photo]:
        assert self.locked[-1:] == [session_id]
        return [
            each
            for each in self.photos.values()
            if each.date == day and session_id in (None, each.session_id)
        ]

    def day(self, day: date, session_id: int | None = None) -> DayRow | None:
        found = self.rows.get((day, session_id))
        return found[0] if found else None

    def save_clusters(self, members: Iterable[tuple[int, int | None, bool, float | None]]) -> None:
        for number, cluster_id, representative, similarity in members:
            self.photos[number] = replace(
                self.photos[number],
                cluster_id=cluster_id,
                is_representative=representative,
                similarity_score=similarity,
            )

    def save_day(self, row: DayRow, processing: ProcessingRow) -> None:
        assert self.locked[-1:] == [row.session_id]
        self.rows[row.date, row.session_id] = (row, processing)
        self.writes += 1

    def delete_day(self, day: date, session_id: int | None = None) -> None:
        self.rows.pop((day, session_id), None)


def test_recompute_writes_the_day_and_its_clusters() -> None:
    same = fingerprint("one plant")
    store = MemoryStore([photo(1, fingerprint=same), photo(2, fingerprint=same), photo(3, DOCK)])
    assert analysis.recompute(store, 1, [DAY]) == analysis.RecomputeReport(computed=1)
    row, processing = store.rows[DAY, 1]
    assert row.species_counts == {CHICKWEED: 1, DOCK: 1}
    assert row.computed_at is not None
    assert row.model_name == "starter"
    assert processing.clusters_found == 2
    assert [each.cluster_id for each in store.photos.values()] == [1, 1, 3]


def test_recompute_leaves_alone_what_has_not_changed() -> None:
    store = MemoryStore([photo(1)])
    analysis.recompute(store, 1, [DAY, DAY])
    before = dict(store.rows)
    assert analysis.recompute(store, 1, [DAY]) == analysis.RecomputeReport(unchanged=1)
    assert store.rows == before
    assert store.writes == 1
    store.photos[1] = by_hand(1, DOCK)
    assert analysis.recompute(store, 1, [DAY]).computed == 1
    assert store.rows[DAY, 1][0].species_counts == {DOCK: 1}


def test_recompute_removes_a_day_that_has_no_photo_any_more() -> None:
    store = MemoryStore([photo(1)])
    analysis.recompute(store, 1, [DAY])
    store.photos.clear()
    other = DAY + timedelta(days=1)
    assert analysis.recompute(store, 1, [DAY, other]) == analysis.RecomputeReport(removed=1)
    assert store.rows == {}


def test_a_second_session_on_the_day_makes_a_pooled_row_that_follows() -> None:
    store = MemoryStore([photo(1), photo(2, DOCK)], sessions=2)
    analysis.recompute(store, 1, [DAY])
    assert set(store.rows) == {(DAY, 1)}
    store.photos[3] = photo(3, FAT_HEN, session_id=2)
    analysis.recompute(store, 2, [DAY])
    assert set(store.rows) == {(DAY, 1), (DAY, 2), (DAY, None)}
    pooled, processing = store.rows[DAY, None]
    assert pooled.species_counts == {CHICKWEED: 1, DOCK: 1, FAT_HEN: 1}
    assert pooled.total_images == 3
    assert processing.clusters_found == 3
    writes = store.writes
    assert analysis.recompute(store, 2, [DAY]) == analysis.RecomputeReport(unchanged=1)
    assert store.writes == writes
    del store.photos[3]
    assert analysis.recompute(store, 2, [DAY]) == analysis.RecomputeReport(removed=1)
    assert set(store.rows) == {(DAY, 1)}


def test_a_pooled_row_that_a_crash_left_behind_is_mended() -> None:
    store = MemoryStore([photo(1), photo(2, DOCK, session_id=2)], sessions=2)
    analysis.recompute(store, 1, [DAY])
    analysis.recompute(store, 2, [DAY])
    del store.rows[DAY, None]
    assert analysis.recompute(store, 1, [DAY]) == analysis.RecomputeReport(unchanged=1)
    assert (DAY, None) in store.rows


def test_pooled_days_can_be_mended_alone() -> None:
    store = MemoryStore([photo(1), photo(2, DOCK, session_id=2)], sessions=2)
    analysis.recompute_pooled(store, [DAY])
    assert set(store.rows) == {(DAY, None)}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_metrics_are_finite_or_absent(numbers: list[int]) -> None:
    species = [CHICKWEED, FAT_HEN, DOCK, "Poa annua", "Zea mays"]
    row, _ = analyse(*(photo(index, species[each]) for index, each in enumerate(numbers, 1)))
    for name in ("shannon_diversity", "pielou_evenness", "hill_q1", "chao1_estimate", "coverage_estimate"):
        value = getattr(row, name)
        assert value is not None
        assert math.isfinite(value)
    interval = row.confidence_intervals.get("chao1_estimate")
    assert (interval is None) == (row.effort != "ok")
    if interval is None:
        return
    assert row.chao1_estimate is not None
    assert interval["low"] <= row.chao1_estimate <= interval["high"]
