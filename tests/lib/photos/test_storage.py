"""What holds wherever photos lie, in a folder and in object storage: whole or absent, swept, never elsewhere."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.config import load
from lib.photos import thumbnail
from lib.photos.folder_storage import FolderPhotos
from lib.photos.storage import PhotoFiles, SweepReport, open_storage
from lib.problems import Problem
from tests.folder_place import FolderPlace
from tests.lib.photos import samples
from tests.object_store import Bucket

HOUR = timedelta(hours=1)


class Place(Protocol):
    """A place of photos, seen and changed from outside."""

    files: PhotoFiles

    def names(self) -> list[str]: ...
    def add(self, path: str, data: bytes) -> None: ...
    def remove(self, path: str) -> None: ...
    def age(self, path: str, hours: float) -> None: ...


class Folder(FolderPlace):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.files: PhotoFiles = open_storage(load({"DATA_DIR": str(root)}))


class Objects:
    def __init__(self, bucket: Bucket) -> None:
        self.names, self.add, self.remove, self.age = bucket.names, bucket.add, bucket.remove, bucket.age
        self.files: PhotoFiles = open_storage(load(bucket.environ()))


@pytest.fixture(params=["folder", "objects"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "folder":
        return Folder(request.getfixturevalue("tmp_path") / "data")
    return Objects(request.getfixturevalue("bucket"))


def stored(place: Place, data: bytes = b"photo", session: int = 7, extension: str = "jpg") -> str:
    return place.files.put(session, hashlib.sha256(data).hexdigest(), extension, data)


def test_what_was_put_can_be_read(place: Place) -> None:
    path = stored(place, b"some photo")
    digest = hashlib.sha256(b"some photo").hexdigest()
    assert path.startswith(f"photos/7/{digest[:2]}/{digest}-")
    assert path.endswith(".jpg")
    with place.files.open(path) as file:
        assert file.read() == b"some photo"
    assert place.files.read(path) == b"some photo"
    assert place.names() == [path]


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "heic"])
def test_a_photo_of_several_megabytes_comes_back_in_any_order(place: Place, extension: str) -> None:
    data = os.urandom(3_000_000)
    with place.files.open(stored(place, data, extension=extension)) as file:
        assert file.seek(0, os.SEEK_END) == len(data)
        assert file.read(10) == b""
        for start, length in ((2_999_990, 100), (0, 10), (65_530, 20), (1_500_000, 700_000), (5, 0)):
            file.seek(start)
            assert file.read(length) == data[start : start + length]
            assert file.tell() == min(start + length, len(data))
        assert file.seek(-3, os.SEEK_CUR) == 2
        assert file.read(4) == data[2:6]
        file.seek(0)
        assert b"".join(iter(lambda: file.read(8192), b"")) == data
        with pytest.raises((ValueError, OSError)):
            file.seek(-1)


def test_thumbnails_that_nobody_asks_for_go_and_are_made_again(place: Place) -> None:
    path = stored(place, samples.save(samples.picture(), "JPEG"))
    sizes = {width: len(place.files.thumbnail(path, width)) for width in (160, 320, 640)}
    place.age(f"thumbnails/{path}/160.jpg", 2)
    assert place.files.forget_thumbnails(HOUR, dry_run=True) == (1, sizes[160])
    assert len(place.names()) == 4
    assert place.files.forget_thumbnails(HOUR) == (1, sizes[160])
    for width in (320, 640):
        place.age(f"thumbnails/{path}/{width}.jpg", 2)
    assert place.files.forget_thumbnails(HOUR)[0] == 2
    assert place.names() == [path]
    assert len(place.files.thumbnail(path, 160)) == sizes[160]
    assert place.files.forget_thumbnails(HOUR) == (0, 0)


def test_a_photo_is_put_back_where_it_was_and_over_nothing(place: Place) -> None:
    path = stored(place, b"some photo")
    with pytest.raises(FileExistsError):
        place.files.put_back(path, b"another")
    assert place.files.read(path) == b"some photo"
    place.files.delete(path)
    place.files.put_back(path, b"some photo")
    assert place.files.read(path) == b"some photo"
    with pytest.raises(ValueError, match="not the path of a photo"):
        place.files.put_back("../photos/x.jpg", b"photo")
    assert place.names() == [path]


def test_it_tells_which_photos_lie_there(place: Place) -> None:
    assert list(place.files.stored()) == []
    paths = [stored(place, data) for data in (b"a", b"b")]
    place.add(f"{paths[0].rpartition('/')[0]}/.tmp-0123456789abcdef", b"half")
    assert sorted(place.files.stored()) == sorted(paths)


def test_what_is_no_photo_lies_beside_them(place: Place) -> None:
    for path in ("blobs/ab/one", "blobs/two"):
        place.files.write(path, path.encode())
    assert {path for path, _ in place.files.listed("blobs")} == {"blobs/ab/one", "blobs/two"}
    assert place.files.whole("blobs/two") == b"blobs/two"
    place.files.remove(["blobs/two", "blobs/none"])
    assert not place.files.exists("blobs/two")
    with pytest.raises(FileNotFoundError):
        place.files.whole("blobs/two")


def test_two_attempts_never_share_a_name(place: Place) -> None:
    first, second = stored(place), stored(place)
    assert first != second
    place.files.delete(first)
    assert place.files.read(second) == b"photo"


def test_what_is_gone_cannot_be_opened(place: Place) -> None:
    path = stored(place)
    place.remove(path)
    for act in (place.files.open, place.files.read, lambda p: place.files.thumbnail(p, 160)):
        with pytest.raises(FileNotFoundError):
            act(path)


def test_delete_takes_the_thumbnails_and_may_be_repeated(place: Place) -> None:
    path = stored(place, samples.good_photos()["jpeg"])
    other = stored(place, b"of somebody else")
    for width in thumbnail.WIDTHS:
        place.files.thumbnail(path, width)
    assert len(place.names()) == 6
    place.files.delete(path)
    place.files.delete(path)
    assert place.names() == [other]
    with pytest.raises(FileNotFoundError):
        place.files.open(path)


def test_many_are_deleted_at_once(place: Place) -> None:
    kept, *paths = (stored(place, str(number).encode()) for number in range(30))
    place.files.delete(*paths)
    place.files.delete()
    assert place.names() == [kept]


WRONG_PATHS = [
    "../secret",
    "/etc/passwd",
    "photos/../../etc/passwd",
    "photos/7/aa/../../../x.jpg",
    "photos/7/aa/" + "a" * 64 + "-12345678.exe",
    "photos/7/aa/" + "a" * 64 + ".jpg",
    "photos/7/aa/" + "a" * 64 + "-12345678.jpg\n",
    "photos/-7/aa/" + "a" * 64 + "-12345678.jpg",
    "thumbnails/photos/7/aa/" + "a" * 64 + "-12345678.jpg/160.jpg",
    "photos\\7\\aa\\x.jpg",
    "",
    "\0",
]


@pytest.mark.parametrize("path", WRONG_PATHS)
def test_no_path_leads_elsewhere(place: Place, path: str) -> None:
    files = place.files
    for act in (files.open, files.read, files.delete, files.file_of, lambda p: files.thumbnail(p, 160)):
        with pytest.raises(ValueError, match="path"):
            act(path)


@given(st.text(max_size=100))
def test_random_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        FolderPhotos(Path("/nonexistent")).open(path)


@pytest.mark.parametrize(
    ("session", "digest", "extension"),
    [
        (-1, "a" * 64, "jpg"),
        (1, "../" + "a" * 61, "jpg"),
        (1, "A" * 64, "jpg"),
        (1, "a" * 64, "php"),
        (1, "", "jpg"),
    ],
)
def test_put_takes_no_odd_names(place: Place, session: int, digest: str, extension: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        place.files.put(session, digest, extension, b"x")
    assert place.names() == []


def test_sweep_removes_only_what_is_old_and_without_a_row(place: Place) -> None:
    known, lost, young = (stored(place, data) for data in (b"known", b"lost", b"young"))
    gone = stored(place, b"gone")
    place.remove(gone)
    place.age(known, 2)
    place.age(lost, 2)
    assert place.files.sweep([known, gone], HOUR) == SweepReport(removed=[lost], missing=[gone])
    assert place.names() == sorted([known, young])
    assert place.files.sweep([known, gone], HOUR) == SweepReport(removed=[], missing=[gone])


def test_sweep_removes_what_crashes_leave(place: Place) -> None:
    data = samples.good_photos()["jpeg"]
    known, lost, young = stored(place, data), stored(place, data), stored(place, data)
    for path in (known, lost, young):
        place.files.thumbnail(path, 160)
        place.age(f"thumbnails/{path}/160.jpg", 2)
    folder = Path(known).parent
    for name in (
        f"{folder}/.tmp-old",
        f"{folder}/.tmp-new",
        f"thumbnails/{known}/.tmp-old",
        f"{folder}/notes.txt",
    ):
        place.add(name, b"half")
        if "new" not in name:
            place.age(name, 2)
    place.remove(lost)
    assert place.files.sweep([known], HOUR) == SweepReport([], [])
    # What somebody put there by hand is not ours to remove; the row of what is young may be on its way.
    kept = {f"thumbnails/{path}/160.jpg" for path in (known, young)}
    assert set(place.names()) == {known, young, f"{folder}/.tmp-new", f"{folder}/notes.txt", *kept}


def test_sweep_of_an_old_lost_photo_takes_its_thumbnails(place: Place) -> None:
    lost = stored(place, samples.good_photos()["jpeg"])
    place.files.thumbnail(lost, 160)
    place.age(lost, 2)
    assert place.files.sweep([], HOUR).removed == [lost]
    assert place.names() == []


def test_an_empty_place_sweeps(place: Place) -> None:
    assert place.files.sweep([], HOUR) == SweepReport([], [])


def test_a_place_that_takes_photos_says_so_and_nothing_stays_of_asking(place: Place) -> None:
    assert place.files.writable()
    assert place.names() == []


def test_thumbnails_are_made_once_at_a_few_widths(place: Place) -> None:
    path = stored(place, samples.save(samples.picture(2000, 1500), "JPEG"))
    first = place.files.thumbnail(path, 161)
    assert place.files.thumbnail(path, 320) == first
    place.add(f"thumbnails/{path}/320.jpg", b"kept")
    assert place.files.thumbnail(path, 200) == b"kept"
    place.files.thumbnail(path, 99_999)
    assert place.names() == [path, f"thumbnails/{path}/1280.jpg", f"thumbnails/{path}/320.jpg"]


def test_a_photo_that_cannot_be_decoded_has_no_thumbnail(place: Place) -> None:
    path = stored(place, samples.good_photos()["jpeg"][:400])
    with pytest.raises(Problem) as caught:
        place.files.thumbnail(path, 160)
    assert caught.value.status == 422
    assert place.names() == [path]


@pytest.mark.parametrize("meanwhile", ["deleted", "made by another"])
def test_what_happens_while_a_thumbnail_is_made_does_no_harm(
    place: Place, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    path = stored(place, samples.good_photos()["jpeg"])
    make = thumbnail.thumbnail

    def slowly(data: bytes, width: int) -> bytes:
        monkeypatch.setattr(thumbnail, "thumbnail", make)
        place.files.delete(path) if meanwhile == "deleted" else place.files.thumbnail(path, width)
        return make(data, width)

    monkeypatch.setattr(thumbnail, "thumbnail", slowly)
    small = place.files.thumbnail(path, 160)
    assert small.startswith(b"\xff\xd8")
    assert place.names() == ([] if meanwhile == "deleted" else [path, f"thumbnails/{path}/160.jpg"])


def test_only_a_folder_has_files_of_this_machine(place: Place) -> None:
    path = stored(place)
    found = place.files.file_of(path)
    assert (found.read_bytes() if found else None) == (b"photo" if isinstance(place, Folder) else None)
