"""Setting up a fresh machine: the virtual environment's Python, .env, the database, the first user."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from lib.keys import digest
from scripts import serve

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a fresh clone: the scripts copied, since they work where they lie, the rest linked."""
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copytree(
        ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__", "training")
    )
    for name in ("lib", "functions", "migrations"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(clone: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(clone / "scripts" / script)],
        cwd=clone,
        env={"PATH": os.environ["PATH"]} | environment,
        text=True,
        capture_output=True,
        check=False,
    )


def dotenv(clone: Path) -> dict[str, str]:
    lines = (clone / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_it_prepares_a_first_run(clone: Path):
    done = run(clone, "first_run.py")
    assert done.returncode == 0, done.stderr
    key = re.search(r"^ *Key +([A-Za-z0-9_-]{43})$", done.stdout, re.MULTILINE)
    assert key
    assert "http://localhost:8000" in done.stdout
    assert set(dotenv(clone)) == {"SECRET_KEY", "DATABASE_URL"}
    assert len(dotenv(clone)["SECRET_KEY"]) >= 32
    assert stat.S_IMODE((clone / ".env").stat().st_mode) == 0o600
    with closing(sqlite3.connect(clone / "weed_diversity.db")) as database:
        assert database.execute("select username, api_key from users").fetchall() == [
            ("owner", digest(key[1]))
        ]


def test_it_changes_nothing_when_run_again(clone: Path):
    first = run(clone, "first_run.py")
    secret = dotenv(clone)["SECRET_KEY"]
    again = run(clone, "first_run.py", PORT="8123")
    assert (first.returncode, again.returncode) == (0, 0)
    assert "Key  " not in again.stdout
    assert "http://localhost:8123" in again.stdout
    assert dotenv(clone)["SECRET_KEY"] == secret
    with closing(sqlite3.connect(clone / "weed_diversity.db")) as database:
        assert database.execute("select count(*) from users").fetchone() == (1,)


def test_it_keeps_a_dotenv_that_is_there(clone: Path):
    (clone / ".env").write_text("PORT=8200\n", encoding="utf-8")
    done = run(clone, "first_run.py")
    assert done.returncode == 0
    assert (clone / ".env").read_text(encoding="utf-8") == "PORT=8200\n"
    assert "file mode" in done.stdout
    assert "http://localhost:8200" in done.stdout
    assert not list(clone.glob("*.db"))


def test_it_names_every_bad_setting(clone: Path):
    done = run(clone, "first_run.py", PORT="0", SITE_TIMEZONE="Mars/Olympus")
    assert done.returncode == 2
    assert "PORT:" in done.stderr
    assert "SITE_TIMEZONE:" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_says_why_when_the_database_cannot_be_migrated(clone: Path):
    (clone / "plain").write_text("a file, not a folder", encoding="utf-8")
    done = run(clone, "first_run.py", DATABASE_URL=f"sqlite:///{clone}/plain/weeds.db")
    assert done.returncode != 0
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> list[str]:
    """What serve.py would become, in the environment of a container."""
    became: list[str] = []
    monkeypatch.chdir(tmp_path)  # restored afterwards: the script changes to the project's folder
    monkeypatch.setenv("PRODUCTION", "true")
    monkeypatch.setenv("SECRET_KEY", "k" * 43)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(os, "execv", lambda path, words: became.extend(words))
    assert serve.main([]) is None or became
    return became


def test_it_migrates_sqlite_before_it_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "weeds.db"
    assert served(monkeypatch, tmp_path, f"sqlite:///{file}")[1:] == ["-m", "gunicorn"]
    with closing(sqlite3.connect(file)) as database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    assert {"users", "analysis_sessions", "image_data", "diversity_metrics"} <= tables


def test_it_leaves_postgresql_to_the_release_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # Nobody listens there: had it tried to migrate, it would have failed.
    words = served(monkeypatch, tmp_path, "postgresql://nobody@127.0.0.1:1/nothing")
    assert words[1:] == ["-m", "gunicorn"]


def test_it_ends_when_asked_while_it_migrates(tmp_path: Path):
    file = tmp_path / "weeds.db"
    variables = os.environ | {"SECRET_KEY": "k" * 43, "DATABASE_URL": f"sqlite:///{file}"}
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("begin exclusive")  # the migration waits for it
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "serve.py")],
            env=variables,
            # As for the first process of a container: what it has no handler for does nothing.
            preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        )
        try:
            # Asked until it has a handler: what comes before that is ignored, or heard by who measures coverage.
            ends = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < ends:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.1)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGKILL  # the migration's


def test_it_does_not_serve_a_database_that_it_cannot_migrate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_KEY", "k" * 43)
    (tmp_path / "plain").write_text("a file, not a folder", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/plain/weeds.db")
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it served"))
    assert serve.main([]) != 0


def make_venv(python: str, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts" / "make_venv.sh"), str(target)],
        env={"PATH": os.environ["PATH"], "PYTHON": python},
        text=True,
        capture_output=True,
        check=False,
    )


def command(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_it_takes_the_first_python_that_suits(tmp_path: Path):
    absent = tmp_path / "python3.13"
    # Like a version manager's stub: there, but it only says that it is not installed.
    stub = command(tmp_path / "python3.12", "exit 127")
    good = command(tmp_path / "python3.11", f'[ "$1" = -m ] && echo "$@" > {tmp_path}/called; exit 0')
    done = make_venv(f"{absent} {stub} {good}", tmp_path / "venv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "called").read_text(encoding="utf-8").split() == [
        "-m",
        "venv",
        "--clear",
        f"{tmp_path}/venv",
    ]


def test_it_says_what_to_install_when_no_python_suits(tmp_path: Path):
    done = make_venv(str(command(tmp_path / "python3", "exit 1")), tmp_path / "venv")
    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_it_judges_a_real_python(tmp_path: Path):
    text = (ROOT / "scripts" / "make_venv.sh").read_text(encoding="utf-8")
    probe = re.search(r"^suits='(.*)'$", text, re.MULTILINE)
    assert probe
    assert subprocess.run([sys.executable, "-c", probe[1]], check=False).returncode == 0
    older = probe[1].replace("(3, 11)", "(99, 0)")
    assert subprocess.run([sys.executable, "-c", older], check=False).returncode == 1


@pytest.mark.parametrize("target", ["run", "test", "browser", "check", "bench", "train", "clean"])
def test_it_has_a_target_for(target: str):
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## \w", text, re.MULTILINE)
