"""One season on paper: what was surveyed each month, what was found, and how diverse all of it is.

Any year of any session can be asked for, so that the totals of a season can stand ready in no row: they are made
here, as those of lib.comparison are, from the rows of the days only. The medians of a month are those of
lib.seasons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lib import calendars, day_sums, species
from lib.day_sums import add_up, labelled, labellings_of, names_of
from lib.diversity.day_estimate import DayEstimate, estimate_counts
from lib.seasons import seasonal_shape
from lib.species import SpeciesRecord
from lib.store.records import METRICS, DayRow
from lib.trends import usable

# What a month's median is given of: the Hill number of order 0 is the richness, and the photos are the effort.
OF_MONTHS = tuple(metric for metric in METRICS if metric not in ("hill_q0", "total_images"))
# The fields of a row that are read here.
COLUMNS = tuple(
    {*calendars.columns("total_images"), *species.COLUMNS, *day_sums.COLUMNS, *METRICS, "model_name"}
)


@dataclass(frozen=True, slots=True)
class Effort:
    """What was done in a month or a season.

    `comparable` are the days with enough photos to compare them with others; `plants` those named to their species,
    near-duplicate photos of one counted once; `species` how many different ones.
    """

    days: int
    comparable: int
    photos: int
    plants: int
    species: int


@dataclass(frozen=True, slots=True)
class Month:
    """One month with a survey, 1 to 12; `medians` by metric, without those that none of its days has."""

    number: int
    effort: Effort
    medians: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Total:
    """A metric of all plants of the season together; the ends are those of its 95 % interval."""

    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SeasonReport:
    """A season with at least one survey, both ends included; `species` most frequent first.

    `totals` is empty with too few plants, and `coverage` None: the share of the plants there whose species is among
    those found. `certain` days say nothing of how sure their labels are, which the totals then take as certain.
    """

    start: date
    end: date
    effort: Effort
    totals: list[Total]
    coverage: float | None
    certain: int
    months: list[Month]
    species: list[SpeciesRecord]
    days: list[DayRow]


def build(rows: Sequence[DayRow]) -> SeasonReport | None:
    """The report on the days of one year, ordered by date, read with COLUMNS; None without any."""
    if not rows:
        return None
    records, found = species.collect(rows)
    medians: dict[int, dict[str, float]] = {}
    for metric in OF_MONTHS:
        points, _ = usable(rows, metric)
        for each in seasonal_shape(points, "month")[1]:
            medians.setdefault(each.season, {})[metric] = each.median
    months = []
    for month in found:
        number = int(month.month[5:])
        days = [row for row in rows if row.date.month == number]
        effort = _effort(days, month.observations, len(month.species))
        months.append(Month(number, effort, medians.get(number, {})))
    plants = sum(record.count for record in records)
    named = [labelled(row) for row in rows]
    summed = add_up(named, names_of(named), labellings_of(named))
    whole = estimate_counts(summed.labellings)
    return SeasonReport(
        start=rows[0].date,
        end=rows[-1].date,
        effort=_effort(rows, plants, len(records)),
        totals=_totals(whole),
        coverage=None if whole.too_few else whole.values["coverage"],
        certain=summed.certain,
        months=months,
        species=records,
        days=list(rows),
    )


def _totals(season: DayEstimate) -> list[Total]:
    """The metrics that have an interval. Shannon and Simpson are Hill numbers 1 and 2 on other scales."""
    richness, first, second = season.richness, season.hill_q1, season.hill_q2
    if richness is None or first is None or second is None:
        return []
    totals = [
        Total(metric, each.value, each.low, each.high)
        for metric, each in (("species_richness", richness), ("hill_q1", first), ("hill_q2", second))
    ]
    # On the other scale the mean over the labellings need not be that of their mean.
    shannon, simpson = season.values["shannon"], season.values["simpson"]
    entropies = math.log(first.low), math.log(first.high)
    chances = 1 - 1 / second.low, 1 - 1 / second.high
    totals.append(Total("shannon_diversity", shannon, min(entropies[0], shannon), max(entropies[1], shannon)))
    totals.append(Total("simpson_diversity", simpson, min(chances[0], simpson), max(chances[1], simpson)))
    return sorted(totals, key=lambda total: METRICS.index(total.metric))


def _effort(rows: Sequence[DayRow], plants: int, found: int) -> Effort:
    return Effort(
        days=len(rows),
        comparable=sum(row.effort == "ok" for row in rows),
        photos=sum(row.total_images for row in rows),
        plants=plants,
        species=found,
    )
