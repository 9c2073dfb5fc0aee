"""Where the bytes of photos live: files that are whole or absent, whatever instant the power fails."""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from lib.problems import Problem

LOG = logging.getLogger("weeds.storage")
PHOTOS = "photos"
THUMBNAILS = "thumbnails"
_TEMPORARY = ".tmp-"
_PATH = re.compile(r"photos/[0-9]{1,19}/[0-9a-f]{2}/[0-9a-f]{64}-[0-9a-f]{8}\.(?:jpg|png|webp|heic)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EXTENSION = re.compile(r"jpg|png|webp|heic")
_FULL = {errno.ENOSPC: "is full", errno.EDQUOT: "is full", errno.EROFS: "is read-only"}


@dataclass(frozen=True, slots=True)
class SweepReport:
    """`removed`: paths of files that no row knew; `missing`: paths of rows that have no file. Both sorted."""

    removed: list[str]
    missing: list[str]


class PhotoFiles:
    """The photos under one folder.

    Paths are relative: `photos/<session>/<digest[:2]>/<digest>-<8 hex>.<extension>`. Every attempt to store
    gets a name of its own, so that undoing one never takes away the file of another.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def put(self, session_id: int, digest: str, extension: str, data: bytes) -> str:
        """Store durably and return the relative path; file and name are on the disk when this returns.

        `digest` is the SHA-256 in lower-case hex, `extension` jpg, png, webp or heic (ValueError otherwise).
        Problem 507 when the disk is full or read-only, 503 when it cannot be written to for another reason;
        nothing stays behind then, nor after any other error.
        """
        if not _DIGEST.fullmatch(digest) or not _EXTENSION.fullmatch(extension) or session_id < 0:
            raise ValueError("not a session id, SHA-256 digest and known extension")
        path = f"{PHOTOS}/{int(session_id)}/{digest[:2]}/{digest}-{secrets.token_hex(4)}.{extension}"
        self._write(self.root / path, data)
        return path

    def open(self, path: str) -> BinaryIO:
        """The stored photo; FileNotFoundError when it is gone, ValueError for a path never given out."""
        return self._place(path).open("rb")

    def delete(self, path: str) -> None:
        """Remove a photo and its thumbnails; a photo that is gone already is no error."""
        self._place(path).unlink(missing_ok=True)
        for small in self._thumbnails_of(path):
            small.unlink(missing_ok=True)

    def sweep(self, known: Iterable[str], older_than: timedelta) -> SweepReport:
        """Remove what crashes left: photos without a row, half-written files, thumbnails without a photo.

        `known` are the paths of all rows, read after the sweep was decided on. Files younger than
        `older_than` stay: their row may be on its way.
        """
        rows = set(known)
        limit = time.time() - older_than.total_seconds()
        present: set[str] = set()
        removed: list[str] = []
        for place in list(self._files(PHOTOS)):
            path = place.relative_to(self.root).as_posix()
            if path in rows:
                present.add(path)
            elif (_PATH.fullmatch(path) or place.name.startswith(_TEMPORARY)) and _older(place, limit):
                if _PATH.fullmatch(path):
                    self.delete(path)
                    removed.append(path)
                else:
                    place.unlink(missing_ok=True)
        for place in list(self._files(THUMBNAILS)):
            owner = place.parent.relative_to(self.root / THUMBNAILS).as_posix()
            lost = place.name.startswith(_TEMPORARY) or not (self.root / owner).exists()
            if lost and _older(place, limit):
                place.unlink(missing_ok=True)
        return SweepReport(sorted(removed), sorted(rows - present))

    def forget_thumbnails(self, unused_for: timedelta, *, dry_run: bool = False) -> tuple[int, int]:
        """Remove the thumbnails that nobody has asked for in so long; how many, and their bytes.

        They are made again when somebody asks. A disk that notes no access times (`noatime`) tells when they were
        made instead. With `dry_run` nothing is removed.
        """
        limit = time.time() - unused_for.total_seconds()
        count = size = 0
        for place in list(self._files(THUMBNAILS)):
            with suppress(FileNotFoundError):
                facts = place.stat()
                if max(facts.st_atime, facts.st_mtime) < limit:
                    if not dry_run:
                        place.unlink()
                        with suppress(OSError):  # other sizes are left in it
                            place.parent.rmdir()
                    count += 1
                    size += facts.st_size
        return count, size

    def writable(self) -> bool:
        """Whether a photo can be written now."""
        return folder_writable(self.root / PHOTOS)

    def thumbnail(self, path: str, width: int) -> bytes:
        """A photo's thumbnail, made on the first request and kept beside the photos.

        `width` rounds up to one of `thumbnail.WIDTHS`. Errors as `open`, and Problem 422 for a photo that
        cannot be decoded. A disk too full to keep the thumbnail is no error: it is made again next time.
        """
        from lib.photos import thumbnail  # Pillow, which serving a kept one does without

        width = thumbnail.rounded_width(width)
        photo = self._place(path)
        kept = self.root / THUMBNAILS / path / f"{width}.jpg"
        with suppress(FileNotFoundError):
            if photo.exists():
                return kept.read_bytes()
        small = thumbnail.thumbnail(photo.read_bytes(), width)
        with suppress(Problem, OSError):
            self._write(kept, small)
            # Deleted meanwhile: whoever deleted it did not see this thumbnail.
            if not photo.exists():
                kept.unlink(missing_ok=True)
        return small

    def _place(self, path: str) -> Path:
        """The file of a relative path, in the exact form that `put` gives out: no path leads elsewhere."""
        if not _PATH.fullmatch(path):
            raise ValueError("not the path of a photo")
        return self.root / path

    def _thumbnails_of(self, path: str) -> list[Path]:
        folder = self.root / THUMBNAILS / path
        return list(folder.iterdir()) if folder.is_dir() else []

    def _files(self, folder: str) -> Iterator[Path]:
        """All plain files below a folder of the root; what disappears while walking is passed over."""
        for parent, _, names in os.walk(self.root / folder):
            for name in names:
                yield Path(parent) / name

    def _write(self, place: Path, data: bytes) -> None:
        """Temporary file in the same folder, fsync, rename, fsync of the folder: whole or absent."""
        temporary = place.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            _make_folders(place.parent, self.root)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(place)
            _sync_folder(place.parent)
        except BaseException as error:
            for left in (temporary, place):
                with suppress(OSError):
                    left.unlink()
            if not isinstance(error, OSError):
                raise
            if error.errno in _FULL:
                raise Problem(
                    507,
                    "Photo not stored",
                    f"The photo could not be stored: the disk of the server {_FULL[error.errno]}. "
                    "Nothing was kept; send it again later.",
                    kind="storage-full",
                ) from None
            LOG.exception("photos cannot be written under %s", self.root)
            raise Problem(
                503,
                "Photo not stored",
                "The photo could not be stored: the server cannot write to its disk. "
                "Nothing was kept; send it again later.",
                kind="storage-unavailable",
            ) from None


def folder_writable(folder: Path) -> bool:
    """Whether a file can be written to a folder now, which is made when it is missing; leaves no file behind.

    Asks by doing, because a full or read-only disk lies to access().
    """
    place = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"ok")
        place.unlink()
    except OSError:
        with suppress(OSError):
            place.unlink()
        return False
    return True


def _make_folders(folder: Path, root: Path) -> None:
    """Make a folder below the root, and make the names of the new ones durable too."""
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _older(place: Path, limit: float) -> bool:
    try:
        return place.stat().st_mtime < limit
    except FileNotFoundError:
        return False
