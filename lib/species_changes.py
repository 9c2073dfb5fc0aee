"""Which species two sides share, which only one has, and whether the other may merely have missed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lib import taxa
from lib.day_sums import DaySum
from lib.diversity.sample import abundance_sample
from lib.diversity.sample_coverage import covered

# Below this chance to have missed it, a species is taken to be absent.
UNLIKELY = 0.05

Absence = Literal["absent", "perhaps_missed"]


@dataclass(frozen=True, slots=True)
class SpeciesChange:
    """One species on both sides.

    `count`: units with this label; `expected`: units over the possible labellings, on average. A species belongs
    to a side that has a unit with its label. Of one that only one side has, `missed_by_chance` is the chance that
    none of the other side's units would show it if it were as frequent there, and `absence` what follows:
    `absent` below 0.05, else `perhaps_missed`. Plants of a species stand together, so that the chance is
    rather larger. Both are null for a shared species.
    """

    species: str
    common_name: str | None
    count_a: int
    count_b: int
    expected_a: float
    expected_b: float
    missed_by_chance: float | None
    absence: Absence | None


@dataclass(frozen=True, slots=True)
class SpeciesChanges:
    """`lost`: on side a only; `gained`: on side b only. The most frequent first, then by name."""

    shared: list[SpeciesChange]
    lost: list[SpeciesChange]
    gained: list[SpeciesChange]


def species_changes(names: Sequence[str], a: DaySum, b: DaySum) -> SpeciesChanges:
    """The species of both sides; `names` are those of the columns of `a` and `b`."""
    missed_b, missed_a = _missed(a, b), _missed(b, a)
    expected_a, expected_b = a.labellings.mean(axis=0), b.labellings.mean(axis=0)
    groups: dict[tuple[bool, bool], list[SpeciesChange]] = {}
    for place, name in enumerate(names):
        count_a, count_b = int(a.labels[place]), int(b.labels[place])
        there = count_a > 0, count_b > 0
        chance = None
        if there == (True, False):
            chance = float(missed_b[place])
        elif there == (False, True):
            chance = float(missed_a[place])
        groups.setdefault(there, []).append(
            SpeciesChange(
                species=name,
                common_name=taxa.common_name(name),
                count_a=count_a,
                count_b=count_b,
                expected_a=float(expected_a[place]),
                expected_b=float(expected_b[place]),
                missed_by_chance=chance,
                absence=None if chance is None else "absent" if chance < UNLIKELY else "perhaps_missed",
            )
        )
    shared, lost, gained = (
        sorted(groups.get(there, []), key=lambda each: (-each.count_a - each.count_b, each.species))
        for there in ((True, True), (True, False), (False, True))
    )
    return SpeciesChanges(shared, lost, gained)


def _missed(here: DaySum, there: DaySum) -> NDArray[np.float64]:
    """For each species the chance that the units `there` show none of it, were it as frequent as `here`.

    (1 − C x/n)^m, x of n units here, C the coverage of these (a rare species that was found is rarer than its
    share among the units found: Chao and Jost 2012), m units there; the mean over the labellings. A labelling
    in which it is not here at all makes it no surprise that it is not there.
    """
    chances = np.ones(here.labellings.shape)
    for labelling, (counts, units) in enumerate(
        zip(here.labellings, there.labellings.sum(axis=1), strict=True)
    ):
        sample = abundance_sample(counts)
        if sample is not None:
            share = counts / sample.units * covered(sample, sample.units)
            chances[labelling] = (1 - share) ** float(units)
    return np.asarray(chances.mean(axis=0))
