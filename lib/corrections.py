"""What people change of photos: name them, confirm, undo, move to another day, delete; the days follow at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lib import analysis
from lib.labels import HumanLabel, human_label
from lib.problems import Problem, malformed
from lib.scope import possible_day
from lib.store.records import DayRow, Photo

if TYPE_CHECKING:
    from lib.store.database import UserStore

Kind = Literal["label", "confirm", "undo", "date"]
KINDS: tuple[Kind, ...] = ("label", "confirm", "undo", "date")
# The rows of the days that a change touched, by session and date; None for a day that has no photos now.
TouchedDays = Mapping[tuple[int, date], DayRow | None]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a person says of photos: `label` with kind `label`, `day` with kind `date`."""

    kind: Kind
    label: HumanLabel | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The photos as they are now, in the order asked for, and the days that the change touched."""

    photos: list[Photo]
    days: TouchedDays


def read_change(
    model_dir: Path,
    *,
    label: str | None = None,
    confirm: bool | None = None,
    undo: bool | None = None,
    day: date | None = None,
    kinds: Sequence[Kind] = KINDS,
) -> Change:
    """The change that a request asks for: exactly one, else 400; 422 for what is no name or no possible day.

    `kinds` are those that the request can name, for the refusal to list them.
    """
    given = {"label": label, "confirm": confirm or None, "undo": undo or None, "date": day}
    asked = [kind for kind in KINDS if given[kind] is not None]
    if len(asked) != 1:
        reason = f"send exactly one of {', '.join(kinds)}"
        names: list[str] = [*asked] or ["body"]
        raise malformed([{"field": name, "reason": reason} for name in names])
    if label is not None:
        return Change("label", label=human_label(label, model_dir))
    if day is not None:
        return Change("date", day=possible_day(day))
    return Change(asked[0])


def correct(store: UserStore, photo_ids: Sequence[int], change: Change, now: datetime) -> Corrected:
    """Make one change to photos of one user, all or none, and bring their days in step.

    404 for a photo that is not the user's, 409 where there is nothing to confirm or to undo; of several photos, the
    problem names those. A photo that is named twice is changed once. `now` is what the label history notes.
    """
    return correct_each(store, dict.fromkeys(photo_ids, change), now)


def correct_each(store: UserStore, changes: Mapping[int, Change], now: datetime) -> Corrected:
    """As `correct`, with a change of its own for each photo."""
    photos = store.photos_by_id(list(changes)) if len(changes) > 1 else [store.photo(*changes)]
    sessions = {photo.session_id for photo in photos}
    # One transaction: a crash between the change and its analysis would leave a pooled day behind.
    with store.day_transaction(sessions.pop() if len(sessions) == 1 else None):
        touched = set()
        refused: list[Problem] = []
        for number, change in changes.items():
            try:
                before = store.photo(number)
                after = _change(store, number, change, now)
            except Problem as problem:
                if len(changes) > 1:
                    reason = f"photo {number}: {problem.detail}"
                    problem.errors.append({"field": "ids", "reason": reason})
                refused.append(problem)
            else:
                touched |= {(before.session_id, before.date), (after.session_id, after.date)}
        if refused:
            first = refused[0]
            first.errors = [error for each in refused if each.kind == first.kind for error in each.errors]
            raise first
        days = _recomputed(store, touched)
        return Corrected([store.photo(number) for number in changes], days)


@dataclass(frozen=True, slots=True)
class Removed:
    """A deleted photo: where its file lies, which the caller deletes last, and its day."""

    path: str
    days: TouchedDays


def remove(store: UserStore, photo_id: int) -> Removed:
    """Delete a photo's row and bring its day in step; 404 when it is not the user's.

    The row goes first: a crash before the caller has deleted the file leaves one that the next sweep removes.
    """
    with store.day_transaction(store.photo(photo_id).session_id):
        photo = store.photo(photo_id)
        path = store.delete_photo(photo_id)
        return Removed(path, _recomputed(store, [(photo.session_id, photo.date)]))


def _change(store: UserStore, number: int, change: Change, now: datetime) -> Photo:
    if change.kind == "confirm":
        return store.confirm_photo(number, now)
    if change.kind == "undo":
        return store.undo_label(number)
    if change.kind == "date":
        assert change.day is not None
        return store.move_photo(number, change.day)
    assert change.label is not None
    return store.label_photo(number, change.label.name, change.label.level, now)


def _recomputed(store: UserStore, touched: Iterable[tuple[int, date]]) -> TouchedDays:
    found = {}
    for session_id, day in sorted(touched):
        analysis.recompute(store, session_id, [day])
        found[session_id, day] = store.day(day, session_id)
    return found
