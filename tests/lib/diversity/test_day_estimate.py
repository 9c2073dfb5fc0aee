"""A day's estimate: exact for labels that are certain, and for doubtful ones what must hold whatever is drawn."""

from __future__ import annotations

import doctest
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import DayEstimate, Estimate, day_estimate
from lib.diversity.day_estimate import METRICS, STANDARD_COVERAGE
from scripts.benchmarks import simulated_days

PLAIN = {
    "richness": diversity.richness,
    "hill_q1": lambda counts: diversity.hill(counts, 1),
    "hill_q2": lambda counts: diversity.hill(counts, 2),
    "shannon": diversity.shannon,
    "simpson": diversity.simpson,
    "pielou": diversity.pielou,
    "chao1": lambda counts: diversity.chao1(counts).value,
    "coverage": diversity.coverage,
}
LEAST = {name: 1.0 if name in ("richness", "hill_q1", "hill_q2", "chao1") else 0.0 for name in METRICS}
MOST = {name: 1.0 if name in ("simpson", "pielou", "coverage") else math.inf for name in METRICS}
TYPICAL = [24, 11, 7, 4, 2, 1, 1]


def sure(counts: Sequence[int], classes: int = 0) -> np.ndarray:
    """Photos whose class is beyond doubt, as many of each class as `counts` says."""
    return np.eye(max(classes, len(counts)))[np.repeat(np.arange(len(counts)), counts)]


def doubtful(seed: int, photos: int = 60, classes: int = 20, sureness: float = 0.8) -> np.ndarray:
    """Photos of six classes; the top label has the mass `sureness` on average, the rest is scattered."""
    generator = np.random.default_rng(seed)
    shares = 0.6 ** np.arange(6)
    rows = generator.dirichlet(np.full(classes, 0.2), size=photos) * (1 - sureness)
    rows[np.arange(photos), generator.choice(6, photos, p=shares / shares.sum())] += sureness
    return rows


def intervals(estimate: DayEstimate) -> dict[str, Estimate]:
    """The estimates that there are, by name."""
    found = {name: getattr(estimate, name) for name in METRICS}
    found.update({f"standardised {order}": each for order, each in enumerate(estimate.standardised)})
    return {name: each for name, each in found.items() if each is not None}


def told(estimate: DayEstimate) -> dict[str, Any]:
    """All that it says, in what can be compared."""
    said = asdict(estimate)
    return {name: each.tolist() if isinstance(each, np.ndarray) else each for name, each in said.items()}


def assert_in_order(estimate: DayEstimate) -> None:
    for name, each in intervals(estimate).items():
        figures = (each.value, each.se, each.low, each.high)
        assert all(map(math.isfinite, figures)), name
        assert each.se >= 0, name
        assert each.low <= each.value <= each.high, name
        assert LEAST.get(name, 1.0) <= each.low, name
        assert each.high <= MOST.get(name, math.inf), name


# Labels beyond doubt


@pytest.mark.parametrize("counts", [TYPICAL, [5, 3, 2], [40], [1, 1, 1, 1], [6, 0, 0, 1, 1]], ids=str)
def test_certain_labels_give_the_plain_indices(counts: list[int]):
    estimate = day_estimate(sure(counts))
    assert set(estimate.values) == set(METRICS)
    for name, of in PLAIN.items():
        assert estimate.values[name] == pytest.approx(of(counts), rel=1e-12, abs=1e-12), name
    assert estimate.units == sum(counts)
    assert estimate.unknown == 0
    assert estimate.expected_counts.tolist() == counts
    assert (estimate.draws == [count for count in counts if count]).all()


def test_certain_labels_give_the_diversity_at_the_standard_coverage():
    estimate = day_estimate(sure(TYPICAL))
    for order, each in enumerate(estimate.standardised):
        wanted = diversity.diversity_at_coverage(TYPICAL, STANDARD_COVERAGE, order)
        assert each.value == pytest.approx(wanted, rel=1e-9)


