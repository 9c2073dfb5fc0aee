"""Fixed-size subsamples: their means are the exact expectations."""

from __future__ import annotations

import doctest
import math

import pytest

from lib import diversity
from lib.diversity import subsampling

WEEDS = [37, 12, 5, 5, 2, 1, 1, 1]


def test_the_means_are_the_expectations() -> None:
    found = diversity.subsample(WEEDS, draws=20_000)
    assert found.richness.value == pytest.approx(diversity.diversity_at_size(WEEDS, 30, 0), rel=0.01)
    assert found.richness.se == pytest.approx(diversity.rarefaction_se(WEEDS, 30), rel=0.02)
    # The entropy of the mean sample is the mean entropy, for sum -p ln p is a sum over species.
    assert found.shannon.value == pytest.approx(math.log(diversity.diversity_at_size(WEEDS, 30, 1)), rel=0.01)
    assert found.simpson.value == pytest.approx(1 - 1 / diversity.diversity_at_size(WEEDS, 30, 2), rel=0.01)


def test_the_whole_sample_has_no_spread() -> None:
    found = diversity.subsample(WEEDS, size=64, draws=10)
    for name, value in {
        "richness": 8,
        "shannon": diversity.shannon(WEEDS),
        "simpson": diversity.simpson(WEEDS),
        "pielou": diversity.pielou(WEEDS),
        "hill_q1": diversity.hill(WEEDS, 1),
        "hill_q2": diversity.hill(WEEDS, 2),
    }.items():
        estimate = getattr(found, name)
        assert (estimate.low, estimate.value, estimate.high) == pytest.approx((value, value, value))
        assert estimate.se == pytest.approx(0, abs=1e-12)


def test_a_single_species_is_even() -> None:
    found = diversity.subsample([50], size=30, draws=10)
    assert (found.pielou.value, found.richness.value, found.shannon.value) == (1, 1, 0)


def test_a_smaller_sample_has_none() -> None:
    assert diversity.subsample([10, 19]) is None
    assert diversity.subsample([10, 20]) is not None
    assert diversity.subsample([]) is None


def test_the_interval_holds_its_share_of_the_draws() -> None:
    wide, narrow = (diversity.subsample(WEEDS, level=level).hill_q1 for level in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert diversity.subsample(WEEDS, seed=1) == diversity.subsample(WEEDS, seed=1)
    assert diversity.subsample(WEEDS, seed=1) != diversity.subsample(WEEDS, seed=2)


@pytest.mark.parametrize("bad", [{"size": 0}, {"size": 2.5}, {"draws": 1}, {"level": 1}])
def test_it_refuses_what_draws_nothing(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"size|draws|level"):
        diversity.subsample(WEEDS, **bad)


def test_it_refuses_a_billion() -> None:
    with pytest.raises(ValueError, match="billion"):
        diversity.subsample([10**9, 5])


def test_the_examples_hold() -> None:
    assert doctest.testmod(subsampling).failed == 0
