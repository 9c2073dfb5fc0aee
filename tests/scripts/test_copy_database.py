"""scripts/copy_database.py as a person runs it when one machine is outgrown: its last line and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.photos.storage import open_photos
from lib.store.contents import connected, different, snapshot
from lib.store.copying import row_counts
from scripts import copy_database
from tests import farm as farms
from tests.farm import Farm

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "scripts" / "copy_database.py")]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    return run_main(copy_database.main)


@pytest.fixture
def little_farm(sqlite_url: str, tmp_path: Path) -> Farm:
    return farms.found(sqlite_url, open_photos(tmp_path / "data"))


def test_the_last_line_tells_every_table(run: Run, little_farm: Farm, postgres_url: str) -> None:
    code, out, err = run("--from", little_farm.url, "--to", postgres_url)
    assert (code, err) == (0, "")
    said = json.loads(out.splitlines()[-1])
    assert said["differences"] == 0
    counts = row_counts(postgres_url)
    assert {name: table["rows"] for name, table in said["tables"].items()} == counts
    assert said["rows"] == sum(counts.values())
    with snapshot(little_farm.url) as old:
        assert said["tables"]["image_data"]["digest"] == old.content("image_data").digest


def test_there_and_back(
    run: Run, little_farm: Farm, postgres_url: str, tmp_path: Path, sqlite_template: Path
) -> None:
    back = tmp_path / "back.db"
    back.write_bytes(sqlite_template.read_bytes())
    assert run("--from", little_farm.url, "--to", postgres_url)[0] == 0
    assert (
        run("--from", postgres_url.replace("postgresql", "postgres", 1), "--to", f"sqlite:///{back}")[0] == 0
    )
    with snapshot(little_farm.url) as old, snapshot(f"sqlite:///{back}") as new:
        names = list(row_counts(little_farm.url))
        assert different({n: old.content(n) for n in names}, {n: new.content(n) for n in names}) == []


def test_a_target_with_rows_is_1(run: Run, little_farm: Farm, postgres_url: str) -> None:
    assert run("--from", little_farm.url, "--to", postgres_url)[0] == 0
    code, out, err = run("--from", little_farm.url, "--to", postgres_url)
    assert (code, out) == (1, "")
    assert err.startswith("Not done: the target is not empty")


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("mysql://x", "sqlite:///x", "--from: must start with"),
        ("sqlite:///x", "", "--to: must start with"),
        ("sqlite:///x", "sqlite:///x", "are the same database"),
    ],
)
def test_wrong_arguments_are_2(run: Run, source: str, target: str, said: str) -> None:
    code, out, err = run("--from", source, "--to", target)
    assert (code, out) == (2, "")
    assert said in err


def test_a_database_that_does_not_answer_is_1(run: Run, tmp_path: Path) -> None:
    code, out, err = run(
        "--from", f"sqlite:///{tmp_path}/none.db", "--to", "postgresql://nobody@127.0.0.1:1/x"
    )
    assert (code, out, err) == (1, "", "The database does not answer; try again shortly.\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_stopped_in_the_middle_nothing_was_copied(
    little_farm: Farm, postgres_url: str, number: signal.Signals, code: int
) -> None:
    """It waits for a row that somebody else is putting into the target under the same number."""
    with connected(postgres_url) as other:
        other.set_session(autocommit=False)
        cursor = other.cursor()
        cursor.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        running = subprocess.Popen(
            [*COMMAND, "--from", little_farm.url, "--to", postgres_url],
            cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with connected(postgres_url) as watcher:
            watch = watcher.cursor()
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
            while not running.poll() and not (watch.execute(waits), watch.fetchone()[0])[1]:
                pass
        running.send_signal(number)
        if number == signal.SIGTERM:
            other.rollback()  # the driver looks for signals when it has its answer
        out, err = running.communicate()
        other.rollback()
    assert running.returncode == code
    assert out == ""
    if code == 130:
        assert err.endswith("Stopped; nothing was copied.\n")
    assert sum(row_counts(postgres_url).values()) == 0


def test_help_says_what_to_stop() -> None:
    answer = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for word in ("Stop the server first", "--from", "--to", "migrated"):
        assert word in answer.stdout
