"""What an owner's days say of the species: how often, since when, what is new, and the course of one of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from lib.store.records import DayRow

# With a single season there is no year before; then what came up in its last two weeks counts as new.
RECENT = timedelta(days=14)
# The fields of a row that are read here.
COLUMNS = ("species_richness", "species_counts", "top_species")


@dataclass(slots=True)
class SpeciesRecord:
    """One species over all days; `count` in units (near-duplicate photos count once), on `days` days."""

    species: str
    count: int
    first_seen: date
    last_seen: date
    years: set[int]
    days: int = 0
    confidence_sum: float = 0.0
    confidence_units: int = 0

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of its units, None where no day says."""
        return self.confidence_sum / self.confidence_units if self.confidence_units else None


@dataclass(slots=True)
class Month:
    """One month with a survey, as 2025-08."""

    month: str
    species: set[str] = field(default_factory=set)
    observations: int = 0
    survey_days: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """All of a dashboard: the most frequent species first, the months in order, names of new and of returning ones.

    `observations` is the sum of the counts.
    """

    records: list[SpeciesRecord]
    months: list[Month]
    observations: int
    new: list[str]
    returning: list[str]


def overview(rows: Sequence[DayRow]) -> Overview:
    """What `rows` (ordered by date) say of all species."""
    records, months = collect(rows)
    new, returning = new_and_returning(rows, records)
    return Overview(records, months, sum(record.count for record in records), new, returning)


def collect(rows: Sequence[DayRow]) -> tuple[list[SpeciesRecord], list[Month]]:
    """Every species of `rows` (ordered by date), most frequent first, then by name; and every month, in order.

    One pass: five seasons hold some ten thousand observations, and a dashboard is to answer in milliseconds.
    """
    found: dict[str, SpeciesRecord] = {}
    months: dict[tuple[int, int], Month] = {}
    for row in rows:
        day = row.date
        key = (day.year, day.month)
        month = months.get(key)
        if month is None:
            month = months[key] = Month(f"{day:%Y-%m}")
        month.survey_days += 1
        names = []
        for name, count, confidence in species_of(row):
            record = found.get(name)
            if record is None:
                record = found[name] = SpeciesRecord(name, 0, day, day, set())
            record.count += count
            record.days += 1
            record.last_seen = day
            if confidence is not None:
                record.confidence_sum += confidence * count
                record.confidence_units += count
            names.append(name)
            month.observations += count
        month.species.update(names)
    for (year, _), month in months.items():
        for name in month.species:
            found[name].years.add(year)
    records = sorted(found.values(), key=lambda record: (-record.count, record.species))
    return records, [months[key] for key in sorted(months)]


@dataclass(slots=True)
class Span:
    """A month or a year with a survey, of which `start` is the first day: what was seen of one species in it.

    `count` of `observations` of all species, on `days` of `survey_days`; `first` and `last` are None when it was
    not seen.
    """

    start: date
    count: int = 0
    observations: int = 0
    days: int = 0
    survey_days: int = 0
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class History:
    """One species: its `record` (None when it was never seen), each day that it was seen with its count, the
    newest first, all surveyed months and years in order, and the names of all species `seen` in them."""

    record: SpeciesRecord | None
    days: list[tuple[date, int]]
    months: list[Span]
    years: list[Span]
    seen: set[str]


def names_of(rows: Sequence[DayRow]) -> set[str]:
    """The names of all species of `rows`."""
    return {name for row in rows for name, _, _ in species_of(row)}


def history(rows: Sequence[DayRow], names: Collection[str]) -> History:
    """What `rows` (ordered by date) say of the species that goes by `names`, of which the first is told."""
    record: SpeciesRecord | None = None
    days: list[tuple[date, int]] = []
    seen: set[str] = set()
    months: dict[date, Span] = {}
    years: dict[date, Span] = {}
    for row in rows:
        day = row.date
        starts = ((months, day.replace(day=1)), (years, day.replace(month=1, day=1)))
        spans = [known.setdefault(start, Span(start)) for known, start in starts]
        here = species_of(row)
        seen.update(name for name, _, _ in here)
        found = [(count, confidence) for name, count, confidence in here if name in names]
        units = sum(count for count, _ in found)
        for span in spans:
            span.survey_days += 1
            span.observations += sum(count for _, count, _ in here)
            if units:
                span.count += units
                span.days += 1
                span.first, span.last = span.first or day, day
        if not units:
            continue
        days.append((day, units))
        if record is None:
            record = SpeciesRecord(next(iter(names)), 0, day, day, set())
        record.count += units
        record.days += 1
        record.last_seen = day
        record.years.add(day.year)
        for count, confidence in found:
            if confidence is not None:
                record.confidence_sum += confidence * count
                record.confidence_units += count
    return History(record, days[::-1], list(months.values()), list(years.values()), seen)


def species_of(row: DayRow) -> list[tuple[str, int, float | None]]:
    """(species, count, mean confidence or None) of one day.

    Our own rows list every species in `top_species`, and then the counts need not be decoded as well; files of
    the earlier tool list the ten most frequent.
    """
    top = row.top_species
    if top and ("expected_count" in top[0] or len(top) == row.species_richness):
        return [(each["species_name"], each["count"], each["average_confidence"]) for each in top]
    confidences = {each["species_name"]: each.get("average_confidence") for each in top}
    return [(name, count, confidences.get(name)) for name, count in row.species_counts.items() if count > 0]


def new_and_returning(
    rows: Sequence[DayRow], records: Sequence[SpeciesRecord]
) -> tuple[list[str], list[str]]:
    """Names new in the newest year, and names seen in it again after a year without them.

    With one year only, the new ones are those of its last two weeks and nothing can return. By first day.
    """
    if not rows:
        return [], []
    newest, oldest = rows[-1].date, rows[0].date
    if newest.year == oldest.year:
        fresh = [
            record for record in records if record.first_seen > newest - RECENT and record.first_seen > oldest
        ]
        return [record.species for record in sorted(fresh, key=_by_first)], []
    new = [record for record in records if record.years == {newest.year}]
    surveyed = sorted({row.date.year for row in rows})
    back = [
        record
        for record in records
        if newest.year in record.years and len(record.years) > 1 and surveyed[-2] not in record.years
    ]
    return [record.species for record in sorted(new, key=_by_first)], sorted(
        record.species for record in back
    )


def _by_first(record: SpeciesRecord) -> tuple[date, str]:
    return record.first_seen, record.species
