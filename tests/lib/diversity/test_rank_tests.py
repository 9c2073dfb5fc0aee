"""Tests of difference: exact p against every division, large samples against R and SciPy."""

from __future__ import annotations

import doctest
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import rank_tests
from lib.diversity.rank_tests import chi_square_tail
from tests.lib.diversity.published_series import OZONE

few = st.lists(st.integers(0, 5), min_size=1, max_size=4)
some = st.lists(st.integers(-30, 30), min_size=1, max_size=45)
few_groups = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=3), min_size=2, max_size=3)


def wins(a: tuple[float, ...], b: tuple[float, ...]) -> Fraction:
    """U: pairs in which a is larger, equal ones half."""
    return sum((Fraction((x > y) * 2 + (x == y), 2) for x in a for y in b), Fraction(0))


@given(few, few)
def test_exact_p_is_the_share_of_divisions_as_far_from_the_mean(a: list[int], b: list[int]) -> None:
    found = diversity.mann_whitney(a, b)
    mean = Fraction(len(a) * len(b), 2)
    pooled = range(len(a) + len(b))
    values = a + b
    divisions = [
        wins([values[i] for i in chosen], [values[i] for i in pooled if i not in chosen])
        for chosen in itertools.combinations(pooled, len(a))
    ]
    u = wins(a, b)
    as_far = sum(abs(other - mean) >= abs(u - mean) for other in divisions)
    assert found.method == "exact"
    assert found.statistic == float(u)
    assert found.p == pytest.approx(as_far / len(divisions), rel=1e-12)


@given(some, some)
def test_the_samples_may_change_places(a: list[int], b: list[int]) -> None:
    forwards, backwards = diversity.mann_whitney(a, b), diversity.mann_whitney(b, a)
    assert forwards.statistic + backwards.statistic == len(a) * len(b)
    assert forwards.effect == -backwards.effect
    assert forwards.p == backwards.p
    assert 0 < forwards.p <= 1
    assert -1 <= forwards.effect <= 1
    cliff = np.sign(np.subtract.outer(a, b)).mean()
    assert forwards.effect == pytest.approx(cliff, abs=1e-12)


@given(some, some, st.integers(1, 9))
def test_only_ranks_count(a: list[int], b: list[int], factor: int) -> None:
    assert diversity.mann_whitney(
        [factor * x**3 for x in a], [factor * x**3 for x in b]
    ) == diversity.mann_whitney(a, b)


def test_mann_whitney_as_published() -> None:
    # Hollander and Wolfe 1973, p. 69: W = 35; two-sided of scipy 1.17.1, mannwhitneyu(method="exact").
    placenta = diversity.mann_whitney(
        [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46], [1.15, 0.88, 0.90, 0.74, 1.21]
    )
    assert (placenta.statistic, placenta.method) == (35, "exact")
    assert placenta.p == pytest.approx(0.2544122544122544, rel=1e-12)
    assert placenta.effect == pytest.approx(0.4)
    # The largest that is exact: scipy 1.17.1, mannwhitneyu(method="exact").
    even = np.arange(0, 60, 2) + np.where(np.arange(30) % 3 == 0, 25.5, 0)
    thirty = diversity.mann_whitney(even, np.arange(1, 61, 2))
    assert (thirty.statistic, thirty.method) == (543, "exact")
    assert thirty.p == pytest.approx(0.17269460440381676, rel=1e-9)


def test_large_samples_of_scipy() -> None:
    """scipy 1.17.1, mannwhitneyu(method="asymptotic"), with ties and continuity correction."""
    found = diversity.mann_whitney(OZONE[5] + OZONE[6], OZONE[7] + OZONE[8])
    assert (found.statistic, found.method) == (346, "normal")
    assert found.p == pytest.approx(1.0694161009744674e-06, rel=1e-9)


