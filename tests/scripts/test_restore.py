"""scripts/restore.py as a person runs it on a bad day: what there is, what came back, and after it was killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.config import load
from lib.photos.storage import open_photos
from lib.store import migrate
from lib.store.contents import different, snapshot
from lib.store.dumps import what_is_there
from scripts import backup, restore
from tests.farm import Farm
from tests.object_store import Bucket, Door

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    return run_main(restore.main)


@pytest.fixture
def shelf(run_main: Callable[..., Run], farm: Farm, tmp_path: Path, postgres_programs: Path,
          monkeypatch: pytest.MonkeyPatch) -> Path:  # fmt: skip
    """The farm's backups, one so far."""
    monkeypatch.setenv("PATH", f"{postgres_programs}:{os.environ['PATH']}")
    folder = tmp_path / "backups"
    code, _, err = run_main(backup.main)(str(folder), DATABASE_URL=farm.url, DATA_DIR=str(tmp_path / "data"))
    assert code == 0, err
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("DATA_DIR", "")
    return folder


@pytest.fixture
def url(request: pytest.FixtureRequest, farm: Farm, tmp_path: Path) -> str:
    """An empty database of the farm's kind."""
    if farm.url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/new.db"
    return str(request.getfixturevalue("empty_postgres_url"))


def summary(out: str) -> dict[str, object]:
    return dict(json.loads(out.splitlines()[-1]))


def test_it_comes_back_where_the_settings_say(
    run: Run, farm: Farm, shelf: Path, url: str, tmp_path: Path
) -> None:
    code, out, err = run(str(shelf), DATABASE_URL=url, DATA_DIR=str(tmp_path / "new"))
    assert (code, err) == (0, "")
    said = summary(out)
    assert {name: said[name] for name in ("photos", "photos_written", "photos_there", "photos_missing")} == {
        "photos": 3, "photos_written": 3, "photos_there": 0, "photos_missing": 0,
    }  # fmt: skip
    with snapshot(farm.url) as old, snapshot(url) as new:
        assert different(old.contents(), new.contents()) == []
    code, out, err = run(str(shelf))
    assert (code, out) == (1, "")
    assert "Not done: the target is not empty" in err


def test_it_comes_back_where_the_arguments_say(
    run: Run, shelf: Path, url: str, bucket: Bucket, tmp_path: Path
) -> None:
    place = bucket.environ() | {"PHOTO_STORE": ""}
    code, _, err = run(str(shelf), "--database-url", url, "--photo-store", bucket.url, **place)
    assert (code, err) == (0, "")
    assert len(bucket.names()) == 3


