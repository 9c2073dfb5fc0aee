"""GET and PATCH /api/images: the user's photos, newest day first, page by page; one correction of several."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from lib import corrections, shapes
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Identifier, Period, check_period
from lib.shapes import DayMetrics, ImageShape

PageSize = Annotated[int, msgspec.Meta(ge=1, le=200)]


class Query(Period):
    """`unsure`: only photos that a model could not name to the species (or only the others)."""

    label: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    label_source: Literal["model", "human"] | None = None
    unsure: bool | None = None
    limit: PageSize = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Images(msgspec.Struct):
    """`next_cursor` is null on the last page."""

    images: list[ImageShape]
    next_cursor: str | None


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """The photos, and exactly one of the others. It is made of all of them or of none."""

    ids: Annotated[list[Identifier], msgspec.Meta(min_length=1, max_length=200)]
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["Stellaria media"])] | None = (
        None
    )
    confirm: bool | None = None
    undo: bool | None = None


class Changed(msgspec.Struct):
    """The photos in the order asked for, and by session and date the row of every day that the change touched."""

    images: list[ImageShape]
    metrics: dict[str, dict[str, DayMetrics | None]]


@operation("The user's photos, newest day first", problems=(404,))
def get(call: Call, query: Query) -> Images:
    store = call.mine
    check_period(store, query)
    photos, cursor = store.photos(
        session_id=query.session,
        start=query.start_date,
        end=query.end_date,
        label=query.label,
        label_source=query.label_source,
        unsure=query.unsure,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Images([shapes.image(photo) for photo in photos], cursor)


@operation("Correct the labels of several photos, confirm them, or undo", problems=(404, 409, 422))
def patch(call: Call, body: Change) -> Changed:
    store = call.mine
    change = corrections.read_change(
        call.settings.model_dir,
        label=body.label,
        confirm=body.confirm,
        undo=body.undo,
        kinds=("label", "confirm", "undo"),
    )
    done = corrections.correct(store, body.ids, change, datetime.now(UTC))
    metrics: dict[str, dict[str, DayMetrics | None]] = {}
    for (session_id, day), row in done.days.items():
        metrics.setdefault(str(session_id), {})[day.isoformat()] = shapes.day(row) if row else None
    return Changed([shapes.image(photo) for photo in done.photos], metrics)
