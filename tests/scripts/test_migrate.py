"""scripts/migrate.py in processes of its own: three at once, exit codes, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.store import migrate, schema
from lib.store.migrate import plain_database
from scripts import migrate as script

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "scripts" / "migrate.py")]


def _environment(url: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "COVERAGE_PROCESS_START")
    }
    return kept | {"DATABASE_URL": url}


@pytest.fixture
def run(run_main: Callable[..., Callable[..., tuple[int, str, str]]]) -> Callable[..., tuple[int, str, str]]:
    """Runs the script's main in a folder without `.env`; exit code, stdout, stderr."""
    return run_main(script.main)


def test_three_at_once_apply_each_migration_once_and_all_succeed(
    empty_database_url: str, tmp_path: Path
) -> None:
    runs = [
        subprocess.Popen(
            [*COMMAND, "up"],
            env=_environment(empty_database_url),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = [each.communicate() for each in runs]
    assert [each.returncode for each in runs] == [0, 0, 0], answers
    applied = [line for out, _ in answers for line in out.splitlines() if line.startswith("applied ")]
    assert sorted(applied) == [f"applied {name}" for name in migrate.names()]
    assert schema.check(empty_database_url) == []


def test_up_status_check_down(empty_database_url: str, run: Callable[..., tuple[int, str, str]]) -> None:
    where = ("--database-url", empty_database_url)
    last = migrate.names()[-1]
    code, out, _ = run(*where, "status")
    assert code == 0
    assert f"{last}  pending" in out
    code, out, _ = run(*where, "check")
    assert code == 1
    assert f"{last}: migration is not applied" in out
    assert run(*where, "up")[:2] == (
        0,
        "".join(f"applied {name}\n" for name in migrate.names())
        + f"{len(migrate.names())} applied; the database is up to date.\n",
    )
    assert run(*where, "up") == (0, "The database is up to date.\n", "")
    assert run(*where, "check") == (0, "The database is as the models say.\n", "")
    code, out, _ = run(*where, "status")
    assert f"{last}  applied 2" in out
    assert out.rstrip().endswith("UTC")
    assert run(*where, "down") == (0, f"rolled back {last}\n1 rolled back.\n", "")
    assert migrate.pending(empty_database_url) == [last]


def test_check_prints_one_line_a_difference(
    database_url: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    database = plain_database(database_url)
    database.connect()
    database.execute_sql("DROP INDEX idx_image_data_date")
    database.execute_sql("ALTER TABLE users ADD COLUMN phone VARCHAR(20)")
    database.close()
    code, out, _ = run("--database-url", database_url, "check")
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["image_data", "users"]
    assert "idx_image_data_date" in out
    assert "phone" in out


def test_it_takes_the_database_from_the_environment(
    sqlite_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    assert run("check")[0] == 0


def test_an_unknown_name_is_refused(sqlite_url: str, run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("--database-url", sqlite_url, "down", "999_nothing")
    assert (code, out) == (1, "")
    assert "999_nothing" in err


def test_without_a_database_it_says_what_to_set(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = run("up")
    assert code == 2
    assert "DATABASE_URL" in err


def test_bad_settings_are_named(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://db")
    code, _, err = run("up")
    assert code == 2
    assert "DATABASE_URL: must start with" in err


def test_a_database_that_does_not_answer_is_one_line(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("--database-url", "postgresql://nobody@127.0.0.1:1/weeds", "up")
    assert (code, out) == (1, "")
    assert err == "The database does not answer; try again shortly.\n"


def test_rows_that_would_point_to_nothing_are_one_line(
    sqlite_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(url: str, name: str | None) -> list[str]:
        raise migrate.BrokenReferences("image_data → analysis_sessions")

    monkeypatch.setattr(migrate, "up", broken)
    code, out, err = run("--database-url", sqlite_url, "up")
    assert (code, out) == (1, "")
    assert "image_data → analysis_sessions" in err


def test_a_migration_of_a_newer_version_is_marked(
    sqlite_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "is_missing_file", lambda name: True)
    assert "its file is missing here" in run("--database-url", sqlite_url, "status")[1]


def test_help_tells_what_it_does() -> None:
    answer = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for command in ("up", "down", "status", "check"):
        assert command in answer.stdout
