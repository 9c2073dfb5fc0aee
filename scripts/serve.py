"""What a container starts: brings a SQLite database up to date, then becomes the server."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lib.config import ConfigError, load  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Exit code of the migration when it fails; otherwise gunicorn takes this process's place."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    os.chdir(ROOT)
    try:
        settings = load()
    except ConfigError as error:
        print("The server cannot start:", *error.lines, sep="\n  ", file=sys.stderr)
        return 2
    # A PostgreSQL database serves many machines and is migrated once, before any of them starts: by the
    # release command of fly.toml, the migrate service of compose.yaml. A SQLite file lies on this machine.
    if (settings.database_url or "").startswith("sqlite:"):
        migration = subprocess.Popen([sys.executable, str(ROOT / "scripts" / "migrate.py"), "up"])
        # The first process of a container ends by SIGTERM only if it has a handler. Killing is safe: each
        # migration is one transaction.
        before = signal.signal(signal.SIGTERM, lambda *_: migration.kill())
        code = _ended(migration)
        signal.signal(signal.SIGTERM, before)
        if code:
            return code if code > 0 else 128 - code
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn"])  # noqa: S606 # nosec B606


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code, once there is one."""
    while True:
        # Looked for again and again: a signal that comes just before a wait without an end is heard only after it.
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue


if __name__ == "__main__":
    sys.exit(main())
