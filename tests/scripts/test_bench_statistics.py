"""The simulated days of the benchmark are what they claim, and its figures say what was found."""

from __future__ import annotations

import numpy as np
import pytest

from lib.diversity import hill
from scripts.benchmarks import day_costs, simulated_days, statistics


@pytest.fixture(scope="module")
def seen_by() -> simulated_days.Classifier:
    return simulated_days.classifier(0.85)


def test_the_classifier_is_as_accurate_as_asked_and_errs_within_the_pair_half_the_time(seen_by):
    right, right_pair = seen_by.accuracy()
    assert right == pytest.approx(0.85, abs=0.002)
    assert right_pair == pytest.approx(0.925, abs=0.002)


def test_the_classifier_means_its_probabilities(seen_by):
    generator = np.random.default_rng(5)
    species = generator.integers(0, simulated_days.CLASSES, 20_000)
    probabilities = seen_by.seen(species, generator, photos=1)
    surest = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == species
    for low, high in ((0.4, 0.6), (0.6, 0.8), (0.8, 0.95)):
        there = (surest >= low) & (surest < high)
        assert right[there].mean() == pytest.approx(surest[there].mean(), abs=0.03)
    sharp = simulated_days.sharpened(probabilities, 0.5)
    assert sharp.max(axis=1).mean() > right.mean() + 0.05


def test_photos_of_one_plant_are_alike_and_as_sure_as_any(seen_by):
    plants = np.repeat(np.arange(simulated_days.CLASSES), 40)
    four = seen_by.seen(plants, np.random.default_rng(2), photos=4, alike=0.9).reshape(len(plants), 4, -1)
    named = four.argmax(axis=2)
    assert (named[:, 0] == named[:, 1]).mean() > 0.85
    assert (named[:, 0] == plants).mean() == pytest.approx(0.85, abs=0.03)


def test_hill_numbers_of_many_rows_are_those_of_each():
    rows = np.random.default_rng(3).integers(0, 6, (20, 7))
    for row, found in zip(rows, simulated_days.hill_numbers(rows), strict=True):
        assert found == pytest.approx([hill(row, q) for q in (0, 1, 2)])


def test_the_plain_count_can_only_lose_species():
    labels = np.array([40, 20, 10, 1, 1])
    (value, low, high), *_ = statistics.plain_bootstrap(labels, np.random.default_rng(4))
    assert (value, high) == (5, 5)
    assert 3 <= low < 5


def test_it_counts_what_holds_the_truth_and_marks_what_misses_the_aim():
    truth = np.array([8.0, 5.0, 4.0])
    exact = np.array(
        [[[8, 7, 9], [5, 4, 6], [4, 3, 5]]] * 3 + [[[10, 9, 11], [5, 4, 6], [4, 3, 5]]], dtype=float
    )
    judged = statistics._judged(exact, truth, np.full((4, 3), 4.0))
    assert judged["coverage"] == [0.75, 1, 1]
    assert judged["bias_percent"] == [6.25, 0, 0]
    assert judged["bias_to_plants_percent"] == [112.5, 25, 0]
    assert judged["width"] == [0.25, 0.4, 0.5]
    assert judged["misses"] == ["richness coverage", "richness bias"]


def test_one_command_says_all_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(statistics, "ACCURACIES", (0.70,))
    monkeypatch.setattr(statistics, "CELLS", (statistics.Cell("aim", "geometric", 0.70),))
    monkeypatch.setattr(day_costs, "PHOTOS", (20,))
    monkeypatch.setattr(day_costs, "IMPORTS", 1)
    found = statistics.measure(3)
    (cell,) = found["cells"]
    assert cell["without_interval"] == 0
    assert cell["top_label"]["bias_percent"][0] > 50 > abs(cell["day_estimate"]["bias_percent"][0])
    day = found["days"][0]
    assert day["ms"] > 0
    assert day["allocated_mb"] > 20 * day_costs.CLASSES * 8 / day_costs.MEBIBYTE
    words = statistics.describe(found)
    assert "reaches the aim in" in words
    assert words.count("*") > 3


def test_the_measured_day_is_like_a_models():
    day = day_costs.realistic_day(60, np.random.default_rng(6))
    sums, tops = day.sum(axis=1, dtype=np.float64), day.max(axis=1)
    assert day.shape == (60, day_costs.CLASSES)
    assert (sums <= 1).all()
    assert sums == pytest.approx(np.ones(60), abs=1e-5)
    assert 0.74 < tops.min() < tops.max() < 0.96
    assert 5 <= len(np.unique(day.argmax(axis=1))) <= day_costs.SPECIES
