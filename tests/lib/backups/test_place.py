"""Where backups lie: what is there, what may be named, and refusals in words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.backups.manifest import BackupFailed, blob_name
from lib.backups.place import BackupPlace, parts_of, short
from lib.backups.taking import Taken
from lib.config import load
from lib.photos.storage import open_place
from tests.farm import Farm
from tests.lib.backups.conftest import InFolder, Inside
from tests.object_store import Bucket, Door

DATA = b"some photo"
DIGEST = hashlib.sha256(DATA).hexdigest()


def test_what_was_added_is_usable_until_it_is_said_to_go(inside: Inside) -> None:
    place = inside.place
    copy = place.add(DIGEST, DATA)
    assert place.blob(DIGEST, copy) == DATA
    assert place.usable() == {DIGEST: copy}
    assert place.blobs() == {blob_name(DIGEST, copy)}
    place.add_unused([blob_name(DIGEST, copy)])
    assert place.usable() == {}
    other = place.add(DIGEST, DATA)
    assert other != copy
    assert place.usable() == {DIGEST: other}
    place.remove_unused([blob_name(DIGEST, copy)])
    assert inside.names() == [blob_name(DIGEST, other)]


def test_a_list_stays_while_something_of_it_is_there(inside: Inside) -> None:
    place = inside.place
    first, second = (blob_name(DIGEST, place.add(DIGEST, DATA)) for _ in range(2))
    place.add_unused([first, second])
    (name,) = [each for each in inside.names() if each.startswith("unused/")]
    place.add_unused([second])
    inside.age(name, 5)
    since = place.unused()
    assert since.keys() == {first, second}
    assert since[first] == since[second]  # the older list says since when
    place.remove_unused([first])
    assert second in place.unused()
    place.remove_unused([second])
    assert inside.names() == []


def test_what_lies_there_of_others_is_passed_over(inside: Inside) -> None:
    for path in ("blobs/readme", f"blobs/zz/{DIGEST}-00000000", f"blobs/{DIGEST[:2]}/{DIGEST}-short",
                 "manifests/readme.json", "unused/readme", "unused/.tmp-0123456789abcdef"):  # fmt: skip
        inside.add(path, b"[]")
    inside.add("unused/0123456789abcdef.json", b"damaged")
    inside.add("unused/1123456789abcdef.json", b'["../../etc/passwd"]')
    place = inside.place
    assert (place.usable(), place.blobs(), place.manifests(), place.unused()) == ({}, set(), [], {})
    before = set(inside.names())
    place.remove_unused([])
    assert before - set(inside.names()) == {f"unused/{digit}123456789abcdef.json" for digit in "01"}


def test_damage_is_named(inside: Inside) -> None:
    copy = inside.place.add(DIGEST, DATA)
    name = blob_name(DIGEST, copy)
    inside.add(name, DATA[:-1])
    with pytest.raises(BackupFailed, match=f"{name} is damaged"):
        inside.place.blob(DIGEST, copy)
    inside.remove(name)
    with pytest.raises(BackupFailed, match=f"{name} is missing"):
        inside.place.blob(DIGEST, copy)
    with pytest.raises(BackupFailed, match="is not there any more"):
        inside.place.manifest("manifests/gone.json")


def test_backups_are_found_by_the_beginning_of_their_name(
    inside: Inside, little_farm: Farm, back_up: Callable[..., Taken]
) -> None:
    place = inside.place
    with pytest.raises(BackupFailed, match="there is no backup in "):
        place.find("latest")
    names = [back_up(little_farm, place, clock=lambda at=at: 1_756_000_000.0 + at).name for at in (0, 9)]
    assert place.manifests() == names
    assert place.find("latest") == names[1]
    for name in names:
        assert place.find(short(name)) == place.find(name) == name
    with pytest.raises(BackupFailed, match="several backups begin with '2025'"):
        place.find("2025")
    with pytest.raises(BackupFailed, match="called 'x'"):
        place.find("x")
    place.remove_manifest(names[1])
    assert place.find("2025") == names[0]


def test_what_killed_runs_left_half_written_goes(shelf: InFolder) -> None:
    left = [f"{folder}/.tmp-{'0' * 16}" for folder in ("blobs/dd", "manifests", "unused")]
    for path in (*left, f"blobs/dd/.tmp-{'1' * 16}"):
        shelf.add(path, b"x")
    for path in left:
        shelf.age(path, 3)
    shelf.place.remove_half_written((shelf.root / left[0]).stat().st_mtime + 60)
    assert shelf.names() == [f"blobs/dd/.tmp-{'1' * 16}"]


def test_a_place_that_refuses_is_told_in_words(bucket: Bucket, door: Door) -> None:
    store = load(bucket.environ(door.endpoint)).object_store
    assert store is not None
    place = BackupPlace(open_place(store), "s3://there")
    door.refuse((403, "AccessDenied"))
    for act in (place.usable, place.manifests, place.blobs, lambda: place.add(DIGEST, DATA)):
        with pytest.raises(BackupFailed, match="s3://there cannot be used"):
            act()
    door.refuse((507, "XMinioStorageFull"), only="PUT ")
    with pytest.raises(BackupFailed, match="s3://there is full"):
        place.add(DIGEST, DATA)


def test_a_folder_that_cannot_be_read_is_told_in_words(shelf: InFolder) -> None:
    (shelf.root / blob_name(DIGEST, "0" * 8)).mkdir(parents=True)
    with pytest.raises(BackupFailed, match=r"cannot be used: Is a directory"):
        shelf.place.blob(DIGEST, "0" * 8)


def test_a_file_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.backups.place.PART_BYTES", 1000)
    data = os.urandom(2500)
    (tmp_path / "file").write_bytes(data)
    pieces = list(parts_of(tmp_path / "file"))
    assert [len(piece) for _, piece in pieces] == [1000, 1000, 500]
    assert b"".join(piece for _, piece in pieces) == data
    assert all(hashlib.sha256(piece).hexdigest() == digest for digest, piece in pieces)
