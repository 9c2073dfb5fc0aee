"""GET /api/taxa: the taxa whose names begin or read like what a person has typed so far."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lib import taxon_search
from lib.dispatcher import Call
from lib.operations import operation
from lib.taxon_search import LONGEST_QUERY, FoundTaxon

QueryText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=LONGEST_QUERY,
        description="A scientific, English or Japanese name or the beginnings of its words.",
        examples=["ste med"],
    ),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=50)]


class Query(msgspec.Struct):
    """What was typed, and how many suggestions there is room for."""

    q: QueryText
    limit: Limit = 10


class Taxa(msgspec.Struct):
    """Best first: exact names, then the taxa that the model can name, then others of the table of plants."""

    taxa: list[FoundTaxon]


@operation("Suggestions for a name: taxa in Latin, English and Japanese")
def get(call: Call, query: Query) -> Taxa:
    return Taxa(taxon_search.search(query.q, call.settings.model_dir, query.limit))
