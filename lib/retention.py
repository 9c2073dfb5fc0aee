"""What need not be kept for ever: thumbnails, exports, answers past their day, and photos that nothing rests on."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from lib import analysis
from lib.photo_cache import CACHE
from lib.photos.storage import PhotoFiles
from lib.problems import Problem
from lib.store.database import DatabaseStore, UserStore
from lib.store.records import DayRow, Photo

# The places where exports are written under OUTPUT_DIR (lib.outputs); whatever else lies there is somebody's own.
_DAY = r"\d{4}-\d{2}-\d{2}"
_PERIOD = rf"{_DAY}_to_{_DAY}"
_EXPORTS = re.compile(
    rf"json/(daily_summary_{_DAY}|time_series_{_PERIOD}|github_calendar_[a-z0-9_]+)\.json"
    rf"|csv/((daily_predictions|soft_voting)_{_DAY}|(aggregated_predictions|species_summary)_{_PERIOD})\.csv"
    r"(-metadata\.json)?"
    rf"|darwin_core/darwin_core_{_PERIOD}\.zip|weed_diversity_{_PERIOD}\.zip"
)


@dataclass(slots=True)
class Freed:
    """What went, or in a dry run would go: how many, and their bytes."""

    count: int = 0
    bytes: int = 0


def holds_analyses(output_dir: Path) -> bool:
    """Whether a folder holds what `analyze_folder` made of photos: its results, which nothing else keeps."""
    return (output_dir / CACHE).is_dir()


def prune_exports(output_dir: Path, older_than: timedelta, *, dry_run: bool = False) -> Freed:
    """Remove the exported files that were written so long ago; they can be written again at any time."""
    freed = Freed()
    limit = time.time() - older_than.total_seconds()
    for place in sorted(output_dir.rglob("*")):
        if not _EXPORTS.fullmatch(place.relative_to(output_dir).as_posix()):
            continue
        with suppress(FileNotFoundError):
            facts = place.lstat()
            if facts.st_mtime < limit:
                if not dry_run:
                    place.unlink()
                freed.count += 1
                freed.bytes += facts.st_size
    return freed


def prune_duplicates(
    store: DatabaseStore,
    files: PhotoFiles,
    before: datetime,
    freed: Freed,
    *,
    dry_run: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Delete photos that came before a moment and that no number rests on, and count them in `freed`.

    They are near-duplicates of a plant that a person named. One that a person named or confirmed stays, and so does
    the one that speaks for the plant, each photo of a plant that nobody named (what the model makes of it is the
    mean over its photos), and each that a number of its day would be another without: that is tried out first. Only
    the counts of photos change. `stopped` is asked before each day; a day is done whole or not at all.
    """
    for user_id, session_id, day in store.days_with_spare_photos(before):
        if stopped():
            return
        mine = store.for_user(user_id)
        try:
            _prune_day(mine, files, session_id, day, before, freed, dry_run)
        except Problem as problem:
            if problem.status != 404:
                raise  # else the session was deleted meanwhile


def _prune_day(
    mine: UserStore,
    files: PhotoFiles,
    session_id: int,
    day: date,
    before: datetime,
    freed: Freed,
    dry_run: bool,
) -> None:
    # Tried out before anything is locked: it takes seconds where a day has hundreds of photos.
    photos = mine.day_photos(None, day)
    spare = _spare(photos, session_id, day, before)
    if spare and not dry_run:
        with mine.day_transaction(session_id):
            if _state(mine.day_photos(None, day), day) != _state(photos, day):
                return  # somebody works on this day; the next run comes by again
            for photo in spare:
                mine.delete_photo(photo.id)
            analysis.recompute(mine, session_id, [day])
        # The rows went first: a file that a crash leaves is removed by the next sweep.
        for photo in spare:
            files.delete(photo.path)
    freed.count += len(spare)
    freed.bytes += sum(photo.file_size_bytes for photo in spare)


def _spare(photos: Sequence[Photo], session_id: int, day: date, before: datetime) -> list[Photo]:
    """The photos of the session that can go; `photos` are those of the day in all sessions."""
    candidates = _candidates([each for each in photos if each.session_id == session_id], day, before)
    wanted = _numbers(photos, session_id, day)
    if _numbers(_without(photos, candidates), session_id, day) == wanted:
        return candidates
    spare: list[Photo] = []
    for photo in candidates:
        if _numbers(_without(photos, [*spare, photo]), session_id, day) == wanted:
            spare.append(photo)
    return spare


def _candidates(photos: Sequence[Photo], day: date, before: datetime) -> list[Photo]:
    _, _, memberships = analysis.analyse_day(day, photos, analysis.model_of(photos))
    plants: dict[int, list[Photo]] = defaultdict(list)
    for photo, membership in zip(photos, memberships, strict=True):
        plants[membership.cluster_id].append(replace(photo, is_representative=membership.is_representative))
    return [
        photo
        for members in plants.values()
        if any(photo.label_source == "human" for photo in members)
        for photo in members
        if photo.label_source == "model"
        and not photo.label_history
        and not photo.is_representative
        and photo.created_at < before
    ]


def _without(photos: Sequence[Photo], gone: Sequence[Photo]) -> list[Photo]:
    numbers = {photo.id for photo in gone}
    return [photo for photo in photos if photo.id not in numbers]


def _numbers(photos: Sequence[Photo], session_id: int, day: date) -> tuple[DayRow, ...]:
    """What the session's day and the pooled day come to, without the counts of photos."""
    own = [photo for photo in photos if photo.session_id == session_id]
    days = [(own, session_id)] + ([(list(photos), None)] if len(own) < len(photos) else [])
    rows = (analysis.analyse_day(day, each, analysis.model_of(each), session)[0] for each, session in days)
    return tuple(replace(row, total_images=0, processed_images=0, inputs_digest="") for row in rows)


def _state(photos: Sequence[Photo], day: date) -> str:
    return analysis.inputs_digest(day, photos, "")
