"""Photos on the disk: whole or absent, swept after crashes, never outside their folder."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.photos.storage import PhotoFiles, SweepReport
from lib.problems import Problem
from tests.lib.photos import samples

HOUR = timedelta(hours=1)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def everything(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def age(root: Path, path: str, hours: float = 2) -> None:
    moment = time.time() - hours * 3600
    os.utime(root / path, (moment, moment))


@pytest.fixture
def files(tmp_path: Path) -> PhotoFiles:
    return PhotoFiles(tmp_path / "data")


def stored(files: PhotoFiles, data: bytes = b"photo", session: int = 7) -> str:
    return files.put(session, digest_of(data), "jpg", data)


def test_what_was_put_can_be_read(files: PhotoFiles) -> None:
    path = stored(files, b"some photo")
    digest = digest_of(b"some photo")
    assert path.startswith(f"photos/7/{digest[:2]}/{digest}-")
    assert path.endswith(".jpg")
    with files.open(path) as file:
        assert file.read() == b"some photo"
    assert everything(files.root) == [path]


def test_thumbnails_that_nobody_asks_for_go_and_are_made_again(files: PhotoFiles) -> None:
    data = samples.save(samples.picture(), "JPEG")
    path = stored(files, data)
    for width in (160, 320, 640):
        files.thumbnail(path, width)
    folder = f"thumbnails/{path}"
    size = (files.root / folder / "160.jpg").stat().st_size
    age(files.root, f"{folder}/160.jpg")
    # Old, but somebody has looked at it since.
    now = time.time()
    os.utime(files.root / folder / "320.jpg", (now, now - 7200))
    assert files.forget_thumbnails(HOUR, dry_run=True) == (1, size)
    assert (files.root / folder / "160.jpg").exists()
    assert files.forget_thumbnails(HOUR) == (1, size)
    assert everything(files.root / folder) == ["320.jpg", "640.jpg"]
    for name in ("320.jpg", "640.jpg"):
        age(files.root, f"{folder}/{name}")
    assert files.forget_thumbnails(HOUR)[0] == 2
    assert not (files.root / folder).exists()
    assert everything(files.root) == [path]
    assert len(files.thumbnail(path, 160)) == size
    assert files.forget_thumbnails(HOUR) == (0, 0)


def test_two_attempts_never_share_a_file(files: PhotoFiles) -> None:
    first, second = stored(files), stored(files)
    assert first != second
    files.delete(first)
    with files.open(second) as file:
        assert file.read() == b"photo"


def test_the_file_and_its_name_are_durable_before_put_returns(
    files: PhotoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order counts: contents to the disk, then the name, then the folders."""
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def watched_sync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def watched_rename(self: Path, target: Path) -> Path:
        done.append("rename")
        assert self.parent == target.parent
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    stored(files)
    assert done[-3:] == ["file", "rename", "folder"]
    assert set(done[:-3]) == {"folder"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("step", ["write", "fsync", "rename", "mkdir"])
def test_a_full_disk_is_a_problem_and_leaves_nothing(
    files: PhotoFiles, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    kept = stored(files)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif step == "write":
        real = Path.open

        def open_full(self: Path, mode: str = "r", *rest: Any) -> Any:
            file = real(self, mode, *rest)
            if "x" in mode:
                file.close()
                fail()
            return file

        monkeypatch.setattr(Path, "open", open_full)
    else:
        monkeypatch.setattr(Path, step, fail)
    with pytest.raises(Problem) as caught:
        stored(files, b"another", session=8)
    monkeypatch.undo()
    assert (caught.value.status, caught.value.kind) == (507, "storage-full")
    assert os.strerror(number) not in caught.value.detail
    assert everything(files.root) == [kept]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOTDIR])
