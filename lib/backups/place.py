"""Where backups lie: manifests, and the blobs that they name, in a folder or a bucket, for any number of writers.

No lock keeps two runs apart; what they do cannot collide. A blob or manifest is written once, under a name of its
own, and never changed. Letting go of blobs happens in two steps: a run that finds some which no manifest names
puts them on a list, and only when that list is `GRACE` old, a later run removes those which still none names.
Runs that begin after a list was written copy anew what is on it; those that began before have `LONGEST`, less
than `GRACE`, to write their manifest, or look again. So what a manifest names is never removed under it, whatever
is killed, and when.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from lib.backups import manifest as documents
from lib.backups.manifest import BackupFailed, Manifest, blob_name
from lib.photos.storage import Place, is_temporary
from lib.problems import Problem

GRACE = timedelta(hours=48)
LONGEST = timedelta(hours=24)
BLOBS = "blobs"
UNUSED = "unused"
PART_BYTES = 8 * 1024 * 1024
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})-([0-9a-f]{8})")
_LIST = re.compile(r"unused/[0-9a-f]{16}\.json")


class BackupPlace:
    """The backups of one place; `name` is how people call it. BackupFailed for whatever the place refuses."""

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name

    def manifests(self) -> list[str]:
        """The names of all backups, oldest first."""
        with self._refusing():
            found = [path for path, _ in self.place.listed(documents.FOLDER)]
        return sorted(path for path in found if documents.created_at(path))

    def manifest(self, name: str) -> Manifest:
        """A backup's manifest; BackupFailed when it is damaged or gone."""
        try:
            with self._refusing():
                data = self.place.whole(name)
        except FileNotFoundError:
            raise BackupFailed(f"{name} is not there any more") from None
        return documents.read(name, data)

    def find(self, wanted: str) -> str:
        """The name of the backup that begins like this, or of the newest for `latest`; BackupFailed for none."""
        names = self.manifests()
        if wanted != "latest":
            names = [name for name in names if short(name).startswith(wanted) or name == wanted]
            if len(names) > 1:
                raise BackupFailed(f"several backups begin with {wanted!r}: say more of the name")
        if not names:
            raise BackupFailed(
                f"there is no backup in {self.name}" + (f" called {wanted!r}" if wanted != "latest" else "")
            )
        return names[-1]

    def add_manifest(self, manifest: Manifest) -> str:
        """Makes a backup count, once all that it names is there; its name."""
        name, data = documents.written(manifest)
        with self._refusing():
            self.place.write(name, data)
        return name

    def remove_manifest(self, name: str) -> None:
        """Lets a backup go; its blobs stay until `retention` finds that nothing names them."""
        with self._refusing():
            self.place.remove([name])

    def usable(self) -> dict[str, str]:
        """What need not be copied again: the digests of bytes that are here, and which copy may be named."""
        lost = self.unused()  # before the blobs: see above
        with self._refusing():
            found = [path for path, _ in self.place.listed(BLOBS)]
        copies: dict[str, str] = {}
        for path in found:
            blob = _BLOB.fullmatch(path)
            if blob and path not in lost:
                copies[blob[2]] = blob[3]
        return copies

    def blobs(self) -> set[str]:
        """The names of all blobs."""
        with self._refusing():
            return {path for path, _ in self.place.listed(BLOBS) if _BLOB.fullmatch(path)}

    def add(self, sha256: str, data: bytes) -> str:
        """Keeps bytes of this digest; the copy that was made of them."""
        copy = secrets.token_hex(4)
        with self._refusing():
            self.place.write(blob_name(sha256, copy), data)
        return copy

    def blob(self, sha256: str, copy: str) -> bytes:
        """The bytes; BackupFailed when they are gone or are not those of the digest."""
        name = blob_name(sha256, copy)
        try:
            with self._refusing():
                data = self.place.whole(name)
        except FileNotFoundError:
            raise BackupFailed(f"{name} is missing in {self.name}") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BackupFailed(
                f"{name} is damaged in {self.name}: remove it, and the next backup copies it again if the photo "
                "store has it still"
            )
        return data

    def unused(self) -> dict[str, float]:
        """Blobs that are to go: the name of each and since when (seconds since 1970) that is said."""
        with self._refusing():
            lists = sorted(self._lists(), key=lambda each: -each[1])
        since: dict[str, float] = {}
        for path, when in lists:
            since |= dict.fromkeys(self._list(path), when)
        return since

    def add_unused(self, blobs: list[str]) -> None:
        """Says that these blobs are to go."""
        with self._refusing():
            self.place.write(f"{UNUSED}/{secrets.token_hex(8)}.json", msgspec.json.encode(blobs))

    def remove_unused(self, blobs: list[str]) -> None:
        """Removes blobs that were said to go, and the lists of which nothing is left."""
        with self._refusing():
            self.place.remove(blobs)
            there = self.blobs()
            done = [path for path, _ in self._lists() if there.isdisjoint(self._list(path))]
            self.place.remove(done)

    def remove_half_written(self, before: float) -> None:
        """Removes what runs that were killed left half written before a time (seconds since 1970)."""
        with self._refusing():
            self.place.remove(
                [
                    path
                    for folder in (BLOBS, documents.FOLDER, UNUSED)
                    for path, when in self.place.listed(folder)
                    if is_temporary(path) and when < before
                ]
            )

    def _lists(self) -> Iterator[tuple[str, float]]:
        return (each for each in self.place.listed(UNUSED) if _LIST.fullmatch(each[0]))

    def _list(self, path: str) -> list[str]:
        try:
            names = msgspec.json.decode(self.place.whole(path), type=list[str])
        except (FileNotFoundError, msgspec.MsgspecError):
            return []  # another run was done with it; or it is damaged, and what was on it is listed anew
        return [name for name in names if _BLOB.fullmatch(name)]

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Problem as problem:
            raise BackupFailed(f"{self.name} {why_refused(problem)}") from None
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BackupFailed(f"{self.name} cannot be used: {os.strerror(error.errno or 0)}") from None


def short(name: str) -> str:
    """A backup's name as people say it: its time and the beginning of its digest."""
    return name.removeprefix(f"{documents.FOLDER}/").removesuffix(".json")[:32]


def why_refused(problem: Problem) -> str:
    """What a place that refuses is or does, to go on after its name."""
    return "is full" if problem.status == 507 else "cannot be used: it does not answer or refuses"


def parts_of(file: Path) -> Iterator[tuple[str, bytes]]:
    """A file in pieces with the digest of each, so that no memory must hold it."""
    with file.open("rb") as opened:
        while data := opened.read(PART_BYTES):
            yield hashlib.sha256(data).hexdigest(), data
