"""GET /api/daily/{date}: one day's summary, in the shape of the daily_summary files."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from lib.dispatcher import Call
from lib.operations import operation
from lib.outputs.models import Models
from lib.outputs.summaries import summary
from lib.problems import not_found
from lib.scope import Identifier, check_session
from lib.store.records import ProcessingRow


class Path(msgspec.Struct):
    date: dt.date


class Query(msgspec.Struct):
    session: Identifier | None = None


class Summary(msgspec.Struct):
    """The sections of SPEC section 8; `effort` is none, low or ok.

    `estimate`: units, unknown (expected units of no known species), too_few, expected_counts, draws of the labels,
    and the same day by genus and family. `model_info.version` is null where several versions of the model named the
    day's photos, or where it was not recorded; `versions` lists each, null for not recorded.
    """

    date: str
    timestamp: str
    diversity_metrics: dict[str, Any]
    confidence_intervals: dict[str, Any]
    species_counts: dict[str, int]
    top_species: list[dict[str, Any]]
    estimate: dict[str, Any]
    processing_info: dict[str, Any]
    model_info: dict[str, Any]
    quality_assessment: dict[str, Any]
    clustering_info: dict[str, Any]
    metadata: dict[str, Any]
    effort: str
    sample: bool


@operation("One day's summary", problems=(404,), bad_path_status=400)
def get(call: Call, path: Path, query: Query) -> Summary:
    store = call.store
    check_session(store, query.session)
    row = store.day(path.date, query.session)
    if row is None:
        raise not_found(f"There are no photos of {path.date}.")
    processing = store.processing(path.date, query.session) or ProcessingRow(path.date)
    document = summary(row, processing, Models(call.settings.model_dir).of_day(row, processing))
    known = {name: value for name, value in document.items() if name in Summary.__struct_fields__}
    return Summary(**known, effort=row.effort, sample=store.sample)
