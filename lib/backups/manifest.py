"""What one backup holds, as it is written down: a JSON document that names itself by its own digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from lib.photos.storage import checked
from lib.store.contents import Content

FORMAT = 1
FOLDER = "manifests"
_NAME = re.compile(r"manifests/([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)-([0-9a-f]{64})\.json")
_WRITTEN = "%Y%m%dT%H%M%S.%fZ"

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Copy = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class BackupFailed(Exception):
    """A backup cannot be made, read or brought back; the text says why to whoever runs the command."""


class Part(msgspec.Struct, frozen=True):
    """A piece of the database's dump; `copy` tells copies of the same bytes apart."""

    size: Count
    sha256: Digest
    copy: Copy


class Photo(msgspec.Struct, frozen=True):
    """A photo: where it lies in the photo store, and its bytes as its row describes them."""

    path: str
    size: Count
    sha256: Digest
    copy: Copy


class Missing(msgspec.Struct, frozen=True):
    """A photo that a row names and the backup lacks; both texts are the row's, whatever it says.

    `why`: `deleted` while the backup ran; `lost`: not in the photo store though its row is still there; `damaged`:
    there with other bytes than its row says.
    """

    path: str
    sha256: str
    why: str


class Table(msgspec.Struct, frozen=True):
    """Rows of a table, the SHA-256 of their values, and the kinds of its columns, by which it was made."""

    rows: Count
    digest: Digest
    columns: dict[str, str]

    @property
    def content(self) -> Content:
        return Content(self.rows, self.digest, self.columns)


class Database(msgspec.Struct, frozen=True):
    """The dump: `sqlite` or `postgresql`, what wrote it, its bytes, and the pieces that make it up in order."""

    kind: str
    tool: str
    size: Count
    sha256: Digest
    parts: list[Part]


class Manifest(msgspec.Struct, frozen=True):
    """One backup. `migrations` is the schema: the names of those that were applied."""

    format: int
    created_at: datetime
    program: str
    database: Database
    migrations: list[str]
    tables: dict[str, Table]
    photos: list[Photo]
    missing: list[Missing]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def blobs(self) -> Iterator[str]:
        """The names of all blobs that it needs, some of them more than once."""
        yield from (blob_name(part.sha256, part.copy) for part in self.database.parts)
        yield from (blob_name(photo.sha256, photo.copy) for photo in self.photos)


class _Versioned(msgspec.Struct):
    format: int


def blob_name(sha256: str, copy: str) -> str:
    """Where a copy of these bytes lies in a place of backups."""
    return f"blobs/{sha256[:2]}/{sha256}-{copy}"


def written(manifest: Manifest) -> tuple[str, bytes]:
    """The name of a manifest, made of its time and its own digest, and its bytes."""
    data = msgspec.json.encode(manifest)
    digest = hashlib.sha256(data).hexdigest()
    return f"{FOLDER}/{manifest.created_at.astimezone(UTC).strftime(_WRITTEN)}-{digest}.json", data


def created_at(name: str) -> datetime | None:
    """When the manifest of this name was made; None for a name that no manifest has."""
    found = _NAME.fullmatch(name)
    try:
        return datetime.strptime(found[1], _WRITTEN).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def read(name: str, data: bytes) -> Manifest:
    """The manifest; BackupFailed when it is damaged, of another format, or names what no backup may name."""
    found = _NAME.fullmatch(name)
    if found is None or hashlib.sha256(data).hexdigest() != found[2]:
        raise BackupFailed(f"{name} is damaged: its content is not what its name says")
    try:
        if msgspec.json.decode(data, type=_Versioned).format != FORMAT:
            raise BackupFailed(f"{name} is of another format: a newer version of this program wrote it")
        manifest = msgspec.json.decode(data, type=Manifest)
        for photo in manifest.photos:
            checked(photo.path)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BackupFailed(f"{name} is not a manifest: {error}") from None
    return manifest
