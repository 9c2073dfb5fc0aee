"""Section `temporal` of the reference set (a series of samples in time): what is compared and what is not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lib import diversity
from tests.lib.diversity.reference.families import At, Case, Family

Compute = Callable[[Case, At], float | None]

GAP = "codyn drops a time without a record and compares its neighbours; an empty day stays one here"
NOTHING_THERE = "a time without a record has no value here; codyn answers 0 or infinity"


def series(case: Case) -> tuple[list[float], np.ndarray]:
    """The times in their order, and the matrix of times x species."""
    times, rows = np.unique(case["time"], return_inverse=True)
    species, columns = np.unique(case["species"], return_inverse=True)
    matrix = np.zeros((times.size, species.size))
    np.add.at(matrix, (rows, columns), case["abundance"])
    return times.tolist(), matrix


def change(field: str) -> Compute:
    """One field of the change that ends at the last of the numbers in the metric's name."""

    def compute(case: Case, at: At) -> float | None:
        times, matrix = series(case)
        return getattr(diversity.turnover(matrix)[times.index(at[-1]) - 1], field)

    return compute


def richness_change(case: Case, at: At) -> float:
    """RAC_change's: the difference in richness over the species of both times."""
    times, matrix = series(case)
    found = diversity.turnover(matrix)[times.index(at[-1]) - 1]
    return found.appearance - found.disappearance


def of_a_time(function: Callable[..., float | None]) -> Compute:
    def compute(case: Case, at: At) -> float | None:
        times, matrix = series(case)
        return function(matrix[times.index(at[0])])

    return compute


def simpson_evenness(counts: np.ndarray) -> float:
    return diversity.inverse_simpson(counts) / diversity.richness(counts)


def next_to_a_gap(case: Case, tool: str, at: At) -> str | None:
    """codyn's turnover at a time whose predecessor has no record."""
    times, matrix = series(case)
    return GAP if not matrix[times.index(at[-1]) - 1].any() else None


def of_nothing(case: Case, tool: str, at: At) -> str | None:
    times, matrix = series(case)
    return None if matrix[times.index(at[0])].any() else NOTHING_THERE


FAMILIES: dict[str, Family] = {
    "turnover.total@t=*": Family(change("total"), 45, 1, next_to_a_gap),
    "turnover.appearance@t=*": Family(change("appearance"), 45, 1, next_to_a_gap),
    "turnover.disappearance@t=*": Family(change("disappearance"), 45, 1, next_to_a_gap),
    # RAC_change keeps a time without a record, as we do.
    "RAC.gains@*-*": Family(change("appearance"), 47),
    "RAC.losses@*-*": Family(change("disappearance"), 47),
    "RAC.richness_change@*-*": Family(richness_change, 47),
    "Shannon@t=*": Family(of_a_time(diversity.shannon), 50, 1, of_nothing),
    "InverseSimpson@t=*": Family(of_a_time(diversity.inverse_simpson), 50, 1, of_nothing),
    "SimpsonEvenness@t=*": Family(of_a_time(simpson_evenness), 50, 1, of_nothing),
}

RANKS = "no function offers changes of rank between two times"
TIME_SERIES = "no function offers stability, synchrony or rate of change of a whole series"

NOT_COMPARED: dict[str, str] = {
    "mean_rank_shift@*-*": RANKS,
    "RAC.rank_change@*-*": RANKS,
    "RAC.evenness_change@*-*": "the change of Evar, which no function offers; Pielou's evenness is the one shown",
    "Evar@t=*": "no function offers it; Pielou's evenness is the one shown",
    "EQ@t=*": "no function offers it; Pielou's evenness is the one shown",
    "stability": TIME_SERIES,
    "synchrony.*": TIME_SERIES,
    "variance_ratio": TIME_SERIES,
    "rate_change": TIME_SERIES,
}
