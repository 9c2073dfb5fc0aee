"""GET /api/export/{kind}: the caller's data as JSON, CSV or a Darwin Core Archive, streamed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from flask import Response

from lib.dispatcher import Call
from lib.operations import operation
from lib.outputs.exports import KINDS, OF_A_DAY, Exporter, ExportFile, check_kind, of_folder, of_user
from lib.problems import not_found
from lib.scope import Period, check_period
from lib.store.records import METRICS

Kind = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(KINDS)})]
MetricName = Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(METRICS)})]


class Path(msgspec.Struct):
    """What to export."""

    kind: Kind


class Query(Period):
    """`date`: the day of an export of one day (default: the newest of the period); `metric`: that of `calendar`.

    `metadata`: in place of a CSV file, what its columns mean (CSV on the Web).
    """

    date: dt.date | None = None
    metric: MetricName | None = None
    metadata: bool = False


@operation("The caller's data as a file", media_type="*/*", problems=(404,))
def get(call: Call, path: Path, query: Query) -> Response:
    check_kind(path.kind)
    file = _exporter(call, query).file(path.kind, query.date, query.metric)
    description = file.described()
    if query.metadata:
        if description is None:
            raise not_found("This export says itself what its numbers mean.")
        return _sent(description)
    response = _sent(file)
    if description is not None:
        address = f"{call.request.path}?{urlencode(_described_by(path.kind, query))}"
        response.headers["Link"] = f'<{address}>; rel="describedby"; type="{description.media_type}"'
    return response


def _exporter(call: Call, query: Query) -> Exporter:
    """What makes the files of this caller, or in file mode those of the site."""
    model_dir, start, end = call.settings.model_dir, query.start_date, query.end_date
    if call.settings.database_url is None:
        check_period(call.services.files, query)
        return of_folder(call.services.files, model_dir, start, end)
    check_period(call.mine, query)
    return of_user(call.mine, model_dir, start, end, query.session)


def _described_by(kind: str, query: Query) -> dict[str, str]:
    """The query that asks for the description of the file that this query asks for."""
    asked = {
        "date": query.date if kind in OF_A_DAY else None,
        "start_date": query.start_date,
        "end_date": query.end_date,
        "session": query.session,
        "metadata": "true",
    }
    return {name: str(value) for name, value in asked.items() if value is not None}


def _sent(file: ExportFile) -> Response:
    content: Iterable[bytes] = file.content()
    response = Response(content, content_type=file.media_type, direct_passthrough=False)
    if isinstance(content, list):
        response.content_length = sum(map(len, content))
    # The names are made of dates and metrics: plain ASCII, nothing to escape.
    response.headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response
