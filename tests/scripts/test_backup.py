"""scripts/backup.py as a person or cron runs it: its last line, its exit codes, and ends at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.backups.place import BackupPlace
from lib.config import load
from lib.photos.storage import open_place
from scripts import backup
from tests.farm import Farm
from tests.object_store import KEY_ID, SECRET, Bucket, Door

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_main: Callable[..., Run], farm: Farm, tmp_path: Path, postgres_programs: Path,
        monkeypatch: pytest.MonkeyPatch) -> Run:  # fmt: skip
    """Backs the farm up; exit code, stdout, stderr."""
    monkeypatch.setenv("DATABASE_URL", farm.url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", f"{postgres_programs}:{os.environ['PATH']}")
    return run_main(backup.main)


def summary(out: str) -> dict[str, object]:
    return dict(json.loads(out.splitlines()[-1]))


def test_the_last_line_says_what_was_done(run: Run, farm: Farm, tmp_path: Path) -> None:
    code, out, err = run(str(tmp_path / "backups"), "--verify", "--keep", "1")
    assert (code, err) == (0, "")
    said = summary(out)
    kind = farm.url.partition(":")[0]
    counts = {name: said[name] for name in ("photos", "photos_copied", "photos_lost", "backups_removed")}
    assert counts == {"photos": 3, "photos_copied": 3, "photos_lost": 0, "backups_removed": 0}
    assert (said["database"], said["verified"]) == (kind, True)
    assert isinstance(said["rows"], int)
    assert said["rows"] > 10
    again = summary(run(str(tmp_path / "backups"))[1])
    assert (again["photos"], again["photos_copied"], again["verified"]) == (3, 0, None)
    assert (tmp_path / "backups" / "manifests").is_dir()


def test_old_ones_go(run: Run, tmp_path: Path) -> None:
    place = BackupPlace(open_place(tmp_path / "backups"), "backups")
    names = [run(str(tmp_path / "backups"))[0] or place.manifests()[-1] for _ in range(3)]
    said = summary(run(str(tmp_path / "backups"), "--keep", "2")[1])
    assert said["backups_removed"] == 2
    assert place.manifests()[0] == names[2]
    assert summary(run(str(tmp_path / "backups"), "--keep-days", "1")[1])["backups_removed"] == 0


def test_lost_and_damaged_photos_are_loud_and_keep_the_old_backups(
    run: Run, farm: Farm, tmp_path: Path
) -> None:
    assert run(str(tmp_path / "backups"))[0] == 0
    lost, damaged = farm.add(8), farm.add(9)
    farm.files.remove([lost.path])
    file = farm.files.file_of(damaged.path)
    assert file is not None
    file.write_bytes(b"x")
    code, out, err = run(str(tmp_path / "backups"), "--keep", "1")
    assert code == 3
    assert f"not in the backup: {lost.path!r} (lost)" in err
    assert f"not in the backup: {damaged.path!r} (damaged)" in err
    assert "No old backup is let go" in err
    said = summary(out)
    assert (said["photos"], said["photos_lost"], said["photos_damaged"], said["backups_removed"]) == (
        3,
        1,
        1,
        0,
    )
    assert len(list((tmp_path / "backups" / "manifests").iterdir())) == 2


def test_a_verification_that_differs_fails(run: Run, tmp_path: Path) -> None:
    run(str(tmp_path / "backups"))
    for each in (tmp_path / "backups" / "blobs").rglob("*-*"):
        each.write_bytes(b"x")
    code, out, err = run(str(tmp_path / "backups"), "--verify", "--keep", "1")
    assert (code, summary(out)["verified"], summary(out)["backups_removed"]) == (1, False, 0)
    assert err.count("differs: ") >= 3
    assert "is damaged in" in err


def test_a_damaged_manifest_is_named_and_nothing_is_freed(run: Run, tmp_path: Path) -> None:
    run(str(tmp_path / "backups"))
    (old,) = (tmp_path / "backups" / "manifests").iterdir()
    old.write_bytes(old.read_bytes()[:-1])
    code, _, err = run(str(tmp_path / "backups"), "--keep", "5")
    assert code == 0
    assert f"{old.stem[:32]} is damaged; until it is removed, nothing is freed." in err


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("s3://",), {}, "TARGET: must be a folder, s3://bucket or s3://bucket/prefix"),
        (("gs://bucket",), {}, "TARGET: must be a folder"),
        (("s3://bucket",), {"AWS_ACCESS_KEY_ID": "a"}, "AWS_ACCESS_KEY_ID: needs AWS_SECRET_ACCESS_KEY"),
        (("x", "--verify-url", "mysql://x"), {}, "--verify-url: must start with"),
        (("x", "--verify-url", " "), {}, "--verify-url: must start with"),
        (("x",), {"DATABASE_URL": ""}, "DATABASE_URL is not set"),
        (("x",), {"PORT": "none"}, "PORT: must be"),
    ],
)
def test_wrong_arguments_and_settings_are_2(
    run_main: Callable[..., Run], arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    given = {"DATABASE_URL": "sqlite:///none.db"} | settings
    code, out, err = run_main(backup.main)(*arguments, **given)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("arguments", [(), ("x", "--keep", "0"), ("x", "--keep-days", "few")])
def test_arguments_that_are_none_are_2(run_main: Callable[..., Run], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_main(backup.main)(*arguments, DATABASE_URL="sqlite:///none.db")
    assert ended.value.code == 2


def test_a_database_that_is_not_there_is_1(run_main: Callable[..., Run], tmp_path: Path) -> None:
    code, out, err = run_main(backup.main)("there", DATABASE_URL="sqlite:///none.db", DATA_DIR=str(tmp_path))
    assert (code, out, err) == (1, "", "The database does not answer; try again shortly.\n")
    assert not (tmp_path / "none.db").exists()


def test_a_folder_that_cannot_be_made_is_1(run: Run) -> None:
    code, out, err = run("/dev/null/backups")
    assert (code, out) == (1, "")
    assert "Not done: /dev/null/backups cannot be used" in err


def test_a_store_that_is_not_reached_is_1_and_tells_no_secret(run: Run, bucket: Bucket) -> None:
    code, out, err = run(bucket.url, **bucket.environ("http://127.0.0.1:1") | {"PHOTO_STORE": ""})
    assert (code, out) == (1, "")
    assert f"Not done: {bucket.url} cannot be used" in err
    assert SECRET not in err
    assert KEY_ID not in err


class Process:
    """The command in a process of its own, which waits at a door."""

    def __init__(self, farm: Farm, bucket: Bucket, door: Door, tmp_path: Path, programs: Path) -> None:
        self.variables = {
            **os.environ,
            **bucket.environ(door.endpoint),
            "PHOTO_STORE": "",
            "DATABASE_URL": farm.url,
            "DATA_DIR": str(tmp_path / "data"),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "TMPDIR": str(tmp_path),
        }
        self.command = [sys.executable, str(ROOT / "scripts" / "backup.py"), bucket.url]
        self.tmp_path = tmp_path

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            env=self.variables,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> dict[str, object]:
        process = self.start()
        out, err = process.communicate()
        assert process.returncode == 0, err
        return summary(out)


@pytest.fixture
def process(farm: Farm, bucket: Bucket, door: Door, tmp_path: Path, postgres_programs: Path) -> Process:
    return Process(farm, bucket, door, tmp_path, postgres_programs)


@pytest.mark.parametrize("number", [0, 1, 3, "manifest"])
def test_killed_at_any_moment_nothing_counts_and_the_next_run_goes_on(
    process: Process, bucket: Bucket, door: Door, number: int | str
) -> None:
    """`number`: so many blobs were copied, the first of which is the dump."""
    if number == "manifest":
        door.refuse("hang", only="PUT .*/manifests/")
    else:
        door.refuse("hang", only="PUT .*/blobs/")
        door.passing = int(number)
    running = process.start()
    door.hanging.wait()
    running.send_signal(signal.SIGKILL)
    running.communicate()
    names = bucket.names()
    assert not [name for name in names if name.startswith("manifests/")]
    copied = 4 if number == "manifest" else int(number)
    assert len(names) == copied
    door.refuse("pass")
    said = process.finish()
    assert (said["photos"], said["photos_copied"]) == (3, 3 - max(copied - 1, 0))
    (manifest,) = [name for name in bucket.names() if name.startswith("manifests/")]
    store = load(bucket.environ()).object_store
    assert store is not None
    place = BackupPlace(open_place(store), "there")
    for photo in place.manifest(manifest).photos:
        place.blob(photo.sha256, photo.copy)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_it_says_so_and_leaves_no_temporary_files(
    process: Process, door: Door, tmp_path: Path, number: signal.Signals
) -> None:
    door.refuse("hang", only="PUT .*/blobs/")
    door.passing = 2
    running = process.start()
    door.hanging.wait()
    running.send_signal(number)
    door.closing.set()  # the library looks for signals between two requests
    out, err = running.communicate()
    assert (running.returncode, out) == (130, "")
    assert err.endswith("Stopped; what was copied is kept. Run it again to go on.\n")
    assert "Traceback" not in err
    assert not list(tmp_path.glob("weed-backup-*"))


def test_two_at_once_both_end_well(process: Process, bucket: Bucket) -> None:
    both = [process.start() for _ in range(2)]
    answers = [each.communicate() for each in both]
    assert [each.returncode for each in both] == [0, 0], answers
    store = load(bucket.environ()).object_store
    assert store is not None
    place = BackupPlace(open_place(store), "there")
    assert len(place.manifests()) == 2
    for name in place.manifests():
        manifest = place.manifest(name)
        assert len(manifest.photos) == 3
        assert set(manifest.blobs()) <= place.blobs()
        assert datetime.now(UTC) - manifest.created_at < timedelta(hours=1)


def test_help_tells_how_it_ends() -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "backup.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("TARGET", "--verify", "--keep", "Exit codes"):
        assert word in answer.stdout
