"""What a container starts: brings a SQLite database up to date, then becomes the server."""

from __future__ import annotations

import argparse
import os
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
        migrated = subprocess.run([sys.executable, str(ROOT / "scripts" / "migrate.py"), "up"], check=False)
        if migrated.returncode:
            return migrated.returncode
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn"])  # noqa: S606 # nosec B606


if __name__ == "__main__":
    sys.exit(main())