def test_exact_and_normal_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """May against August, wilcox.test in R's example: W = 127.5, p = 0.0001208 by the normal approximation."""
    exact = diversity.mann_whitney(OZONE[5], OZONE[8])
    assert (exact.statistic, exact.method) == (127.5, "exact")
    monkeypatch.setattr(rank_tests, "EXACT_POOLED", 10)
    normal = diversity.mann_whitney(OZONE[5], OZONE[8])
    assert normal.p == pytest.approx(0.0001208, rel=1e-3)
    assert exact.p == pytest.approx(normal.p, abs=1e-3)


@pytest.mark.parametrize("size", [1, 5, 40])
def test_all_values_equal_is_no_difference(size: int) -> None:
    assert diversity.mann_whitney([7] * size, [7] * size) == diversity.RankTest(
        size * size / 2, 1.0, 0.0, "exact" if 2 * size <= rank_tests.EXACT_POOLED else "normal"
    )
    assert diversity.kruskal_wallis([[7] * size] * 3) == diversity.KruskalWallis(0.0, 2, 1.0, 0.0, "exact")


@given(few_groups)
def test_exact_p_is_the_share_of_divisions_with_as_large_an_h(groups: list[list[int]]) -> None:
    found = diversity.kruskal_wallis(groups)
    values = sorted(itertools.chain(*groups))
    first = {value: values.index(value) for value in values}
    ranks = [Fraction(2 * first[value] + values.count(value) + 1, 2) for value in values]

    def spread(labels: tuple[int, ...]) -> Fraction:
        return sum(
            sum(rank for rank, label in zip(ranks, labels, strict=True) if label == group) ** 2 / len(members)
            for group, members in enumerate(groups)
        )

    observed = sum(sum(ranks[first[value]] for value in members) ** 2 / len(members) for members in groups)
    labels = [group for group, members in enumerate(groups) for _ in members]
    divisions = [spread(division) for division in distinct_orders(labels)]
    as_large = sum(other >= observed for other in divisions)
    assert found.method == "exact"
    assert found.df == len(groups) - 1
    assert found.p == pytest.approx(as_large / len(divisions), rel=1e-12)


def distinct_orders(labels: list[int]) -> list[tuple[int, ...]]:
    """Every way to hand out the labels, each once."""
    if not labels:
        return [()]
    rests = {
        label: labels[: labels.index(label)] + labels[labels.index(label) + 1 :] for label in set(labels)
    }
    return [(label, *rest) for label, others in rests.items() for rest in distinct_orders(others)]


@given(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=12), min_size=2, max_size=4))
def test_groups_may_come_in_any_order(groups: list[list[int]]) -> None:
    found, turned = diversity.kruskal_wallis(groups), diversity.kruskal_wallis(groups[::-1])
    assert turned.statistic == pytest.approx(found.statistic, abs=1e-9)
    assert turned.p == pytest.approx(found.p, rel=1e-9)
    assert 0 <= found.p <= 1
    assert 0 <= found.effect <= 1
    total = sum(map(len, groups))
    assert found.effect == pytest.approx(found.statistic / (total - 1), abs=1e-9)


@given(some, some)
def test_two_groups_are_the_test_of_two_samples(a: list[int], b: list[int]) -> None:
    two, pair = diversity.kruskal_wallis([a, b]), diversity.mann_whitney(a, b)
    if pair.method == "exact":
        assert (two.method, two.p) == ("exact", pair.p)
    elif len(set(a + b)) > 1:
        # H is the square of z without the continuity correction.
        assert two.method == "chi-square"
        assert two.p <= pair.p * (1 + 1e-12)


