"""The days of one side of a comparison added up, labelling by labelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.diversity.season_labels import season_labellings
from lib.store.records import DayRow

# The fields of a row that are read here.
COLUMNS = ("species_counts", "estimate")
# A file of another hand may hold any number of labellings; more than these say nothing new.
MOST_LABELLINGS = 100

Counts = NDArray[np.int64]


class Labelled(NamedTuple):
    """One day: units by label, and by species in each possible labelling (species, labellings), if it has any."""

    labels: Mapping[str, int]
    names: Sequence[str]
    labellings: Counts | None
    unknown: float


@dataclass(frozen=True, slots=True)
class DaySum:
    """Units of each species over all days.

    `labellings` (D, S): whole counts, a row for each possible labelling of the photos; `labels` (S,): units
    whose label is the species, what a person counts. `unknown`: expected units of no known species. `certain`:
    days with a label that say nothing of other labellings, whose labels are taken as they are.
    """

    labellings: Counts
    labels: Counts
    unknown: float
    certain: int


def labelled(row: DayRow) -> Labelled:
    """What a row says of its labels; labellings that make no table, in a file of another hand, count as none."""
    estimate = row.estimate
    given, draws = estimate.get("unknown"), estimate.get("draws")
    unknown = float(given) if isinstance(given, int | float) else 0.0
    if isinstance(draws, Mapping) and (table := _table(draws)) is not None:
        return Labelled(row.species_counts, list(draws), table, unknown)
    return Labelled(row.species_counts, (), None, unknown)


def _table(draws: Mapping[str, Sequence[int]]) -> Counts | None:
    try:
        table = np.array(list(draws.values()), dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        return None
    if table.ndim != 2 or not table.shape[1] or (table < 0).any():
        return None
    return table[:, :MOST_LABELLINGS]


def labellings_of(days: Sequence[Labelled]) -> int:
    """The most labellings that one of `days` has, 1 when none has any."""
    return max((day.labellings.shape[1] for day in days if day.labellings is not None), default=1)


def names_of(days: Sequence[Labelled]) -> list[str]:
    """Every species of `days`, by label or in some labelling, in order."""
    names: set[str] = set()
    for day in days:
        names.update(day.labels, day.names)
    return sorted(names)


def add_up(days: Sequence[Labelled], names: Sequence[str], labellings: int) -> DaySum:
    """The sum of `days` over the species `names`, which hold all of theirs, in so many labellings.

    The labellings of different days were drawn apart; which ones go together is chosen by what the days have in
    common (lib.diversity.season_labels), lest the doubt of every day add species to the season. A day without any
    counts its labels in all.
    """
    place = {name: column for column, name in enumerate(names)}
    labels = np.zeros(len(names), dtype=np.int64)
    possible = []
    unknown, certain = 0.0, 0
    for day in days:
        found = [place[name] for name in day.labels]
        of_labels = np.fromiter(day.labels.values(), dtype=np.int64, count=len(found))
        labels[found] += of_labels
        unknown += day.unknown
        width = 1 if day.labellings is None else day.labellings.shape[1]
        counts = np.zeros((width, len(names)), dtype=np.int64)
        if day.labellings is not None:
            counts[:, [place[name] for name in day.names]] = day.labellings.T
        else:
            counts[:, found] = of_labels
            certain += bool(of_labels.any())
        possible.append(counts)
    summed = season_labellings(possible, labellings) if days else np.zeros((labellings, len(names)), np.int64)
    return DaySum(summed, labels, unknown, certain)
