"""Bootstrap intervals: the community behind a sample, the samples drawn from it, and the estimates."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import bootstrap as bootstrap_of_hill
from lib.diversity.bootstrap import community, community_samples
from lib.diversity.many_samples import asymptotes, hills, hills_at_size
from lib.diversity.sample import abundance_sample

WEEDS = [37, 12, 5, 5, 2, 1, 1, 1]
samples = st.lists(st.integers(0, 15), min_size=1, max_size=10).filter(any)


@given(samples)
def test_the_community_is_whole_and_misses_what_the_sample_has_not_covered(counts: list[int]) -> None:
    seen = [count for count in counts if count]
    shares = community(counts)
    assert shares.sum() == pytest.approx(1)
    assert np.all(shares > 0)
    assert np.all(shares[: len(seen)] <= np.array(seen) / sum(seen) + 1e-15)
    unseen = shares[len(seen) :]
    assert unseen.size == math.ceil(abundance_sample(counts).unseen)
    if unseen.size:
        assert unseen.sum() == pytest.approx(1 - diversity.coverage(counts))


def test_the_community_of_weeds_is_inexts() -> None:
    # By hand: n = 64, f1 = 3, f2 = 1, deficit 3/64 * 189/191; f0 = 63/64 * 9/2 = 4.43, five unseen species.
    shares = community(WEEDS)
    deficit = 3 / 64 * 189 / 191
    assert shares[8:].tolist() == pytest.approx([deficit / 5] * 5)
    lowering = sum(x / 64 * (1 - x / 64) ** 64 for x in WEEDS)
    assert shares[7] == pytest.approx(1 / 64 * (1 - deficit / lowering * (63 / 64) ** 64))


@pytest.mark.parametrize("counts", [WEEDS, [1, 1, 1, 2], [1] * 40, [30], [1], [9, 1]])
def test_samples_have_the_size_and_the_shares_of_the_community(counts: list[int]) -> None:
    rows = community_samples(counts, 4000, np.random.default_rng(3))
    assert set(rows.sum(axis=1).tolist()) == {sum(counts)}
    shares = community(counts)
    seen = rows[:, : len(counts)].mean(axis=0) / sum(counts)
    np.testing.assert_allclose(seen, shares[: len(counts)], atol=0.01)
    # Expected species of a sample: 1 - (1 - p)**n for each, however the unseen ones were drawn.
    expected = float(np.sum(1 - (1 - shares) ** sum(counts)))
    assert np.count_nonzero(rows, axis=1).mean() == pytest.approx(expected, rel=0.02)


def test_a_great_many_unseen_species_take_no_matrix_of_them_all() -> None:
    rows = community_samples([1] * 1000, 50, np.random.default_rng(0))
    assert math.ceil(abundance_sample([1] * 1000).unseen) > 499_000
    assert rows.shape[1] <= 2000


@pytest.mark.parametrize("counts", [[], [0, 0]])
def test_nothing_is_drawn_from_an_empty_sample(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        community(counts)
    with pytest.raises(ValueError, match="at least one"):
        community_samples(counts, 5, np.random.default_rng(0))
    assert diversity.bootstrap(counts, 1) is None
    assert diversity.bootstrap_at_size(counts, 5, 1) is None
    assert diversity.bootstrap_at_coverage(counts, 0.5, 1) is None


@given(samples, st.sampled_from([0, 0.5, 1, 2]), st.booleans())
def test_estimates_are_ordered_and_finite(counts: list[int], q: float, asymptotic: bool) -> None:
    estimate = diversity.bootstrap(counts, q, draws=20, asymptotic=asymptotic)
    if estimate is None:
        assert asymptotic
        return
    value = diversity.asymptotic(counts, q) if asymptotic else diversity.hill(counts, q)
    assert estimate.value == pytest.approx(value)
    assert min(1.0, value) <= estimate.low <= estimate.value <= estimate.high
    assert all(map(math.isfinite, (estimate.se, estimate.low, estimate.high)))
    if asymptotic and q == 0:
        assert estimate.low >= min(diversity.richness(counts), value)


def test_the_error_counts_species_that_the_sample_missed() -> None:
    estimate = bootstrap_of_hill(WEEDS, 0, draws=4000)
    # A resample of the sample itself can only lose species: its mean lies below what was seen.
    rows = np.random.default_rng(0).multinomial(64, np.array(WEEDS) / 64, size=4000)
    assert np.count_nonzero(rows, axis=1).max() == 8
    assert estimate.high > 9
    assert estimate.se == pytest.approx(1.36, rel=0.05)  # iNEXT


def test_a_wider_level_gives_a_wider_interval_around_the_same_error() -> None:
    narrow, wide = (diversity.bootstrap(WEEDS, 1, level=level) for level in (0.5, 0.99))
    assert narrow.se == wide.se
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert (narrow.high - narrow.value) / narrow.se == pytest.approx(0.67449, rel=1e-4)


def test_the_seed_decides() -> None:
    assert diversity.bootstrap(WEEDS, 1, seed=4) == diversity.bootstrap(WEEDS, 1, seed=4)
    assert diversity.bootstrap(WEEDS, 1, seed=4) != diversity.bootstrap(WEEDS, 1, seed=5)


def test_standardised_values_have_their_own_errors() -> None:
    at_size = diversity.bootstrap_at_size(WEEDS, 30, 1)
    assert at_size.value == diversity.diversity_at_size(WEEDS, 30, 1)
    at_coverage = diversity.bootstrap_at_coverage(WEEDS, 0.8, 1)
    assert at_coverage.value == diversity.diversity_at_coverage(WEEDS, 0.8, 1)
    # Less of the community is looked at, so less can vary.
    assert 0 < at_coverage.se < diversity.bootstrap(WEEDS, 1).se
    assert diversity.bootstrap_at_coverage(WEEDS, 1.0, 1) is None


@pytest.mark.parametrize("bad", [{"draws": 1}, {"level": 0}, {"level": 1}, {"level": 95}])
def test_it_refuses_what_gives_no_interval(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"draws|level"):
        diversity.bootstrap(WEEDS, 1, **bad)


@given(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**32 - 1))),
    st.sampled_from([0, 0.4, 1, 1.6, 2, 3]),
    st.sampled_from([0.3, 0.55, 1.0, 1.4, 2.0]),
)
def test_many_samples_at_once_are_as_one_by_one(drawn: tuple[int, int], q: float, share: float) -> None:
    n, seed = drawn
    rows = np.random.default_rng(seed).multinomial(n, [0.4, 0.3, 0.1, 0.1, 0.05, 0.05], size=5)
    size = max(1.0, n * share)
    one_by_one = [diversity.hill(row, q) for row in rows]
    np.testing.assert_allclose(hills(rows, q), one_by_one, rtol=1e-10)
    one_by_one = [diversity.diversity_at_size(row, size, q) for row in rows]
    np.testing.assert_allclose(hills_at_size(rows, size, q), one_by_one, rtol=1e-9)
    if n >= 5:
        one_by_one = [diversity.asymptotic(row, q) or math.inf for row in rows]
        np.testing.assert_allclose(asymptotes(rows, q), one_by_one, rtol=1e-10)


def test_the_examples_hold() -> None:
    import sys

    assert doctest.testmod(sys.modules["lib.diversity.bootstrap"]).failed == 0
