"""The workflow of GitHub: it calls what the README calls, is pinned, has few rights, deploys only what passed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.compose import SCALED

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").iterdir())
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
FAMILIES = "tests/lib/diversity/reference/families.py"
LOOKED_FOR = re.compile(r'os\.environ\.get\("(\w+)", ROOT')


def steps(job: str) -> list[dict[str, Any]]:
    return list(JOBS[job]["steps"])


def runs(job: str) -> list[str]:
    return [step["run"] for step in steps(job) if "run" in step]


def test_there_is_one_workflow_for_pushes_pull_requests_and_tags() -> None:
    assert [path.name for path in FILES] == ["test.yml"]
    # YAML 1.1 reads `on` as a truth value.
    assert WORKFLOW[True] == {"push": {"branches": ["main"], "tags": ["v*"]}, "pull_request": None}


def test_it_runs_what_the_readme_calls_on_the_versions_that_the_readme_names() -> None:
    assert "\nmake test    #" in README
    called = [line for script in runs("test") for line in script.splitlines() if line.startswith("make")]
    assert [line.split(" COVERAGE_FLOOR=")[0] for line in called] == ["make test", "make test"]
    lowest, highest = re.findall(r"\((3\.\d+) to (3\.\d+) are tested\)", README)[0]
    tested = [f"3.{minor}" for minor in range(int(lowest[2:]), int(highest[2:]) + 1)]
    assert JOBS["test"]["strategy"]["matrix"]["python"] == tested
    # What it hands to make is read: by make, or by the script that makes the environment.
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    venv = (ROOT / "scripts" / "make_venv.sh").read_text(encoding="utf-8")
    for name in [*JOBS["test"]["env"], *re.findall(r"make test (\w+)=", TEXT)]:
        assert re.search(rf"^{name} \??:?=", makefile, re.MULTILINE) or f"${{{name}:-" in venv, name


def test_no_test_is_skipped_where_photos_and_reference_values_are() -> None:
    alike = [step for step in steps("test") if str(step.get("run", "")).startswith("make test")]
    conditions = [step["if"] for step in alike]
    assert conditions == [f"${{{{ vars.TEST_DATA_URL {sign} '' }}}}" for sign in ("!=", "==")]
    # GitHub sets CI, with which a missing photo fails; only the run without the archive takes it back.
    assert [step["env"].get("CI") for step in alike] == [None, ""]
    # And the archive lies where the tests look for what they need.
    looking = "".join((ROOT / path).read_text(encoding="utf-8") for path in ("tests/conftest.py", FAMILIES))
    assert set(alike[0]["env"]) == set(LOOKED_FOR.findall(looking))


def test_every_action_is_pinned_to_a_commit() -> None:
    used = re.findall(r"uses: (\S+)(.*)", TEXT)
    assert len(used) == sum("uses" in step for job in JOBS for step in steps(job))
    for action, remark in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v?\d+(\.\d+)+", remark), action
    # And one action is the same everywhere.
    assert len({action.partition("@")[0] for action, _ in used}) == len({action for action, _ in used})


def test_it_has_no_rights_that_it_does_not_need() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert "pull_request_target" not in TEXT
    for job in JOBS:
        assert JOBS[job]["timeout-minutes"] <= 120
        for step in steps(job):
            if "checkout@" in step.get("uses", ""):
                assert step["with"] == {"persist-credentials": False}
            # Nothing that others can write becomes part of a command.
            assert "${{" not in step.get("run", "")


def test_it_deploys_a_tag_when_everything_passed() -> None:
    assert set(JOBS["deploy"]["needs"]) == set(JOBS) - {"deploy"}
    assert JOBS["deploy"]["if"] == "${{ startsWith(github.ref, 'refs/tags/v') }}"
    assert JOBS["deploy"]["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert JOBS["deploy"]["environment"] == "production"
    assert runs("deploy") == ["flyctl deploy --remote-only"]
    # The secret is in no other job, and there only in the one step.
    (step,) = [step for step in steps("deploy") if "run" in step]
    assert step["env"] == {"FLY_API_TOKEN": "${{ secrets.FLY_API_TOKEN }}"}
    assert TEXT.count("secrets.") == 1


def test_a_newer_push_ends_only_the_run_of_its_own_pull_request() -> None:
    assert WORKFLOW["concurrency"] == {
        "group": "${{ github.workflow }}-${{ github.ref }}",
        "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
    }


@pytest.mark.parametrize("job", JOBS)
def test_its_scripts_are_those_of_a_shell_and_exist(job: str) -> None:
    for script in runs(job):
        done = subprocess.run(["/bin/bash", "-n"], input=script, text=True, capture_output=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert all((ROOT / name).is_file() for name in re.findall(r"scripts/\w+\.py", script))


def test_it_makes_every_secret_that_compose_asks_for() -> None:
    made = re.findall(r"for name in ([A-Z_ ]+); do", TEXT)[0].split()
    assert set(made) == set(SCALED)
    assert "-lt 400000000" in TEXT
