"""Brings a backup back into an empty place, and proves backups by bringing them back into a temporary one.

Everything that is needed is read and compared with its digest before anything is written. The photos go first, the
database last and at once: a target without a database is one that a run which was killed left, or an empty one, and
the next run goes on with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lib.backups.manifest import BackupFailed, Manifest, Photo
from lib.backups.place import BackupPlace, why_refused
from lib.backups.taking import Progress, silent
from lib.photos.storage import PhotoFiles
from lib.problems import Problem
from lib.store import dumps, migrate
from lib.store.contents import different, snapshot


@dataclass(slots=True)
class Restored:
    """How many photos were put back, how many lay there already, and the migrations that were applied after."""

    photos_written: int = 0
    photos_there: int = 0
    migrations: list[str] = field(default_factory=list)


def restore(
    place: BackupPlace,
    manifest: Manifest,
    url: str,
    files: PhotoFiles,
    folder: Path,
    *,
    pg_restore: str | None = None,
    progress: Progress = silent,
) -> Restored:
    """Restores into an empty database and an empty photo store, and compares what is then there.

    `folder` is an empty one with room for the dump. BackupFailed or `dumps.DumpFailed` when the backup is
    damaged, of a newer schema or of the other kind of database, or the target is not empty: then nothing was
    touched. Stopped later, it can be run again: photos that lie there already with the right bytes are left alone.
    """
    _check_schema(manifest)
    if dumps.kind_of(url) != manifest.database.kind:
        raise BackupFailed(
            f"the backup is of {manifest.database.kind} and the target is not: restore it into one of its kind, "
            "and then move it with scripts/copy_database.py"
        )
    dumps.check_tool(manifest.database.kind, url, pg_restore)
    there = _what_is_there(manifest, url, files, progress)
    dump = _dump(place, manifest, folder)
    for photo in progress(manifest.photos, len(manifest.photos), "photos verified"):
        place.blob(photo.sha256, photo.copy)
    done = Restored(photos_there=len(there))
    todo = [photo for photo in manifest.photos if photo.path not in there]
    for photo in progress(todo, len(todo), "photos"):
        _put_back(place, photo, files)
        done.photos_written += 1
    with dumps.restoring(url) as target:
        differences = _load(manifest, dump, target, pg_restore)
        if differences:
            raise BackupFailed("the restored database differs from the backup: " + "; ".join(differences))
        done.migrations = migrate.up(target)
    return done


def verify(
    place: BackupPlace,
    manifest: Manifest,
    folder: Path,
    *,
    server: str | None = None,
    pg_restore: str | None = None,
    progress: Progress = silent,
) -> list[str]:
    """Restores into a temporary place and compares; what differs, one line each, and nothing when all is well.

    `folder` is an empty one with room for the dump and a restored database; photos are put back one at a time.
    `server` is the URL of the PostgreSQL server on which a temporary database is made. `dumps.DumpFailed` when the
    temporary place cannot be made.
    """
    from lib.photos.storage import open_photos

    differences: list[str] = []
    files = open_photos(folder / "data")
    for photo in progress(manifest.photos, len(manifest.photos), "photos verified"):
        with _noting(differences):
            _put_back(place, photo, files)
            files.delete(photo.path)
    with _noting(differences):
        _check_schema(manifest)
        dump = _dump(place, manifest, folder)
        with dumps.scratch(manifest.database.kind, folder, server) as target:
            dumps.check_tool(manifest.database.kind, target, pg_restore)
            differences += _load(manifest, dump, target, pg_restore)
    return differences


@contextmanager
def _noting(differences: list[str]) -> Iterator[None]:
    """What fails is a difference, and the rest is looked at all the same."""
    try:
        yield
    except BackupFailed as error:
        differences.append(str(error))


def _check_schema(manifest: Manifest) -> None:
    newer = sorted(set(manifest.migrations) - set(migrate.names()))
    if newer:
        raise BackupFailed(
            f"the backup is of a newer version of this program ({manifest.program}), whose migrations "
            f"{', '.join(newer)} are not known here: restore it with that version"
        )


def _what_is_there(manifest: Manifest, url: str, files: PhotoFiles, progress: Progress) -> set[str]:
    """The photos that lie in the target already; BackupFailed when there is anything that is not of this backup."""
    why = dumps.what_is_there(url)
    if why:
        raise BackupFailed(f"the target is not empty: {why}")
    wanted = {photo.path: photo for photo in manifest.photos}
    with _storing():
        there = sorted(files.stored())
        strangers = [path for path in there if path not in wanted]
        if strangers:
            raise BackupFailed(
                f"the target is not empty: it holds {len(strangers)} photos that are not of this backup, such as "
                f"{strangers[0]}: name an empty place with --data-dir or --photo-store"
            )
        for path in progress(there, len(there), "photos there"):
            if hashlib.sha256(files.read(path)).hexdigest() != wanted[path].sha256:
                raise BackupFailed(f"the target holds {path} with other bytes than the backup: remove it")
    return set(there)


def _dump(place: BackupPlace, manifest: Manifest, folder: Path) -> Path:
    """The dump put together from its pieces; BackupFailed when it is not what the manifest says."""
    file = folder / "dump"
    digest = hashlib.sha256()
    with file.open("wb") as opened:
        for part in manifest.database.parts:
            data = place.blob(part.sha256, part.copy)
            digest.update(data)
            opened.write(data)
    if digest.hexdigest() != manifest.database.sha256:
        raise BackupFailed("the pieces of the database's dump do not make up what the manifest says")
    return file


def _put_back(place: BackupPlace, photo: Photo, files: PhotoFiles) -> None:
    data = place.blob(photo.sha256, photo.copy)
    with _storing():
        files.put_back(photo.path, data)
        if files.read(photo.path) != data:
            raise BackupFailed(f"{photo.path} cannot be read as it was written")


def _load(manifest: Manifest, dump: Path, target: str, pg_restore: str | None) -> list[str]:
    """Brings the dump into a database; in what its tables differ from the manifest's."""
    dumps.load_dump(dump, manifest.database.kind, target, pg_restore)
    should = {name: table.content for name, table in manifest.tables.items()}
    with snapshot(target) as now:
        has = {
            name: now.content(name, should[name].columns if name in should else None) for name in now.tables()
        }
        differences = different(should, has)
        if sorted(now.migrations()) != sorted(manifest.migrations):
            differences.append("the migrations that were applied are others")
    return differences


@contextmanager
def _storing() -> Iterator[None]:
    """The photo store's refusals, as the failure of a restore."""
    try:
        yield
    except Problem as problem:
        raise BackupFailed(f"the photo store {why_refused(problem)}; run it again to go on") from None
    except FileExistsError:
        raise BackupFailed("somebody else puts photos into the target: run it again") from None
