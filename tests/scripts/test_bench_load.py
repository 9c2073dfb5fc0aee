"""The load within the limit: the clients read and upload, their figures are counted, a broken promise shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts import bench
from scripts.benchmarks import load
from scripts.benchmarks.control_group import Usage
from scripts.benchmarks.sending import Reply
from tests.functions.conftest import make_photo

MEBIBYTE = 1024 * 1024


@dataclass
class Unlimited:
    """Stands for a control group where none may be made: it limits nothing, and says what was seen."""

    kills: int = 0

    def entering(self, command: list[str]) -> list[str]:
        return command

    def usage(self) -> Usage:
        return Usage(300 * MEBIBYTE, 200 * MEBIBYTE, 0, 0, self.kills, 0)


@contextmanager
def unlimited(name: str, memory: int, cpus: float) -> Iterator[Unlimited]:
    assert (memory, cpus) == (512 * MEBIBYTE, 1.0)
    yield Unlimited()


@pytest.mark.photos
def test_readers_and_uploaders_are_served_and_counted(
    photos_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PLANT_PHOTOS", str(photos_dir.parent))
    paths = [tmp_path / f"{number}.jpg" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_bytes(make_photo(number, taken="2025:08:24 10:00:00"))
    found = load.measure(4, 4, 2, unlimited, paths)
    assert found["broken"] == []
    assert found["answers"] == sum(sum(each.values()) for each in found["statuses"].values()) > 4
    assert found["photos_acknowledged"] == found["photos_kept"] == found["photos_named"] > 0
    assert (found["peak_own_mb"], found["peak_with_cache_mb"], found["kills"]) == (200.0, 300.0, 0)
    upload = found["milliseconds"]["upload"]
    assert 0 < upload["p50"] <= upload["p95"] <= upload["p99"] <= upload["max"]
    words = load.describe(found)
    assert "4 readers and 2 uploaders" in words
    assert "Every promise holds." in words


def test_each_photo_is_another_of_another_moment(tmp_path: Path):
    path = tmp_path / "a.jpg"
    path.write_bytes(make_photo(1, taken="2025:08:24 10:00:00"))
    sent = load._distinct([path])
    made = [next(sent) for _ in range(load.A_DAY + 1)]
    assert len({data for _, data in made}) == len({name for name, _ in made}) == load.A_DAY + 1
    assert b"2024:12:01 08:00:00" in made[0][1]
    assert b"2024:12:02 08:00:00" in made[-1][1]


def test_refusals_are_judged_by_their_manners():
    seen = load.Seen()
    for status, wait in ((200, None), (304, None), (503, 2), (503, None), (500, None)):
        seen.note("page", "/", Reply(status, wait, b""), 0.1)
    assert (seen.impolite, len(seen.unexpected)) == (1, 1)
    assert (len(seen.seconds["page"]), len(seen.refused_seconds)) == (2, 3)


def test_percentiles_are_of_the_ordered_times():
    seconds = [number / 1000 for number in range(100, 0, -1)]
    assert load._percentiles(seconds) == {"p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}
    assert load._percentiles([]) is None


GOOD: dict[str, Any] = {
    "benchmark": "load", "megabytes": 512, "cpus": 1.0, "readers": 30, "uploaders": 4, "seconds": 120.0,
    "days": 1005, "photos_before": 39735, "answers": 5000, "answers_a_second": 41.0, "kills": 0,
    "peak_own_mb": 200.0, "peak_with_cache_mb": 300.0, "photos_acknowledged": 100, "photos_kept": 100,
    "photos_named": 100, "named_after_seconds": 1.0, "connections_lost": 0, "refusals_without_retry_after": 0,
    "unexpected": 0, "same_processes": True, "statuses": {kind: {"200": 1} for kind in load.KINDS},
    "milliseconds": dict.fromkeys(load.KINDS),
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kills": 1}, "killed by the kernel: 1"),
        ({"unexpected": 3}, "neither success nor a 503: 3"),
        ({"refusals_without_retry_after": 2}, "503 without Retry-After: 2"),
        ({"photos_kept": 99, "photos_named": 98}, "acknowledged photos lost: 1; photos left unnamed: 1"),
        ({"same_processes": False}, "another process at the end: 1"),
        ({"connections_lost": 1}, "connections lost: 1"),
    ],
)
def test_a_broken_promise_shows_in_words_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wrong: dict[str, Any], words: str
):
    def ended(found: dict[str, Any]) -> int:
        found = found | {"broken": load.broken(found)}
        monkeypatch.setattr(load, "measure", lambda *_: found)
        return bench.main(["load"])

    assert ended(GOOD) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["broken"] == []
    assert ended(GOOD | wrong) == 1
    assert f"Broken: {words}" in capsys.readouterr().out.replace("answers that are ", "")
