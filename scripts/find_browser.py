"""Finds the Chromium that the tests of the pages drive; prints its path, or one line that says what to install."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = (
    "No Chromium for the tests in tests/browser: install one (Debian, Ubuntu: sudo apt-get install chromium; "
    "elsewhere: .venv/bin/playwright install chromium), or name one in CHROMIUM."
)


def find(environ: Mapping[str, str] = os.environ) -> str | None:
    """The browser that CHROMIUM names, else the first one on the path, else Playwright's own; None without any."""
    named = environ.get("CHROMIUM", "")
    if named:
        return shutil.which(named, path=environ.get("PATH", ""))
    for name in NAMES:
        found = shutil.which(name, path=environ.get("PATH", ""))
        if found:
            return found
    return _playwrights_own()


def missing(environ: Mapping[str, str] = os.environ) -> str:
    """Why there is none and what to do, in one line."""
    named = environ.get("CHROMIUM", "")
    return f"CHROMIUM names {named!r}, which is no program here." if named else MISSING


def _playwrights_own() -> str | None:
    """What `playwright install chromium` has put there, if anything has been."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        return shutil.which(playwright.chromium.executable_path)


def install(environ: Mapping[str, str] = os.environ) -> bool:
    """Debian's package, where it can be had without asking: as root, or in CI by sudo without a password."""
    if not shutil.which("apt-get", path=environ.get("PATH", "")):
        return False
    words = ["apt-get"]
    if os.geteuid() != 0:
        if not environ.get("CI") or not shutil.which("sudo", path=environ.get("PATH", "")):
            return False
        words = ["sudo", "-n", "apt-get"]
    print("Installing Chromium for the tests of the pages (once) …", file=sys.stderr, flush=True)
    quiet = {"env": {**environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        # Without a network it is to give up, not to wait for minutes on every host of its list.
        done = subprocess.run(
            [*words, "-qq", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20", *step],
            check=False,
            stderr=subprocess.DEVNULL,
            **quiet,
        )
    return done.returncode == 0


def main(argv: list[str] | None = None) -> int:
    """0 when there is a browser; else 1 in CI, which requires it, and 0 where its tests are merely skipped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help="install Debian's when there is none")
    asked = parser.parse_args(argv)
    found = find()
    if not found and asked.install and not os.environ.get("CHROMIUM") and install():
        found = find()
    if found:
        if not asked.install:
            print(found)
        return 0
    required = bool(os.environ.get("CI"))
    print(missing() + ("" if required else " Until then they are skipped."), file=sys.stderr)
    return 1 if required or not asked.install else 0


if __name__ == "__main__":
    sys.exit(main())
