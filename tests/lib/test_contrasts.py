"""What sets two communities apart, with intervals: against one pair, by hand, and by what must hold."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from lib import contrasts
from lib.contrasts import Standardised, common_coverage, redrawn, samples_of
from lib.day_sums import Counts
from lib.diversity import (
    Estimate,
    beta_partition,
    bray_curtis,
    coverage_at,
    diversity_at_coverage,
    gamma_alpha_beta,
    size_at_coverage,
)
from lib.diversity.bootstrap import bootstrap_at_coverage

MEADOW = [30, 18, 9, 5, 2, 1, 1, 0]
FALLOW = [4, 20, 0, 7, 2, 1, 0, 3]


def counts(*labellings: ArrayLike) -> Counts:
    return np.array(labellings, dtype=np.int64)


def standardised(a: Counts, b: Counts) -> Standardised:
    return contrasts.standardise(samples_of(a), samples_of(b), *redrawn(a, b))


def estimates(found: Any) -> dict[str, Estimate]:
    """Every estimate of an answer, by its place."""
    if isinstance(found, Estimate):
        return {"": found}
    if isinstance(found, list):
        items = [(str(number), each) for number, each in enumerate(found)]
    elif hasattr(found, "__dataclass_fields__"):
        items = [(field.name, getattr(found, field.name)) for field in fields(found)]
    else:
        return {}
    return {f"{name}.{inner}": each for name, part in items for inner, each in estimates(part).items()}


class TestStandardise:
    def test_the_coverage_is_the_lower_of_those_at_twice_the_size(self) -> None:
        a, b = counts(MEADOW), counts(FALLOW)
        twice = [coverage_at(each, 2 * sum(each)) or 0.0 for each in (MEADOW, FALLOW)]
        assert common_coverage(samples_of(a), samples_of(b)) == pytest.approx(min(twice))

    def test_values_are_those_at_this_coverage(self) -> None:
        found = standardised(counts(MEADOW), counts(FALLOW))
        for contrast in found.hill:
            a = diversity_at_coverage(MEADOW, found.coverage, contrast.order)
            b = diversity_at_coverage(FALLOW, found.coverage, contrast.order)
            assert a is not None
            assert b is not None
            assert (contrast.a.value, contrast.b.value) == pytest.approx((a, b))
            assert contrast.ratio.value == pytest.approx(b / a)
        size = size_at_coverage(MEADOW, found.coverage)
        assert found.size_a == pytest.approx(size)
        assert found.extrapolated_a is (found.size_a > sum(MEADOW))

    def test_errors_are_those_of_the_bootstrap(self) -> None:
        found = standardised(counts(MEADOW), counts(FALLOW))
        for contrast in found.hill:
            one = bootstrap_at_coverage(MEADOW, found.coverage, contrast.order, draws=400, seed=3)
            assert one is not None
            assert contrast.a.se == pytest.approx(one.se, rel=0.3)

    def test_two_samples_of_one_community_seldom_differ(self) -> None:
        rng = np.random.default_rng(11)
        community = rng.dirichlet(np.full(12, 0.8))
        alarms = np.zeros(3)
        for _ in range(40):
            a, b = (counts(rng.multinomial(size, community)) for size in (60, 150))
            alarms += [contrast.verdict != "none" for contrast in standardised(a, b).hill]
        assert (alarms <= 5).all()  # 2 of 40 are expected at 5 %

    def test_a_poorer_community_is_found_so(self) -> None:
        even, uneven = counts([40] * 10), counts([360, 20, 5, 5, 4, 3, 3, 0, 0, 0])
        found = {contrast.order: contrast for contrast in standardised(even, uneven).hill}
        assert [found[order].verdict for order in (1, 2)] == ["lower", "lower"]
        assert found[1].ratio.high < 1
        assert found[1].p < 0.001
        back = {contrast.order: contrast for contrast in standardised(uneven, even).hill}
        assert back[1].verdict == "higher"

    def test_p_and_interval_agree(self) -> None:
        rng = np.random.default_rng(5)
        for _ in range(10):
            a, b = (counts(rng.multinomial(50, rng.dirichlet(np.ones(8)))) for _ in range(2))
            for contrast in standardised(a, b).hill:
                assert (contrast.p < 0.05) is not (contrast.ratio.low <= 1 <= contrast.ratio.high)

    def test_doubt_about_the_labels_widens_the_interval(self) -> None:
        sure = standardised(counts(*[MEADOW] * 6), counts(*[FALLOW] * 6))
        other = [24, 14, 9, 5, 6, 5, 3, 0]
        doubtful = standardised(counts(*[MEADOW, other] * 3), counts(*[FALLOW] * 6))
        assert doubtful.hill[1].a.se > 1.3 * sure.hill[1].a.se
        assert doubtful.hill[1].b.se == pytest.approx(sure.hill[1].b.se, rel=0.5)

    def test_where_everything_was_found_nothing_is_uncertain_about_a_single_species(self) -> None:
        found = standardised(counts([50, 0]), counts([0, 70]))
        assert found.coverage == 1.0
        for contrast in found.hill:
            assert contrast.a == contrast.b == contrast.ratio == Estimate(1.0, 0.0, 1.0, 1.0)
            assert (contrast.p, contrast.verdict) == (1.0, "none")


class TestDissimilarity:
    def test_values_are_those_of_the_pair(self) -> None:
        a, b = counts(MEADOW), counts(FALLOW)
        found = contrasts.dissimilarity(a, b, *redrawn(a, b))
        assert found.bray_curtis.value == pytest.approx(bray_curtis(MEADOW, FALLOW, relative=True))
        assert found.bray_curtis_raw.value == pytest.approx(bray_curtis(MEADOW, FALLOW))
        for index in ("jaccard", "sorensen"):
            one = beta_partition(MEADOW, FALLOW, index)
            assert one is not None
            assert getattr(found, index).value == pytest.approx(one.total)
            assert getattr(found, f"{index}_turnover").value == pytest.approx(one.turnover)
            assert getattr(found, f"{index}_nestedness").value == pytest.approx(one.nestedness)

    def test_values_are_the_mean_over_the_labellings(self) -> None:
        a, b = counts(MEADOW, FALLOW), counts(FALLOW, FALLOW)
        found = contrasts.dissimilarity(a, b, *redrawn(a, b))
        one = bray_curtis(MEADOW, FALLOW)
        assert one is not None
        assert found.bray_curtis_raw.value == pytest.approx(one / 2)
        assert found.bray_curtis_raw.se > 0.1  # the labellings disagree


class TestGammaAlphaBeta:
    def test_values_are_those_of_the_pair(self) -> None:
        a, b = counts(MEADOW), counts(FALLOW)
        for found in contrasts.gamma_alpha_beta(a, b, *redrawn(a, b)):
            one = gamma_alpha_beta([MEADOW, FALLOW], found.order)
            assert one is not None
            assert (found.gamma.value, found.alpha.value, found.beta.value) == pytest.approx(
                (one.gamma, one.alpha, one.beta)
            )

    def test_nothing_in_common_is_two_communities(self) -> None:
        a, b = counts([12, 9, 0, 0]), counts([0, 0, 10, 10])
        for found in contrasts.gamma_alpha_beta(a, b, *redrawn(a, b)):
            assert found.beta.value == pytest.approx(2)
            assert found.beta.high == pytest.approx(2)


class TestRedrawn:
    def test_samples_have_the_size_of_theirs_and_the_same_columns(self) -> None:
        a, b = counts(MEADOW, FALLOW), counts(FALLOW, FALLOW)
        rows_a, rows_b = redrawn(a, b)
        for side, rows in ((a, rows_a), (b, rows_b)):
            for labelling, samples in zip(side, rows, strict=True):
                assert (samples.sum(axis=1) == labelling.sum()).all()
        assert [rows.shape for rows in rows_a] == [rows.shape for rows in rows_b]
        assert len(rows_a[0]) == contrasts.RESAMPLES / 2
        # What is unseen in one is not the unseen of the other.
        assert not ((rows_a[0][:, 8:] > 0).any(axis=0) & (rows_b[0][:, 8:] > 0).any(axis=0)).any()

    def test_equal_sides_get_different_samples(self) -> None:
        rows_a, rows_b = redrawn(counts(MEADOW), counts(MEADOW))
        assert not np.array_equal(rows_a[0], rows_b[0])

    def test_the_same_counts_give_the_same_samples(self) -> None:
        first, second = (redrawn(counts(MEADOW), counts(FALLOW)) for _ in range(2))
        assert np.array_equal(first[0][0], second[0][0])


SPECIES, LABELLINGS = 5, 2
ROW = st.lists(st.integers(0, 40), min_size=SPECIES, max_size=SPECIES).filter(lambda row: sum(row) >= 5)
SIDE = st.lists(ROW, min_size=LABELLINGS, max_size=LABELLINGS).map(lambda rows: counts(*rows))


def everything(a: Counts, b: Counts) -> list[Any]:
    again = redrawn(a, b)
    return [
        standardised(a, b),
        contrasts.dissimilarity(a, b, *again),
        contrasts.gamma_alpha_beta(a, b, *again),
    ]


@settings(max_examples=25, deadline=None)
@given(SIDE, SIDE)
def test_b_against_a_is_the_mirror_of_a_against_b(a: Counts, b: Counts) -> None:
    assume(not np.array_equal(a, b))  # equal sides get samples of their own, which then change places
    (there, unlike, partition), (back, also_unlike, also_partition) = everything(a, b), everything(b, a)
    assert back.coverage == pytest.approx(there.coverage)
    assert (back.size_b, back.size_a) == pytest.approx((there.size_a, there.size_b))
    for one, other in zip(there.hill, back.hill, strict=True):
        for mine, theirs in ((one.a, other.b), (one.b, other.a)):
            assert (mine.value, mine.se, mine.low, mine.high) == pytest.approx(
                (theirs.value, theirs.se, theirs.low, theirs.high)
            )
        assert one.ratio.value * other.ratio.value == pytest.approx(1)
        assert one.ratio.low * other.ratio.high == pytest.approx(1)
        assert one.p == pytest.approx(other.p, abs=1e-9)
        assert other.verdict == {"higher": "lower", "lower": "higher", "none": "none"}[one.verdict]
    for mirrored, found in ((also_unlike, unlike), (also_partition, partition)):
        there_again = estimates(mirrored)
        for place, each in estimates(found).items():
            other = there_again[place]
            assert (other.value, other.se) == pytest.approx((each.value, each.se), abs=1e-9), place
    assert also_unlike.at_equal_coverage.sorensen == pytest.approx(unlike.at_equal_coverage.sorensen)


@settings(max_examples=25, deadline=None)
@given(SIDE)
def test_a_side_against_itself_is_no_difference(side: Counts) -> None:
    there, unlike, partition = everything(side, side)
    for contrast in there.hill:
        assert contrast.ratio.value == pytest.approx(1)
        assert (contrast.p, contrast.verdict) == (pytest.approx(1), "none")
    for each in fields(unlike):
        found = getattr(unlike, each.name)
        if isinstance(found, Estimate):
            assert found.value == 0
    assert unlike.at_equal_coverage.bray_curtis == 0
    for contrast in partition:
        assert contrast.beta.value == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(SIDE, SIDE)
def test_every_estimate_lies_in_its_interval_and_in_its_range(a: Counts, b: Counts) -> None:
    there, unlike, partition = everything(a, b)
    assert 0 <= there.coverage <= 1
    for contrast in there.hill:
        assert 0 <= contrast.p <= 1
    for found, lowest, highest in ((there, 0, math.inf), (unlike, 0, 1), (partition, 0, math.inf)):
        for place, each in estimates(found).items():
            assert all(math.isfinite(number) for number in (each.value, each.se, each.low, each.high)), place
            assert lowest <= each.low <= each.value <= each.high <= highest, place
