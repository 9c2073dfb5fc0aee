"""Prepares what `make run` serves: .env with a secret, a current database, a first user. Safe to repeat."""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lib.config import ConfigError, Settings, load  # noqa: E402

FIRST_USER = "owner"
DOTENV = """\
# Made by `make run`; read in development only. Every other setting is listed in .env.example.
SECRET_KEY={secret}
DATABASE_URL=sqlite:///./weed_diversity.db
"""


def write_dotenv(folder: Path) -> bool:
    """Writes .env with a fresh secret, readable by its owner alone; False, untouched, when there is one."""
    try:
        handle = os.open(folder / ".env", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(DOTENV.format(secret=secrets.token_urlsafe(32)))
    return True


def migrate() -> int:
    """Brings the database up to date in a process of its own; its exit code. Says why when it fails."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "migrate.py"), "up"],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return done.returncode


def first_key(settings: Settings) -> str | None:
    """The key of a new first user; None when the database has users already."""
    from lib.keys import SCOPES, new_key
    from lib.store.database import DatabaseStore

    assert settings.database_url
    store = DatabaseStore(settings.database_url)
    try:
        if store.users():
            return None
        secret, digest, prefix = new_key()
        store.create_user(FIRST_USER, f"{FIRST_USER}@localhost", digest, prefix, SCOPES)
        return secret
    finally:
        store.close()


def main(argv: list[str] | None = None) -> int:
    """0 when the server can start; 2 for a bad setting, else the migration's exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    os.chdir(ROOT)
    if write_dotenv(ROOT):
        print("Wrote .env with a new SECRET_KEY.")
    try:
        settings = load()
    except ConfigError as error:
        print("The server cannot start:", *error.lines, sep="\n  ", file=sys.stderr)
        return 2
    address = f"http://localhost:{settings.port}"
    if settings.database_url is None:
        print(f"No DATABASE_URL, so file mode: it shows the analyses under {settings.output_dir}.")
        print(f"\n  Open {address}\n", flush=True)
        return 0
    if code := migrate():
        return code
    if key := first_key(settings):
        print(f"\n  First user   {FIRST_USER}\n  Key          {key}\n")
        print("  This key is shown once: keep it. The database holds only its digest.")
    print(f"\n  Open {address} and sign in with the key.  Ctrl-C stops the server.\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
