"""The figures of a classifier, against hand calculations and published values."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.classifier import figures


def test_calibration_error_of_one_bin_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]])
    assert figures.calibration_error(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(0.15)


def test_wilson_matches_published_values() -> None:
    # Newcombe 1998, table I, method 3: 81/263 and 0/20.
    assert figures.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert figures.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert figures.wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_within_bounds(pair: tuple[int, int]) -> None:
    low, high = figures.wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] + 1e-12
    assert pair[0] / pair[1] - 1e-12 <= high <= 1


def test_top_k_counts_labels_among_the_likeliest() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
    assert [figures.top_k(probabilities, np.array([1, 0]), k) for k in (1, 2, 3)] == [0, 1, 2]


def test_recalls_and_confusions_by_hand() -> None:
    predicted, labels = np.array([0, 1, 1, 2, 1]), np.array([0, 0, 0, 2, 2])
    assert figures.recalls(predicted, labels, 3) == [(1, 3), (0, 0), (1, 2)]
    assert figures.confusions(predicted, labels, 3) == [(0, 1, 2), (2, 1, 1)]


def test_reliability_by_hand() -> None:
    table = figures.reliability(np.array([0.05, 0.1, 0.5, 1.0]), np.array([False, True, True, False]), bins=2)
    assert [tuple(b) for b in table] == [(0.0, 0.5, 2, pytest.approx(0.075), 0.5), (0.5, 1.0, 2, 0.75, 0.5)]
    assert figures.expected_error(table) == pytest.approx((2 * 0.425 + 2 * 0.25) / 4)


def test_an_empty_bin_has_no_means_and_an_empty_table_no_error() -> None:
    table = figures.reliability(np.array([0.9]), np.array([True]), bins=2)
    assert table[0] == (0.0, 0.5, 0, None, None)
    assert figures.expected_error(figures.reliability(np.zeros(0), np.zeros(0, bool))) is None


ANSWERS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.25, 0.5, 0.7, 1.0]), st.booleans()), min_size=1, max_size=7
)


def test_risk_coverage_by_hand() -> None:
    curve = figures.risk_coverage(np.array([0.5, 0.9, 0.7]), np.array([False, True, False]))
    assert curve.thresholds.tolist() == [0.9, 0.7, 0.5]
    assert curve.coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve.risk == pytest.approx([0, 1 / 2, 2 / 3])
    assert curve.area == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)


def test_the_share_that_can_be_answered_at_a_wanted_risk() -> None:
    # Right, wrong, then three right: the error is above a quarter in between and at most a quarter at the end.
    curve = figures.risk_coverage(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1, 0, 1, 1, 1], bool))
    assert (curve.coverage_at(0.0), curve.threshold_at(0.0)) == (pytest.approx(0.2), 0.9)
    assert (curve.coverage_at(0.25), curve.threshold_at(0.25)) == (1.0, 0.5)
    assert curve.risk_at(0.5) == pytest.approx(1 / 3)
    assert figures.risk_coverage(np.array([0.9]), np.array([False])).coverage_at(0.1) == 0.0
    assert figures.risk_coverage(np.array([0.9]), np.array([False])).threshold_at(0.1) is None


def test_risk_coverage_without_answers_is_empty() -> None:
    curve = figures.risk_coverage(np.zeros(0), np.zeros(0, bool))
    assert (len(curve.risk), curve.area, curve.coverage_at(1.0), curve.risk_at(1.0)) == (0, None, 0.0, None)


@given(ANSWERS, st.randoms())
def test_risk_coverage_does_not_depend_on_the_order_and_ends_at_the_error(answers, random) -> None:  # type: ignore[no-untyped-def]
    def curve(rows: list[tuple[float, bool]]) -> figures.RiskCoverage:
        return figures.risk_coverage(np.array([c for c, _ in rows]), np.array([r for _, r in rows]))

    one = curve(answers)
    shuffled = list(answers)
    random.shuffle(shuffled)
    other = curve(shuffled)
    assert one.area == pytest.approx(other.area)
    assert one.risk.tolist() == other.risk.tolist()
    assert one.coverage[-1] == 1
    assert one.risk[-1] == pytest.approx(sum(not r for _, r in answers) / len(answers))
    assert 0 <= one.area <= 1  # type: ignore[operator]


@given(ANSWERS)
def test_the_area_is_the_mean_over_all_orders_of_equal_confidences(answers) -> None:  # type: ignore[no-untyped-def]
    by_value = [
        list(g) for _, g in itertools.groupby(sorted(answers, key=lambda a: -a[0]), key=lambda a: a[0])
    ]
    areas = []
    for orders in itertools.product(*(list(itertools.permutations(g)) for g in by_value)):
        wrong = [not r for part in orders for _, r in part]
        areas.append(np.mean([sum(wrong[:k]) / k for k in range(1, len(wrong) + 1)]))
    curve = figures.risk_coverage(np.array([c for c, _ in answers]), np.array([r for _, r in answers]))
    assert curve.area == pytest.approx(np.mean(areas))


def test_mcnemar_by_hand() -> None:
    assert figures.mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert figures.mcnemar(0, 0) == 1.0
    assert figures.mcnemar(0, 5) == pytest.approx(0.0625)
    # Agresti, Categorical Data Analysis: approval of a prime minister, 150 against 86 changed their mind.
    assert figures.mcnemar(86, 150) == pytest.approx(3.7e-5, rel=0.05)
    assert figures.mcnemar(0, 5000) == 0.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_symmetric_and_a_probability(b: int, c: int) -> None:
    assert figures.mcnemar(b, c) == figures.mcnemar(c, b)
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert figures.mcnemar(b, c) == pytest.approx(min(1, 2 * tail))


def pairs(both: int, only_a: int, only_b: int, neither: int) -> figures.Paired:
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return figures.paired(np.array(a, bool), np.array(b, bool))


def test_paired_intervals_match_published_values() -> None:
    # Newcombe 1998 (Statistics in Medicine 17:2635), method 10.
    report = pairs(36, 2, 12, 0)
    assert (report["low"], report["high"]) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    report = pairs(36, 0, 14, 0)
    assert (report["low"], report["high"]) == pytest.approx((0.1528, 0.4167), abs=5e-5)


def test_paired_counts_by_hand() -> None:
    report = figures.paired(np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 1, 1], bool))
    assert (report["both_right"], report["only_a"], report["only_b"], report["neither"]) == (2, 1, 2, 0)
    assert (report["a"], report["b"], report["difference"]) == pytest.approx((0.6, 0.8, 0.2))
    assert report["p"] == 1.0


@given(*[st.integers(0, 30)] * 4)
def test_paired_turned_round_is_the_negative(both: int, only_a: int, only_b: int, neither: int) -> None:
    one, other = pairs(both, only_a, only_b, neither), pairs(both, only_b, only_a, neither)
    assert one["p"] == other["p"]
    if one["n"]:
        low, high, difference = one["low"], one["high"], one["difference"]
        assert (low, high) == pytest.approx((-other["high"], -other["low"]))  # type: ignore[operator]
        assert -1 <= low <= difference + 1e-12  # type: ignore[operator]
        assert difference - 1e-12 <= high <= 1  # type: ignore[operator]


def test_paired_without_photos_and_with_different_photos() -> None:
    assert pairs(0, 0, 0, 0)["difference"] is None
    with pytest.raises(ValueError, match="not the same photos"):
        figures.paired(np.zeros(2, bool), np.zeros(3, bool))
