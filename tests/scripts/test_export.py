"""scripts/export.py as a person runs it: for a user, for a folder, with its exit codes and its last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from lib.outputs import summaries
from lib.outputs.summaries import ModelInfo
from lib.store.database import DatabaseStore
from lib.store.records import DayRow, ProcessingRow
from scripts import export

ROOT = Path(__file__).resolve().parents[2]
DAYS = (date(2025, 8, 24), date(2025, 8, 26))
METRIC_FILES = 10


@pytest.fixture
def run(run_main: Callable[..., Callable[..., tuple[int, str, str]]]) -> Callable[..., tuple[int, str, str]]:
    """Runs the script's main in a folder without `.env`; exit code, stdout, stderr."""
    return run_main(export.main)


def row(day: date) -> DayRow:
    return DayRow(
        day, total_images=3, processed_images=3, species_richness=1, hill_q0=1.0,
        species_counts={"Poa annua": 3}, species_frequencies={"Poa annua": 1.0},
        top_species=[{"species_name": "Poa annua", "count": 3, "frequency": 1.0, "average_confidence": 0.9}],
        model_name="starter", inputs_digest="d" * 64,
    )  # fmt: skip


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """OUTPUT_DIR of file mode with two days and nothing known of their photos."""
    output = tmp_path / "output"
    for day in DAYS:
        summaries.write_summary(output, row(day), ProcessingRow(day), ModelInfo("starter"))
    return output


def person(url: str, name: str) -> None:
    """A user with one session and two days."""
    store = DatabaseStore(url)
    try:
        user = store.create_user(name, f"{name}@farm.example", name * 8, name, ["read"])
        mine = store.for_user(user.id)
        session = mine.create_session("field", timezone="Asia/Tokyo")
        for day in DAYS:
            from dataclasses import replace

            mine.save_day(replace(row(day), session_id=session.id), ProcessingRow(day, session_id=session.id))
    finally:
        store.close()


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_a_user_is_written(
    run: Callable[..., tuple[int, str, str]], database_url: str, tmp_path: Path
) -> None:
    person(database_url, "hanako")
    code, out, err = run(DATABASE_URL=database_url, OUTPUT_DIR=str(tmp_path / "out"))
    assert (code, err) == (0, "")
    written = files(tmp_path / "out")
    period = "2025-08-24_to_2025-08-26"
    csv = {f"csv/{kind}_{day}.csv" for kind in ("daily_predictions", "soft_voting") for day in DAYS}
    csv |= {f"csv/{kind}_{period}.csv" for kind in ("aggregated_predictions", "species_summary")}
    assert {name for name in written if "github_calendar" not in name} == {
        *csv,
        *(f"{name}-metadata.json" for name in csv),
        *(f"json/daily_summary_{day}.json" for day in DAYS),
        f"json/time_series_{period}.json",
        f"darwin_core/darwin_core_{period}.zip",
    }
    assert json.loads(out.splitlines()[-1]) == {"written": len(written), "unchanged": 0}
    again = json.loads(run(DATABASE_URL=database_url, OUTPUT_DIR=str(tmp_path / "out"))[1])
    assert again == {
        "written": len(csv) + 1,
        "unchanged": len(written) - len(csv) - 1,
    }  # the JSON says the same
    assert files(tmp_path / "out") == written


def test_single_kinds_go_where_they_are_wanted(
    run: Callable[..., tuple[int, str, str]], sqlite_url: str, tmp_path: Path
) -> None:
    person(sqlite_url, "hanako")
    wanted = ("daily-summary", "species-summary", "calendar", "all")
    options = ("--output", str(tmp_path / "out"), "--date", "2025-08-24", "--metric", "hill_q1", "--end-date")
    code, _, err = run(*wanted, *options, "2025-08-25", DATABASE_URL=sqlite_url)
    assert (code, err) == (0, "")
    period = "2025-08-24_to_2025-08-24"
    assert files(tmp_path / "out") == {
        "json/daily_summary_2025-08-24.json",
        f"csv/species_summary_{period}.csv",
        f"csv/species_summary_{period}.csv-metadata.json",
        "json/github_calendar_hill_q1.json",
        f"weed_diversity_{period}.zip",
    }


def test_with_several_users_it_asks_whose(
    run: Callable[..., tuple[int, str, str]], sqlite_url: str, tmp_path: Path
) -> None:
    person(sqlite_url, "hanako")
    person(sqlite_url, "taro")
    code, _, err = run(DATABASE_URL=sqlite_url, OUTPUT_DIR=str(tmp_path / "out"))
    assert code == 2
    assert "--user" in err
    assert run("--user", "nobody", DATABASE_URL=sqlite_url)[0] == 2
    assert not (tmp_path / "out").exists()
    assert run("--user", "taro", "time-series", DATABASE_URL=sqlite_url)[0] == 0
    assert run("--user", "taro", "--session", "1", DATABASE_URL=sqlite_url)[0] == 1  # it is hanako's


def test_file_mode_writes_what_can_be_made_and_keeps_its_days(
    run: Callable[..., tuple[int, str, str]], days: Path
) -> None:
    before = {path.name: path.read_bytes() for path in (days / "json").iterdir()}
    code, out, err = run(DATABASE_URL="", OUTPUT_DIR=str(days))
    assert (code, err) == (0, "")
    assert {name: (days / "json" / name).read_bytes() for name in before} == before
    assert "darwin_core/darwin_core_2025-08-24_to_2025-08-26.zip" in files(days)
    assert len([name for name in files(days) if "github_calendar" in name]) == METRIC_FILES
    assert json.loads(out)["unchanged"] == len(before)
    assert "--user" in run("--user", "hanako", DATABASE_URL="", OUTPUT_DIR=str(days))[2]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("weather",), 2, "weather"),
        (("calendar", "--metric", "beauty"), 1, "metric"),
        (("daily-summary", "--date", "2025-08-25"), 1, "2025-08-25"),
        (("--start-date", "2030-01-01"), 1, "period"),
        (("--start-date", "2025-08-26", "--end-date", "2025-08-24"), 1, "end_date"),
        (("--session", "1"), 1, "session"),
    ],
)
def test_it_says_why_it_writes_nothing(
    run: Callable[..., tuple[int, str, str]],
    days: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    done, out, err = run(*arguments, "--output", str(tmp_path / "out"), DATABASE_URL="", OUTPUT_DIR=str(days))
    assert (done, out) == (code, "")
    assert says in err
    assert not (tmp_path / "out").exists()


def test_bad_settings_and_a_full_way_are_told(
    run: Callable[..., tuple[int, str, str]], days: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("in the way")
    code, _, err = run("--output", str(tmp_path / "taken"), DATABASE_URL="", OUTPUT_DIR=str(days))
    assert code == 1
    assert err.startswith("Stopped: ")
    assert run(PORT="0")[0] == 2


def test_it_runs_from_any_folder_and_tells_how_to_use_it(days: Path, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "export.py"
    environ = {"PATH": os.environ["PATH"], "OUTPUT_DIR": str(days)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    usage = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=True
    ).stdout
    for word in ("KIND", "--output", "--user", "--start-date", "darwin-core", "Exit codes"):
        assert word in usage
