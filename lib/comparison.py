"""Two sets of days compared: diversity at equal coverage, dissimilarity, species lost and gained, daily values.

Any two sessions or spans of days can be asked for, so that nothing of it can stand ready in a row: with the totals
of a season, this is the one read that computes statistics, from the rows of the days only, never from their
photos. The sides are `a` and `b`; what compares them says how b is against a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from lib.calendars import columns as calendar_columns
from lib.calendars import quantile
from lib.contrasts import (
    ALPHA,
    Direction,
    Dissimilarity,
    GammaAlphaBeta,
    Standardised,
    dissimilarity,
    gamma_alpha_beta,
    redrawn,
    samples_of,
    standardise,
)
from lib.day_sums import COLUMNS, DaySum, add_up, labelled, labellings_of, names_of
from lib.diversity import mann_whitney
from lib.diversity.paired_rows import hill_numbers
from lib.diversity.sample import Sample
from lib.diversity.sample_coverage import covered
from lib.species_changes import SpeciesChanges, species_changes
from lib.store.records import MINIMUM_COVERAGE, MINIMUM_UNITS, DayRow
from lib.trends import LeftOut, usable

# With three days on each side no test can reach 0.05.
MINIMUM_DAYS = 4

# What a reader has to know, and why a side may have nothing to compare.
REASONS = {
    "no_survey": "it has no surveyed day.",
    "no_plants": "none of its photos shows a plant of a known species.",
    "few_plants": f"it has fewer than {MINIMUM_UNITS} plants.",
    "low_coverage": "more than half of the plants there are estimated to be of species that were not found.",
}
PLANTS_INDEPENDENT = (
    "The intervals hold the doubt about the labels and that of drawing as many plants again from the same days; "
    "other days would have given other plants, which the test of the daily values looks at."
)
EFFORT_DIFFERS = (
    "The sides have different numbers of plants: diversity is compared at equal coverage, and Bray–Curtis "
    "compares shares."
)
DAYS_INDEPENDENT = (
    "The test of the daily values treats the days as independent; neighbouring days are not quite, so that p is "
    "rather too small."
)

TooFew = Literal["no_survey", "no_plants", "few_plants", "low_coverage"]
Size = Literal["negligible", "small", "medium", "large"]


@dataclass(frozen=True, slots=True)
class Observed:
    """The units as they are, with no regard to effort: Hill numbers and coverage, the mean over the labellings."""

    hill_q0: float
    hill_q1: float
    hill_q2: float
    coverage: float


@dataclass(frozen=True, slots=True)
class SideSummary:
    """What one side has to go by.

    `units`: plants of a known species, the mean over the possible labellings; `unknown`: expected plants of
    none; `species`: those that a unit is labelled with. `days_none` and `days_low` have no plant, or too few to
    be compared with other days; their plants count here all the same. `certain_days` say nothing of how sure
    their labels are, which are then taken as certain. `too_few` says why the side cannot be compared, null when
    it can: `no_survey`, `no_plants`, `few_plants` (under 5), `low_coverage` (under one half).
    """

    first_day: date | None
    last_day: date | None
    days: int
    days_none: int
    days_low: int
    certain_days: int
    photos: int
    units: float
    unknown: float
    species: int
    observed: Observed | None
    too_few: TooFew | None


@dataclass(frozen=True, slots=True)
class DailySide:
    """The daily values of one side: how many days, the quartiles, and the days that do not count."""

    days: int
    left_out: LeftOut
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


@dataclass(frozen=True, slots=True)
class DailyTest:
    """Mann–Whitney test of the daily values of `metric`, days with enough effort only.

    `cliffs_delta`: the chance that a day of b exceeds a day of a, minus the reverse, −1 to 1; `size` in words
    after Romano et al. (2006): 0.147, 0.33 and 0.474. `u` is that of b. The days are treated as independent of
    each other, which neighbouring days are not quite: p is rather too small. `verdict` says how b is; `too_few`
    with fewer than four days on a side.
    """

    metric: str
    a: DailySide
    b: DailySide
    u: float | None
    p: float | None
    method: str | None
    cliffs_delta: float | None
    size: Size | None
    verdict: Literal[Direction, "too_few"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides; `standardised`, `dissimilarity` and `gamma_alpha_beta` are null when a side has too few plants.

    `labellings`: how many possible labellings of the photos the intervals rest on; 1 when no day says how sure
    its labels are. `effort_differs`: the sides do not have the same number of units.
    """

    a: SideSummary
    b: SideSummary
    labellings: int
    effort_differs: bool
    standardised: Standardised | None
    dissimilarity: Dissimilarity | None
    gamma_alpha_beta: list[GammaAlphaBeta] | None
    species: SpeciesChanges
    daily: DailyTest


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know when reading the figures; `code` is for programs and translations."""

    code: str
    text: str


def columns(metric: str) -> tuple[str, ...]:
    """The fields of a row that a comparison with daily values of `metric` reads."""
    return tuple(dict.fromkeys((*COLUMNS, *calendar_columns(metric))))


def compare(a: Sequence[DayRow], b: Sequence[DayRow], metric: str) -> Comparison:
    """The rows of one side against those of the other, each ordered by date, none on both sides."""
    days_a, days_b = [labelled(row) for row in a], [labelled(row) for row in b]
    both = [*days_a, *days_b]
    names, labellings = names_of(both), labellings_of(both)
    sum_a, sum_b = add_up(days_a, names, labellings), add_up(days_b, names, labellings)
    samples_a, samples_b = samples_of(sum_a.labellings), samples_of(sum_b.labellings)
    side_a, side_b = _summary(a, sum_a, samples_a), _summary(b, sum_b, samples_b)
    standardised = unlike = partition = None
    if side_a.too_few is None and side_b.too_few is None:
        counts = sum_a.labellings, sum_b.labellings
        again = redrawn(*counts)
        standardised = standardise(samples_a, samples_b, *again)
        unlike = dissimilarity(*counts, *again)
        partition = gamma_alpha_beta(*counts, *again)
    return Comparison(
        a=side_a,
        b=side_b,
        labellings=labellings,
        effort_differs=side_a.units != side_b.units,
        standardised=standardised,
        dissimilarity=unlike,
        gamma_alpha_beta=partition,
        species=species_changes(names, sum_a, sum_b),
        daily=daily_test(a, b, metric),
    )


def _summary(rows: Sequence[DayRow], summed: DaySum, samples: Sequence[Sample]) -> SideSummary:
    efforts = [row.effort for row in rows]
    observed = None
    if samples:
        hills = hill_numbers(summed.labellings[summed.labellings.any(axis=1)]).mean(axis=0)
        coverage = np.mean([covered(each, each.units) for each in samples])
        observed = Observed(float(hills[0]), float(hills[1]), float(hills[2]), float(coverage))
    return SideSummary(
        first_day=rows[0].date if rows else None,
        last_day=rows[-1].date if rows else None,
        days=len(rows),
        days_none=efforts.count("none"),
        days_low=efforts.count("low"),
        certain_days=summed.certain,
        photos=sum(row.total_images for row in rows),
        units=float(summed.labellings.sum(axis=1).mean()),
        unknown=summed.unknown,
        species=int(np.count_nonzero(summed.labels)),
        observed=observed,
        too_few=_too_few(len(rows), summed, observed),
    )


def _too_few(days: int, summed: DaySum, observed: Observed | None) -> TooFew | None:
    """Why there is too little to compare; a single labelling with too few plants is enough of a reason."""
    if not days:
        return "no_survey"
    if observed is None:
        return "no_plants"
    if summed.labellings.sum(axis=1).min() < MINIMUM_UNITS:
        return "few_plants"
    return "low_coverage" if observed.coverage < MINIMUM_COVERAGE else None


def daily_test(a: Sequence[DayRow], b: Sequence[DayRow], metric: str) -> DailyTest:
    """Do the daily values of `metric` tend to be higher on one side (Mann and Whitney 1947; Cliff 1993)?"""
    values_a, side_a = _daily(a, metric)
    values_b, side_b = _daily(b, metric)
    found = mann_whitney(values_b, values_a)
    if found is None:
        return DailyTest(metric, side_a, side_b, None, None, None, None, None, "too_few")
    verdict: Literal[Direction, "too_few"] = "none"
    if min(len(values_a), len(values_b)) < MINIMUM_DAYS:
        verdict = "too_few"
    elif found.p < ALPHA:
        verdict = "higher" if found.effect > 0 else "lower"
    return DailyTest(
        metric=metric,
        a=side_a,
        b=side_b,
        u=found.statistic,
        p=found.p,
        method=found.method,
        cliffs_delta=found.effect,
        size=_size(abs(found.effect)),
        verdict=verdict,
    )


def _daily(rows: Sequence[DayRow], metric: str) -> tuple[list[float], DailySide]:
    points, left_out = usable(rows, metric)
    values = sorted(point.value for point in points)
    if not values:
        return values, DailySide(0, left_out, None, None, None)
    return values, DailySide(
        len(values), left_out, quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)
    )


def _size(delta: float) -> Size:
    if delta < 0.147:
        return "negligible"
    if delta < 0.33:
        return "small"
    return "medium" if delta < 0.474 else "large"


def notes_of(found: Comparison) -> list[Note]:
    """What a reader has to know of these figures, each in a sentence."""
    notes = []
    for name, side in (("a", found.a), ("b", found.b)):
        if side.too_few is not None:
            notes.append(Note(f"too_few_{name}", f"Side {name} cannot be compared: {REASONS[side.too_few]}"))
    certain = found.a.certain_days + found.b.certain_days
    if certain:
        days = "One day says" if certain == 1 else f"{certain} days say"
        notes.append(
            Note("certain_labels", f"{days} nothing of how sure the labels are; they are taken as certain.")
        )
    if found.standardised is not None:
        notes.append(Note("plants_independent", PLANTS_INDEPENDENT))
        if found.effort_differs:
            notes.append(Note("effort_differs", EFFORT_DIFFERS))
    if found.daily.p is not None:
        notes.append(Note("days_independent", DAYS_INDEPENDENT))
    return notes
