"""The figures over a model's answers, by hand, and what holds for any answers."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.answers import Answer, NamedAs, canonical, figures_of, is_right, risk_coverage_of
from lib.classifier.figures import wilson
from tests.functions.conftest import numbers

CHICKWEED, FAT_HEN, DOCK = "Stellaria media", "Chenopodium album", "Rumex obtusifolius"


def answer(truth: str, *named: tuple[str, float], level: str = "species", **changes: Any) -> Answer:
    """An answer whose label the rule takes from the likeliest species alone."""
    name, confidence = named[0] if named else ("unknown", 0.0)
    label = (name, "species") if confidence >= 0.7 else ("unknown", "unknown")
    values: dict[str, Any] = {"label": label[0], "label_level": label[1]}
    return Answer(truth, level, named, **(values | changes))


def test_top_k_by_hand() -> None:
    found = figures_of(
        [
            answer(CHICKWEED, (CHICKWEED, 0.9), (DOCK, 0.1)),
            answer(CHICKWEED, (DOCK, 0.6), (CHICKWEED, 0.3)),
            answer(FAT_HEN, (DOCK, 0.4), (CHICKWEED, 0.2), ("Zea mays", 0.1), (FAT_HEN, 0.05)),
            answer(DOCK, (CHICKWEED, 0.8)),
            answer(DOCK),
        ]
    )
    assert [each.value for each in (found.top_1, found.top_3, found.top_5)] == [0.2, 0.4, 0.6]
    assert (found.top_1.low, found.top_1.high) == wilson(1, 5)
    assert found.plants == found.top_1.n == 5


def test_confusions_and_recall_by_hand() -> None:
    found = figures_of(
        [
            *[answer(DOCK, (FAT_HEN, 0.9))] * 2,
            answer(DOCK, (DOCK, 0.9)),
            answer(CHICKWEED, (DOCK, 0.5)),
        ]
    )
    assert [(c.true, c.named, c.count) for c in found.confusions] == [
        (DOCK, FAT_HEN, 2),
        (CHICKWEED, DOCK, 1),
    ]
    assert [(r.species, r.value, r.n) for r in found.recall] == [
        (DOCK, pytest.approx(1 / 3), 3),
        (CHICKWEED, 0, 1),
    ]
    assert (found.recall[0].low, found.recall[0].high) == wilson(1, 3)


def test_another_name_of_the_same_plant_is_no_mistake() -> None:
    old, accepted = "Echinochloa crusgalli", "Echinochloa crus-galli"
    assert canonical(old) == accepted
    found = figures_of([answer(old, (accepted, 0.9)), answer(accepted, (old, 0.8))])
    assert found.top_1.value == 1.0
    assert found.right_as_species.value == 1.0
    assert [each.species for each in found.recall] == [accepted]


def test_what_the_label_rule_made_of_them() -> None:
    ranks = {"Aus bus": ("Aus", "Austaceae")}
    found = figures_of(
        [
            answer(CHICKWEED, (CHICKWEED, 0.9)),
            answer(CHICKWEED, (DOCK, 0.9)),
            answer(CHICKWEED, (CHICKWEED, 0.5), label="Stellaria", label_level="genus"),
            answer(CHICKWEED, (DOCK, 0.5), label="Rumex", label_level="genus"),
            answer(CHICKWEED, (CHICKWEED, 0.4), label="Caryophyllaceae", label_level="family"),
            answer("Aus bus", ("Aus bus", 0.4), label="Austaceae", label_level="family"),
            answer("Cus dus", ("Aus bus", 0.4), label="Austaceae", label_level="family"),
            answer(CHICKWEED, (CHICKWEED, 0.1)),
        ],
        ranks,
    )
    assert [(each.level, each.n, each.right) for each in found.rule] == [
        ("species", 2, 1), ("genus", 2, 1), ("family", 3, 2), ("unknown", 1, None),
    ]  # fmt: skip
    assert (found.right_as_species.value, found.right_as_species.n) == (0.5, 2)


def test_species_beyond_the_model_and_no_plants_are_counted_apart() -> None:
    found = figures_of(
        [
            answer(CHICKWEED, (CHICKWEED, 0.9)),
            answer("Zea mays", (DOCK, 0.8), known=False),
            answer("Zea mays", (DOCK, 0.3), known=False),
            answer("Zea mays", (FAT_HEN, 0.9), known=False),
            answer("not_a_plant", (DOCK, 0.2), level="not_a_plant"),
            answer("unknown", (DOCK, 0.9), level="unknown"),
        ]
    )
    assert (found.top_1.value, found.top_1.n) == (1.0, 1)
    assert (found.outside.n, found.outside.as_species.value) == (3, pytest.approx(2 / 3))
    assert found.outside.names == [NamedAs(FAT_HEN, 1), NamedAs(DOCK, 1)]
    assert found.outside.levels == {"species": 2, "genus": 0, "family": 0, "unknown": 1}
    assert (found.not_plants.n, found.not_plants.as_species.value) == (1, 0.0)
    assert found.undecided == 1
    # Whoever is sure of them is wrong: they count in the calibration, and what a person left open does not.
    assert (found.calibration.n, found.risk_coverage.n) == (5, 5)
    assert found.calibration.right == pytest.approx(1 / 5)


def test_a_genus_that_a_person_named_is_met_by_any_of_its_species() -> None:
    found = figures_of(
        [
            answer("Rumex", (DOCK, 0.4), level="genus"),
            answer("Rumex", (CHICKWEED, 0.4), level="genus"),
            answer("Caryophyllaceae", (CHICKWEED, 0.4), level="family"),
            answer("Caryophyllaceae", level="family"),
        ]
    )
    assert (found.coarse.value, found.coarse.n) == (0.5, 4)
    assert found.top_1.n == found.calibration.n == 0


def test_calibration_and_risk_coverage_by_hand() -> None:
    found = figures_of(
        [
            answer(DOCK, (DOCK, 0.95)),
            answer(DOCK, (DOCK, 0.85)),
            answer(DOCK, (FAT_HEN, 0.85)),
            answer(DOCK, (DOCK, 0.25)),
        ]
    )
    # Bins of a tenth: |1 - 0.95| once, |0.5 - 0.85| for two, |1 - 0.25| once.
    assert found.calibration.error == pytest.approx((0.05 + 2 * 0.35 + 0.75) / 4)
    assert found.calibration.confidence == pytest.approx(2.9 / 4)
    assert [(b.n, b.right) for b in found.calibration.bins if b.n] == [(1, 1.0), (2, 0.5), (1, 1.0)]
    curve = found.risk_coverage
    assert [(p.threshold, p.coverage, p.risk) for p in curve.points] == [
        (0.95, 0.25, 0.0), (0.85, 0.75, pytest.approx(1 / 3)), (0.25, 1.0, 0.25),
    ]  # fmt: skip
    assert curve.area == pytest.approx((0 + 0.25 + 1 / 3 + 0.25) / 4)
    assert [(each.risk, each.coverage, each.threshold) for each in curve.at_risk] == [
        (0.01, 0.25, 0.95), (0.05, 0.25, 0.95), (0.1, 0.25, 0.95),
    ]  # fmt: skip


def test_a_long_curve_is_thinned_from_end_to_end() -> None:
    confidences = np.linspace(0.01, 1, 1000)
    curve = risk_coverage_of(confidences, confidences > 0.5)
    assert len(curve.points) == 50
    assert (curve.points[0].coverage, curve.points[-1].coverage) == (0.001, 1.0)
    assert curve.at_risk[0].coverage > 0.5


def test_answers_under_a_regional_list_are_told_apart() -> None:
    found = figures_of(
        [
            answer(DOCK, (DOCK, 0.9), masked=True),
            answer(DOCK, (FAT_HEN, 0.9)),
            answer("not_a_plant", (DOCK, 0.2), level="not_a_plant", masked=True),
        ]
    )
    assert found.masked == 2
    assert (found.top_1_masked.value, found.top_1_masked.n) == (1.0, 1)
    assert (found.top_1_unmasked.value, found.top_1_unmasked.n) == (0.0, 1)


def test_without_answers_everything_is_empty_and_finite() -> None:
    found = figures_of([])
    assert (found.plants, found.top_1.value, found.calibration.error, found.risk_coverage.area) == (
        0,
        None,
        None,
        None,
    )
    assert found.recall == found.confusions == found.risk_coverage.points == []
    assert all(math.isfinite(number) for number in numbers(asdict(found)))


SPECIES = st.sampled_from([CHICKWEED, FAT_HEN, DOCK, "Zea mays"])
ANSWERS = st.lists(
    st.builds(
        lambda truth, level, named, known, masked: answer(
            truth if level == "species" else level, *named, level=level, known=known, masked=masked
        ),
        SPECIES,
        st.sampled_from(["species", "species", "unknown", "not_a_plant"]),
        st.lists(
            st.tuples(SPECIES, st.sampled_from([0.0, 0.3, 0.7, 1.0])), max_size=3, unique_by=lambda n: n[0]
        ),
        st.sampled_from([True, False, None]),
        st.booleans(),
    ),
    max_size=12,
)


@given(ANSWERS, st.randoms())
def test_no_figure_depends_on_the_order_and_every_answer_has_its_place(
    answers: list[Answer], random: Any
) -> None:
    found = figures_of(answers)
    shuffled = list(answers)
    random.shuffle(shuffled)
    other = figures_of(shuffled)
    assert (other.confusions, other.recall, other.rule, other.outside) == (
        found.confusions, found.recall, found.rule, found.outside,
    )  # fmt: skip
    assert found.top_1.n + found.outside.n + found.not_plants.n + found.coarse.n + found.undecided == len(
        answers
    )
    assert sum(each.n for each in found.rule) == found.top_1.n == sum(each.n for each in found.recall)
    wrong = sum(each.count for each in found.confusions)
    right = sum(each.known is not False and each.level == "species" and is_right(each) for each in answers)
    assert right + wrong <= found.top_1.n
    assert all(math.isfinite(number) for number in numbers(asdict(found)))