def test_kruskal_wallis_as_published() -> None:
    # R's example, kruskal.test(Ozone ~ Month): 29.267, df = 4, p = 6.901e-06; digits of scipy 1.17.1, kruskal.
    ozone = diversity.kruskal_wallis(OZONE.values())
    assert (ozone.df, ozone.method) == (4, "chi-square")
    assert ozone.statistic == pytest.approx(29.26657630611694, rel=1e-12)
    assert ozone.p == pytest.approx(6.900714118546782e-06, rel=1e-9)
    # Hollander and Wolfe 1973, p. 116: H = 0.771.
    asbestosis = diversity.kruskal_wallis(
        [[2.9, 3.0, 2.5, 2.6, 3.2], [3.8, 2.7, 4.0, 2.4], [2.8, 3.4, 3.7, 2.2, 2.0]]
    )
    assert asbestosis.statistic == pytest.approx(0.771, abs=5e-4)
    assert asbestosis.method == "exact"
    # Kruskal and Wallis 1952, table 6.1: sizes 3, 3, 3: H = 7.2, p = 0.004; 5, 5, 5: H = 8.00, p = 0.009.
    assert diversity.kruskal_wallis([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).p == pytest.approx(0.004, abs=5e-4)
    fives = diversity.kruskal_wallis([[1, 2, 3, 5, 9], [4, 7, 8, 10, 11], [6, 12, 13, 14, 15]])
    assert fives.statistic == pytest.approx(8)
    assert fives.p == pytest.approx(0.009, abs=5e-4)


@pytest.mark.parametrize(
    ("x", "df", "tail"),
    [
        (3.841458820694124, 1, 0.05),
        (0.5, 3, 0.9188914116546758),
        (7.2, 2, 0.027323722447292555),
        (29.267, 4, 6.899345870085439e-06),
        (100, 37, 1.0521745452835139e-07),
        (700, 6, 6.116726980003133e-148),
        (1500, 1400, 0.031503720989392366),
        (1e-8, 5, 1.0),
        (0, 3, 1.0),
    ],
)
def test_the_tail_of_chi_square(x: float, df: int, tail: float) -> None:
    """scipy 1.17.1, chi2.sf."""
    assert chi_square_tail(x, df) == pytest.approx(tail, rel=1e-11)


def test_nothing_to_compare() -> None:
    assert diversity.mann_whitney([], [1, 2]) is None
    assert diversity.mann_whitney([1, 2], []) is None
    assert diversity.kruskal_wallis([]) is None
    assert diversity.kruskal_wallis([[1, 2]]) is None
    assert diversity.kruskal_wallis([[1, 2], [], [3]]) is None


def test_where_exact_p_ends() -> None:
    """A few values against hundreds have few divisions, and yet too many sums to go through."""
    assert diversity.kruskal_wallis([range(29), range(31)]).method == "exact"
    assert diversity.kruskal_wallis([[1], [2], range(3, 60)]).method == "exact"
    assert diversity.kruskal_wallis([[1], [2], range(3, 62)]).method == "chi-square"
    assert diversity.kruskal_wallis([[1, 2, 3]] * 4).method == "exact"
    assert diversity.kruskal_wallis([[1, 2, 3]] * 5).method == "chi-square"
    assert diversity.mann_whitney(range(29), range(31)).method == "exact"
    assert diversity.mann_whitney(range(30), range(31)).method == "normal"


def test_single_values_prove_nothing() -> None:
    assert diversity.mann_whitney([1], [2]) == diversity.RankTest(0.0, 1.0, -1.0, "exact")
    assert diversity.kruskal_wallis([[1], [2], [3]]).p == 1


@pytest.mark.parametrize("bad", [[1, math.nan], [math.inf], [[1, 2]], 3, ["a"], [None]], ids=str)
def test_it_refuses_what_is_no_sample(bad: object) -> None:
    with pytest.raises(ValueError, match="values must"):
        diversity.mann_whitney([1, 2], bad)
    with pytest.raises(ValueError, match="values must"):
        diversity.kruskal_wallis([[1, 2], bad])


def test_the_documented_examples_hold() -> None:
    outcome = doctest.testmod(rank_tests)
    assert outcome.attempted > 0
    assert outcome.failed == 0
