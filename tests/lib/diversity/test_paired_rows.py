"""The statistics of many pairs at once are those of one pair, a row each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.diversity import beta_partition, bray_curtis, gamma_alpha_beta, hill, jaccard, sorensen
from lib.diversity.paired_rows import ORDERS, dissimilarities, gamma_and_alpha, hill_numbers

SPECIES = 6
ROW = st.lists(st.integers(0, 30), min_size=SPECIES, max_size=SPECIES).filter(any)
PAIRS = st.lists(st.tuples(ROW, ROW), min_size=1, max_size=5)


@given(PAIRS)
def test_dissimilarities_are_those_of_each_pair(pairs: list[tuple[list[int], list[int]]]) -> None:
    found = dissimilarities(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
    for row, (a, b) in enumerate(pairs):
        expected = {
            "bray_curtis": bray_curtis(a, b, relative=True),
            "bray_curtis_raw": bray_curtis(a, b),
            "jaccard": jaccard(a, b),
            "sorensen": sorensen(a, b),
        }
        for index in ("jaccard", "sorensen"):
            partition = beta_partition(a, b, index)
            assert partition is not None
            expected |= {f"{index}_turnover": partition.turnover, f"{index}_nestedness": partition.nestedness}
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected, abs=1e-12)


@given(PAIRS)
def test_gamma_and_alpha_are_those_of_each_pair(pairs: list[tuple[list[int], list[int]]]) -> None:
    gamma, alpha = gamma_and_alpha(np.array([a for a, _ in pairs]), np.array([b for _, b in pairs]))
    for row, (a, b) in enumerate(pairs):
        for column, order in enumerate(ORDERS):
            one = gamma_alpha_beta([a, b], order)
            assert one is not None
            assert (gamma[row, column], alpha[row, column]) == pytest.approx((one.gamma, one.alpha))


@given(st.lists(ROW, min_size=1, max_size=5))
def test_hill_numbers_are_those_of_each_sample(rows: list[list[int]]) -> None:
    for row, found in zip(rows, hill_numbers(np.array(rows)), strict=True):
        assert list(found) == pytest.approx([hill(row, order) for order in ORDERS])
