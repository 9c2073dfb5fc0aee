"""Which heavy modules a process holds that has answered /health and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.benchmarks.server import ROOT, Server

HEAVY = (
    "numpy",
    "PIL",
    "onnxruntime",
    "peewee",
    "psycopg2",
    "msgspec",
    "limits",
    "prometheus_client",
    "pillow_heif",
)
PROBE = """
import json, sys
from functions import create_app
answer = create_app().test_client().get("/health")
assert answer.status_code == 200, answer.data
print(json.dumps([len(sys.modules), sorted(set(sys.argv[1:]) & set(sys.modules))]))
"""


def measure() -> dict[str, Any]:
    """Heavy modules in `sys.modules` of a fresh process, and compiled packages a gunicorn worker maps."""
    with tempfile.TemporaryDirectory() as name, Server(Path(name)) as server:
        mapped = sorted(server.mapped())
        probe = subprocess.run(
            [sys.executable, "-c", PROBE, *HEAVY],
            cwd=ROOT,
            env=server.environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
    modules, held = json.loads(probe.stdout.splitlines()[-1])
    return {
        "benchmark": "imports",
        "modules": modules,
        "heavy_held": held,
        "compiled_packages_mapped": mapped,
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    held = ", ".join(found["heavy_held"]) or "none"
    mapped = ", ".join(found["compiled_packages_mapped"]) or "none"
    return (
        f"A process that has answered /health holds {found['modules']} modules; "
        f"of {', '.join(HEAVY)}: {held}. "
        f"Compiled packages mapped by the worker: {mapped}."
    )
