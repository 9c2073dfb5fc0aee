"""A sample as the estimators see it: how often each species was found, in how many units.

The units are the individuals of an abundance sample, or the plots (photos, days) of an incidence sample. The
formulas of both kinds are the same but for `total`, which for individuals equals the number of units.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances, whole_abundances


class Sample(NamedTuple):
    """Distinct frequencies in rising order, how many species have each, units drawn, sum of all frequencies.

    observed, once, twice: species found at all, in one unit, in two (S, f1, f2; or S, Q1, Q2).
    """

    values: Abundances
    species: Abundances
    units: float
    total: float
    observed: float
    once: float
    twice: float

    @property
    def unseen(self) -> float:
        """Species not found, as `unseen_species` estimates them."""
        return float(unseen_species(self.units, self.once, self.twice))

    @property
    def rarity(self) -> float:
        """Mean frequency in the community of a species found once, as `singleton_rarity` estimates it."""
        return float(singleton_rarity(self.units, self.once, self.twice))


def unseen_species(units: float, once: ArrayLike, twice: ArrayLike) -> Abundances:
    """Species not found, the part that Chao1 and Chao2 add: k f1**2 / (2 f2), k f1 (f1-1) / 2 at f2 = 0."""
    f1, f2 = np.asarray(once, dtype=np.float64), np.asarray(twice, dtype=np.float64)
    added = np.where(f2 > 0, f1**2 / (2 * np.maximum(f2, 1)), f1 * (f1 - 1) / 2)
    return np.asarray((units - 1) / units * added)


def singleton_rarity(units: float, once: ArrayLike, twice: ArrayLike) -> Abundances:
    """How frequent a species found once is on average in the community, Chao and Jost's A (2015).

    2 f2 / ((n-1) f1 + 2 f2), 2 / ((n-1)(f1-1) + 2) at f2 = 0, and 1 where no species was found once.
    """
    f1, f2 = np.asarray(once, dtype=np.float64), np.asarray(twice, dtype=np.float64)
    doubletons = 2 * np.maximum(f2, 1)
    others = np.where(f2 > 0, f1, np.maximum(f1 - 1, 0))
    return np.where(f1 == 0, 1.0, doubletons / ((units - 1) * others + doubletons))


def sample_of(frequencies: Abundances, units: float) -> Sample:
    """The sample with these positive whole frequencies, of which there is at least one."""
    values, species = np.unique(frequencies, return_counts=True)
    return Sample(
        values=values,
        species=species.astype(np.float64),
        units=units,
        total=float(frequencies.sum()),
        observed=float(frequencies.size),
        once=float(np.count_nonzero(frequencies == 1)),
        twice=float(np.count_nonzero(frequencies == 2)),
    )


def abundance_sample(counts: ArrayLike) -> Sample | None:
    """The sample of `counts` individuals per species, None when empty; ValueError as `whole_abundances`."""
    values = whole_abundances(counts)
    return sample_of(values, float(values.sum())) if values.size else None
