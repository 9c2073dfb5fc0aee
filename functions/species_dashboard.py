"""GET /api/species-dashboard: totals, distribution, trend, new and returning species."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec

from lib import species, taxa
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Period, rows_of

PageSize = Annotated[int, msgspec.Meta(ge=1, le=500)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class Query(Period):
    """`limit` and `offset` page through the distribution; everything else is of the whole period."""

    limit: PageSize = 100
    offset: Offset = 0


class SpeciesShape(msgspec.Struct):
    """`percentage` of all observations, 0 to 100."""

    species: str
    common_name: str | None
    count: int
    percentage: float
    first_seen: date
    last_seen: date
    mean_confidence: float | None


class MonthShape(msgspec.Struct):
    """`month` as 2025-08."""

    month: str
    species: int
    observations: int
    survey_days: int


class NewSpecies(msgspec.Struct):
    species: str
    common_name: str | None
    first_seen: date


class Dashboard(msgspec.Struct):
    """Observations are units: near-duplicate photos of one plant count once."""

    total_species: int
    total_observations: int
    species_distribution: list[SpeciesShape]
    next_offset: int | None
    trend: list[MonthShape]
    new_species: list[NewSpecies]
    returning_species: list[str]
    sample: bool


@operation("Which species, how many, since when", problems=(404,))
def get(call: Call, query: Query) -> Dashboard:
    store = call.store
    season = species.overview(rows_of(store, query, species.COLUMNS))
    records = season.records
    first = {record.species: record.first_seen for record in records}
    page = records[query.offset : query.offset + query.limit]
    end = query.offset + query.limit
    return Dashboard(
        total_species=len(records),
        total_observations=season.observations,
        species_distribution=[
            SpeciesShape(
                species=record.species,
                common_name=taxa.common_name(record.species),
                count=record.count,
                percentage=100 * record.count / season.observations,
                first_seen=record.first_seen,
                last_seen=record.last_seen,
                mean_confidence=record.mean_confidence,
            )
            for record in page
        ],
        next_offset=end if end < len(records) else None,
        trend=[
            MonthShape(each.month, len(each.species), each.observations, each.survey_days)
            for each in season.months
        ],
        new_species=[NewSpecies(name, taxa.common_name(name), first[name]) for name in season.new],
        returning_species=season.returning,
        sample=store.sample,
    )
