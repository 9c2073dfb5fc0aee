"""Outputs that mean one species are one: its probability is the sum of theirs, in NumPy and in the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from lib.classifier.figures import softmax  # noqa: E402
from scripts.conversion import pooling  # noqa: E402


@st.composite
def groupings(draw: st.DrawFn) -> list[int]:
    """The species of each output, numbered in the order in which they first come up."""
    raw = draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))
    order: dict[int, int] = {}
    return [order.setdefault(each, len(order)) for each in raw]


@given(groupings(), st.integers(0, 2**32 - 1), st.sampled_from([0.1, 5.0, 80.0]))
def test_a_species_has_the_summed_probability_of_its_outputs(
    taxon_of: list[int], seed: int, scale: float
) -> None:
    logits = np.random.default_rng(seed).normal(0, scale, (3, len(taxon_of))).astype(np.float32)
    expected = np.zeros((3, max(taxon_of) + 1))
    for output, taxon in enumerate(taxon_of):
        expected[:, taxon] += softmax(logits)[:, output]
    found = pooling.pooled(logits, taxon_of)
    assert softmax(found) == pytest.approx(expected, abs=1e-5)
    by_network = pooling.Pool(taxon_of)(torch.from_numpy(logits)).numpy()
    assert by_network == pytest.approx(found, abs=1e-4)


def test_without_synonyms_nothing_changes() -> None:
    logits = np.array([[1.5, -2.0, 0.25]], np.float32)
    assert not pooling.is_needed([0, 1, 2])
    assert pooling.is_needed([0, 1, 0])
    assert (pooling.pooled(logits, [0, 1, 2]) == logits).all()


def test_shares_in_training_are_added_up() -> None:
    assert pooling.summed([0.5, 0.2, 0.3], [0, 1, 0]) == pytest.approx([0.8, 0.2])