@pytest.mark.parametrize("step", ["rename", "mkdir"])
def test_a_disk_that_cannot_be_written_to_is_a_problem_too(
    files: PhotoFiles, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    kept = stored(files)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(Problem) as caught:
        stored(files, b"another", session=8)
    monkeypatch.undo()
    assert (caught.value.status, caught.value.kind) == (503, "storage-unavailable")
    assert os.strerror(number) not in caught.value.detail
    assert everything(files.root) == [kept]


def test_other_errors_pass_and_leave_nothing(files: PhotoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        stored(files)
    monkeypatch.undo()
    assert everything(files.root) == []


def test_delete_takes_the_thumbnails_and_may_be_repeated(files: PhotoFiles) -> None:
    data = samples.good_photos()["jpeg"]
    path = stored(files, data)
    files.thumbnail(path, 100)
    files.thumbnail(path, 1280)
    assert len(everything(files.root)) == 3
    files.delete(path)
    files.delete(path)
    assert everything(files.root) == []
    with pytest.raises(FileNotFoundError):
        files.open(path)


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
def test_no_path_leads_elsewhere(files: PhotoFiles, path: str) -> None:
    for act in (files.open, files.delete, lambda p: files.thumbnail(p, 160)):
        with pytest.raises(ValueError, match="path"):
            act(path)


@given(st.text(max_size=100))
def test_random_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        PhotoFiles(Path("/nonexistent")).open(path)


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
def test_put_takes_no_odd_names(files: PhotoFiles, session: int, digest: str, extension: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        files.put(session, digest, extension, b"x")
    assert everything(files.root.parent) == []


def test_sweep_removes_only_old_files_that_no_row_knows(files: PhotoFiles) -> None:
    known, lost, young = (stored(files, data) for data in (b"known", b"lost", b"young"))
    gone = stored(files, b"gone")
    (files.root / gone).unlink()
    age(files.root, known)
    age(files.root, lost)
    assert files.sweep([known, gone], HOUR) == SweepReport(removed=[lost], missing=[gone])
    assert everything(files.root) == sorted([known, young])
    assert files.sweep([known, gone], HOUR) == SweepReport(removed=[], missing=[gone])


def test_sweep_removes_what_crashes_leave(files: PhotoFiles) -> None:
    data = samples.good_photos()["jpeg"]
    known, lost = stored(files, data), stored(files, data)
    files.thumbnail(known, 160)
    files.thumbnail(lost, 160)
    folder = Path(known).parent
    for name in (
        f"{folder}/.tmp-old",
        f"{folder}/.tmp-new",
        f"thumbnails/{known}/.tmp-old",
        f"{folder}/notes.txt",
    ):
        (files.root / name).write_bytes(b"half")
        if "old" in name:
            age(files.root, name)
    (files.root / lost).unlink()
    age(files.root, f"thumbnails/{lost}/160.jpg")
    assert files.sweep([known], HOUR) == SweepReport([], [])
    # What somebody put there by hand is not ours to remove.
    expected = [known, f"thumbnails/{known}/160.jpg", f"{folder}/.tmp-new", f"{folder}/notes.txt"]
    assert everything(files.root) == sorted(expected)


def test_sweep_of_an_old_lost_photo_takes_its_thumbnails(files: PhotoFiles) -> None:
    lost = stored(files, samples.good_photos()["jpeg"])
    files.thumbnail(lost, 160)
    age(files.root, lost)
    assert files.sweep([], HOUR).removed == [lost]
    assert everything(files.root) == []


def test_an_empty_store_sweeps(files: PhotoFiles) -> None:
    assert files.sweep([], HOUR) == SweepReport([], [])


def test_a_file_that_disappears_while_sweeping_is_no_error(
    files: PhotoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(files)
    ghost = files.root / path
    ghost.unlink()
    monkeypatch.setattr(files, "_files", lambda folder: [ghost] if folder == "photos" else [])
    assert files.sweep([], HOUR) == SweepReport([], [])


def test_writable_tells_and_leaves_nothing(files: PhotoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.writable()
    assert everything(files.root) == []

    def fail(*_: Any) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert not files.writable()


def test_a_file_in_place_of_the_folder_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    assert not PhotoFiles(tmp_path / "data").writable()


def test_thumbnails_are_made_once_at_a_few_widths(files: PhotoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(files, samples.save(samples.picture(2000, 1500), "JPEG"))
    first = files.thumbnail(path, 161)
    assert files.thumbnail(path, 320) == first
    (files.root / f"thumbnails/{path}/320.jpg").write_bytes(b"kept")
    assert files.thumbnail(path, 200) == b"kept"
    files.thumbnail(path, 99_999)
    assert [p for p in everything(files.root) if p.startswith("thumb")] == [
        f"thumbnails/{path}/1280.jpg",
        f"thumbnails/{path}/320.jpg",
    ]


def test_no_thumbnail_outlives_its_photo(files: PhotoFiles) -> None:
    path = stored(files, samples.good_photos()["jpeg"])
    files.thumbnail(path, 160)
    (files.root / path).unlink()
    with pytest.raises(FileNotFoundError):
        files.thumbnail(path, 160)


def test_a_photo_deleted_while_its_thumbnail_is_made_leaves_none(
    files: PhotoFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(files, samples.good_photos()["jpeg"])
    write = PhotoFiles._write

    def write_then_delete(self: PhotoFiles, place: Path, data: bytes) -> None:
        (self.root / path).unlink()
        write(self, place, data)

    monkeypatch.setattr(PhotoFiles, "_write", write_then_delete)
    assert files.thumbnail(path, 160)
    assert everything(files.root) == []


def test_a_full_disk_does_not_stop_thumbnails(files: PhotoFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(files, samples.good_photos()["jpeg"])

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    assert files.thumbnail(path, 160).startswith(b"\xff\xd8")
    assert everything(files.root) == [path]
