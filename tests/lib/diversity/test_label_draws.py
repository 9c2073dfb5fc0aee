"""The labellings drawn have the very probabilities that the model gives them, where one can list them all."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from lib.diversity.label_draws import KEPT, draw_labels, keep_likeliest

DRAWS = 6000
DOUBTFUL = [[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]
Chances = dict[tuple[int, ...], float]


def exact(
    probabilities: Sequence[Sequence[float]],
    concentration: float,
    prior: Sequence[float] | None = None,
    unknown: Sequence[float] | None = None,
    certain: Sequence[int] = (),
) -> Chances:
    """Probability of each vector of counts, from every labelling there is.

    With the proportions integrated out, a labelling with counts n has the weight prod p/prior * prod Gamma(a + n).
    """
    rows = np.array(probabilities)
    plants, size = rows.shape
    rows = rows / (np.ones(size) if prior is None else np.array(prior))
    missed = np.zeros(plants) if unknown is None else np.array(unknown)
    found: Chances = {}
    for looked in itertools.product((True, False), repeat=plants):
        chance = float(np.where(looked, 1 - missed, missed).prod())
        seen = np.flatnonzero(looked)
        weights: Chances = {}
        for labels in itertools.product(range(size), repeat=len(seen)):
            counts = np.bincount([*labels, *certain], minlength=size)
            weight = math.prod(rows[plant, label] for plant, label in zip(seen, labels, strict=True))
            weight *= math.prod(math.gamma(concentration + count) for count in counts)
            weights[tuple(counts)] = weights.get(tuple(counts), 0.0) + weight
        for counts_of, weight in weights.items():
            found[counts_of] = found.get(counts_of, 0.0) + chance * weight / sum(weights.values())
    return found


def drawn(
    probabilities: Sequence[Sequence[float]],
    concentration: float,
    prior: Sequence[float] | None = None,
    unknown: Sequence[float] | None = None,
    certain: Sequence[int] = (),
    draws: int = DRAWS,
) -> np.ndarray:
    """Counts (draws, classes) as `draw_labels` draws them."""
    rows = np.array(probabilities, dtype=np.float64)
    plants, size = rows.shape
    missed = np.zeros(plants) if unknown is None else np.array(unknown)
    rows = np.concatenate([rows * (1 - missed[:, None]), np.zeros((len(certain), size))])
    candidates = keep_likeliest(rows, np.concatenate([missed, np.zeros(len(certain))]))
    confirmed = np.array([-1] * plants + list(certain), dtype=np.int64)
    generator = np.random.default_rng(7)
    classes, counts = draw_labels(candidates, confirmed, prior, concentration, draws, generator)
    full = np.zeros((draws, max(size, classes.max(initial=-1) + 1)), dtype=np.int64)
    full[:, classes] = counts
    return full


def assert_as_likely(found: np.ndarray, wanted: Chances) -> None:
    """Every outcome as often as it should be, within four and a half standard errors."""
    shares = {outcome: times / len(found) for outcome, times in Counter(map(tuple, found.tolist())).items()}
    assert set(shares) <= set(wanted)
    assert sum(wanted.values()) == pytest.approx(1)
    for outcome, chance in wanted.items():
        error = math.sqrt(chance * (1 - chance) / len(found))
        assert shares.get(outcome, 0.0) == pytest.approx(chance, abs=4.5 * error + 1e-3), outcome


@pytest.mark.parametrize("concentration", [0.05, 0.3, 1.0])
def test_labellings_are_as_likely_as_the_model_says(concentration: float):
    assert_as_likely(drawn(DOUBTFUL, concentration), exact(DOUBTFUL, concentration))


def test_the_shares_in_training_are_divided_out():
    prior = [0.6, 0.3, 0.1]
    wanted = exact(DOUBTFUL, 0.3, prior)
    assert_as_likely(drawn(DOUBTFUL, 0.3, prior), wanted)
    assert wanted[3, 0, 0] < exact(DOUBTFUL, 0.3)[3, 0, 0] / 2


def test_a_plant_may_be_of_no_class():
    unknown = [0.3, 0.1, 0.5]
    assert_as_likely(drawn(DOUBTFUL, 0.3, unknown=unknown), exact(DOUBTFUL, 0.3, unknown=unknown))


def test_what_a_person_named_draws_the_doubtful_to_it():
    wanted = exact(DOUBTFUL, 0.3, certain=[2, 2])
    assert_as_likely(drawn(DOUBTFUL, 0.3, certain=[2, 2]), wanted)
    assert wanted[0, 0, 5] > exact(DOUBTFUL, 0.3)[0, 0, 3]


# Nine classes, of which five are kept of each plant; 6, 7 and 8 are nobody's likeliest.
MANY = [
    [0.50, 0.20, 0.10, 0.05, 0.05, 0.025, 0.025, 0.025, 0.025],
    [0.10, 0.25, 0.05, 0.10, 0.10, 0.25, 0.05, 0.05, 0.05],
    [0.30, 0.20, 0.10, 0.08, 0.08, 0.06, 0.06, 0.06, 0.06],
]


@pytest.mark.parametrize("concentration", [0.05, 1.0])
def test_what_was_not_kept_is_shared_out_evenly(concentration: float):
    def told(counts: Sequence[int]) -> tuple[int, ...]:
        """The commonest two classes, and of the classes that stand together how many plants and species."""
        return counts[0], counts[1], sum(counts[6:]), sum(each > 0 for each in counts)

    wanted: Chances = {}
    for counts, chance in exact(MANY, concentration).items():
        wanted[told(counts)] = wanted.get(told(counts), 0.0) + chance
    found = drawn(MANY, concentration)
    assert_as_likely(np.array([told(row) for row in found.tolist()]), wanted)
    # The classes that stand together are as often drawn, one as the other.
    together = found[:, 6:].sum(axis=0)
    assert together.min() > 0.7 * together.max()


@pytest.mark.parametrize("concentration", [0.05, 1.0])
def test_plants_of_classes_that_stand_together_are_of_one_as_often_as_they_should(concentration: float):
    rows = [[0.05] * 5 + [0.0375] * 20, [0.0375] * 20 + [0.05] * 5]
    alike = sum(chance for counts, chance in exact(rows, concentration).items() if max(counts) == 2)
    found = drawn(rows, concentration, draws=1500).max(axis=1) == 2
    assert found.mean() == pytest.approx(alike, abs=4.5 * math.sqrt(alike * (1 - alike) / 1500))


def test_the_five_likeliest_are_kept_and_what_is_missing_is_left_for_the_others():
    generator = np.random.default_rng(3)
    rows = generator.dirichlet(np.full(40, 0.1), size=150) * 0.9
    candidates = keep_likeliest(rows, np.full(150, 0.06))
    assert candidates.classes.shape == (150, KEPT)
    assert (np.diff(candidates.classes, axis=1) > 0).all()
    for row, classes, values in zip(rows, candidates.classes, candidates.values, strict=True):
        assert sorted(values) == pytest.approx(sorted(row)[-KEPT:])
        assert values == pytest.approx(row[classes])
    assert candidates.rest == pytest.approx(1 - 0.06 - candidates.values.sum(axis=1))
    assert (candidates.unknown == 0.06).all()


def test_with_few_classes_nothing_is_left_for_others():
    candidates = keep_likeliest(np.array([[0.5, 0.2, 0.1], [0.4, 0.4, 0.2]]), np.array([0.1, 0.0]))
    assert candidates.classes.tolist() == [[0, 1, 2]] * 2
    assert candidates.rest.tolist() == [0, 0]
    assert candidates.unknown == pytest.approx([0.2, 0.0])


def test_a_class_that_is_kept_for_want_of_another_is_as_likely_as_the_rest():
    # One class is named; which other four are kept is chance, and must not matter.
    candidates = keep_likeliest(np.array([[0, 0, 0.6, 0, 0, 0, 0, 0, 0]]), np.zeros(1))
    (kept,) = candidates.values
    assert sorted(kept) == pytest.approx([0.05] * 4 + [0.6])
    assert candidates.rest == pytest.approx([4 * 0.05])
    counts = drawn([[0, 0, 0.6, 0, 0, 0, 0, 0, 0]], 1.0)
    assert counts[:, 2].mean() == pytest.approx(0.6, abs=0.03)
    assert np.delete(counts, 2, axis=1).mean(axis=0) == pytest.approx([0.05] * 8, abs=0.015)


def test_confirmed_classes_are_in_every_labelling_even_those_the_model_does_not_know():
    counts = drawn(DOUBTFUL, 0.05, certain=[1, 7, 7], draws=50)
    assert (counts.sum(axis=1) == 6).all()
    assert (counts[:, 1] >= 1).all()
    assert (counts[:, 7] == 2).all()
    assert not counts[:, 3:7].any()


def test_no_plant_is_drawn_as_a_species_beyond_the_model():
    """Many confirmed plants of it draw no other to it: the model's probabilities hold none of it."""
    rows = np.concatenate([np.zeros((20, 12)), np.tile([0.4] + [0.0] * 11, (20, 1))])
    confirmed = np.array([12] * 20 + [-1] * 20)
    classes, counts = draw_labels(
        keep_likeliest(rows, np.zeros(40)), confirmed, None, 0.05, 200, np.random.default_rng(1)
    )
    assert set(counts[:, classes.tolist().index(12)]) == {20}
    assert set(counts.sum(axis=1)) == {40}


def test_no_plants_no_classes():
    empty = keep_likeliest(np.zeros((0, 4)), np.zeros(0))
    classes, counts = draw_labels(empty, np.zeros(0, dtype=np.int64), None, 0.05, 3, np.random.default_rng(0))
    assert (classes.shape, counts.shape) == ((0,), (3, 0))


@pytest.mark.parametrize(
    "prior", [[0.5, 0.5], [1.0, 0.0, 0.0], [0.5, 0.6, -0.1], [math.nan] * 3, 1.0], ids=str
)
def test_it_refuses_shares_in_training_that_are_none(prior: object):
    with pytest.raises(ValueError, match="prior must"):
        drawn(DOUBTFUL, 0.3, prior=prior)  # type: ignore[arg-type]
