"""Partitions of beta diversity: the parts make the whole, and stay in their ranges."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import partition

count = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 10**4))
pairs = st.lists(st.tuples(count, count), min_size=1, max_size=20).map(
    lambda rows: tuple(list(row) for row in zip(*rows, strict=True))
)
matrices = st.integers(1, 8).flatmap(
    lambda species: st.lists(st.lists(count, min_size=species, max_size=species), min_size=1, max_size=6)
)
orders = st.one_of(st.sampled_from([0, 1, 2, math.inf]), st.floats(0, 8))
indices = st.sampled_from(["sorensen", "jaccard"])


@given(pairs, indices)
def test_turnover_and_nestedness_make_the_total(pair: tuple[list[int], list[int]], index: str) -> None:
    a, b = pair
    found = diversity.beta_partition(a, b, index)
    if not any(a) and not any(b):
        assert found is None
        return
    assert found.total == pytest.approx(getattr(diversity, index)(a, b))
    assert found.turnover + found.nestedness == pytest.approx(found.total)
    assert min(found.turnover, found.nestedness) >= 0
    assert found == diversity.beta_partition(b, a, index)


@given(pairs, indices, st.booleans())
def test_replacement_and_richness_difference_make_the_total(
    pair: tuple[list[int], list[int]], index: str, quantitative: bool
) -> None:
    a, b = pair
    found = diversity.podani_partition(a, b, index, quantitative)
    if not any(a) and not any(b):
        assert found is None
        return
    measures = {
        ("sorensen", False): diversity.sorensen,
        ("jaccard", False): diversity.jaccard,
        ("sorensen", True): diversity.bray_curtis,
        ("jaccard", True): diversity.ruzicka,
    }
    assert found.total == pytest.approx(measures[index, quantitative](a, b))
    assert found.replacement + found.richness_difference == pytest.approx(found.total)
    assert min(found.replacement, found.richness_difference) >= 0


def test_a_part_of_a_sample_is_nested_and_equal_numbers_are_replaced() -> None:
    assert diversity.beta_partition([4, 3, 2, 0], [0, 9, 0, 0]) == diversity.BetaPartition(0.5, 0, 0.5)
    replaced = diversity.beta_partition([4, 3, 0], [0, 9, 1])
    assert (replaced.total, replaced.turnover, replaced.nestedness) == (0.5, 0.5, 0)
    # Baselga 2012: a = 1, b = 1, c = 2: turnover 2 / 3 of Jaccard, the total 3 / 4.
    jaccard = diversity.beta_partition([1, 1, 0, 0], [1, 0, 1, 1], "jaccard")
    assert (jaccard.total, jaccard.turnover) == (3 / 4, pytest.approx(2 / 3))
    podani = diversity.podani_partition([1, 1, 0, 0], [1, 0, 1, 1], "jaccard")
    assert podani == diversity.PodaniPartition(3 / 4, 2 / 4, 1 / 4)


@given(pairs, indices)
def test_two_sites_are_a_pair(pair: tuple[list[int], list[int]], index: str) -> None:
    assert diversity.beta_partition_sites(list(pair), index) == diversity.beta_partition(*pair, index)


@given(matrices, indices, st.randoms(use_true_random=False))
def test_sites_may_come_in_any_order(matrix: list[list[int]], index: str, random: object) -> None:
    found = diversity.beta_partition_sites(matrix, index)
    if found is None:
        assert len(matrix) < 2 or not np.any(matrix)
        return
    assert 0 <= found.turnover <= found.total <= 1
    assert found.turnover + found.nestedness == pytest.approx(found.total)
    shuffled = list(matrix)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert diversity.beta_partition_sites(shuffled, index) == found


def test_three_sites_by_hand() -> None:
    """Species {1, 2}, {1}, {3}: A = 4 - 3 = 1; pairs lack (1, 0), (2, 1), (1, 1): B = 2, C = 4."""
    matrix = [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    sorensen = diversity.beta_partition_sites(matrix)
    assert (sorensen.total, sorensen.turnover) == (6 / 8, pytest.approx(2 / 3))
    jaccard = diversity.beta_partition_sites(matrix, "jaccard")
    assert (jaccard.total, jaccard.turnover) == (6 / 7, 4 / 5)


def test_an_empty_sample_has_lost_everything() -> None:
    assert diversity.beta_partition([0, 0], [2, 1]) == diversity.BetaPartition(1, 0, 1)
    assert diversity.podani_partition([0, 0], [2, 1]) == diversity.PodaniPartition(1, 0, 1)
    assert diversity.beta_partition_sites([[1, 2]]) is None
    assert diversity.beta_partition_sites([]) is None


@given(matrices, orders, st.sampled_from(["equal", "abundance"]))
def test_alpha_times_beta_is_gamma_and_beta_counts_samples(
    matrix: list[list[int]], q: float, weights: str
) -> None:
    found = diversity.gamma_alpha_beta(matrix, q, weights)
    filled = [row for row in matrix if any(row)]
    if not filled:
        assert found is None
        return
    assert found.alpha * found.beta == pytest.approx(found.gamma)
    assert 1 <= found.beta <= len(filled)
    assert found.alpha <= found.gamma * (1 + 1e-12)
    assert found == diversity.gamma_alpha_beta(filled, q, weights)
    if len(filled) == 1 or math.isinf(q):
        assert (found.local_similarity, found.region_similarity) == (None, None)
    else:
        assert -1e-9 <= found.local_similarity <= 1 + 1e-9
        assert -1e-9 <= found.region_similarity <= 1 + 1e-9


@given(matrices.filter(np.any), orders, st.integers(2, 20))
def test_equal_weights_do_not_see_effort(matrix: list[list[int]], q: float, factor: int) -> None:
    more = [[factor * x for x in matrix[0]], *matrix[1:]]
    before, after = diversity.gamma_alpha_beta(matrix, q), diversity.gamma_alpha_beta(more, q)
    assert after.gamma == pytest.approx(before.gamma, rel=1e-9)
    assert after.beta == pytest.approx(before.beta, rel=1e-9)


@given(pairs)
def test_similarities_of_a_pair_are_the_known_overlaps(pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    assume(any(a) and any(b))
    order_0, order_2 = diversity.gamma_alpha_beta(pair, 0), diversity.gamma_alpha_beta(pair, 2)
    assert order_0.local_similarity == pytest.approx(1 - diversity.sorensen(a, b), abs=1e-9)
    assert order_0.region_similarity == pytest.approx(1 - diversity.jaccard(a, b), abs=1e-9)
    assert order_2.local_similarity == pytest.approx(1 - diversity.morisita_horn(a, b), abs=1e-9)


@pytest.mark.parametrize("weights", ["equal", "abundance"])
@pytest.mark.parametrize("q", [0, 0.5, 1, 1 + 1e-9, 2, 7, 900])
def test_alike_and_apart(q: float, weights: str) -> None:
    alike = diversity.gamma_alpha_beta([[4, 2, 1]] * 3, q, weights)
    assert alike.beta == pytest.approx(1)
    assert alike.local_similarity == pytest.approx(1, abs=1e-6)
    assert alike.region_similarity == pytest.approx(1, abs=1e-6)
    apart = diversity.gamma_alpha_beta([[3, 3, 0, 0], [0, 0, 3, 3]], q, weights)
    assert (apart.gamma, apart.alpha, apart.beta) == pytest.approx((4, 2, 2))
    assert apart.local_similarity == pytest.approx(0, abs=1e-6)
    assert apart.region_similarity == pytest.approx(0, abs=1e-6)


def test_it_is_smooth_around_order_one() -> None:
    matrix = [[37, 12, 5, 1, 0], [6, 3, 0, 1, 1], [0, 0, 9, 2, 2]]
    exact = diversity.gamma_alpha_beta(matrix, 1)
    for q in (1 - 1e-7, 1 + 1e-7):
        near = diversity.gamma_alpha_beta(matrix, q)
        assert near.local_similarity == pytest.approx(exact.local_similarity, rel=1e-5)
        assert near.region_similarity == pytest.approx(exact.region_similarity, rel=1e-5)


@pytest.mark.parametrize("q", [-1, math.nan, -math.inf])
def test_it_refuses_an_order_that_is_none(q: float) -> None:
    with pytest.raises(ValueError, match="order"):
        diversity.gamma_alpha_beta([[1, 2]], q)


def test_it_refuses_what_it_does_not_know() -> None:
    for call in (
        lambda: diversity.beta_partition([1], [1], "bray"),
        lambda: diversity.beta_partition_sites([[1], [1]], "bray"),
        lambda: diversity.podani_partition([1], [1], "bray"),
    ):
        with pytest.raises(ValueError, match="index must be one of sorensen, jaccard"):
            call()
    with pytest.raises(ValueError, match="weights must be one of equal, abundance"):
        diversity.gamma_alpha_beta([[1]], 1, "size")
    for call in (diversity.beta_partition, diversity.podani_partition):
        with pytest.raises(ValueError, match="same species"):
            call([1, 2], [1])
    with pytest.raises(ValueError, match="same species"):
        diversity.gamma_alpha_beta([[1, 2], [1]], 1)


def test_the_documented_examples_hold() -> None:
    outcome = doctest.testmod(partition)
    assert outcome.attempted > 0
    assert outcome.failed == 0
