"""What an earlier run found out about the photos of a folder, so that the next one need not ask again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lib.outputs.atomic import write_changed
from lib.photos.duplicates import Item, cluster
from lib.store.records import Photo, Prediction

CACHE = ".cache/analyze_folder"
SAVE_EVERY = 50


class PhotoCache:
    """What is known of the photos of one day: which bytes a file held when it was last read, and what they show.

    It only saves work: when it is gone, broken, or of another model, list, time zone or folder, all is found out
    anew.
    """

    def __init__(self, output_dir: Path, day: date, key: list[Any]) -> None:
        self.path = output_dir / CACHE / f"{day.isoformat()}.json"
        self.key = key
        stored = read_cache(self.path)
        old_key = stored.get("key")
        same = old_key == key
        # The last part of a key is the folder: a day that was made of another one is not ours to remove.
        self.made_day = (
            isinstance(old_key, list) and old_key[-1:] == key[-1:] and bool(stored.get("made_day"))
        )
        self.files: dict[str, list[Any]] = stored["files"] if same else {}
        self.facts: dict[str, dict[str, Any]] = stored["photos"] if same else {}
        self._unsaved = 0

    def sha256_of(self, name: str, stamp: list[int]) -> str | None:
        """The digest of a file that has not changed since it was read: same name, size and time."""
        known = self.files.get(name)
        return known[2] if known is not None and known[:2] == stamp and known[2] in self.facts else None

    def note(self, name: str, stamp: list[int], sha256: str, facts: dict[str, Any]) -> None:
        """Keep what was found out, now and then also on the disk."""
        self._unsaved += sha256 not in self.facts
        self.files[name] = [*stamp, sha256]
        self.facts[sha256] = facts
        if self._unsaved >= SAVE_EVERY:
            self.save()

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget the files that are gone."""
        kept = set(names)
        self.files = {name: known for name, known in self.files.items() if name in kept}
        digests = {known[2] for known in self.files.values()}
        self.facts = {sha256: facts for sha256, facts in self.facts.items() if sha256 in digests}

    def save(self) -> None:
        """Write it, unless it stands so already."""
        self._unsaved = 0
        kept = {"key": self.key, "made_day": self.made_day, "files": self.files, "photos": self.facts}
        write_changed(self.path, as_json(kept))


def read_cache(path: Path) -> dict[str, Any]:
    """A file of the cache; empty when there is none or it is not what was written."""
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}


def as_json(value: Any) -> bytes:
    """JSON as the cache has it: one line, ASCII, so that file names that are no text survive."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def photo_of(number: int, day: date, path: str, sha256: str, facts: dict[str, Any]) -> Photo:
    """The record that the analysis takes, of what the cache keeps of a photo; `number` counts the day's photos."""
    values = {name: value for name, value in facts.items() if name not in ("taken_on", "prediction")}
    captured = values.pop("captured_at")
    said = dict(facts["prediction"])
    said["timestamp"] = datetime.fromisoformat(said["timestamp"])
    return Photo(
        **values,
        id=number,
        session_id=0,
        path=path,
        date=day,
        date_source="folder",
        captured_at=datetime.fromisoformat(captured) if captured else None,
        original_filename=path.rpartition("/")[2],
        sha256=sha256,
        is_processed=True,
        is_representative=True,
        cluster_id=None,
        similarity_score=None,
        label_source="model",
        label_history=[],
        created_at=said["timestamp"],
        prediction=Prediction(**said),
    )


def recorded_photos(output_dir: Path, day: date) -> list[Photo]:
    """The photos of a day as the last run over its folder saw them, near-duplicates noted; empty without a record.

    The photos themselves are not needed, so that a server can tell of them that holds only the results.
    """
    stored = read_cache(output_dir / CACHE / f"{day.isoformat()}.json")
    if not stored.get("made_day"):
        return []
    photos: list[Photo] = []
    seen: set[str] = set()
    try:
        for name in sorted(stored["files"]):
            sha256 = stored["files"][name][2]
            facts = stored["photos"][sha256]
            if "refused" not in facts and sha256 not in seen:
                seen.add(sha256)
                photos.append(photo_of(len(photos) + 1, day, f"{day.isoformat()}/{name}", sha256, facts))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return []  # not what was written: as good as none
    return _clustered(photos)


def _clustered(photos: list[Photo]) -> list[Photo]:
    items = [Item(photo.id, photo.fingerprint, photo.quality_score or 0.0) for photo in photos]
    members = {each.id: each for each in cluster(items)}
    return [
        replace(
            photo,
            cluster_id=members[photo.id].cluster_id,
            is_representative=members[photo.id].is_representative,
            similarity_score=members[photo.id].similarity_score,
        )
        for photo in photos
    ]
