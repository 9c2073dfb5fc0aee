"""Dissimilarities: their ranges, their symmetry, empty samples, and the matrix forms against the pairs."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import dissimilarity

INDICES = {
    "bray_curtis": diversity.bray_curtis,
    "bray_curtis relative": lambda a, b: diversity.bray_curtis(a, b, relative=True),
    "ruzicka": diversity.ruzicka,
    "jaccard": diversity.jaccard,
    "sorensen": diversity.sorensen,
    "morisita_horn": diversity.morisita_horn,
    "hellinger": diversity.hellinger,
    "chao_jaccard": diversity.chao_jaccard,
}
MATRICES = {
    "bray_curtis": diversity.bray_curtis_matrix,
    "bray_curtis relative": lambda samples: diversity.bray_curtis_matrix(samples, relative=True),
    "jaccard": diversity.jaccard_matrix,
    "sorensen": diversity.sorensen_matrix,
}
# Those that see shares only: the effort spent on either sample changes nothing.
OF_SHARES = ("bray_curtis relative", "morisita_horn", "hellinger", "jaccard", "sorensen")

count = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 10**6))
pairs = st.lists(st.tuples(count, count), min_size=1, max_size=30).map(
    lambda rows: tuple(zip(*rows, strict=True))
)
matrices = st.integers(0, 5).flatmap(
    lambda species: st.lists(st.lists(count, min_size=species, max_size=species), max_size=6)
)


@pytest.mark.parametrize("name", INDICES)
@given(pair=pairs)
def test_they_are_symmetric_and_within_0_and_1(name: str, pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    value = INDICES[name](a, b)
    assert value == INDICES[name](b, a)
    if any(a) or any(b):
        assert 0 <= value <= 1
        shared = any(x and y for x, y in zip(a, b, strict=True))
        assert (value == 1) is not shared or value == pytest.approx(1, abs=1e-5)
    else:
        assert value is None


@pytest.mark.parametrize("name", INDICES)
@given(pair=pairs.filter(np.any), random=st.randoms(use_true_random=False), zeros=st.integers(0, 4))
def test_order_and_species_of_neither_change_nothing(
    name: str, pair: tuple[list[int], list[int]], random: object, zeros: int
) -> None:
    columns = list(zip(*pair, strict=True)) + [(0, 0)] * zeros
    random.shuffle(columns)  # type: ignore[attr-defined]
    a, b = zip(*columns, strict=True)
    assert INDICES[name](a, b) == pytest.approx(INDICES[name](*pair), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", INDICES)
@given(counts=st.lists(count, min_size=1).filter(any), factor=st.integers(2, 50))
def test_a_sample_is_like_itself(name: str, counts: list[int], factor: int) -> None:
    assert INDICES[name](counts, counts) == 0
    if name in OF_SHARES:
        assert INDICES[name](counts, [factor * x for x in counts]) == pytest.approx(0, abs=1e-7)


@given(pair=pairs.filter(lambda pair: any(pair[0]) or any(pair[1])))
def test_the_forms_of_one_family_agree(pair: tuple[list[int], list[int]]) -> None:
    """S = J / (2 - J), with and without abundances; and Bray-Curtis of presences is Sorensen."""
    a, b = pair
    present = [int(x > 0) for x in a], [int(x > 0) for x in b]
    j, r = diversity.jaccard(a, b), diversity.ruzicka(a, b)
    assert diversity.sorensen(a, b) == pytest.approx(j / (2 - j))
    assert diversity.bray_curtis(a, b) == pytest.approx(r / (2 - r))
    assert diversity.bray_curtis(*present) == pytest.approx(diversity.sorensen(a, b))
    assert diversity.ruzicka(*present) == pytest.approx(j)


def test_figures_by_hand() -> None:
    a, b = [6, 2, 0, 1], [2, 2, 4, 0]  # shared 2, a alone 1, b alone 1
    assert diversity.jaccard(a, b) == 2 / 4
    assert diversity.sorensen(a, b) == 2 / 6
    assert diversity.bray_curtis(a, b) == pytest.approx(9 / 17)
    assert diversity.ruzicka(a, b) == pytest.approx(1 - 4 / 13)
    assert diversity.bray_curtis([3, 1], [1, 1], relative=True) == pytest.approx(0.25)
    assert diversity.morisita_horn([3, 1], [1, 1]) == pytest.approx(1 - 2 * 0.5 / (0.625 + 0.5))
    assert diversity.hellinger([1, 0], [1, 1]) == pytest.approx(math.sqrt(1 - math.sqrt(0.5)))


def test_singletons_point_to_shared_species_not_seen_yet() -> None:
    # All of a's species shared but one; in b, one of them once and none twice: U = (8 + 1/2 * 4/5 * 2) / 9.
    a, b = [6, 2, 1, 0], [3, 1, 0, 1]
    u, v = (8 + 4 / 5 / 2 * 2) / 9, 4 / 5  # nothing shared is a singleton in a
    assert diversity.chao_jaccard(a, b) == pytest.approx(1 - u * v / (u + v - u * v))
    with pytest.raises(ValueError, match="whole numbers"):
        diversity.chao_jaccard([0.5, 1], [1, 1])


def test_effort_is_no_difference_in_vegetation_when_relative() -> None:
    assert diversity.bray_curtis([5, 3, 2], [50, 30, 20]) == pytest.approx(90 / 110)
    assert diversity.bray_curtis([5, 3, 2], [50, 30, 20], relative=True) == pytest.approx(0)


@pytest.mark.parametrize("name", INDICES)
def test_empty_samples(name: str) -> None:
    index = INDICES[name]
    assert index([0, 0], [0, 0]) is None
    assert index([], []) is None
    assert index([0, 0], [3, 0]) == 1
    assert index([3, 0], [0, 0]) == 1


@pytest.mark.parametrize("name", MATRICES)
@given(samples=matrices)
def test_the_matrix_holds_the_pairs(name: str, samples: list[list[int]]) -> None:
    table = MATRICES[name](samples)
    assert len(table) == len(samples)
    for i, row in enumerate(table):
        assert len(row) == len(samples)
        for j, value in enumerate(row):
            assert value == table[j][i]
            assert value == (0 if i == j else INDICES[name](samples[i], samples[j]))
            assert value is None or type(value) is float


def test_a_matrix_of_an_array() -> None:
    assert diversity.sorensen_matrix(np.array([[1, 0], [0, 1], [0, 0]])) == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert diversity.jaccard_matrix([[0, 0], [0, 0]]) == [[0, None], [None, 0]]
    assert diversity.jaccard_matrix([]) == []


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1, 2], [1]),
        ([1, 2], 3),
        ([1, -1], [1, 1]),
        ([1, 1], [1, math.nan]),
        ([1, math.inf], [1, 1]),
        ([[1, 2]], [[1, 2]]),
        (["a"], ["b"]),
        ([1e308, 0], [1e308, 0]),
    ],
    ids=str,
)
def test_it_refuses_what_is_no_pair(name: str, a: object, b: object) -> None:
    with pytest.raises(ValueError, match="counts must"):
        INDICES[name](a, b)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize(
    "bad", [[[1, 2], [3]], [1, 2], 5, "12", {"a": [1]}, [[1, -2]], [[1, None]], [[[1]]]], ids=str
)
def test_it_refuses_what_is_no_matrix(name: str, bad: object) -> None:
    with pytest.raises(ValueError, match="counts must"):
        MATRICES[name](bad)


def test_the_documented_examples_hold() -> None:
    outcome = doctest.testmod(dissimilarity)
    assert outcome.attempted > 0
    assert outcome.failed == 0
