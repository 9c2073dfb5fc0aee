"""Diversity of the whole community: the published series, term by term, and what a small sample does not give."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity import asymptotic_diversity
from lib.diversity.asymptotic_diversity import SMALLEST_SAMPLE, asymptote, tail
from lib.diversity.sample import abundance_sample

samples = st.lists(st.integers(1, 20), min_size=2, max_size=10).filter(lambda counts: sum(counts) >= 5)


def series(counts: list[int], q: float) -> float:
    """Chao and Jost 2015: the sum over the seen species and the tail, both as printed; q = 1 as the entropy."""
    n, f1, f2 = sum(counts), counts.count(1), counts.count(2)
    a = 1.0
    if f1:
        a = 2 * f2 / ((n - 1) * f1 + 2 * f2) if f2 else 2 / ((n - 1) * (f1 - 1) + 2)
    if q == 1:
        known = math.fsum(x / n * math.fsum(1 / k for k in range(x, n)) for x in counts)
        rest = math.fsum((1 - a) ** (r - n) / r for r in range(n, n + 4000)) if a < 1 else 0.0
        return math.exp(known + f1 / n * (1 - a) * rest)
    known = math.fsum(
        math.gamma(x + 1) * math.gamma(n - q + 1) / math.gamma(x - q + 1) / math.gamma(n + 1) for x in counts
    )
    terms, term = [], 1.0
    for k in range(4000):
        terms.append(term)
        term *= (n - q + 1 + k) / (n + 1 + k) * (1 - a)
    scale = math.gamma(n - q + 1) / math.gamma(n + 1) / math.gamma(1 - q)
    rest = f1 / n * (1 - a) * scale * math.fsum(terms) if a < 1 else 0.0
    return (known + rest) ** (1 / (1 - q))


@given(samples, st.sampled_from([1, 0.3, 0.5, 1.5, 1.9]))
def test_it_is_the_published_series(counts: list[int], q: float) -> None:
    # Where A is tiny the series printed takes more terms than are summed here.
    sample = abundance_sample(counts)
    if sample.rarity * 4000 > 40 or sample.rarity == 1:
        assert diversity.asymptotic(counts, q) == pytest.approx(series(counts, q), rel=1e-9)


@given(samples)
def test_the_whole_orders_have_their_closed_forms(counts: list[int]) -> None:
    n = sum(counts)
    assert diversity.asymptotic(counts, 0) == pytest.approx(diversity.chao1(counts).value)
    pairs = sum(x * (x - 1) for x in counts)
    assert diversity.asymptotic(counts, 2) == (pytest.approx(n * (n - 1) / pairs) if pairs else None)
    triples = sum(x * (x - 1) * (x - 2) for x in counts)
    third = diversity.asymptotic(counts, 3)
    assert third == (pytest.approx((n * (n - 1) * (n - 2) / triples) ** 0.5) if triples else None)


@given(samples, st.sampled_from([1e-9, 1e-5, 1 - 1e-5, 1 + 1e-5, 2 - 1e-9]))
def test_it_has_no_jump_at_the_whole_orders(counts: list[int], q: float) -> None:
    whole = diversity.asymptotic(counts, round(q))
    if whole is not None:
        assert diversity.asymptotic(counts, q) == pytest.approx(whole, rel=2e-3)


@pytest.mark.parametrize("counts", [[], [0], [1], [1, 1], [2, 2], [4]])
@pytest.mark.parametrize("q", [0, 1, 2])
def test_a_tiny_sample_has_none(counts: list[int], q: float) -> None:
    assert sum(counts) < SMALLEST_SAMPLE
    assert diversity.asymptotic(counts, q) is None


def test_it_is_none_where_it_would_be_infinite() -> None:
    assert diversity.asymptotic([1] * 10, 1) > 10
    assert diversity.asymptotic([1] * 10, 2) is None
    assert diversity.asymptotic([2, 2, 2], 3) is None
    assert diversity.asymptotic([5], 6) is None
    assert asymptote(abundance_sample([1] * 10), 2) == math.inf


def test_it_keeps_its_digits_at_a_billion() -> None:
    # Two species of equal frequency, and a few of which nearly nothing is known.
    assert diversity.asymptotic([10**9, 10**9], 1) == pytest.approx(2, rel=1e-9)
    assert diversity.asymptotic([10**9, 10**9, 1, 1, 2], 1.5) == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("units", [3, 30, 10**6])
def test_the_tail_is_what_chao1_adds_as_the_order_comes_to_zero(units: int) -> None:
    sample = abundance_sample([1, 1, 2, units - 4 if units > 4 else 1])
    added = tail(sample.units, sample.once, sample.rarity, 1e-9)
    assert added == pytest.approx(sample.unseen, rel=1e-6)


@pytest.mark.parametrize("q", [-0.5, math.nan, math.inf])
def test_it_refuses_an_order_that_is_none(q: float) -> None:
    with pytest.raises(ValueError, match="order"):
        diversity.asymptotic([5, 3, 1], q)


def test_the_examples_hold() -> None:
    assert doctest.testmod(asymptotic_diversity).failed == 0
