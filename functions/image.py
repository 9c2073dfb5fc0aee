"""GET, PATCH and DELETE /api/images/{id}: see a photo, correct its label or day, undo, delete."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from lib import analysis, shapes
from lib.dispatcher import Call
from lib.labels import human_label
from lib.operations import operation
from lib.problems import malformed
from lib.scope import IdPath, possible_day
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
    asked = [name for name, value in msgspec.structs.asdict(body).items() if value not in (None, False)]
    if len(asked) != 1:
        reason = "send exactly one of label, confirm, undo, date"
        raise malformed([{"field": name, "reason": reason} for name in asked or ["body"]])
    store = call.mine
    session_id = store.photo(path.id).session_id
    now = datetime.now(UTC)
    label = human_label(body.label, call.settings.model_dir) if body.label is not None else None
    # One transaction: a crash between the change and its analysis would leave a pooled day behind.
    with store.day_transaction(session_id):
        before = store.photo(path.id)
        if label is not None:
            after = store.label_photo(path.id, label.name, label.level, now)
        elif body.confirm:
            after = store.confirm_photo(path.id, now)
        elif body.undo:
            after = store.undo_label(path.id)
        else:
            assert body.date is not None
            after = store.move_photo(path.id, possible_day(body.date))
        metrics = _recomputed(call, session_id, {before.date, after.date})
    return Changed(shapes.image(store.photo(path.id)), metrics)


@operation("Delete a photo")
def delete(call: Call, path: IdPath) -> Deleted:
    store = call.mine
    session_id = store.photo(path.id).session_id
    with store.day_transaction(session_id):
        photo = store.photo(path.id)
        lost = store.delete_photo(path.id)
        metrics = _recomputed(call, session_id, {photo.date})
    # The row goes first: a crash here leaves a file without a row, which the next sweep removes.
    call.services.photos.delete(lost)
    return Deleted(metrics)


def _recomputed(call: Call, session_id: int, days: set[dt.date]) -> dict[str, DayMetrics | None]:
    analysis.recompute(call.mine, session_id, days)
    rows = {day: call.mine.day(day, session_id) for day in sorted(days)}
    return {day.isoformat(): shapes.day(row) if row else None for day, row in rows.items()}