def test_the_intervals_of_certain_labels_are_for_the_sampling():
    estimate = day_estimate(sure(TYPICAL))
    assert estimate.richness.low == 7  # no fewer than were seen, and some that were not
    assert estimate.richness.high > 7
    plain = diversity.bootstrap(TYPICAL, 1)
    assert estimate.hill_q1.se == pytest.approx(plain.se, rel=0.4)
    many = day_estimate(sure([count * 16 for count in TYPICAL]))
    for name in ("hill_q1", "hill_q2", "shannon", "simpson"):
        few, more = getattr(estimate, name), getattr(many, name)
        assert more.high - more.low < 0.45 * (few.high - few.low), name
    assert diversity.chao1(TYPICAL).low == pytest.approx(estimate.chao1.low, rel=0.05)
    assert diversity.chao1(TYPICAL).high == pytest.approx(estimate.chao1.high, rel=0.05)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(any), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_neither_order_nor_absent_classes_matter_to_certain_labels(counts: list[int], random: Any):
    values = day_estimate(sure(counts)).values
    shuffled = [*counts, 0, 0, 0]
    random.shuffle(shuffled)
    rows = sure(shuffled)
    moved = day_estimate(rows[np.array(random.sample(range(len(rows)), len(rows)))])
    assert moved.values == pytest.approx(values, rel=1e-12)
    assert_in_order(moved)


# Labels in doubt


