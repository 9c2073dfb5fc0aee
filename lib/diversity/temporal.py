"""How a community changes from one survey to the next: species gained, lost, and the share of both."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.community import sample_matrix


@dataclass(frozen=True, slots=True)
class Turnover:
    """Change between two consecutive samples.

    `gained` and `lost` count species; `appearance`, `disappearance` and their sum `total` are shares, 0 to 1,
    of the species that either sample has, None when neither has any.
    """

    total: float | None
    appearance: float | None
    disappearance: float | None
    gained: int
    lost: int


def turnover(series: ArrayLike) -> list[Turnover]:
    """Species turnover between consecutive rows of `series` (days x species, in the order of time).

    (gained + lost) / species in either (Diamond 1969; Cleland et al. 2013; codyn), one entry fewer than
    there are days. A day on which nothing was found stays a day, on which all species were lost and after
    which those found are gained; codyn drops it and compares its neighbours. ValueError for what
    `bray_curtis_matrix` refuses.

    >>> turnover([[3, 1, 0, 5], [2, 0, 4, 1]])
    [Turnover(total=0.5, appearance=0.25, disappearance=0.25, gained=1, lost=1)]
    """
    return [_change(before, after) for before, after in itertools.pairwise(sample_matrix(series) > 0)]


def _change(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Turnover:
    gained = int(np.count_nonzero(after & ~before))
    lost = int(np.count_nonzero(before & ~after))
    either = int(np.count_nonzero(before | after))
    if not either:
        return Turnover(None, None, None, 0, 0)
    return Turnover((gained + lost) / either, gained / either, lost / either, gained, lost)
