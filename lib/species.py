"""What an owner's days say of each species: how often, since when, and what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lib.store.records import DayRow

# With a single season there is no year before; then what came up in its last two weeks counts as new.
RECENT = timedelta(days=14)


@dataclass(slots=True)
class SpeciesRecord:
    """One species over all days; `count` in units (near-duplicate photos count once)."""

    species: str
    count: int
    first_seen: date
    last_seen: date
    years: set[int]
    confidence_sum: float = 0.0
    confidence_units: int = 0

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of its units, None where no day says."""
        return self.confidence_sum / self.confidence_units if self.confidence_units else None


def collect(rows: Sequence[DayRow]) -> list[SpeciesRecord]:
    """Every species of `rows` (ordered by date), most frequent first, then by name."""
    found: dict[str, SpeciesRecord] = {}
    for row in rows:
        confidences = {entry["species_name"]: entry.get("average_confidence") for entry in row.top_species}
        for name, count in row.species_counts.items():
            if count <= 0:
                continue
            record = found.setdefault(name, SpeciesRecord(name, 0, row.date, row.date, set()))
            record.count += count
            record.last_seen = row.date
            record.years.add(row.date.year)
            confidence = confidences.get(name)
            if confidence is not None:
                record.confidence_sum += confidence * count
                record.confidence_units += count
    return sorted(found.values(), key=lambda record: (-record.count, record.species))


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


def by_month(rows: Sequence[DayRow]) -> list[tuple[str, int, int, int]]:
    """(month, species, observations, survey days) of every month with a survey, in order."""
    months: dict[str, tuple[set[str], list[int]]] = {}
    for row in rows:
        names, sums = months.setdefault(f"{row.date:%Y-%m}", (set(), [0, 0]))
        names.update(name for name, count in row.species_counts.items() if count > 0)
        sums[0] += sum(row.species_counts.values())
        sums[1] += 1
    return [(month, len(names), sums[0], sums[1]) for month, (names, sums) in sorted(months.items())]
