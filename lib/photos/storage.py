"""Where the bytes of photos live: one interface to a folder and to object storage, each photo whole or absent."""

from __future__ import annotations

import logging
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lib.problems import Problem

if TYPE_CHECKING:
    from lib.config import ObjectStore, Settings

LOG = logging.getLogger("weeds.storage")
PHOTOS = "photos"
THUMBNAILS = "thumbnails"
TEMPORARY = ".tmp-"
UNAVAILABLE = "storage-unavailable"
NAMES_TRIED = 3
_PATH = re.compile(r"photos/[0-9]{1,19}/[0-9a-f]{2}/[0-9a-f]{64}-[0-9a-f]{8}\.(?:jpg|png|webp|heic)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EXTENSION = re.compile(r"jpg|png|webp|heic")


@dataclass(frozen=True, slots=True)
class SweepReport:
    """`removed`: paths of photos that no row knew; `missing`: paths of rows that have no photo. Both sorted."""

    removed: list[str]
    missing: list[str]


class Place(ABC):
    """Bytes under names: a folder or a part of a bucket, in which each name is there whole or not at all.

    Whatever the place refuses is a Problem: 507 `storage-full` when it is full, 503 `storage-unavailable` else.
    """

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Put `data` at `path`, whole and durable or not at all; FileExistsError where the name is taken."""

    @abstractmethod
    def whole(self, path: str) -> bytes:
        """All that lies at `path`; FileNotFoundError when nothing does."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether something lies at `path`."""

    @abstractmethod
    def remove(self, paths: list[str]) -> None:
        """Remove all of these; what is gone already is passed over."""

    @abstractmethod
    def listed(self, folder: str) -> Iterator[tuple[str, float]]:
        """Path and time of writing (seconds since 1970) of all that lies below a folder."""

    @abstractmethod
    def used(self, folder: str) -> Iterator[tuple[str, float, int]]:
        """As `listed`, with the time of the last reading where that is noted, and the size in bytes."""


class PhotoFiles(Place):
    """The photos of one place.

    Paths are relative: `photos/<session>/<digest[:2]>/<digest>-<8 hex>.<extension>`. Every attempt to store
    gets a name of its own, so that undoing one never takes away the photo of another. Thumbnails lie beside the
    photos, at `thumbnails/<path of the photo>/<width>.jpg`.
    """

    def put(self, session_id: int, digest: str, extension: str, data: bytes) -> str:
        """Store durably and return the relative path; contents and name outlive a power cut when this returns.

        `digest` is the SHA-256 in lower-case hex, `extension` jpg, png, webp or heic (ValueError otherwise).
        No row may be made of a photo when this raises. A folder holds nothing of it then; an object store
        that took it without saying so holds an object that the sweep removes.
        """
        if not _DIGEST.fullmatch(digest) or not _EXTENSION.fullmatch(extension) or session_id < 0:
            raise ValueError("not a session id, SHA-256 digest and known extension")
        for _ in range(NAMES_TRIED):
            path = f"{PHOTOS}/{int(session_id)}/{digest[:2]}/{digest}-{secrets.token_hex(4)}.{extension}"
            with suppress(FileExistsError):
                self.write(path, data)
                return path
        raise not_stored("the photo store says that each new name is taken")

    def put_back(self, path: str, data: bytes) -> None:
        """Store a photo at the path that it had before, as durably as `put`.

        FileExistsError where something lies already, ValueError for a path never given out.
        """
        if self.exists(checked(path)):
            raise FileExistsError(path)
        self.write(path, data)

    def stored(self) -> Iterator[str]:
        """The paths of all photos that lie here, with a row or without, in no order."""
        return (path for path, _ in self.listed(PHOTOS) if given_out(path))

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """The stored photo, seekable, of which no more is fetched than is read, give or take a buffer.

        FileNotFoundError when it is gone, ValueError for a path never given out.
        """

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The whole photo at once; errors as `open`."""

    def file_of(self, path: str) -> Path | None:
        """The photo as a file of this machine; None where photos are no files. ValueError as `open`."""
        checked(path)
        return None

    def delete(self, *paths: str) -> None:
        """Remove photos and their thumbnails; a photo that is gone already is no error.

        Their rows are gone before. So a place that refuses is no error either, but a line in the log: what stays
        behind is without a row, and the sweep removes it.
        """
        names = [name for path in paths for name in _with_thumbnails(checked(path))]
        try:
            self.remove(names)
        except (Problem, OSError) as error:
            LOG.error(
                "deleted photos could not be removed; the sweep does it",
                extra={"photos": len(paths), "reason": type(error).__name__},
            )

    def sweep(self, known: Iterable[str], older_than: timedelta) -> SweepReport:
        """Remove what crashes left: photos without a row, half-written files, thumbnails without a photo.

        `known` are the paths of all rows, read after the sweep was decided on. What is younger than
        `older_than` stays: its row may be on its way.
        """
        rows = set(known)
        limit = time.time() - older_than.total_seconds()
        there: set[str] = set()
        removed: list[str] = []
        half: list[str] = []
        for path, written in self.listed(PHOTOS):
            ours = given_out(path)
            if path in rows or (ours and written >= limit):
                there.add(path)
            elif ours:
                removed.append(path)
            elif is_temporary(path) and written < limit:
                half.append(path)
        self.remove([*half, *(name for path in removed for name in _with_thumbnails(path))])
        lost = [
            path
            for path, written in self.listed(THUMBNAILS)
            if written < limit and (is_temporary(path) or _owner(path) not in there)
        ]
        self.remove(lost)
        return SweepReport(sorted(removed), sorted(rows - there))

    def forget_thumbnails(self, unused_for: timedelta, *, dry_run: bool = False) -> tuple[int, int]:
        """Remove the thumbnails that nobody has asked for in so long; how many, and their bytes.

        They are made again when somebody asks. An object store, and a disk that notes no access times (`noatime`),
        tell when they were made instead. With `dry_run` nothing is removed. Problem 503 when the place refuses.
        """
        limit = time.time() - unused_for.total_seconds()
        unused = [(path, size) for path, used, size in self.used(THUMBNAILS) if used < limit]
        if not dry_run:
            self.remove([path for path, _ in unused])
        return len(unused), sum(size for _, size in unused)

    @abstractmethod
    def writable(self) -> bool:
        """Whether a photo can be written now, found out by writing; leaves nothing behind."""

    def thumbnail(self, path: str, width: int) -> bytes:
        """A photo's thumbnail as JPEG, made on the first request and kept beside the photos.

        `width` in pixels rounds up to one of `thumbnail.WIDTHS`. Errors as `open`, and Problem 422 for a photo
        that cannot be decoded. A place too full to keep the thumbnail is no error: it is made again next time.
        """
        from lib.photos import thumbnail

        width = thumbnail.rounded_width(width)
        kept = _thumbnail_path(checked(path), width)
        with suppress(FileNotFoundError):
            return self._kept(path, kept)
        # All of the photo: its picture begins near the front of the file and ends at the end.
        small = thumbnail.thumbnail(self.read(path), width)
        with suppress(Problem, OSError):
            self.write(kept, small)
            # Deleted meanwhile: whoever deleted it did not see this thumbnail.
            if not self.exists(path):
                self.remove([kept])
        return small

    @abstractmethod
    def _kept(self, path: str, kept: str) -> bytes:
        """The thumbnail `kept` of the photo at `path`; FileNotFoundError when there is none."""


def open_storage(settings: Settings) -> PhotoFiles:
    """The place that PHOTO_STORE names: files under DATA_DIR, or the objects of an `s3://` URL."""
    return open_photos(settings.object_store or settings.data_dir)


def open_photos(where: Path | ObjectStore) -> PhotoFiles:
    """The photos of a folder, or those below the prefix of a bucket."""
    if isinstance(where, Path):
        from lib.photos.folder_storage import FolderPhotos

        return FolderPhotos(where)
    from lib.photos.object_storage import ObjectPhotos

    return ObjectPhotos(where)


def open_place(where: Path | ObjectStore) -> Place:
    """A folder, or what lies below the prefix of a bucket, for what is no photo."""
    if isinstance(where, Path):
        from lib.photos.folder_storage import Folder

        return Folder(where)
    from lib.photos.object_storage import Objects

    return Objects(where)


def checked(path: str) -> str:
    """The path, when it has the exact form that `put` gives out: no path leads elsewhere. ValueError otherwise."""
    if not given_out(path):
        raise ValueError("not the path of a photo")
    return path


def given_out(path: str) -> bool:
    """Whether a path has the exact form that `put` gives out."""
    return _PATH.fullmatch(path) is not None


def not_stored(why: str, full: bool = False) -> Problem:
    """507 when the place is full, 503 else: the photo was not taken. `why` ends the sentence for its sender."""
    return Problem(
        507 if full else 503,
        "Photo not stored",
        f"The photo could not be stored: {why}. Nothing was kept; send it again later.",
        kind="storage-full" if full else UNAVAILABLE,
    )


def _thumbnail_path(path: str, width: int) -> str:
    return f"{THUMBNAILS}/{path}/{width}.jpg"


def _with_thumbnails(path: str) -> list[str]:
    from lib.photos.thumbnail import WIDTHS

    return [path, *(_thumbnail_path(path, width) for width in WIDTHS)]


def _owner(thumbnail: str) -> str:
    """The path of the photo that a thumbnail is of."""
    return thumbnail.removeprefix(f"{THUMBNAILS}/").rpartition("/")[0]


def is_temporary(path: str) -> bool:
    """Whether a path is that of something half written."""
    return path.rpartition("/")[2].startswith(TEMPORARY)