def test_an_older_one_by_its_name(run: Run, run_main: Callable[..., Run], farm: Farm, shelf: Path, url: str,
                                  tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    lost = farm.add(9)
    farm.files.remove([lost.path])
    data = str(tmp_path / "data")
    assert run_main(backup.main)(str(shelf), DATABASE_URL=farm.url, DATA_DIR=data)[0] == 3
    monkeypatch.setenv("DATABASE_URL", "")
    code, out, _ = run(str(shelf), "--list")
    assert code == 0
    first, second = out.splitlines()
    assert f"{farm.url.partition(':')[0]}, " in first
    assert ", 3 photos, " in first
    assert f", {migrate.names()[-1]}" in first
    assert second.endswith(", 1 photos missing")
    new = tmp_path / "new"
    code, out, err = run(
        str(shelf), "--backup", first.split()[0], "--database-url", url, "--data-dir", str(new)
    )
    assert (code, err) == (0, "")
    assert summary(out)["backup"] == first.split()[0]
    code, out, err = run(str(shelf), "--backup", "1999", "--database-url", url)
    assert (code, out) == (1, "")
    assert "there is no backup in" in err


def test_what_the_backup_lacked_is_said(
    run: Run, run_main: Callable[..., Run], farm: Farm, shelf: Path, url: str, tmp_path: Path
) -> None:
    lost = farm.add(9)
    farm.files.remove([lost.path])
    run_main(backup.main)(str(shelf), DATABASE_URL=farm.url, DATA_DIR=str(tmp_path / "data"))
    code, out, err = run(str(shelf), DATABASE_URL=url, DATA_DIR=str(tmp_path / "new"))
    assert (code, summary(out)["photos_missing"]) == (0, 1)
    assert err == f"was not in the backup: {lost.path!r} (lost)\n"


def test_the_list_names_what_is_damaged(run: Run, shelf: Path) -> None:
    (manifest,) = (shelf / "manifests").iterdir()
    manifest.write_bytes(b"{}")
    code, out, _ = run(str(shelf), "--list")
    assert code == 1
    assert "is damaged" in out
    assert run(str(shelf / "nothing"), "--list")[:2] == (0, "")


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("x",), {}, "DATABASE_URL is not set: say where to with --database-url"),
        (("s3:///",), {}, "SOURCE: must be a folder"),
        (("x", "--database-url", "mysql://x"), {}, "--database-url: must start with"),
        (("x", "--photo-store", "s3://a b"), {}, "--photo-store: must be a folder"),
        (("x",), {"PORT": "none"}, "PORT: must be"),
    ],
)
def test_wrong_arguments_and_settings_are_2(
    run: Run, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    code, out, err = run(*arguments, **settings)
    assert (code, out) == (2, "")
    assert said in err


def test_a_folder_for_the_database_that_cannot_be_made_is_1(
    run: Run, shelf: Path, farm: Farm, tmp_path: Path
) -> None:
    if not farm.url.startswith("sqlite"):
        return
    code, _, err = run(
        str(shelf), DATABASE_URL="sqlite:////dev/null/weeds.db", DATA_DIR=str(tmp_path / "new")
    )
    assert code == 1
    assert err == "Not done: File exists: /dev/null\n"


def started(shelf: Path, url: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "restore.py"), str(shelf)],
        env={**os.environ, "DATABASE_URL": url, **environ},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_killed_among_the_photos_the_target_is_empty_for_the_next_run(
    farm: Farm, shelf: Path, url: str, bucket: Bucket, door: Door, number: int
) -> None:
    door.refuse("hang", only="PUT .*/photos/")
    door.passing = number
    running = started(shelf, url, **bucket.environ(door.endpoint))
    door.hanging.wait()
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert len(bucket.names()) == number
    assert what_is_there(url) is None
    door.refuse("pass")
    again = started(shelf, url, **bucket.environ(door.endpoint))
    out, err = again.communicate()
    assert (again.returncode, err) == (0, "")
    assert (summary(out)["photos_written"], summary(out)["photos_there"]) == (3 - number, number)
    store = load(bucket.environ()).object_store
    assert store is not None
    files = open_photos(store)
    assert {path: files.read(path) for path in files.stored()} == {
        path: farm.files.read(path) for path in farm.files.stored()
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_it_says_so(
    shelf: Path, url: str, bucket: Bucket, door: Door, number: signal.Signals
) -> None:
    door.refuse("hang", only="PUT .*/photos/")
    running = started(shelf, url, **bucket.environ(door.endpoint))
    door.hanging.wait()
    running.send_signal(number)
    door.closing.set()
    out, err = running.communicate()
    assert (running.returncode, out) == (130, "")
    assert err.endswith("Stopped; the database is not there yet. Run it again to go on.\n")
    assert what_is_there(url) is None


def test_killed_at_the_database_the_target_is_empty_for_the_next_run(
    run_main: Callable[..., Run], postgres_url: str, empty_postgres_url: str, tmp_path: Path,
    postgres_programs: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from tests import farm as farms

    farm = farms.found(postgres_url, open_photos(tmp_path / "data"))
    monkeypatch.setenv("PATH", f"{postgres_programs}:{os.environ['PATH']}")
    shelf, new = tmp_path / "backups", {"DATA_DIR": str(tmp_path / "new")}
    run_main(backup.main)(str(shelf), DATABASE_URL=farm.url, DATA_DIR=str(tmp_path / "data"))
    told, waiting = tmp_path / "told", tmp_path / "waiting"
    for pipe in (told, waiting):
        os.mkfifo(pipe)
    slow = tmp_path / "slow" / "pg_restore"
    slow.parent.mkdir()
    slow.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec {postgres_programs}/pg_restore --version\n'
        f"echo here > {told}\nread line < {waiting}\n"
    )
    slow.chmod(slow.stat().st_mode | stat.S_IXUSR)
    running = started(shelf, empty_postgres_url, PATH=f"{slow.parent}:{os.environ['PATH']}", **new)
    assert told.read_text() == "here\n"  # waits until it is
    running.send_signal(signal.SIGKILL)
    running.wait()
    waiting.write_text("go\n")  # ends the program that was left
    running.communicate()
    assert what_is_there(empty_postgres_url) is None
    again = started(shelf, empty_postgres_url, **new)
    out, err = again.communicate()
    assert (again.returncode, err) == (0, "")
    assert summary(out)["photos_there"] == 3
    with snapshot(farm.url) as old, snapshot(empty_postgres_url) as now:
        assert different(old.contents(), now.contents()) == []


def test_help_tells_how_it_ends() -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "restore.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("SOURCE", "--list", "--backup", "Exit codes"):
        assert word in answer.stdout
