"""A backup comes back as it was, into an empty place alone, or is refused before anything is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lib.backups.manifest import BackupFailed, Manifest, blob_name
from lib.backups.restoring import Restored, restore, verify
from lib.backups.taking import Taken
from lib.config import load
from lib.photos.storage import PhotoFiles, open_photos
from lib.store import migrate
from lib.store.contents import connected, different, snapshot
from lib.store.dumps import DumpFailed
from tests.farm import Farm
from tests.lib.backups.conftest import InFolder, Inside, rewritten
from tests.object_store import Bucket, new_bucket, opened_door

BackUp = Callable[..., Taken]


@dataclass
class Target:
    """An empty place to restore into."""

    url: str
    files: PhotoFiles
    room: Callable[[], Path]
    pg_restore: str

    def restore(self, inside: Inside, name: str) -> Restored:
        manifest = inside.place.manifest(name)
        return restore(inside.place, manifest, self.url, self.files, self.room(), pg_restore=self.pg_restore)

    def untouched(self) -> bool:
        from lib.store.dumps import what_is_there

        return what_is_there(self.url) is None and list(self.files.stored()) == []


@pytest.fixture
def target(
    request: pytest.FixtureRequest, farm: Farm, empty: Target, tmp_path: Path, postgres_programs: Path
) -> Target:
    """An empty place of the farm's kind."""
    if farm.url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/new/folder/weeds.db"
    else:
        url = request.getfixturevalue("empty_postgres_url")
    return Target(url, empty.files, empty.room, str(postgres_programs / "pg_restore"))


@pytest.fixture
def empty(tmp_path: Path, room: Callable[[], Path]) -> Target:
    """An empty place on SQLite."""
    return Target(f"sqlite:///{tmp_path}/new.db", open_photos(tmp_path / "new-data"), room, "")


def same_photos(farm: Farm, files: PhotoFiles) -> bool:
    return {path: farm.files.read(path) for path in farm.files.stored()} == {
        path: files.read(path) for path in files.stored()
    }


def test_it_comes_back_as_it_was(inside: Inside, farm: Farm, back_up: BackUp, target: Target) -> None:
    taken = back_up(farm, inside.place)
    assert target.restore(inside, taken.name) == Restored(3, 0, [])
    assert same_photos(farm, target.files)
    with snapshot(farm.url) as old, snapshot(target.url) as new:
        assert different(old.contents(), new.contents()) == []
    assert migrate.pending(target.url) == []
    there = Farm(target.url, target.files, farm.user_id, farm.session_id)
    assert there.add(9).id == 4


def test_photos_move_from_a_folder_into_a_bucket_and_back(
    shelf: InFolder, little_farm: Farm, back_up: BackUp, bucket: Bucket, empty: Target, tmp_path: Path
) -> None:
    store = load(bucket.environ()).object_store
    assert store is not None
    moved = Farm(f"sqlite:///{tmp_path}/moved.db", open_photos(store), 1, 1)
    taken = back_up(little_farm, shelf.place)
    Target(moved.url, moved.files, empty.room, "").restore(shelf, taken.name)
    assert sorted(bucket.names()) == sorted(little_farm.files.stored())
    again = back_up(moved, shelf.place)
    assert again.photos_copied == 0
    empty.restore(shelf, again.name)
    assert same_photos(little_farm, empty.files)


def test_an_older_schema_is_brought_up_to_date(
    shelf: InFolder, farm: Farm, back_up: BackUp, target: Target
) -> None:
    undone = migrate.down(farm.url, "002_label_uncertainty")
    taken = back_up(farm, shelf.place)
    assert target.restore(shelf, taken.name).migrations == sorted(undone)
    assert migrate.pending(target.url) == []


def test_what_was_missing_stays_missing(
    shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target
) -> None:
    path = sorted(little_farm.files.stored())[0]
    little_farm.files.remove([path])
    empty.restore(shelf, back_up(little_farm, shelf.place).name)
    assert path not in set(empty.files.stored())
    with snapshot(empty.url) as moment:
        assert path in {photo.path for photo in moment.photos()}


