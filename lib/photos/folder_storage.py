"""Photos as files of a folder: whole or absent, whatever instant the power fails."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lib.photos.storage import LOG, PHOTOS, TEMPORARY, THUMBNAILS, PhotoFiles, Place, checked, not_stored

_FULL = {errno.ENOSPC: "is full", errno.EDQUOT: "is full", errno.EROFS: "is read-only"}


class Folder(Place):
    """Files below the folder `root`, which is made with the first one."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def write(self, path: str, data: bytes) -> None:
        """Temporary file in the same folder, fsync, rename, fsync of the folder: whole or absent."""
        place = self.root / path
        temporary = place.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
        ours = [temporary]  # what failed takes away nothing that lay at `place` before
        try:
            _make_folders(place.parent, self.root)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(place)
            ours.append(place)
            _sync_folder(place.parent)
        except BaseException as error:
            for left in ours:
                with suppress(OSError):
                    left.unlink()
            if not isinstance(error, OSError):
                raise
            if error.errno in _FULL:
                raise not_stored(f"the disk of the server {_FULL[error.errno]}", full=True) from None
            LOG.exception("photos cannot be written under %s", self.root)
            raise not_stored("the server cannot write to its disk") from None

    def whole(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def remove(self, paths: list[str]) -> None:
        for path in paths:
            place = self.root / path
            place.unlink(missing_ok=True)
            if path.startswith(f"{THUMBNAILS}/"):
                with suppress(OSError):  # other sizes are left in it
                    place.parent.rmdir()

    def listed(self, folder: str) -> Iterator[tuple[str, float]]:
        """What disappears while walking is passed over."""
        for parent, _, names in os.walk(self.root / folder):
            for name in names:
                place = Path(parent) / name
                with suppress(FileNotFoundError):
                    yield place.relative_to(self.root).as_posix(), place.stat().st_mtime

    def used(self, folder: str) -> Iterator[tuple[str, float, int]]:
        for path, written in self.listed(folder):
            with suppress(FileNotFoundError):
                facts = (self.root / path).stat()
                yield path, max(facts.st_atime, written), facts.st_size


class FolderPhotos(Folder, PhotoFiles):
    """The photos under a folder."""

    def open(self, path: str) -> BinaryIO:
        return self.file_of(path).open("rb")

    def read(self, path: str) -> bytes:
        return self.file_of(path).read_bytes()

    def file_of(self, path: str) -> Path:
        return self.root / checked(path)

    def writable(self) -> bool:
        return folder_writable(self.root / PHOTOS)

    def _kept(self, path: str, kept: str) -> bytes:
        if not self.exists(path):
            raise FileNotFoundError(path)
        return self.whole(kept)


def folder_writable(folder: Path) -> bool:
    """Whether a file can be written to a folder now, which is made when it is missing; leaves no file behind.

    Asks by doing, because a full or read-only disk lies to access().
    """
    place = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
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
