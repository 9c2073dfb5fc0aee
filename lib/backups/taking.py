"""Makes a backup: the database first, then the photos that its rows name, and last the manifest by which it counts.

In this order no photo can be missing for a row: a photo is stored before its row is made, so whatever a row of
the dump names was there when the dump was made. What comes later is in the next backup. A photo that is gone by
the time it is copied was deleted meanwhile, and then its row in the live database is gone too, or it is lost.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from lib import __version__
from lib.backups.manifest import FORMAT, BackupFailed, Database, Manifest, Missing, Part, Photo, Table
from lib.backups.place import LONGEST, BackupPlace, parts_of
from lib.photos.storage import PhotoFiles, given_out
from lib.problems import Problem
from lib.store.contents import StoredPhoto, snapshot
from lib.store.dumps import dumped

T = TypeVar("T")


class Progress(Protocol):
    """Passes things on while it shows how far their use has come; `what` they are, in the plural."""

    def __call__(self, items: Iterable[T], total: int, what: str) -> Iterable[T]: ...


def silent(items: Iterable[T], total: int, what: str) -> Iterable[T]:
    """Shows nothing."""
    return items


@dataclass(slots=True)
class Taken:
    """A backup that was made: its name and manifest, and how many photos and bytes had to be copied for it."""

    name: str
    manifest: Manifest
    photos_copied: int
    bytes_copied: int


@dataclass(slots=True)
class _Copying:
    """Copies what a place of backups lacks."""

    place: BackupPlace
    files: PhotoFiles
    usable: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # path → why
    photos: int = 0
    size: int = 0

    def part(self, sha256: str, data: bytes) -> Part:
        return Part(len(data), sha256, self._copy(sha256, data))

    def photo(self, stored: StoredPhoto) -> Photo | None:
        """None when there is nothing to copy."""
        if stored.path in self.missing:
            return None
        if not given_out(stored.path):  # a row that was not made by this program; a manifest may not name it
            self.missing[stored.path] = "lost"
            return None
        copy = self.usable.get(stored.sha256)
        if copy is None:
            try:
                data = self._read(stored.path)
            except FileNotFoundError:
                self.missing[stored.path] = "lost"
                return None
            if hashlib.sha256(data).hexdigest() != stored.sha256:
                self.missing[stored.path] = "damaged"
                return None
            copy = self._copy(stored.sha256, data)
            self.photos += 1
        return Photo(stored.path, stored.size, stored.sha256, copy)

    def _copy(self, sha256: str, data: bytes) -> str:
        if sha256 not in self.usable:
            self.usable[sha256] = self.place.add(sha256, data)
            self.size += len(data)
        return self.usable[sha256]

    def _read(self, path: str) -> bytes:
        try:
            return self.files.read(path)
        except FileNotFoundError:
            raise
        except Problem:
            raise BackupFailed("the photo store does not answer or refuses") from None
        except OSError as error:
            raise BackupFailed(f"{path} cannot be read: {error.strerror}") from None


def take(
    place: BackupPlace,
    url: str,
    files: PhotoFiles,
    folder: Path,
    *,
    pg_dump: str | None = None,
    progress: Progress = silent,
    clock: Callable[[], float] = time.time,
) -> Taken:
    """Backs up a database and its photos while a server goes on writing.

    `folder` is an empty one with room for the dump; `clock` tells seconds since 1970. Photos that lie in the place
    already are not read again. BackupFailed, `dumps.DumpFailed` or a 503 problem when it cannot be done: then no
    backup of this run counts, and what was copied serves the next one.
    """
    with dumped(url, folder, pg_dump) as dump:
        created_at = datetime.fromtimestamp(clock(), UTC)
        migrations = dump.snapshot.migrations()
        contents = dump.snapshot.contents()
        stored = list(dump.snapshot.photos())
        file, kind, tool = dump.file, dump.kind, dump.tool
    copying = _Copying(place, files)
    while True:
        began = clock()
        copying.usable = place.usable()
        digest = hashlib.sha256()
        parts = []
        for sha256, data in parts_of(file):
            digest.update(data)
            parts.append(copying.part(sha256, data))
        photos = [copying.photo(each) for each in progress(stored, len(stored), "photos")]
        # What was usable when this began may be on its way out by now: look again, which is quick.
        if clock() - began < LONGEST.total_seconds():
            break
    manifest = Manifest(
        format=FORMAT,
        created_at=created_at,
        program=__version__,
        database=Database(kind, tool, file.stat().st_size, digest.hexdigest(), parts),
        migrations=migrations,
        tables={name: Table(each.rows, each.digest, each.columns) for name, each in contents.items()},
        photos=[photo for photo in photos if photo],
        missing=_explained(url, stored, copying.missing),
    )
    return Taken(place.add_manifest(manifest), manifest, copying.photos, copying.size)


def _explained(url: str, stored: Iterable[StoredPhoto], missing: dict[str, str]) -> list[Missing]:
    """Why each is missing: those of which the row is gone too were deleted."""
    if not missing:
        return []
    with snapshot(url) as now:
        there = {photo.path for photo in now.photos()}
    return [
        Missing(each.path, each.sha256, missing[each.path] if each.path in there else "deleted")
        for each in stored
        if each.path in missing
    ]
