"""What must hold for any sample whatever, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity

counts_of_any_size = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)
samples = counts_of_any_size.filter(any)
METRICS = {
    "richness": diversity.richness,
    "shannon": diversity.shannon,
    "simpson": diversity.simpson,
    "inverse_simpson": diversity.inverse_simpson,
    "pielou": diversity.pielou,
    "hill 0.3": lambda counts: diversity.hill(counts, 0.3),
    "hill 1": lambda counts: diversity.hill(counts, 1),
    "hill inf": lambda counts: diversity.hill(counts, math.inf),
    "coverage": diversity.coverage,
    "coverage_good": diversity.coverage_good,
    "simpson_unbiased": diversity.simpson_unbiased,
    "inverse_simpson_unbiased": diversity.inverse_simpson_unbiased,
    "fisher_alpha": diversity.fisher_alpha,
    "coverage_at": lambda counts: diversity.coverage_at(counts, 7),
    "size_at_coverage": lambda counts: diversity.size_at_coverage(counts, 0.6),
    "diversity_at_size": lambda counts: diversity.diversity_at_size(counts, 7.5, 1),
    "diversity_at_coverage": lambda counts: diversity.diversity_at_coverage(counts, 0.6, 0),
    "asymptotic": lambda counts: diversity.asymptotic(counts, 1),
    "ace": lambda counts: (estimate := diversity.ace(counts)) and estimate.value,
    "chao1": lambda counts: (estimate := diversity.chao1(counts)) and estimate.value,
    "chao1 high": lambda counts: (estimate := diversity.chao1(counts)) and estimate.high,
}


@given(samples, st.lists(st.floats(0, 50), min_size=2, max_size=6))
def test_hill_numbers_fall_with_the_order(counts: list[int], orders: list[float]) -> None:
    profile = [diversity.hill(counts, q) for q in [0, *sorted(orders), math.inf]]
    for earlier, later in itertools.pairwise(profile):
        assert later <= earlier * (1 + 1e-9)
    assert profile[-1] >= 1 - 1e-12


@given(samples, st.sampled_from([1 - 1e-6, 1 - 1e-9, 1 - 1e-12, 1 + 1e-12, 1 + 1e-9, 1 + 1e-6]))
def test_hill_numbers_are_smooth_around_order_one(counts: list[int], q: float) -> None:
    assert diversity.hill(counts, q) == pytest.approx(diversity.hill(counts, 1), rel=1e-4)


@given(samples, st.sampled_from([0.95, 1.05]))
def test_hill_numbers_do_not_jump_where_the_form_changes(counts: list[int], edge: float) -> None:
    inside, outside = edge + (1 - edge) * 1e-9, edge - (1 - edge) * 1e-9
    assert diversity.hill(counts, inside) == pytest.approx(diversity.hill(counts, outside), rel=1e-7)


@given(samples, st.randoms(use_true_random=False), st.integers(0, 5))
@pytest.mark.parametrize("name", METRICS)
def test_order_and_unseen_species_change_nothing(
    name: str, counts: list[int], random: object, zeros: int
) -> None:
    shuffled = counts + [0] * zeros
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    value = METRICS[name](counts)
    expected = None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12)
    assert METRICS[name](shuffled) == expected


@given(samples)
def test_indices_stay_in_their_ranges(counts: list[int]) -> None:
    observed = diversity.richness(counts)
    assert 0 <= diversity.shannon(counts) <= math.log(observed) + 1e-12
    assert 0 <= diversity.pielou(counts) <= 1
    assert 0 <= diversity.simpson(counts) < 1
    assert 1 - 1e-12 <= diversity.inverse_simpson(counts) <= observed * (1 + 1e-12)
    assert 0 <= diversity.coverage(counts) <= 1
    assert 0 <= diversity.coverage_good(counts) <= 1


@given(samples)
def test_the_indices_are_hill_numbers_in_disguise(counts: list[int]) -> None:
    assert diversity.hill(counts, 0) == diversity.richness(counts)
    assert math.log(diversity.hill(counts, 1)) == pytest.approx(
        diversity.shannon(counts), rel=1e-9, abs=1e-12
    )
    assert diversity.hill(counts, 2) == pytest.approx(diversity.inverse_simpson(counts), rel=1e-9)
    assert 1 - 1 / diversity.hill(counts, 2) == pytest.approx(diversity.simpson(counts), abs=1e-9)


@given(samples, st.booleans(), st.floats(0.5, 0.999))
def test_chao1_is_finite_ordered_and_never_below_what_was_seen(
    counts: list[int], bias_corrected: bool, level: float
) -> None:
    estimate = diversity.chao1(counts, bias_corrected, level)
    observed = diversity.richness(counts)
    assert observed <= estimate.low <= estimate.high
    assert observed <= estimate.value <= estimate.high * (1 + 1e-12)
    assert estimate.se >= 0
    assert all(map(math.isfinite, (estimate.value, estimate.se, estimate.low, estimate.high)))
    assert estimate.high >= diversity.chao1(counts, bias_corrected, level / 2).high


@given(samples, st.floats(0.5, 0.999))
def test_ace_is_finite_ordered_and_never_below_what_was_seen(counts: list[int], level: float) -> None:
    estimate = diversity.ace(counts, level=level)
    observed = diversity.richness(counts)
    assert observed <= estimate.low <= estimate.high
    assert observed <= estimate.value <= estimate.high * (1 + 1e-12)
    assert all(map(math.isfinite, (estimate.value, estimate.se, estimate.low, estimate.high)))


@given(samples)
def test_no_asymptotic_richness_lies_below_what_was_seen(counts: list[int]) -> None:
    asymptotic = diversity.asymptotic(counts, 0)
    assert asymptotic is None or asymptotic >= diversity.richness(counts)


@given(samples, st.lists(st.floats(0, 1e7), min_size=2, max_size=5))
def test_coverage_rises_with_the_size(counts: list[int], sizes: list[float]) -> None:
    found = [diversity.coverage_at(counts, size) for size in sorted(sizes)]
    assert found[0] >= 0
    assert found[-1] <= 1
    for earlier, later in itertools.pairwise(found):
        assert later >= earlier - 1e-12


@given(samples, st.lists(st.floats(0, 0.999), min_size=2, max_size=4), st.sampled_from([0, 1, 2]))
def test_diversity_rises_with_the_coverage(counts: list[int], targets: list[float], q: int) -> None:
    found = [diversity.diversity_at_coverage(counts, target, q) for target in sorted(targets)]
    for earlier, later in itertools.pairwise(found):
        assert later >= earlier * (1 - 1e-9)


@given(samples, st.sampled_from([0, 1, 2]))
def test_interpolation_meets_extrapolation_at_n(counts: list[int], q: int) -> None:
    n = sum(counts)
    observed = diversity.hill(counts, q)
    assert diversity.diversity_at_size(counts, n, q) == pytest.approx(observed, rel=1e-9)
    assert diversity.diversity_at_size(counts, n * (1 + 1e-9), q) == pytest.approx(observed, rel=1e-6)
    assert diversity.coverage_at(counts, n * (1 + 1e-9)) == pytest.approx(
        diversity.coverage(counts), abs=1e-6
    )


@given(samples, st.integers(1, 200))
def test_a_rarefied_profile_falls_with_the_order(counts: list[int], size: int) -> None:
    profile = [diversity.diversity_at_size(counts, min(size, sum(counts)), q) for q in (0, 0.5, 1, 1.5, 2)]
    for earlier, later in itertools.pairwise(profile):
        assert later <= earlier * (1 + 1e-9)


@given(samples, st.floats(0, 50))
def test_doubling_all_counts_keeps_the_profile(counts: list[int], q: float) -> None:
    doubled = [2 * count for count in counts]
    assert diversity.hill(doubled, q) == pytest.approx(diversity.hill(counts, q), rel=1e-9)


@given(samples, st.integers(2, 50))
def test_plain_indices_see_shares_only(counts: list[int], factor: int) -> None:
    many = [count * factor for count in counts]
    assert diversity.shannon(many) == pytest.approx(diversity.shannon(counts), rel=1e-9, abs=1e-12)
    assert diversity.simpson(many) == pytest.approx(diversity.simpson(counts), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "bad",
    [
        [1, -1],
        [1, math.nan],
        [1, math.inf],
        [[1, 2], [3, 4]],
        5,
        ["a", "b"],
        [1, None],
        [[1], [2, 3]],
        {"Stellaria media": 3},
        [10**400],
        [1.7e308, 1.7e308],
    ],
    ids=str,
)
def test_it_refuses_what_is_no_sample(name: str, bad: object) -> None:
    with pytest.raises(ValueError, match="counts must"):
        METRICS[name](bad)


@pytest.mark.parametrize(
    "name", ["coverage", "coverage_good", "chao1", "ace", "asymptotic", "diversity_at_size", "fisher_alpha"]
)
def test_estimators_from_singletons_refuse_fractions(name: str) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        METRICS[name]([1.5, 2])


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("empty", [[], [0, 0], np.zeros(3, dtype=int), ()], ids=repr)
def test_an_empty_sample_has_no_diversity(name: str, empty: object) -> None:
    assert METRICS[name](empty) == (0 if name == "richness" else None)


@pytest.mark.parametrize("q", [-0.1, math.nan, -math.inf])
def test_hill_refuses_an_order_that_is_none(q: float) -> None:
    with pytest.raises(ValueError, match="order"):
        diversity.hill([1, 2], q)


@pytest.mark.parametrize("level", [0, 1, -1, 95, math.nan])
def test_chao1_refuses_a_level_that_is_none(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        diversity.chao1([1, 2], level=level)


def test_fractions_are_welcome_where_only_shares_matter() -> None:
    assert diversity.shannon([0.5, 0.5]) == pytest.approx(math.log(2))
    assert diversity.hill(np.array([0.25, 0.25, 0.5]), 2) == pytest.approx(8 / 3)


def test_a_very_high_order_does_not_underflow() -> None:
    assert diversity.hill([9, 1], 5000) == pytest.approx(10 / 9, rel=1e-3)


def test_the_documented_examples_hold() -> None:
    import doctest

    from lib.diversity import indices, richness_estimators

    for module in (indices, richness_estimators):
        outcome = doctest.testmod(module)
        assert outcome.attempted > 0
        assert outcome.failed == 0
