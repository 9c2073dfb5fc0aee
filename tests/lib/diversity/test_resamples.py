"""Many samples at once give what each gives alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.diversity.resamples import Resamples


@st.composite
def samples_of_one_size(draw: st.DrawFn) -> np.ndarray:
    """Up to eight samples of up to 150 individuals, from a community as even or uneven as you like."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    size, species = draw(st.integers(1, 150)), draw(st.integers(1, 30))
    shares = generator.dirichlet(np.full(species, draw(st.sampled_from([0.1, 0.5, 2.0, 50.0]))))
    return generator.multinomial(size, shares, size=draw(st.integers(1, 8)))


@given(samples_of_one_size())
def test_the_plain_statistics_are_those_of_each_row(counts: np.ndarray):
    many = Resamples(counts)
    assert many.n == counts[0].sum()
    assert many.observed == pytest.approx([diversity.richness(row) for row in counts])
    assert many.entropy() == pytest.approx([diversity.shannon(row) for row in counts], abs=1e-12)
    assert 1 / many.concentration() == pytest.approx([diversity.hill(row, 2) for row in counts])
    assert many.observed + many.unseen() == pytest.approx([diversity.chao1(row).value for row in counts])
    assert many.coverage() == pytest.approx([diversity.coverage(row) for row in counts], abs=1e-12)


@given(samples_of_one_size())
def test_the_communities_are_those_of_each_row(counts: np.ndarray):
    found = Resamples(counts).log_community()
    assert np.isfinite(found).all()
    for row, logs in zip(counts, found, strict=True):
        if row.sum() < 5:  # the function for one sample gives no answer
            continue
        assert math.exp(logs[0]) == pytest.approx(diversity.asymptotic(row, 1), rel=1e-9)
        second = diversity.asymptotic(row, 2)
        if second is None:  # no species twice: more than any finite estimate of so many individuals
            second = row.sum() * (row.sum() - 1)
        assert math.exp(logs[1]) == pytest.approx(second, rel=1e-9)


@given(samples_of_one_size(), st.one_of(st.just(0.8), st.floats(0.05, 0.99)))
def test_diversity_at_a_coverage_is_that_of_each_row(counts: np.ndarray, target: float):
    found = Resamples(counts).at_coverage(target)
    for row, values in zip(counts, found, strict=True):
        size = diversity.size_at_coverage(row, target)
        if size > 2 * row.sum() + 1e-6:
            assert np.isnan(values).all()
        elif size < 2 * row.sum() - 1e-6:
            wanted = [diversity.diversity_at_coverage(row, target, q) for q in (0, 1, 2)]
            assert values == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("size", range(12, 60))
def test_no_diversity_is_less_than_that_of_one_species(size: int):
    # One individual covers enough of these already; its expected richness is a sum of shares.
    found = Resamples(np.array([[size - 1, 1, 0], [size - 2, 1, 1], [size, 0, 0]])).at_coverage(0.3)
    assert found == pytest.approx(np.ones((3, 3)))
    assert (found >= 1).all()


def test_beyond_twice_the_sample_there_is_no_diversity():
    assert np.isnan(Resamples(np.array([[1, 1, 1, 1]])).at_coverage(0.8)).all()
    assert np.isnan(Resamples(np.array([[3, 2, 1, 1, 1, 1, 1]])).at_coverage(0.99)).all()


@given(samples_of_one_size(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_and_species_nor_absent_species_matter(counts: np.ndarray, random: object):
    rows, columns = list(range(len(counts))), list(range(counts.shape[1]))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    moved = np.pad(counts[rows][:, columns], ((0, 0), (1, 2)))
    for name in ("entropy", "unseen", "coverage", "log_community", "log_errors"):
        found, wanted = getattr(Resamples(moved), name)(), getattr(Resamples(counts), name)()[rows]
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    found, wanted = Resamples(moved).at_coverage(0.8), Resamples(counts).at_coverage(0.8)[rows]
    assert found == pytest.approx(wanted, rel=1e-9, nan_ok=True)


@given(samples_of_one_size())
def test_the_errors_are_those_of_the_delta_method(counts: np.ndarray):
    n = counts[0].sum()
    for row, errors in zip(counts, Resamples(counts).log_errors(), strict=True):
        p = row[row > 0] / n
        even = (p.size - 1) / (2 * n**2)
        entropy = (np.sum(p * np.log(p) ** 2) - np.sum(p * np.log(p)) ** 2) / n + even
        pairs = 4 * (np.sum(p**3) - np.sum(p**2) ** 2) / (n * np.sum(p**2) ** 2) + 4 * even
        assert errors**2 == pytest.approx([entropy, pairs], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("shares", "least", "most"),
    # In an even community the shares found are never even, which the errors take for unevenness.
    [([0.4, 0.3, 0.2, 0.1], 0.9, 1.1), ([0.9, 0.05, 0.05], 0.9, 1.1), ([0.25] * 4, 1.0, 2.0)],
    ids=str,
)
def test_the_errors_are_as_large_as_samples_differ(shares: list[float], least: float, most: float):
    samples = Resamples(np.random.default_rng(1).multinomial(400, shares, size=4000))
    ratio = samples.log_errors().mean(axis=0) / samples.log_community().std(axis=0, ddof=1)
    assert (ratio > least).all()
    assert (ratio < most).all()
