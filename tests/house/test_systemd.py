"""The systemd units in deploy/: systemd takes them, and what they start runs as they say."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.installed import install

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted(path for path in (ROOT / "deploy").iterdir() if path.suffix in (".service", ".timer"))
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze on the path")


def settings(name: str) -> dict[str, str]:
    """A unit's settings; of one that stands there several times, the last."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8").replace("\\\n", "")
    return dict(re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE))


def command(name: str) -> list[str]:
    """What a service starts, as systemd reads it."""
    return [word.replace("$$", "$") for word in shlex.split(settings(name)["ExecStart"])]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder like /srv/weeds."""
    return install(tmp_path / "weeds")


def run(words: list[str], folder: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url, "SECRET_KEY": "k" * 43}
    variables |= {"DATA_DIR": str(folder / "data"), "OUTPUT_DIR": str(folder / "output")}
    return subprocess.run(words, cwd=folder, env=variables, text=True, capture_output=True)


@needs_systemd
def test_systemd_takes_every_unit(installed: Path, tmp_path: Path) -> None:
    assert {path.name for path in UNITS} >= {"weeds.service", "weeds-jobs.timer", "weeds-backup.timer"}
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace("/srv/weeds/", f"{installed}/")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run([str(ANALYZE), "verify", "--man=no", *units], text=True, capture_output=True)
    # Of others' units on this machine nothing is said here.
    assert [line for line in done.stderr.splitlines() if "weeds" in line] == []


@needs_systemd
def test_the_server_is_shut_in() -> None:
    words = [str(ANALYZE), "security", "--offline=true", "--threshold=20"]
    done = subprocess.run([*words, str(ROOT / "deploy" / "weeds.service")], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
    found = re.search(r"exposure level for weeds\.service: ([0-9.]+)", done.stdout)
    assert found
    assert float(found[1]) < 2


def test_the_server_has_time_to_finish_and_no_more_memory_than_promised() -> None:
    unit = settings("weeds.service")
    graceful = re.search(r"^graceful_timeout = (\d+)$", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert graceful
    assert int(unit["TimeoutStopSec"]) > int(graceful[1])
    assert (unit["KillSignal"], unit["KillMode"], unit["MemoryMax"]) == ("SIGTERM", "mixed", "512M")
    # What stops the start for good does not start again and again.
    done = run([sys.executable, str(ROOT / "scripts" / "serve.py")], ROOT, "nonsense:")
    assert str(done.returncode) == unit["RestartPreventExitStatus"]


@pytest.mark.parametrize("name", [path.name for path in UNITS if path.suffix == ".service"])
def test_a_service_starts_what_is_there_as_a_user_without_rights(name: str) -> None:
    unit = settings(name)
    assert (unit["User"], unit["NoNewPrivileges"], unit["ProtectSystem"]) == ("weeds", "true", "strict")
    assert unit["EnvironmentFile"] == "/etc/weeds.env"
    scripts = re.findall(r"scripts/\w+\.py", unit["ExecStart"])
    assert scripts
    assert all((ROOT / script).is_file() for script in scripts)


@pytest.mark.parametrize(
    "path", [path for path in UNITS if path.suffix == ".timer"], ids=lambda path: path.name
)
def test_a_timer_has_its_service(path: Path) -> None:
    assert path.with_suffix(".service") in UNITS
    assert settings(path.name)["WantedBy"] == "timers.target"


def test_the_jobs_of_the_night_run(installed: Path, sqlite_url: str) -> None:
    done = run(command("weeds-jobs.service"), installed, sqlite_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["complete"] for line in done.stdout.splitlines()] == [True] * 3


def test_a_job_that_fails_is_told_and_the_others_run(installed: Path, sqlite_url: str) -> None:
    words = command("weeds-jobs.service")
    words[-1] = words[-1].replace(
        "scripts/recompute_metrics.py", "scripts/recompute_metrics.py --since nonsense"
    )
    done = run(words, installed, sqlite_url)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    # Another run of each is no failure.
    words = command("weeds-jobs.service")
    words[-1] = re.sub(r"\.venv/bin/python scripts/\w+\.py[^|]*", "(exit 4) ", words[-1])
    assert run(words, installed, sqlite_url).returncode == 0


def test_the_backup_runs_and_is_proven(installed: Path, sqlite_url: str, tmp_path: Path) -> None:
    words = command("weeds-backup.service")
    assert words[0] == "/srv/weeds/.venv/bin/python"
    given = [str(installed / ".venv/bin/python")]
    given += [str(tmp_path / "backups") if word == "${BACKUPS}" else word for word in words[1:]]
    assert given[1:] != words[1:]
    done = run(given, installed, sqlite_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verified"] is True
