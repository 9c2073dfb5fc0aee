"""One season on paper: what was surveyed each month, what was found, and who named it.

Everything is read from the rows of the days; the medians of a month are those of the season's shape in lib.seasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lib import calendars, species
from lib.seasons import seasonal_shape
from lib.species import SpeciesRecord
from lib.store.records import METRICS, DayRow
from lib.trends import usable

# What a month's median is given of: the Hill number of order 0 is the richness, and the photos are the effort.
OF_MONTHS = tuple(metric for metric in METRICS if metric not in ("hill_q0", "total_images"))
# The fields of a row that are read here.
COLUMNS = tuple({*calendars.columns("total_images"), *species.COLUMNS, *METRICS, "model_name"})


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
class SeasonReport:
    """A season with at least one survey, both ends included; `species` most frequent first."""

    start: date
    end: date
    effort: Effort
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
    whole = _effort(rows, plants, len(records))
    return SeasonReport(rows[0].date, rows[-1].date, whole, months, records, list(rows))


def _effort(rows: Sequence[DayRow], plants: int, found: int) -> Effort:
    return Effort(
        days=len(rows),
        comparable=sum(row.effort == "ok" for row in rows),
        photos=sum(row.total_images for row in rows),
        plants=plants,
        species=found,
    )
