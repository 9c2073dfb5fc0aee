"""Days brought into agreement: what the season has not is not added up from the doubts of its days."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lib.diversity.season_labels import season_labellings


def test_days_without_doubt_are_added_up() -> None:
    days = [np.array([[3, 0, 1]]), np.array([[0, 2, 1]])]
    assert season_labellings(days, 5).tolist() == [[3, 2, 2]] * 5


def test_a_single_day_keeps_its_labellings() -> None:
    day = np.array([[3, 0], [2, 1], [1, 2]])
    assert season_labellings([day], 3).tolist() == day.tolist()
    assert season_labellings([day], 4).tolist() == [[3, 0], [2, 1], [1, 2], [3, 0]]


def test_without_days_there_is_nothing() -> None:
    assert season_labellings([], 2).shape == (2, 0)


def test_the_doubts_of_many_days_do_not_become_species() -> None:
    """Thirty days of one species, on each of which one plant might be of another species, each day another one."""
    days = []
    for number in range(30):
        labellings = np.zeros((10, 31), dtype=np.int64)
        labellings[:, 0] = 20
        labellings[:3, 0] = 19
        labellings[:3, number + 1] = 1
        days.append(labellings)
    added = season_labellings(days, 20)
    assert (added.sum(axis=1) == 600).all()
    assert (added > 0).sum(axis=1).mean() < 1.5
    alone = sum(day.mean(axis=0) for day in days)
    assert np.count_nonzero(alone >= 0.3) == 31  # what adding the days up would have made of them


def test_a_species_that_one_day_is_sure_of_stays() -> None:
    usual = np.array([[20, 0]])
    flush = np.array([[5, 15]] * 10)
    added = season_labellings([usual] * 30 + [flush, np.array([[20, 0], [19, 1]])], 10)
    assert (added[:, 1] >= 15).all()


def test_a_twin_that_grows_elsewhere_in_the_season_draws_the_doubtful_plant() -> None:
    torn = np.array([[10, 1, 0], [10, 0, 1]])
    with_second = season_labellings([np.array([[5, 8, 0]])] * 10 + [torn], 40)
    with_third = season_labellings([np.array([[5, 0, 8]])] * 10 + [torn], 40)
    assert (with_second[:, 1] == 81).mean() > 0.95
    assert (with_third[:, 2] == 81).mean() > 0.95


def test_plants_of_unknown_species_are_neither_sought_nor_shunned() -> None:
    """A labelling that leaves a plant out says less, which is no reason to prefer it or to avoid it."""
    days = [np.array([[20, 0], [19, 0]])] * 20
    left_out = 400 - season_labellings(days, 40).sum(axis=1)
    assert 7 < left_out.mean() < 13


tables = st.integers(1, 4).flatmap(
    lambda rows: st.lists(
        st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=rows, max_size=rows
    ).map(np.array)
)


@given(st.lists(tables, min_size=1, max_size=5), st.integers(1, 6))
def test_every_sum_is_made_of_one_labelling_a_day(days: list[np.ndarray], labellings: int) -> None:
    added = season_labellings(days, labellings)
    assert added.shape == (labellings, 3)
    assert np.array_equal(added, season_labellings(days, labellings))
    low, high = sum(day.min(axis=0) for day in days), sum(day.max(axis=0) for day in days)
    assert (added >= low).all()
    assert (added <= high).all()


def test_a_season_of_a_field_keeps_its_species() -> None:
    """Simulated: forty days of thirty plants of eight species, one plant in ten mistaken for any of 22 others."""
    generator = np.random.default_rng(3)
    shares = 0.7 ** np.arange(8)
    days = []
    for _ in range(40):
        sure = np.zeros(30, dtype=np.int64)
        sure[:8] = generator.multinomial(27, shares / shares.sum())
        labellings = np.tile(sure, (20, 1))
        for _ in range(3):  # doubtful plants: one of the field's, or of two others
            likely = generator.choice(8, p=shares / shares.sum())
            names = np.array([likely, *generator.choice(np.arange(8, 30), 2, replace=False)])
            chosen = names[generator.choice(3, size=20, p=[0.7, 0.2, 0.1])]
            np.add.at(labellings, (np.arange(20), chosen), 1)
        days.append(labellings)
    alone = np.mean([np.count_nonzero(sum(day[turn % 20] for day in days)) for turn in range(20)])
    together = np.count_nonzero(season_labellings(days, 20), axis=1).mean()
    assert alone > 20
    assert 8 <= together < 13
