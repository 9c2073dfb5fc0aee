"""GET, PATCH and DELETE /api/images/{id}: see a photo, correct its label or day, undo, delete."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from lib import corrections, shapes
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import IdPath
from lib.shapes import DayMetrics, ImageShape


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """Exactly one of these."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["Stellaria media"])] | None = (
        None
    )
    confirm: bool | None = None
    undo: bool | None = None
    date: dt.date | None = None


class Changed(msgspec.Struct):
    """The photo, and the row of every day that the change touched; null for a day without photos now."""

    image: ImageShape
    metrics: dict[str, DayMetrics | None]


class Deleted(msgspec.Struct):
    """The row of the day that the photo was on; null when it has no photos now."""

    metrics: dict[str, DayMetrics | None]


@operation("One photo")
def get(call: Call, path: IdPath) -> ImageShape:
    return shapes.image(call.mine.photo(path.id))


@operation("Correct a photo's label or day, confirm it, or undo", problems=(409, 422))
def patch(call: Call, path: IdPath, body: Change) -> Changed:
    store = call.mine
    store.photo(path.id)  # 404 before anything is said of the body
    change = corrections.read_change(
        call.settings.model_dir, label=body.label, confirm=body.confirm, undo=body.undo, day=body.date
    )
    done = corrections.correct(store, [path.id], change, datetime.now(UTC))
    return Changed(shapes.image(done.photos[0]), _rows(done.days))


@operation("Delete a photo")
def delete(call: Call, path: IdPath) -> Deleted:
    removed = corrections.remove(call.mine, path.id)
    call.services.photos.delete(removed.path)
    return Deleted(_rows(removed.days))


def _rows(days: corrections.TouchedDays) -> dict[str, DayMetrics | None]:
    return {day.isoformat(): shapes.day(row) if row else None for (_, day), row in days.items()}
