"""The README's lines for schedulers: they run as they stand, against a real database and a real server."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functions.conftest import start_server
from tests.house.installed import install

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Jobs and cron") :].split("\n## ")[0]
FIELDS = re.compile(r"((?:[0-9*/,-]+ ){5})(.+)")
# Of `fly machine run`, by its documentation; those with a value.
FLY_FLAGS = {"--app", "--region", "--schedule", "--restart", "--vm-memory", "--env"}
FLY_SCHEDULES = {"hourly", "daily", "weekly", "monthly"}
# What Cron Manager reads of a schedule, and what of that the Machines API reads.
SCHEDULE = {"name", "app_name", "schedule", "region", "command", "command_timeout", "enabled", "config"}
CONFIG = {"image", "init", "env", "auto_destroy", "disable_machine_autostart", "guest", "restart"}


def blocks(language: str) -> list[str]:
    """The examples in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)


def entries() -> list[str]:
    """The commands of every crontab line; each line has its five fields."""
    found = []
    for line in "".join(blocks("crontab")).splitlines():
        if not re.fullmatch(r"[A-Z]+=\S+", line):
            match = FIELDS.fullmatch(line)
            assert match, line
            assert "%" not in match[2]  # cron would take it for the end of the line
            found.append(match[2])
    return found


@pytest.fixture
def installed(tmp_path: Path, sqlite_url: str) -> Path:
    """A folder as the example has it: a clone with its environment, and a .env that names the database."""
    folder = install(tmp_path / "srv")
    (folder / ".env").write_text(f"DATABASE_URL={sqlite_url}\nDATA_DIR=data\nOUTPUT_DIR=output\n")
    return folder


def sh(command: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """As cron runs it: by /bin/sh, with next to nothing in the environment."""
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), **environ}
    return subprocess.run(["/bin/sh", "-c", command], cwd=cwd, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize("command", [each for each in entries() if "scripts/" in each])
def test_a_line_for_the_server_s_machine_runs_and_is_quiet(command: str, installed: Path) -> None:
    done = sh(command, installed, WEEDS=str(installed))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((installed / "jobs.log").read_text())["complete"] is True


def test_every_job_has_a_line() -> None:
    named = {Path(name).name for name in re.findall(r"scripts/\w+\.py", " ".join(entries()))}
    assert named == {"process_backlog.py", "recompute_metrics.py", "prune.py"}


def test_the_request_is_answered(tmp_path: Path) -> None:
    (command,) = [each for each in entries() if each.startswith("curl")]
    running = start_server(tmp_path / "server", f"sqlite:///{tmp_path}/weeds.db")
    try:
        key = tmp_path / ".weeds-key"
        key.write_text(f"Authorization: Bearer {running.user('jobs').secret}\n")
        done = sh(command.replace("https://weeds.example.org", running.base), tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads((tmp_path / "weeds.log").read_text())["complete"] is True
        # A key that may not is told to whoever reads cron's mail. (Once: this is asked of no other try.)
        key.write_text(f"Authorization: Bearer {running.user('read').secret}\n")
        refused = sh(
            command.replace("https://weeds.example.org", running.base).replace("--retry 5", ""), tmp_path
        )
        assert refused.returncode == 22
        assert "403" in refused.stderr
    finally:
        running.stop()


def test_the_scheduled_machine_s_flags_are_those_of_fly_and_its_command_runs(
    installed: Path, run_python: Callable[..., Any]
) -> None:
    (command,) = blocks("sh")
    words = shlex.split(command.replace("\\\n", ""))
    first = next(place for place, word in enumerate(words) if word.startswith("--"))
    flags = dict(zip(words[first::2], words[first + 1 :: 2], strict=True))
    assert words[:4] == ["fly", "machine", "run", "$IMAGE"]
    assert flags.keys() <= FLY_FLAGS
    assert flags["--schedule"] in FLY_SCHEDULES
    assert flags["--app"] in (ROOT / "fly.toml").read_text(encoding="utf-8")
    run_python(words[4:first])


def test_cron_manager_s_schedules_are_in_its_form_and_their_commands_run(
    run_python: Callable[..., Any],
) -> None:
    (text,) = blocks("json")
    for schedule in json.loads(text):
        assert schedule.keys() == SCHEDULE
        assert schedule["config"].keys() == CONFIG
        assert FIELDS.fullmatch(f"{schedule['schedule']} x")
        assert schedule["config"]["restart"]["policy"] == "no"
        run_python(shlex.split(schedule["command"]))


@pytest.fixture
def run_python(installed: Path) -> Callable[[list[str]], None]:
    """Runs a command of the image, in a folder as the image has it."""

    def run(words: list[str]) -> None:
        assert words[0] == "python"
        done = sh(shlex.join([".venv/bin/python", *words[1:]]), installed)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["complete"] is True

    return run
