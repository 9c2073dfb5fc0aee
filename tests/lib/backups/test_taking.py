"""A backup holds every photo that its rows name, copies none twice, and counts only when it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from lib.backups.manifest import BackupFailed
from lib.backups.place import LONGEST
from lib.backups.taking import Taken
from lib.photos.storage import PhotoFiles, open_photos
from lib.store import migrate
from lib.store.contents import connected
from tests import farm as farms
from tests.farm import Farm
from tests.lib.backups.conftest import InFolder, Inside
from tests.object_store import Bucket, Door

BackUp = Callable[..., Taken]


def photo_blobs(inside: Inside) -> list[str]:
    wanted = {hashlib.sha256(farms.picture(seed)).hexdigest() for seed in range(10)}
    return [name for name in inside.names() if name.rpartition("/")[2][:64] in wanted]


def test_it_holds_the_database_and_every_photo(inside: Inside, farm: Farm, back_up: BackUp) -> None:
    taken = back_up(farm, inside.place)
    manifest = inside.place.manifest(taken.name)
    assert manifest == taken.manifest
    assert sorted(photo.path for photo in manifest.photos) == sorted(farm.files.stored())
    for photo in manifest.photos:
        data = inside.place.blob(photo.sha256, photo.copy)
        assert data == farm.files.read(photo.path)
        assert len(data) == photo.size
    dump = b"".join(inside.place.blob(part.sha256, part.copy) for part in manifest.database.parts)
    assert (len(dump), hashlib.sha256(dump).hexdigest()) == (manifest.database.size, manifest.database.sha256)
    assert manifest.migrations == migrate.names()
    assert manifest.tables["image_data"].rows == 3
    assert (manifest.missing, taken.photos_copied) == ([], 3)
    document = json.loads(inside.read(taken.name))
    assert document["database"]["kind"] == farm.url.partition(":")[0]
    assert not [name for name in inside.names() if "thumbnail" in name]


def test_a_photo_that_is_there_is_neither_read_nor_copied_again(
    inside: Inside, little_farm: Farm, back_up: BackUp
) -> None:
    back_up(little_farm, inside.place)
    before = set(inside.names())
    farm = little_farm
    new = farm.add(7)
    farm.files = Counting(farm.files)
    again = back_up(farm, inside.place)
    assert (again.photos_copied, farm.files.read_paths) == (1, [new.path])
    assert len(again.manifest.photos) == 4
    added = set(inside.names()) - before
    assert len([name for name in added if new.sha256 in name]) == 1
    assert again.bytes_copied == sum(len(inside.read(name)) for name in added if name.startswith("blobs/"))


def test_the_same_bytes_in_two_sessions_are_kept_once(
    inside: Inside, little_farm: Farm, back_up: BackUp
) -> None:
    with little_farm.opened() as rows:
        other = rows.create_session("South", timezone="Asia/Tokyo")
    little_farm.add(0, other.id)
    taken = back_up(little_farm, inside.place)
    assert (len(taken.manifest.photos), taken.photos_copied, len(photo_blobs(inside))) == (4, 3, 3)


class Counting(PhotoFiles):
    """The photos of another place; says which were read, and lets something happen in between."""

    def __init__(self, files: PhotoFiles, before: Callable[[str], None] = lambda path: None) -> None:
        self.files = files
        self.before = before
        self.read_paths: list[str] = []

    def read(self, path: str) -> bytes:
        self.before(path)
        self.read_paths.append(path)
        return self.files.read(path)

    def __getattribute__(self, name: str) -> Any:
        own = ("files", "before", "read_paths", "read", "__class__")
        return object.__getattribute__(self, name) if name in own else getattr(self.files, name)

    open = writable = write = whole = exists = remove = listed = used = _kept = None  # type: ignore[assignment]


def test_a_photo_that_comes_meanwhile_is_in_the_next_backup(
    inside: Inside, farm: Farm, back_up: BackUp
) -> None:
    files, came = farm.files, []

    def upload(path: str) -> None:
        if not came:
            came.append(Farm(farm.url, files, farm.user_id, farm.session_id).add(8).path)

    farm.files = Counting(files, upload)
    first = back_up(farm, inside.place).manifest
    assert (len(first.photos), first.tables["image_data"].rows, first.missing) == (3, 3, [])
    second = back_up(farm, inside.place).manifest
    assert came[0] in {photo.path for photo in second.photos}


def test_a_photo_deleted_meanwhile_is_told_apart_from_a_lost_one(
    inside: Inside, farm: Farm, back_up: BackUp
) -> None:
    files = farm.files
    with farm.opened() as rows:
        first, second, third = sorted(rows.photos()[0], key=lambda photo: photo.id)
    plain = Farm(farm.url, files, farm.user_id, farm.session_id)

    def delete(path: str) -> None:
        if path == first.path:
            plain.delete(second)

    farm.files = Counting(files, delete)
    files.remove([third.path])
    manifest = back_up(farm, inside.place).manifest
    assert [photo.path for photo in manifest.photos] == [first.path]
    assert {(each.path, each.why) for each in manifest.missing} == {
        (second.path, "deleted"), (third.path, "lost"),
    }  # fmt: skip
    assert manifest.tables["image_data"].rows == 3


def test_a_damaged_photo_is_not_kept_under_its_digest(
    shelf: InFolder, little_farm: Farm, back_up: BackUp
) -> None:
    path = sorted(little_farm.files.stored())[0]
    file = little_farm.files.file_of(path)
    assert file is not None
    file.write_bytes(file.read_bytes()[:-1])
    manifest = back_up(little_farm, shelf.place).manifest
    assert [(each.path, each.why) for each in manifest.missing] == [(path, "damaged")]
    assert (len(manifest.photos), len(photo_blobs(shelf))) == (2, 2)


def test_a_row_that_names_no_photo_does_not_stop_the_others(
    shelf: InFolder, little_farm: Farm, back_up: BackUp, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("x")
    with connected(little_farm.url) as connection:
        connection.execute("UPDATE image_data SET path = '../secret' WHERE id = 1")
        connection.execute("UPDATE image_data SET sha256 = 'none' WHERE id = 2")
    taken = back_up(little_farm, shelf.place)
    manifest = shelf.place.manifest(taken.name)
    assert [(each.sha256 == "none", each.why) for each in manifest.missing] == [
        (False, "lost"),
        (True, "damaged"),
    ]
    assert len(manifest.photos) == 1


def test_a_row_whose_path_was_never_given_out_is_not_named_though_its_bytes_are_there(
    shelf: InFolder, little_farm: Farm, back_up: BackUp
) -> None:
    back_up(little_farm, shelf.place)
    with connected(little_farm.url) as connection:
        connection.execute("UPDATE image_data SET path = 'photos/../x.jpg' WHERE id = 1")
    taken = back_up(little_farm, shelf.place)
    assert [(each.path, each.why) for each in taken.manifest.missing] == [("photos/../x.jpg", "lost")]
    assert shelf.place.manifest(taken.name) == taken.manifest


def test_a_photo_store_that_refuses_fails_the_backup_and_keeps_what_was_copied(
    inside: Inside, sqlite_url: str, back_up: BackUp, object_store_server: str
) -> None:
    from lib.config import load
    from tests.object_store import new_bucket, opened_door

    photos = new_bucket(object_store_server)
    with opened_door(photos) as door:
        store = load(photos.environ(door.endpoint)).object_store
        assert store is not None
        farm = farms.found(sqlite_url, open_photos(store))
        third = sorted(photos.names())[2]
        door.refuse((403, "AccessDenied"), only=f"GET .*{third}")
        with pytest.raises(BackupFailed, match="the photo store does not answer or refuses"):
            back_up(farm, inside.place)
        assert inside.place.manifests() == []
        assert len(photo_blobs(inside)) < 3
        kept = len(photo_blobs(inside))
        door.refuse("pass")
        assert back_up(farm, inside.place).photos_copied == 3 - kept


def test_a_file_that_cannot_be_read_fails_the_backup(
    shelf: InFolder, little_farm: Farm, back_up: BackUp
) -> None:
    file = little_farm.files.file_of(sorted(little_farm.files.stored())[0])
    assert file is not None
    file.unlink()
    file.mkdir()
    with pytest.raises(BackupFailed, match="cannot be read: Is a directory"):
        back_up(little_farm, shelf.place)
    assert shelf.place.manifests() == []


def test_a_target_that_fills_fails_the_backup_and_the_next_goes_on(
    bucket: Bucket, door: Door, little_farm: Farm, back_up: BackUp
) -> None:
    from lib.backups.place import BackupPlace
    from lib.config import load
    from lib.photos.storage import open_place

    store = load(bucket.environ(door.endpoint)).object_store
    assert store is not None
    place = BackupPlace(open_place(store), "s3://there")
    door.refuse((507, "XMinioStorageFull"), only="PUT .*/manifests/")
    with pytest.raises(BackupFailed, match="s3://there is full"):
        back_up(little_farm, place)
    assert place.manifests() == []
    door.refuse("pass")
    assert back_up(little_farm, place).photos_copied == 0


def test_a_run_that_took_too_long_looks_again_at_what_may_be_named(
    inside: Inside, little_farm: Farm, back_up: BackUp
) -> None:
    first = back_up(little_farm, inside.place).manifest.photos[0]
    blob = f"blobs/{first.sha256[:2]}/{first.sha256}-{first.copy}"
    lost = little_farm.add(9)
    little_farm.files.remove([lost.path])
    now = [1_756_000_000.0]

    def slow(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        if now[0] == 1_756_000_000.0:  # the first time round
            now[0] += LONGEST.total_seconds()
            inside.place.add_unused([blob])
        return items

    taken = back_up(little_farm, inside.place, progress=slow, clock=lambda: now[0])
    (again,) = [photo for photo in taken.manifest.photos if photo.path == first.path]
    assert again.copy != first.copy
    assert taken.photos_copied == 1
    assert [(each.path, each.why) for each in taken.manifest.missing] == [(lost.path, "lost")]
    inside.remove(blob)
    assert inside.place.blob(again.sha256, again.copy) == little_farm.files.read(first.path)


def test_two_at_once_are_both_whole(inside: Inside, little_farm: Farm, back_up: BackUp) -> None:
    """The second runs from beginning to end in the middle of the first."""
    second: list[Taken] = []

    def run_the_other(items: Iterable[Any], total: int, what: str) -> Iterable[Any]:
        for number, item in enumerate(items):
            yield item
            if number == 0:
                second.append(back_up(little_farm, inside.place))

    first = back_up(little_farm, inside.place, progress=run_the_other)
    assert inside.place.manifests() == sorted([first.name, second[0].name])
    for name in inside.place.manifests():
        manifest = inside.place.manifest(name)
        assert len(manifest.photos) == 3
        for each in (*manifest.photos, *manifest.database.parts):
            inside.place.blob(each.sha256, each.copy)  # type: ignore[attr-defined]
