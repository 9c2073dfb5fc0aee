"""Files that are whole or absent, and untouched while they say the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lib.outputs import atomic


def stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def test_it_writes_into_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    atomic.write_atomically(path, b"one")
    assert path.read_bytes() == b"one"
    atomic.write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["b.json"]


def test_others_may_read_what_it_writes(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        atomic.write_atomically(tmp_path / "a", b"one")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_a_disk_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    atomic.write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        atomic.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_the_content_is_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda old, new: (steps.append("rename"), replace(old, new))[1])
    atomic.write_atomically(tmp_path / "a", b"one")
    assert steps == ["fsync", "rename", "fsync"]


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert atomic.write_changed(path, b"one") is True
    before = stamp(path)
    assert atomic.write_changed(path, b"one") is False
    assert stamp(path) == before
    assert atomic.write_changed(path, b"two") is True
    assert path.read_bytes() == b"two"


def test_a_document_that_differs_in_time_only_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    old = {
        "timestamp": "2025",
        "value": 1.5,
        "metadata": {"export_timestamp": "2025", "n": [1, {"timestamp": 1}]},
    }
    new = {
        "timestamp": "2026",
        "value": 1.5,
        "metadata": {"export_timestamp": "2026", "n": [1, {"timestamp": 2}]},
    }
    assert atomic.write_document(path, old) is True
    before = path.read_bytes(), stamp(path)
    assert atomic.write_document(path, new) is False
    assert (path.read_bytes(), stamp(path)) == before
    assert atomic.write_document(path, new | {"value": 1.6}) is True
    assert b"2026" in path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b"null"])
def test_a_broken_file_is_written_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert atomic.write_document(path, {"value": 1}) is True
    assert path.read_bytes() == b'{\n  "value": 1\n}\n'


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_document(tmp_path / "a.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_no_text_do_not_stop_it(tmp_path: Path) -> None:
    atomic.write_document(tmp_path / "a.json", {"path": "コ\udcff.jpg"})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "path": "コ?.jpg"\n}\n'
