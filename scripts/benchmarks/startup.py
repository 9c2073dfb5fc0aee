"""Process start to the first 200 on /health, against a bare Flask hello under the same gunicorn settings."""

from __future__ import annotations

import compileall
import statistics
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from scripts.benchmarks.server import ROOT, Server

HELLO = '''"""A bare Flask application."""
from flask import Flask

app = Flask("hello")


@app.get("/health")
def health():
    return {"status": "ok"}
'''
# The values of gunicorn.conf.py, written out: the yardstick reads no settings and sets up no logging of ours.
SETTINGS = '''"""Plain gunicorn settings."""
import os

wsgi_app = "hello:app"
bind = ["0.0.0.0:" + os.environ["PORT"]]
workers = 1
worker_class = "gthread"
threads = 8
graceful_timeout = 25
timeout = 120
keepalive = 65
worker_tmp_dir = "/dev/shm"
accesslog = None
control_socket_disable = True
'''


def compile_all() -> None:
    """Bytecode for the packages and for the project: without, one measures the compiler."""
    compileall.compile_dir(sysconfig.get_paths()["purelib"], quiet=2, workers=0)
    for name in ("functions", "lib"):
        compileall.compile_dir(ROOT / name, quiet=2)


def measure(runs: int) -> dict[str, Any]:
    """`runs` alternating starts of each; medians, and their ratio."""
    compile_all()
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hello.py").write_text(HELLO)
        (folder / "gunicorn.conf.py").write_text(SETTINGS)
        compileall.compile_file(folder / "hello.py", quiet=2)
        for _ in range(runs + 1):
            for server, seconds in ((Server(folder, cwd=folder), bare), (Server(folder), ours)):
                seconds.append(server.start())
                server.stop()
    # The first pair reads everything from the disk; it is not counted.
    del ours[0], bare[0]
    return {
        "benchmark": "startup",
        "runs": runs,
        "python": sys.version.split()[0],
        "ours_ms": round(statistics.median(ours) * 1000, 1),
        "bare_flask_ms": round(statistics.median(bare) * 1000, 1),
        "ratio": round(statistics.median(ours) / statistics.median(bare), 3),
        "ours_range_ms": [round(min(ours) * 1000, 1), round(max(ours) * 1000, 1)],
        "bare_flask_range_ms": [round(min(bare) * 1000, 1), round(max(bare) * 1000, 1)],
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    return (
        f"Start to first 200 on /health, median of {found['runs']} alternating runs: {found['ours_ms']} ms; "
        f"bare Flask hello {found['bare_flask_ms']} ms; ratio {found['ratio']}."
    )
