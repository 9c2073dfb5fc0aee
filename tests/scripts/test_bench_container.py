"""Control groups of both versions, written to folders that stand for the kernel's; and the words of the result."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts.benchmarks import container, models
from scripts.benchmarks.control_group import Group, group

MEBIBYTE = 1024 * 1024


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Version 1: a tree for each controller."""
    for controller in ("memory", "cpu"):
        (tmp_path / controller).mkdir()
    return tmp_path


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Version 2: one tree, with the memory controller handed on already."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("memory")
    return tmp_path


def clear(made: Group) -> None:
    """What the kernel does when the last process has left: a group's files are no obstacle."""
    for folder in {made.memory, made.cpu}:
        for path in folder.iterdir():
            path.unlink()


def test_version_one_limits_memory_and_processor(first: Path):
    with group("bench", 512 * MEBIBYTE, 0.5, first) as made:
        assert made == Group(1, first / "memory" / "bench", first / "cpu" / "bench")
        assert (made.memory / "memory.limit_in_bytes").read_text() == str(512 * MEBIBYTE)
        assert (made.cpu / "cpu.cfs_quota_us").read_text() == "50000"
        assert (made.cpu / "cpu.cfs_period_us").read_text() == "100000"
        clear(made)
    assert not made.memory.exists()
    assert not made.cpu.exists()


def test_version_two_limits_memory_and_processor(second: Path):
    with group("bench", 256 * MEBIBYTE, 1, second) as made:
        assert (second / "cgroup.subtree_control").read_text() == "+cpu"
        assert (made.memory / "memory.max").read_text() == str(256 * MEBIBYTE)
        assert (made.memory / "cpu.max").read_text() == "100000 100000"
        clear(made)
    assert not made.memory.exists()


def test_version_one_tells_what_was_used(tmp_path: Path):
    (tmp_path / "memory.max_usage_in_bytes").write_text("900\n")
    (tmp_path / "memory.failcnt").write_text("7\n")
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "memory.stat").write_text("rss 1\ntotal_rss 300\ntotal_mapped_file 200\ntotal_cache 500\n")
    found = Group(1, tmp_path, tmp_path).usage()
    assert (found.peak, found.own, found.mapped, found.cached) == (900, 300, 200, 500)
    assert (found.kills, found.at_limit) == (2, 7)


@pytest.mark.parametrize("name", ["memory.peak", "memory.current"])
def test_version_two_tells_what_was_used(tmp_path: Path, name: str):
    (tmp_path / name).write_text("900\n")
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\n")
    (tmp_path / "memory.stat").write_text("anon 300\nfile 500\nfile_mapped 200\n")
    found = Group(2, tmp_path, tmp_path).usage()
    assert (found.peak, found.own, found.mapped, found.cached) == (900, 300, 200, 500)
    assert (found.kills, found.at_limit) == (2, 7)


def test_a_command_enters_the_group_as_the_same_process(tmp_path: Path):
    for name in ("memory", "cpu"):
        (tmp_path / name).mkdir()
    made = Group(1, tmp_path / "memory", tmp_path / "cpu")
    started = subprocess.Popen(
        made.entering(["sh", "-c", 'echo "$$ $1"', "sh", "two words"]), stdout=subprocess.PIPE, text=True
    )
    said, _ = started.communicate()
    assert said == f"{started.pid} two words\n"
    assert (made.memory / "cgroup.procs").read_text() == f"{started.pid}\n"
    assert (made.cpu / "cgroup.procs").read_text() == f"{started.pid}\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_it_says_when_groups_cannot_be_written_by_this_user(first: Path):
    (first / "memory").chmod(0o555)
    with pytest.raises(SystemExit, match="no control group can be made"), group("bench", 1, 1, first):
        pass


def test_it_says_when_there_are_no_groups(tmp_path: Path):
    with (
        pytest.raises(SystemExit, match=r"no control group can be made below .* this needs root"),
        group("bench", 1, 1, tmp_path),
    ):
        pass


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"no model\.json"):
        container.measure(tmp_path)


def test_the_words_say_what_was_killed():
    usage = {"own_mb": 100.0, "mapped_mb": 30.0, "peak_with_cache_mb": 300.0, "kills": 3}
    words = container.describe(
        {
            "megabytes": 512, "cpus": 1.0, "model": "m", "model_mb": 31.0, "photos": 100, "classified": 97,
            "refused": 3, "same_worker": False, "median_seconds": 0.4, "first_seconds": 1.0,
            "slowest_seconds": 2.0, "peak": {"rss_mb": 190.0, "pss_mb": 150.0}, "group": usage,
        }
    )  # fmt: skip
    assert "97 of 100" in words
    assert "3 killed by the kernel" in words
    assert "not the same worker" in words


class TestModels:
    def test_a_checkpoint_is_of_one_size(self, tmp_path: Path):
        with pytest.raises(SystemExit, match="of one size"):
            models.measure(models.Asked(checkpoint=tmp_path / "c.pt"))

    def test_photos_for_one_thing_are_for_no_other(self, photos_dir: Path, tmp_path: Path):
        import json

        chosen = json.loads(models.choose_photos(tmp_path, 200).read_text())
        fitted = {path for _, path in chosen["fitting"]}
        compared = {path for _, path in chosen["comparing"]}
        assert len(chosen["species"]) == 12
        assert (len(fitted), len(compared)) == (120, 200)
        assert not fitted & compared
        assert set(chosen["calibrating"]) <= fitted
        assert len(chosen["weighing"]) == models.WEIGHING
        assert {number for number, _ in chosen["comparing"]} == set(range(12))

    def test_without_the_training_packages_it_says_so(self, tmp_path: Path):
        asked = models.Asked(train_venv=tmp_path / "none")
        with pytest.raises(SystemExit, match="needs the training packages"):
            models.make("tiny", tmp_path, tmp_path / "photos.json", ["none"], asked)

    def test_made_folders_are_not_made_again(self, tmp_path: Path):
        (tmp_path / "none-plain").mkdir()
        (tmp_path / "none-plain" / "model.json").touch()
        models.make("tiny", tmp_path, tmp_path / "p.json", ["none:plain"], models.Asked(train_venv=tmp_path))

    def test_a_row_of_the_table(self):
        row = {
            "size": "tiny", "variant": "none", "files_mb": 115.6, "load_ms": 100, "median_ms": 61.2,
            "median_cpu_ms": 60.1, "after": {"rss_mb": 200.4, "file_mb": 155.0, "peak_mb": 201.0},
            "agreement": 0.995, "photos": 200, "largest_probability": 0.0123,
            "served": {"pss_mb": 230.0, "peak_pss_mb": 240.0},
        }  # fmt: skip
        line = models.describe({"rows": [row]}).splitlines()[-1]
        assert line == (
            "| tiny | none | 116 | 100 | 61 (60) | 200 (155, 201) | 230 (240) | 99.5 % of 200 | 0.012 |"
        )
        del row["served"]
        assert "| – |" in models.describe({"rows": [row]})
