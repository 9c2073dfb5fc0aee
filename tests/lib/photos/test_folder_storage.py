"""Photos on the disk: durable before they are acknowledged, and nothing left of what the disk refused."""

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

from lib.photos.folder_storage import FolderPhotos
from lib.photos.storage import SweepReport
from lib.problems import Problem
from tests.lib.photos import samples

HOUR = timedelta(hours=1)


def everything(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


@pytest.fixture
def files(tmp_path: Path) -> FolderPhotos:
    return FolderPhotos(tmp_path / "data")


def stored(files: FolderPhotos, data: bytes = b"photo", session: int = 7) -> str:
    return files.put(session, hashlib.sha256(data).hexdigest(), "jpg", data)


def test_the_file_and_its_name_are_durable_before_put_returns(
    files: FolderPhotos, monkeypatch: pytest.MonkeyPatch
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
    files: FolderPhotos, monkeypatch: pytest.MonkeyPatch, number: int, step: str
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
    files: FolderPhotos, monkeypatch: pytest.MonkeyPatch, number: int, step: str
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


def test_what_cannot_be_written_takes_nothing_away(
    files: FolderPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(files)

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Problem):
        files.write(path, b"another")
    monkeypatch.undo()
    assert files.read(path) == b"photo"


def test_other_errors_pass_and_leave_nothing(files: FolderPhotos, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        stored(files)
    monkeypatch.undo()
    assert everything(files.root) == []


def test_a_file_that_disappears_while_sweeping_is_no_error(
    files: FolderPhotos, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(files)
    ghost = files.root / path
    ghost.unlink()
    monkeypatch.setattr(os, "walk", lambda folder: [(str(ghost.parent), [], [ghost.name])])
    assert files.sweep([path], HOUR) == SweepReport([], [path])


def test_writable_tells_and_leaves_nothing(files: FolderPhotos, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.writable()
    assert everything(files.root) == []

    def fail(*_: Any) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert not files.writable()


def test_a_file_in_place_of_the_folder_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    assert not FolderPhotos(tmp_path / "data").writable()


def test_no_thumbnail_outlives_its_photo(files: FolderPhotos) -> None:
    path = stored(files, samples.good_photos()["jpeg"])
    files.thumbnail(path, 160)
    (files.root / path).unlink()
    with pytest.raises(FileNotFoundError):
        files.thumbnail(path, 160)


def test_what_the_disk_does_not_let_go_of_is_left_to_the_sweep(
    files: FolderPhotos, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = stored(files)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Path, "unlink", fail)
    files.delete(path)
    monkeypatch.undo()
    assert "the sweep does it" in caplog.text
    assert everything(files.root) == [path]
    assert files.sweep([], -HOUR).removed == [path]


def test_a_full_disk_does_not_stop_thumbnails(files: FolderPhotos, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(files, samples.good_photos()["jpeg"])

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    assert files.thumbnail(path, 160).startswith(b"\xff\xd8")
    assert everything(files.root) == [path]


def test_a_thumbnail_that_somebody_looked_at_is_not_unused(files: FolderPhotos) -> None:
    path = stored(files, samples.save(samples.picture(), "JPEG"))
    for width in (160, 320):
        files.thumbnail(path, width)
        old = time.time() - 7200
        os.utime(files.root / f"thumbnails/{path}/{width}.jpg", (time.time() if width == 320 else old, old))
    assert files.forget_thumbnails(HOUR)[0] == 1
    assert everything(files.root / "thumbnails") == [f"{path}/320.jpg"]
    os.utime(files.root / f"thumbnails/{path}/320.jpg", (old, old))
    assert files.forget_thumbnails(HOUR)[0] == 1
    assert not (files.root / f"thumbnails/{path}").exists()