class TestRefusing:
    """Nothing is touched then."""

    @pytest.mark.parametrize("what", ["photo", "dump", "missing photo", "missing dump"])
    def test_a_damaged_backup(
        self, inside: Inside, little_farm: Farm, back_up: BackUp, empty: Target, what: str
    ) -> None:
        taken = back_up(little_farm, inside.place)
        one = taken.manifest.photos[2] if "photo" in what else taken.manifest.database.parts[0]
        name = blob_name(one.sha256, one.copy)
        if what.startswith("missing"):
            inside.remove(name)
        else:
            data = bytearray(inside.read(name))
            data[len(data) // 2] ^= 1
            inside.add(name, bytes(data))
        with pytest.raises(BackupFailed, match=f"{name} is {'missing' if 'missing' in what else 'damaged'}"):
            empty.restore(inside, taken.name)
        assert empty.untouched()
        assert not Path(empty.url.removeprefix("sqlite:///")).exists()

    def test_a_manifest_that_was_changed(
        self, inside: Inside, little_farm: Farm, back_up: BackUp, empty: Target
    ) -> None:
        taken = back_up(little_farm, inside.place)
        inside.add(taken.name, inside.read(taken.name).replace(b'"rows":3', b'"rows":4'))
        with pytest.raises(BackupFailed, match="is damaged"):
            empty.restore(inside, taken.name)

    def test_pieces_that_make_up_something_else(
        self,
        shelf: InFolder,
        little_farm: Farm,
        back_up: BackUp,
        empty: Target,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("lib.backups.place.PART_BYTES", 32768)

        def turned(manifest: Manifest) -> Manifest:
            database = msgspec.structs.replace(manifest.database, parts=manifest.database.parts[::-1])
            return msgspec.structs.replace(manifest, database=database)

        name = rewritten(shelf, back_up(little_farm, shelf.place).name, turned)
        with pytest.raises(BackupFailed, match="pieces of the database's dump"):
            empty.restore(shelf, name)
        assert empty.untouched()

    def test_a_path_that_leads_elsewhere(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target, tmp_path: Path
    ) -> None:
        def elsewhere(manifest: Manifest) -> Manifest:
            photo = msgspec.structs.replace(manifest.photos[0], path="../../etc/passwd")
            return msgspec.structs.replace(manifest, photos=[photo])

        name = rewritten(shelf, back_up(little_farm, shelf.place).name, elsewhere)
        with pytest.raises(BackupFailed, match="is not a manifest: not the path of a photo"):
            empty.restore(shelf, name)
        assert empty.untouched()

    def test_a_newer_schema(self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target) -> None:
        with connected(little_farm.url) as connection:
            connection.execute(
                "INSERT INTO migratehistory (name, migrated_at) VALUES ('999_drones', '2030-01-01')"
            )
        name = back_up(little_farm, shelf.place).name
        with pytest.raises(BackupFailed, match=r"newer version of this program .*999_drones"):
            empty.restore(shelf, name)
        assert empty.untouched()

    def test_the_other_kind_of_database(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target
    ) -> None:
        name = back_up(little_farm, shelf.place).name
        empty.url = "postgresql://nobody@127.0.0.1:1/weeds"
        with pytest.raises(BackupFailed, match=r"backup is of sqlite .*copy_database"):
            empty.restore(shelf, name)

    def test_a_database_with_tables(self, shelf: InFolder, farm: Farm, back_up: BackUp, room: Callable[[], Path],
                                    tmp_path: Path, postgres_programs: Path) -> None:  # fmt: skip
        name = back_up(farm, shelf.place).name
        other = Target(farm.url, open_photos(tmp_path / "x"), room, str(postgres_programs / "pg_restore"))
        before = farm.url
        with pytest.raises(
            BackupFailed, match=r"target is not empty: the database has tables .*--database-url"
        ):
            other.restore(shelf, name)
        with snapshot(before) as moment:
            assert moment.content("image_data").rows == 3

    def test_photos_of_others(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target
    ) -> None:
        name = back_up(little_farm, shelf.place).name
        path = empty.files.put(1, "d" * 64, "jpg", b"another's")
        with pytest.raises(
            BackupFailed, match=f"1 photos that are not of this backup, such as {path}: name an"
        ):
            empty.restore(shelf, name)
        assert list(empty.files.stored()) == [path]

    def test_a_photo_with_other_bytes(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        empty.files.put_back(taken.manifest.photos[0].path, b"half")
        with pytest.raises(BackupFailed, match="with other bytes than the backup: remove it"):
            empty.restore(shelf, taken.name)

    def test_without_its_program(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target, postgres_url: str
    ) -> None:
        name = back_up(Farm(postgres_url, little_farm.files, 1, 1), shelf.place).name
        empty.url, empty.pg_restore = postgres_url, "/nowhere/pg_restore"
        with pytest.raises(DumpFailed, match=r"no program /nowhere/pg_restore"):
            empty.restore(shelf, name)


class TestGoingOn:
    def test_photos_that_are_there_are_left_alone(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        photo = taken.manifest.photos[1]
        empty.files.put_back(photo.path, little_farm.files.read(photo.path))
        empty.files.write("photos/1/.tmp-0123456789abcdef", b"half")  # type: ignore[attr-defined]
        assert empty.restore(shelf, taken.name) == Restored(2, 1, [])
        assert same_photos(little_farm, empty.files)

    def test_a_store_that_refuses_in_the_middle(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target, object_store_server: str
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        photos = new_bucket(object_store_server)
        with opened_door(photos) as door:
            store = load(photos.environ(door.endpoint)).object_store
            assert store is not None
            empty.files = open_photos(store)
            third = taken.manifest.photos[2].path
            for does, why in (
                ((403, "AccessDenied"), "does not answer"),
                ((507, "QuotaExceeded"), "is full"),
            ):
                door.refuse(does, only=f"PUT .*{third}")
                with pytest.raises(BackupFailed, match=f"the photo store .*{why}.*run it again"):
                    empty.restore(shelf, taken.name)
                assert not Path(empty.url.removeprefix("sqlite:///")).exists()
                assert len(photos.names()) == 2
            door.refuse("pass")
            assert empty.restore(shelf, taken.name) == Restored(1, 2, [])

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make a disk that fills")
    def test_a_disk_that_fills(
        self, shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target, tmp_path: Path
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        disk = tmp_path / "new-data"
        disk.mkdir()
        size = sum(photo.size for photo in taken.manifest.photos[:2]) // 4096 * 4096 + 4096
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk]).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            with pytest.raises(BackupFailed, match="the photo store is full"):
                empty.restore(shelf, taken.name)
            assert 0 < len(list(empty.files.stored())) < 3
            assert not list(disk.rglob(".tmp-*"))
        finally:
            subprocess.run(["umount", disk], check=True)
        shutil.rmtree(disk)
        assert empty.restore(shelf, taken.name) == Restored(3, 0, [])

    def test_a_photo_that_somebody_else_puts_there_meanwhile(
        self,
        shelf: InFolder,
        little_farm: Farm,
        back_up: BackUp,
        empty: Target,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        photo = taken.manifest.photos[0]
        look = empty.files.stored

        def stored() -> list[str]:
            there = list(look())
            empty.files.put_back(photo.path, b"another's")
            return there

        monkeypatch.setattr(empty.files, "stored", stored)
        with pytest.raises(BackupFailed, match="somebody else puts photos"):
            empty.restore(shelf, taken.name)
        assert empty.files.read(photo.path) == b"another's"

    def test_a_store_that_gives_back_something_else(
        self,
        shelf: InFolder,
        little_farm: Farm,
        back_up: BackUp,
        empty: Target,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        monkeypatch.setattr(empty.files, "read", lambda path: b"something else")
        with pytest.raises(BackupFailed, match="cannot be read as it was written"):
            empty.restore(shelf, taken.name)


def test_a_database_that_comes_back_otherwise_is_not_accepted(
    shelf: InFolder, little_farm: Farm, back_up: BackUp, empty: Target
) -> None:
    def other(manifest: Manifest) -> Manifest:
        table = msgspec.structs.replace(manifest.tables["users"], rows=7)
        return msgspec.structs.replace(
            manifest, tables=manifest.tables | {"users": table}, migrations=manifest.migrations[:1]
        )

    name = rewritten(shelf, back_up(little_farm, shelf.place).name, other)
    with pytest.raises(
        BackupFailed, match="users: 1 rows, should be 7; the migrations that were applied are others"
    ):
        empty.restore(shelf, name)
    assert not Path(empty.url.removeprefix("sqlite:///")).exists()


class TestVerifying:
    def verified(
        self, inside: Inside, taken: Taken, room: Path, programs: Path, server: str | None
    ) -> list[str]:
        manifest = inside.place.manifest(taken.name)
        program = str(programs / "pg_restore")
        return verify(inside.place, manifest, room, server=server, pg_restore=program)

    def test_a_good_backup_differs_in_nothing_and_leaves_nothing(
        self, inside: Inside, farm: Farm, back_up: BackUp, room: Callable[[], Path], postgres_programs: Path
    ) -> None:
        taken, folder = back_up(farm, inside.place), room()
        before = inside.names()
        assert self.verified(inside, taken, folder, postgres_programs, farm.url) == []
        assert inside.names() == before
        assert not list(folder.rglob("*.jpg"))

    def test_everything_that_is_damaged_is_named(
        self,
        shelf: InFolder,
        little_farm: Farm,
        back_up: BackUp,
        room: Callable[[], Path],
        postgres_programs: Path,
    ) -> None:
        taken = back_up(little_farm, shelf.place)
        first, second = taken.manifest.photos[:2]
        shelf.remove(blob_name(first.sha256, first.copy))
        shelf.add(blob_name(second.sha256, second.copy), b"x")
        (part,) = taken.manifest.database.parts
        shelf.add(blob_name(part.sha256, part.copy), b"x")
        lines = self.verified(shelf, taken, room(), postgres_programs, None)
        assert [line.partition(f" in {shelf.root}")[0] for line in lines] == [
            f"{blob_name(first.sha256, first.copy)} is missing",
            f"{blob_name(second.sha256, second.copy)} is damaged",
            f"{blob_name(part.sha256, part.copy)} is damaged",
        ]
        # What it says to do, mends it.
        for each in (second, part):
            shelf.remove(blob_name(each.sha256, each.copy))
        again = back_up(little_farm, shelf.place)
        assert again.photos_copied == 2
        assert self.verified(shelf, again, room(), postgres_programs, None) == []

    def test_other_rows_are_told(
        self, shelf: InFolder, farm: Farm, back_up: BackUp, room: Callable[[], Path], postgres_programs: Path
    ) -> None:
        def other(manifest: Manifest) -> Manifest:
            table = msgspec.structs.replace(manifest.tables["users"], digest="0" * 64)
            return msgspec.structs.replace(manifest, tables=manifest.tables | {"users": table})

        taken = back_up(farm, shelf.place)
        name = rewritten(shelf, taken.name, other)
        lines = self.verified(shelf, Taken(name, taken.manifest, 0, 0), room(), postgres_programs, farm.url)
        assert lines == ["users: its rows hold other values"]

    def test_without_a_server_it_says_what_to_name(
        self, shelf: InFolder, postgres_url: str, little_farm: Farm, back_up: BackUp, room: Callable[[], Path],
        postgres_programs: Path,
    ) -> None:  # fmt: skip
        taken = back_up(Farm(postgres_url, little_farm.files, 1, 1), shelf.place)
        with pytest.raises(DumpFailed, match="--verify-url"):
            self.verified(shelf, taken, room(), postgres_programs, None)


def test_a_backup_is_dated_by_its_dump(shelf: InFolder, little_farm: Farm, back_up: BackUp) -> None:
    taken = back_up(little_farm, shelf.place, clock=lambda: 1_756_000_000.5)
    assert taken.manifest.created_at == datetime.fromtimestamp(1_756_000_000.5, UTC)
