"""scripts/process_backlog.py as cron runs it: alone, interruptible, with counts at the end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import process_backlog
from tests.functions.conftest import make_photo
from tests.scripts.job_runs import ROOT, HeldPhoto, Site, ended, wait_until_free

SCRIPT = "process_backlog.py"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Site:
    return Site(database_url, tmp_path)


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    return run_main(process_backlog.main)


def test_it_names_what_waits_and_counts_it(site: Site) -> None:
    for seed in (1, 2):
        site.add_photo(make_photo(seed))
    done = site.run(SCRIPT)
    assert (done.code, done.err) == (0, "")
    assert done.summary == {
        "classified": 2, "failed": 0, "days_recomputed": 1, "waiting": 0, "files_swept": 0, "files_missing": 0,
        "complete": True,
    }  # fmt: skip
    assert site.run(SCRIPT).summary["classified"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_it_ends_after_the_photo_in_hand(
    sqlite_url: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    site = Site(sqlite_url, tmp_path)
    photos = [site.add_photo(make_photo(seed)) for seed in (1, 2, 3)]
    held = HeldPhoto(site.files.root / photos[1].path)
    process = site.start(SCRIPT)
    with held.read_by(process):
        process.send_signal(number)
    done = ended(process)
    assert (done.code, done.err) == (code, "Stopped; what was done is kept. Run it again to go on.\n")
    assert done.summary == {
        "classified": 2, "failed": 0, "days_recomputed": 1, "waiting": 1, "complete": False
    }  # fmt: skip
    with site.store() as store:
        assert store.stale_days() == []  # the day of the two is as it should be
    again = site.run(SCRIPT)
    assert (again.code, again.summary["classified"]) == (0, 1)


def test_a_second_signal_does_not_wait_for_the_photo(sqlite_url: str, tmp_path: Path) -> None:
    site = Site(sqlite_url, tmp_path)
    held = HeldPhoto(site.files.root / site.add_photo(make_photo(1)).path)
    process = site.start(SCRIPT)
    with held.read_by(process):
        # Of two kinds: two of one kind that come at once are one.
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.wait()
    done = ended(process)
    assert done.code in (130, 143)  # whichever was looked at first
    assert done.summary["complete"] is False
    assert site.run(SCRIPT).summary["classified"] == 1


def test_of_two_runs_one_works_and_a_killed_one_leaves_nothing_behind(site: Site) -> None:
    held = HeldPhoto(site.files.root / site.add_photo(make_photo(1)).path)
    process = site.start(SCRIPT)
    with held.read_by(process):
        second = site.run(SCRIPT)
        assert (second.code, second.err) == (4, "")  # nothing that cron would mail
        line, _ = second.out.splitlines()
        assert line == "Another run of process-backlog is at work on this database; this one left it alone."
        assert second.summary == {"complete": False}
        process.kill()
        process.wait()
    wait_until_free(site.url, process_backlog.JOB)
    done = site.run(SCRIPT)
    assert (done.code, done.summary["classified"]) == (0, 1)


def test_a_photo_whose_file_is_gone_is_named_and_makes_it_3(
    run: Run, sqlite_url: str, tmp_path: Path
) -> None:
    site = Site(sqlite_url, tmp_path)
    photo = site.add_photo(make_photo(1))
    site.files.delete(photo.path)
    code, out, err = run(DATABASE_URL=sqlite_url, DATA_DIR=str(tmp_path / "data"))
    assert code == 3
    assert f"the file of a photo is missing: {photo.path}" in err
    assert '"files_missing": 1' in out


def test_a_limit_leaves_the_rest(run: Run, sqlite_url: str, tmp_path: Path) -> None:
    site = Site(sqlite_url, tmp_path)
    for seed in (1, 2):
        site.add_photo(make_photo(seed))
    code, out, _ = run("--limit", "1", DATABASE_URL=sqlite_url, DATA_DIR=str(tmp_path / "data"))
    assert code == 3
    assert '"classified": 1' in out
    assert '"waiting": 1' in out


def test_a_terminal_sees_how_far_it_is(sqlite_url: str, tmp_path: Path) -> None:
    site = Site(sqlite_url, tmp_path)
    site.add_photo(make_photo(1))
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environ = os.environ | {"DATABASE_URL": sqlite_url, "DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, str(ROOT / "scripts" / SCRIPT)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=theirs, text=True
    )
    os.close(theirs)
    seen = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "1/1" in seen
    assert "photo" in seen


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "says"),
    [
        ((), {"DATABASE_URL": ""}, 2, "DATABASE_URL"),
        ((), {"LOG_LEVEL": "LOUD"}, 2, "LOG_LEVEL"),
        ((), {"DATABASE_URL": "sqlite:///no/folder/weeds.db"}, 1, "lock"),
        ((), {"DATABASE_URL": "sqlite:///empty.db"}, 1, "migrated"),
    ],
)
def test_it_says_why_it_does_nothing(
    run: Run, arguments: tuple[str, ...], settings: dict[str, str], code: int, says: str
) -> None:
    done, out, err = run(*arguments, **settings)
    assert done == code
    assert says in err
    assert len(err.splitlines()) == 1
    assert '"complete": true' not in out


def test_it_tells_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        process_backlog.main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    for word in ("--limit", "--grace-minutes", "Exit codes", "143"):
        assert word in text
    for bad in ("0", "-1", "many"):
        with pytest.raises(SystemExit) as refused:
            process_backlog.main(["--limit", bad])
        assert refused.value.code == 2
