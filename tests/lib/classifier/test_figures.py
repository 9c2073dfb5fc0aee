"""The figures of a classifier, against hand calculations and published values."""

from __future__ import annotations

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
