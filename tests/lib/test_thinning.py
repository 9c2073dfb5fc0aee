"""The better covered of two samples, thinned to the coverage of the other."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import ArrayLike

from lib.day_sums import Counts
from lib.diversity import coverage, jaccard, size_at_coverage
from lib.thinning import thinned

SMALL = [8, 6, 3, 1, 1, 1, 0, 0, 0, 0]
LARGE = [90, 70, 25, 12, 9, 7, 5, 4, 2, 2]


def counts(*labellings: ArrayLike) -> Counts:
    return np.array(labellings, dtype=np.int64)


@pytest.mark.parametrize("large_first", [False, True])
def test_the_better_covered_side_is_thinned(large_first: bool) -> None:
    sides = counts(SMALL), counts(LARGE)
    found = thinned(*(reversed(sides) if large_first else sides))
    small, large = found.size_a, found.size_b
    if large_first:
        small, large = large, small
    assert found.coverage == pytest.approx(coverage(SMALL))
    assert small == sum(SMALL)
    size = size_at_coverage(LARGE, found.coverage)
    assert size is not None
    assert large == round(size)
    # Four species of ten that the small sample missed make them look less alike than they are.
    assert jaccard(SMALL, LARGE) == pytest.approx(0.4)
    assert found.jaccard_nestedness < 0.25
    assert found.jaccard == pytest.approx(found.jaccard_turnover + found.jaccard_nestedness)
    assert found.sorensen == pytest.approx(found.sorensen_turnover + found.sorensen_nestedness)


def test_samples_of_equal_coverage_stay_whole() -> None:
    found = thinned(counts([10, 10, 0]), counts([0, 20, 10]))
    assert (found.coverage, found.size_a, found.size_b) == (1.0, 20, 30)
    assert found.jaccard == pytest.approx(2 / 3)
    assert found.bray_curtis == pytest.approx((1 / 2 + 1 / 6 + 1 / 3) / 2)


def test_it_goes_labelling_by_labelling() -> None:
    one = asdict(thinned(counts([10, 10, 0]), counts([0, 20, 10])))
    other = asdict(thinned(counts([10, 10, 0]), counts([10, 10, 0])))
    both = asdict(thinned(counts([10, 10, 0], [10, 10, 0]), counts([0, 20, 10], [10, 10, 0])))
    assert both == pytest.approx({name: (one[name] + other[name]) / 2 for name in both})


def test_no_number_of_plants_is_too_large() -> None:
    found = thinned(counts([5, 3, 1, 1, 0]), counts([2**40, 2**39, 2**38, 2**30, 2**30]))
    assert found.size_a == 10
    assert 0 <= found.jaccard <= 1
