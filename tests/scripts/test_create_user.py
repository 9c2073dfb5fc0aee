"""scripts/create_user.py prints a key that works, once, as its last line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lib import keys
from lib.store.database import DatabaseStore
from scripts import create_user

ROOT = Path(__file__).resolve().parents[2]
HANAKO = ("--username", "hanako", "--email", "hanako@farm.example")


@pytest.fixture
def run(run_main: Callable[..., Callable[..., tuple[int, str, str]]]) -> Callable[..., tuple[int, str, str]]:
    """Runs the script's main in a folder without `.env`; exit code, stdout, stderr."""
    return run_main(create_user.main)


def test_the_last_line_is_a_key_that_works(database_url: str, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "create_user.py"), *HANAKO, "--scopes", "write, read"],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    *others, secret = answer.stdout.splitlines()
    assert len(secret) == 43
    assert secret not in "".join(others)
    assert answer.stderr == ""
    store = DatabaseStore(database_url)
    found = store.find_key(keys.digest(secret))
    assert found is not None
    key, user = found
    assert (user.username, user.email, user.is_active) == ("hanako", "hanako@farm.example", True)
    assert key.scopes == ("read", "write")
    assert key.prefix == secret[:8]
    store.close()


def test_a_user_may_do_everything_unless_told_otherwise(
    sqlite_url: str, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    code, out, _ = run(*HANAKO)
    assert code == 0
    found = DatabaseStore(sqlite_url).find_key(keys.digest(out.splitlines()[-1]))
    assert found is not None
    assert found[0].scopes == keys.SCOPES


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--username", "hanako", "--email", "other@farm.example"), "username 'hanako' is taken"),
        (("--username", "other", "--email", "hanako@farm.example"), "email 'hanako@farm.example' is taken"),
        (("--username", "other", "--email", "nobody"), "email must look like"),
        (("--username", "", "--email", "a@b.example"), "username must not be empty"),
        (("--username", "other", "--email", "a@b.example", "--scopes", "admin"), "scopes must be"),
        (("--username", "x" * 51, "--email", "a@b.example"), "username must not be longer than 50"),
        (("--username", "taro", "--new-key"), "username 'taro' is nobody's"),
        (("--username", "hanako", "--new-key", "--scopes", "admin"), "scopes must be"),
    ],
)
def test_a_refusal_is_a_clear_line_and_prints_no_key(
    database_url: str, run: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], named: str
) -> None:
    where = ("--database-url", database_url)
    assert run(*HANAKO, *where)[0] == 0
    code, out, err = run(*arguments, *where)
    assert (code, out) == (1, "")
    assert err.startswith(named)
    assert err.count("\n") == 1
    assert len(DatabaseStore(database_url).users()) == 1


def test_who_lost_every_key_gets_another(database_url: str, run: Callable[..., tuple[int, str, str]]) -> None:
    where = ("--database-url", database_url)
    lost = run(*HANAKO, *where)[1].splitlines()[-1]
    code, out, _ = run("--username", "hanako", "--new-key", "--scopes", "read", *where)
    assert code == 0
    store = DatabaseStore(database_url)
    found = store.find_key(keys.digest(out.splitlines()[-1]))
    assert found is not None
    assert (found[1].email, found[0].name, found[0].scopes) == (
        "hanako@farm.example",
        "from the server",
        ("read",),
    )
    before = store.find_key(keys.digest(lost))
    assert before is not None
    assert before[0].revoked_at is None
    store.close()


def test_a_new_user_needs_an_address(
    sqlite_url: str, run: Callable[..., tuple[int, str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--username", "hanako", "--database-url", sqlite_url)
    assert stop.value.code == 2
    assert "--email" in capsys.readouterr().err


def test_a_database_without_tables_says_so(
    empty_sqlite_url: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, err = run(*HANAKO, "--database-url", empty_sqlite_url)
    assert (code, out, err) == (1, "", "The database has not been migrated.\n")


def test_file_mode_has_no_users(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = run(*HANAKO)
    assert code == 2
    assert "DATABASE_URL" in err


def test_bad_settings_are_named(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://db")
    code, _, err = run(*HANAKO)
    assert code == 2
    assert "DATABASE_URL: must start with" in err
