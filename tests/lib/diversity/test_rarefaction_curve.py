"""The curve: whole sizes up to twice the sample, each with coverage and interval."""

from __future__ import annotations

import doctest
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import rarefaction_curve as curve_of

WEEDS = [37, 12, 5, 5, 2, 1, 1, 1]


@pytest.mark.parametrize("q", [0, 0.5, 1, 2])
def test_its_knots_are_the_values_of_the_functions(q: float) -> None:
    curve = diversity.rarefaction_curve(WEEDS, q)
    assert (curve.sizes[0], curve.sizes[-1]) == (1, 128)
    assert len(curve.sizes) == len(curve.coverages) == len(curve.estimates) == len(curve.parts) == 40
    assert curve.parts.count("observed") == 1
    for size, coverage, estimate, part in zip(
        curve.sizes, curve.coverages, curve.estimates, curve.parts, strict=True
    ):
        assert estimate.value == diversity.diversity_at_size(WEEDS, size, q)
        assert coverage == diversity.coverage_at(WEEDS, size)
        assert part == ("interpolated" if size < 64 else "extrapolated" if size > 64 else "observed")
    assert curve.estimates[0].se == 0


def test_its_errors_are_those_of_the_bootstrap_at_that_size() -> None:
    curve = diversity.rarefaction_curve(WEEDS, 1, draws=200)
    for size in (64, 128):
        assert curve.estimates[curve.sizes.index(size)].se == pytest.approx(
            diversity.bootstrap_at_size(WEEDS, size, 1, draws=200).se
        )


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5), st.sampled_from([0, 1, 2.5, 7]), st.integers(2, 9)
)
def test_any_sample_has_a_rising_curve(counts: list[int], q: float, knots: int) -> None:
    curve = curve_of(counts, q, knots=knots, draws=5)
    assert list(curve.sizes) == sorted(set(curve.sizes))
    assert len(curve.sizes) <= knots + 1
    for before, after in itertools.pairwise(curve.estimates):
        assert after.value >= before.value * (1 - 1e-9)
    assert all(each.low <= each.value <= each.high for each in curve.estimates)


def test_an_empty_sample_has_none() -> None:
    assert diversity.rarefaction_curve([], 0) is None


@pytest.mark.parametrize("bad", [{"knots": 1}, {"draws": 1}, {"level": 2}, {"q": -1}])
def test_it_refuses_what_gives_no_curve(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"knots|draws|level|order"):
        diversity.rarefaction_curve(WEEDS, **{"q": 0, **bad})


def test_the_examples_hold() -> None:
    import sys

    assert doctest.testmod(sys.modules["lib.diversity.rarefaction_curve"]).failed == 0
