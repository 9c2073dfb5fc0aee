"""The labellings of many days brought into agreement: what grows on a field grows there on other days as well.

Each day's labels were drawn for itself. A doubtful plant is now and then drawn as a species that the field has not,
every day as another one, and over a season these add up to species that were never there. Choosing among the
labellings of each day by what the other days show takes them out again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
SWEEPS = 4  # each day is chosen anew so many times; further ones change nothing that shows


def season_labellings(
    days: Sequence[Counts], labellings: int, concentration: float = 0.05, seed: int = 0
) -> Counts:
    """`labellings` sums of the days, (labellings, S), from one labelling of each day.

    `days` are whole counts (D, S), D possible labellings of one day each, over the same S species. Gibbs sampling
    over the days: a labelling n of a day is chosen by how probable it is under the counts N of the other days,
    over how probable it was to the day alone, both Dirichlet-multinomial with `concentration` for each species:
    DM(n | concentration + N) / DM(n | concentration). The same arguments give the same result.

    >>> sure, torn = np.array([[9, 0]]), np.array([[8, 1], [9, 0]])
    >>> season_labellings([sure] * 20 + [torn], 4).tolist()
    [[189, 0], [189, 0], [189, 0], [189, 0]]
    """
    generator = np.random.default_rng(seed)
    size = days[0].shape[1] if days else 0
    total = np.zeros((labellings, size), dtype=np.int64)
    state: list[NDArray[np.int64]] = []
    for day in days:
        # In turn and not at random: where the days agree already, every labelling keeps its share.
        state.append((np.arange(labellings) + len(state)) % len(day))
        total += day[state[-1]]
    most = sum(int(day.sum(axis=1).max()) for day in days) + 1
    gamma = _log_gammas(concentration, most)
    gamma_of_sums = _log_gammas(concentration * max(size, 1), most)
    torn = [(place, np.flatnonzero((day != day[0]).any(axis=0))) for place, day in enumerate(days)]
    torn = [(place, species) for place, species in torn if species.size]
    # A single day has nothing to agree with, and keeps its labellings as they are.
    for _ in range(SWEEPS if len(days) > 1 else 0):
        for place, species in torn:
            own, sums = days[place][:, species], days[place].sum(axis=1)
            others = total[:, species] - own[state[place]]
            rest = total.sum(axis=1) - sums[state[place]]
            weights = gamma[others[:, None, :] + own].sum(axis=2) - gamma[own].sum(axis=1)
            weights += gamma_of_sums[sums] - gamma_of_sums[rest[:, None] + sums]
            odds = np.cumsum(np.exp(weights - weights.max(axis=1, keepdims=True)), axis=1)
            drawn = generator.random((labellings, 1)) * odds[:, -1:]
            state[place] = (odds <= drawn).sum(axis=1).clip(max=len(own) - 1)
            total[:, species] = others + own[state[place]]
    return total


def _log_gammas(start: float, most: int) -> NDArray[np.float64]:
    """ln Gamma(start + i) - ln Gamma(start) for i from 0 to `most`."""
    steps = np.log(start + np.arange(most))
    return np.concatenate(([0.0], np.cumsum(steps)))