def test_the_same_arguments_give_the_same_result_and_another_seed_another():
    rows = doubtful(1)
    first, again, other = (day_estimate(rows, seed=seed) for seed in (3, 3, 4))
    assert told(first) == told(again)
    assert first.draws.tolist() != other.draws.tolist()
    assert first.hill_q1.low != other.hill_q1.low
    assert first.values["hill_q1"] == pytest.approx(other.values["hill_q1"], rel=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_short_numbers_and_lists_are_welcome(dtype: type):
    rows = doubtful(2)
    estimate = day_estimate(rows)
    assert day_estimate(rows.tolist()).values == estimate.values
    assert day_estimate(rows.astype(dtype)).values["hill_q1"] == pytest.approx(
        estimate.values["hill_q1"], rel=0.1
    )


def test_it_changes_nothing_that_it_is_given():
    rows, prior = doubtful(3), np.linspace(1, 2, 20)
    confirmed, units, unknown = [None] * 59 + [3], [*range(58), 58, 58], np.zeros(60)
    copies = rows.copy(), prior.copy(), unknown.copy()
    day_estimate(rows, prior, confirmed, units, unknown=unknown)
    assert all((now == then).all() for now, then in zip((rows, prior, unknown), copies, strict=True))
    assert (confirmed, units) == ([None] * 59 + [3], [*range(58), 58, 58])


@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.integers(1, 12),
    st.floats(0.02, 3.0),
    st.floats(0, 1),
    st.sampled_from([0.01, 0.05, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_intervals_are_finite_in_order_and_within_bounds(
    seed: int, photos: int, classes: int, evenness: float, missing: float, concentration: float
):
    generator = np.random.default_rng(seed)
    kept = 1 - missing * generator.random((photos, 1))
    rows = generator.dirichlet(np.full(classes, evenness), size=photos) * kept
    unknown = generator.random(photos) * (1 - kept[:, 0])
    estimate = day_estimate(rows, unknown=unknown, concentration=concentration, draws=6, seed=seed)
    assert_in_order(estimate)
    assert (estimate.too_few is None) == bool(intervals(estimate))
    assert estimate.units == photos
    assert 0 <= estimate.unknown <= photos + 1e-9
    assert estimate.expected_counts.shape == (classes,)
    assert estimate.draws.sum(axis=1).max() <= photos
    assert estimate.expected_counts.sum() == pytest.approx(estimate.draws.sum(axis=1).mean())
    for name, value in estimate.values.items():
        assert LEAST[name] - 1e-12 <= value <= MOST[name] + 1e-12, name


def test_the_order_of_photos_and_classes_matters_no_more_than_the_draw():
    rows, generator = doubtful(4), np.random.default_rng(0)
    estimate = day_estimate(rows, draws=60)
    photos, classes = generator.permutation(len(rows)), generator.permutation(20)
    moved = day_estimate(rows[photos][:, classes], draws=60)
    for name in ("hill_q1", "hill_q2", "shannon", "simpson", "pielou"):
        assert moved.values[name] == pytest.approx(estimate.values[name], rel=0.05), name
    assert moved.richness.value == pytest.approx(estimate.richness.value, abs=0.6)
    assert moved.expected_counts == pytest.approx(estimate.expected_counts[classes], abs=1.0)


def test_doubt_widens_the_interval():
    surer, less = (day_estimate(doubtful(5, sureness=sureness)) for sureness in (0.98, 0.5))
    assert less.hill_q1.high / less.hill_q1.low > 1.1 * surer.hill_q1.high / surer.hill_q1.low
    assert np.ptp(less.draws, axis=0).sum() > np.ptp(surer.draws, axis=0).sum()


def test_what_every_photo_mentions_and_none_names_is_no_species():
    # Twenty other classes, each with 1 % in every photo: twelve expected finds by their sum, and none in truth.
    rows = np.zeros((60, 24))
    rows[np.arange(60), np.repeat([0, 1, 2, 3], 15)] = 0.8
    rows[:, 4:] = 0.01
    estimate = day_estimate(rows)
    assert estimate.values["richness"] < 5
    assert diversity.richness(rows.sum(axis=0)) == 24


def test_a_common_look_alike_takes_in_a_doubtful_photo():
    doubt = np.array([[0.45, 0.55, 0.0]])
    common = day_estimate(np.concatenate([sure([30, 0, 10]), doubt]), draws=60)
    other = day_estimate(np.concatenate([sure([0, 30, 10]), doubt]), draws=60)
    assert common.expected_counts[0] > 30.9
    assert other.expected_counts[1] > 30.9
    assert common.values["richness"] < 2.1


def test_the_shares_in_training_are_divided_out():
    # Class 0 was nine times as frequent in training, so 0.7 for it speaks for class 1.
    rows = np.array([[0.7, 0.3]] * 12)
    assert day_estimate(rows, draws=40).expected_counts.argmax() == 0
    assert day_estimate(rows, prior=[0.9, 0.1], draws=40).expected_counts.argmax() == 1
    # Only their proportions matter.
    counted, shares = (day_estimate(rows, prior=prior) for prior in ([90, 10], [0.9, 0.1]))
    assert counted.values == shares.values


def test_what_is_missing_is_spread_evenly_over_the_other_classes():
    # All that is known of forty plants is that they are not of the classes 0 to 4.
    rows = np.full((40, 9), 1e-9)
    rows[:, 5:] = 0.0
    estimate = day_estimate(rows, concentration=50.0, draws=60)
    assert estimate.unknown == 0
    assert estimate.expected_counts[:5] == pytest.approx([0] * 5, abs=0.01)
    assert estimate.expected_counts[5:] == pytest.approx([10] * 4, abs=1.5)


# What is of no known species


def test_unknown_plants_are_left_out_counted_and_never_species():
    rows = np.concatenate([sure([20, 10, 6], classes=9), np.zeros((12, 9))])
    unknown = np.concatenate([np.zeros(36), np.ones(12)])
    estimate = day_estimate(rows, unknown=unknown)
    assert (estimate.units, estimate.unknown) == (48, 12)
    assert estimate.values == pytest.approx(day_estimate(sure([20, 10, 6])).values)
    assert estimate.expected_counts.tolist() == [20, 10, 6, 0, 0, 0, 0, 0, 0]


def test_a_plant_that_is_half_unknown_counts_half_the_time():
    rows = sure([20, 10, 6], classes=9) / 2
    estimate = day_estimate(rows, unknown=np.full(36, 0.5), draws=80)
    assert estimate.unknown == pytest.approx(18)
    assert estimate.expected_counts[:3] == pytest.approx([10, 5, 3], abs=1.5)
    assert estimate.expected_counts[3:].sum() == 0
    assert estimate.draws.sum(axis=1).std() > 1


def test_with_few_classes_what_is_missing_is_unknown():
    estimate = day_estimate(sure([20, 10, 6]) * 0.75)
    assert estimate.unknown == pytest.approx(9)


# What a person said


def test_a_confirmed_label_is_certain():
    rows = np.tile([0.9, 0.05, 0.05], (20, 1))
    estimate = day_estimate(rows, confirmed=[0] * 8 + [1] * 7 + [2] * 5)
    assert estimate.expected_counts.tolist() == [8, 7, 5]
    assert estimate.values["hill_q1"] == pytest.approx(diversity.hill([8, 7, 5], 1))
    assert (estimate.draws == [8, 7, 5]).all()


def test_a_person_may_name_a_species_that_the_model_does_not_know():
    confirmed = [None] * 30 + [5, 5, 8]
    rows = np.concatenate([sure([20, 10]), np.tile([0.5, 0.5], (3, 1))])
    for said in (confirmed, np.array(confirmed)):
        estimate = day_estimate(rows, confirmed=said)
        assert estimate.expected_counts.tolist() == [20, 10, 0, 0, 0, 2, 0, 0, 1]
        assert estimate.classes.tolist() == [0, 1, 5, 8]
        assert estimate.values["richness"] == 4


def test_a_confirmed_plant_is_not_unknown():
    estimate = day_estimate(np.zeros((6, 9)), unknown=np.ones(6), confirmed=[2, 2, 2, 3, 3, None])
    assert estimate.unknown == 1
    assert estimate.expected_counts.tolist() == [0, 0, 3, 2, 0, 0, 0, 0, 0]


def test_confirmed_labels_draw_their_look_alikes():
    rows = np.tile([0.55, 0.45], (20, 1))
    named = [1] * 14 + [None] * 6
    assert day_estimate(rows, draws=40).expected_counts[0] > 10
    assert day_estimate(rows, confirmed=named, draws=40).expected_counts[1] > 18


# Several photos of a plant


def test_photos_of_one_plant_count_once():
    rows, plants = sure([12, 8, 4, 1]), list(range(25))
    once = day_estimate(rows, units=plants)
    thrice = day_estimate(np.repeat(rows, 3, axis=0), units=np.repeat(plants, 3).tolist())
    assert thrice.units == 25
    assert told(thrice) == told(once)
    apart = day_estimate(np.repeat(rows, 3, axis=0))
    assert apart.units == 75
    assert apart.hill_q1.high - apart.hill_q1.low < 0.75 * (once.hill_q1.high - once.hill_q1.low)


def test_photos_of_one_plant_are_averaged():
    # Two photos that contradict each other are a plant in doubt; the third, of another plant, is sure.
    rows = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    estimate = day_estimate(rows, units=[7, 7, 3], draws=400)
    assert (estimate.draws.sum(axis=1) == 2).all()
    assert estimate.expected_counts == pytest.approx([0.5, 0.5, 1.0], abs=0.1)
    # Of three classes, so what is missing from 1 is unknown: on average, not of the sum.
    assert day_estimate([[0.4, 0, 0], [0.2, 0, 0]], units=[0, 0]).unknown == pytest.approx(0.7)


def test_what_a_person_said_of_one_photo_holds_for_the_plant():
    rows = np.concatenate([np.tile([0.9, 0.1], (3, 1)), sure([3, 3])])
    estimate = day_estimate(rows, units=[0, 0, 0, 1, 2, 3, 4, 5, 6], confirmed=[None, 1, None] + [None] * 6)
    assert estimate.units == 7
    assert estimate.expected_counts.tolist() == [3, 4]


def test_unknown_of_photos_of_one_plant_is_averaged():
    estimate = day_estimate(np.zeros((4, 9)), units=[0, 0, 1, 1], unknown=[1.0, 0.5, 0.5, 0.5])
    assert estimate.unknown == pytest.approx(1.25)


# Too little to say anything


@pytest.mark.parametrize(
    ("rows", "unknown"),
    [(np.zeros((0, 7)), None), (np.zeros((0, 0)), None), (np.zeros((6, 7)), np.ones(6))],
    ids=["no photos", "no classes", "nothing known"],
)
def test_without_plants_there_are_no_values(rows: np.ndarray, unknown: np.ndarray | None):
    estimate = day_estimate(rows, unknown=unknown)
    assert estimate.too_few == "no_plants"
    assert estimate.values == {}
    assert intervals(estimate) == {}
    assert estimate.expected_counts.tolist() == [0] * rows.shape[1]


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([1], "few_plants"),
        ([2, 2], "few_plants"),
        ([3, 2], None),
        ([1] * 8, "low_coverage"),
        ([2, 1, 1, 1, 1], "low_coverage"),
        ([3, 2, 1], None),
    ],
    ids=str,
)
def test_too_few_plants_give_values_but_no_intervals(counts: list[int], reason: str | None):
    estimate = day_estimate(sure(counts))
    assert estimate.too_few == reason
    assert estimate.values["richness"] == len(counts)
    assert (intervals(estimate) == {}) == (reason is not None)


def test_plants_of_no_known_class_do_not_make_a_day_less_thin():
    rows = np.concatenate([sure([2, 2], classes=9), np.zeros((50, 9))])
    estimate = day_estimate(rows, unknown=np.concatenate([np.zeros(4), np.ones(50)]))
    assert estimate.too_few == "few_plants"


# What does not fit


@pytest.mark.parametrize(
    "arguments",
    [
        {"probabilities": [0.5, 0.5]},
        {"probabilities": [[[0.5]]]},
        {"probabilities": [["half", "half"]]},
        {"probabilities": [[0.5], [0.5, 0.5]]},
        {"probabilities": [[math.nan, 0.5]]},
        {"probabilities": [[math.inf, 0.5]]},
        {"probabilities": [[-0.1, 0.5]]},
        {"probabilities": [[0.7, 0.4]]},
        {"prior": [0.5]},
        {"prior": [0.5, 0.0]},
        {"prior": [0.5, -0.5]},
        {"prior": [0.5, math.nan]},
        {"confirmed": [0]},
        {"confirmed": []},
        {"confirmed": [0, -1]},
        {"confirmed": [0, 0.5]},
        {"confirmed": [0, "one"]},
        {"units": [0]},
        {"units": [0, 0], "confirmed": [0, 1]},
        {"unknown": [0.1]},
        {"unknown": [0.1, -0.1]},
        {"unknown": [0.1, math.nan]},
        {"unknown": [0.6, 0.6]},
        {"concentration": 0.0},
        {"concentration": -1.0},
        {"concentration": math.inf},
        {"draws": 1},
        {"seed": -1},
    ],
    ids=str,
)
def test_it_refuses_arguments_that_do_not_fit(arguments: dict[str, Any]):
    with pytest.raises(ValueError):  # noqa: PT011  some of the words are NumPy's
        day_estimate(**{"probabilities": [[0.5, 0.4], [0.1, 0.4]], **arguments})


# How well the intervals hold; the benchmark `statistics` has the figures


def test_the_intervals_hold_the_truth_of_simulated_days():
    """Sixty days with species at random: intervals of 95 % hold fewer than 53 of them once in a hundred times."""
    seen_by = simulated_days.classifier(0.85)
    shares = simulated_days.COMMUNITIES["geometric"] / simulated_days.COMMUNITIES["geometric"].sum()
    truth = simulated_days.hill_numbers(shares)
    held, values = np.zeros(3), np.zeros(3)
    for day in range(60):
        generator = np.random.default_rng(day)
        species = simulated_days.species_of("random", generator)
        estimate = day_estimate(seen_by.seen(generator.choice(species, 80, p=shares), generator))
        found = (estimate.richness, estimate.hill_q1, estimate.hill_q2)
        held += [each.low <= true + 1e-9 <= each.high + 2e-9 for each, true in zip(found, truth, strict=True)]
        values += [each.value / 60 for each in found]
    assert (held >= 53).all(), held
    # Eighty plants show a little less than the community; the top labels show 78, 40 and 25 % more.
    assert np.abs(values / truth - 1).max() < 0.08


def test_the_documented_example_holds():
    # By way of sys.modules: in the package the name is the function's.
    outcome = doctest.testmod(sys.modules[day_estimate.__module__])
    assert outcome.attempted > 0
    assert outcome.failed == 0
