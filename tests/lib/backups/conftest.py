"""Backups of a small farm in a folder and in a bucket, which can be looked into and damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from lib.backups.manifest import Manifest
from lib.backups.place import BackupPlace
from lib.backups.taking import Taken, take
from lib.config import load
from lib.photos.storage import open_photos, open_place
from tests import farm as farms
from tests.farm import Farm
from tests.folder_place import FolderPlace
from tests.object_store import Bucket


class Inside(Protocol):
    """Where backups lie, seen and changed from outside."""

    place: BackupPlace

    def names(self) -> list[str]: ...
    def read(self, path: str) -> bytes: ...
    def add(self, path: str, data: bytes) -> None: ...
    def remove(self, path: str) -> None: ...
    def age(self, path: str, hours: float) -> None: ...


class InFolder(FolderPlace):
    """Backups below a folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.place = BackupPlace(open_place(root), str(root))


class InBucket:
    def __init__(self, bucket: Bucket) -> None:
        self.names, self.read, self.add = bucket.names, bucket.read, bucket.add
        self.remove, self.age = bucket.remove, bucket.age
        store = load(bucket.environ()).object_store
        assert store is not None
        self.place = BackupPlace(open_place(store), bucket.url)


@pytest.fixture(params=["folder", "bucket"])
def inside(request: pytest.FixtureRequest) -> Inside:
    """A place of backups of each kind."""
    if request.param == "folder":
        return InFolder(request.getfixturevalue("tmp_path") / "backups")
    return InBucket(request.getfixturevalue("bucket"))


@pytest.fixture
def shelf(tmp_path: Path) -> InFolder:
    """A place of backups in a folder."""
    return InFolder(tmp_path / "backups")


@pytest.fixture
def little_farm(sqlite_url: str, tmp_path: Path) -> Farm:
    """A farm on SQLite with photos in a folder."""
    return farms.found(sqlite_url, open_photos(tmp_path / "data"))


@pytest.fixture
def room(tmp_path: Path) -> Callable[[], Path]:
    """Makes empty folders."""

    def make() -> Path:
        folder = tmp_path / f"room-{len(list(tmp_path.glob('room-*')))}"
        folder.mkdir()
        return folder

    return make


@pytest.fixture
def back_up(room: Callable[[], Path], postgres_programs: Path) -> Callable[..., Taken]:
    """Takes a backup of a farm."""

    def call(farm: Farm, place: BackupPlace, **options: object) -> Taken:
        program = str(postgres_programs / "pg_dump")
        return take(place, farm.url, farm.files, room(), pg_dump=program, **options)  # type: ignore[arg-type]

    return call


def rewritten(inside: Inside, name: str, change: Callable[[Manifest], Manifest]) -> str:
    """Puts a manifest with a right digest and other content in the place of one; its name."""
    manifest = change(inside.place.manifest(name))
    inside.remove(name)
    return inside.place.add_manifest(manifest)
