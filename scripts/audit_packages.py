#!/usr/bin/env python
"""Asks the package index for known vulnerabilities of the pinned packages that the server runs with."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 nothing known (or, without --strict, nobody to ask), 1 vulnerable, 3 not asked (--strict)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requirements", default=str(ROOT / "requirements.txt"), help="the pinned packages")
    parser.add_argument(
        "--strict", action="store_true", help="fail when not every package could be asked about"
    )
    options = parser.parse_args(arguments)
    found = ask(options.requirements)
    if found is None:
        print("The packages were not audited: the index of vulnerabilities cannot be asked.", file=sys.stderr)
        return 3 if options.strict else 0
    vulnerable = [each for each in found if each.get("vulns")]
    unknown = [each["name"] for each in found if "skip_reason" in each]
    for each in vulnerable:
        for known in each["vulns"]:
            mended = ", ".join(known.get("fix_versions") or ["no version yet"])
            print(f"{each['name']} {each['version']}: {known['id']}, mended in {mended}", file=sys.stderr)
    print(
        f"{len(found) - len(unknown)} packages audited, {len(vulnerable)} with known vulnerabilities"
        + (f"; {len(unknown)} that the index here says nothing of" if unknown else "")
    )
    if vulnerable:
        return 1
    return 3 if options.strict and unknown else 0


def ask(requirements: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None when it cannot ask."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", requirements, "--no-deps", "--disable-pip",
        "--format", "json", "--progress-spinner", "off", "--timeout", "15",
    ]  # fmt: skip
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        found: list[dict[str, Any]] = json.loads(answer.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None
    return found


if __name__ == "__main__":
    sys.exit(main())
