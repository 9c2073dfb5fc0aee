"""GET /ready: may this machine be sent requests? Names everything that is not in order.

It imports every function, with NumPy and Pillow: whether a machine is alive is better asked of /health.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from lib import observe
from lib.dispatcher import Call, served_functions
from lib.operations import operation
from lib.problems import Problem
from lib.routes import import_function


class Ready(msgspec.Struct):
    """`checks` names what was looked at; `warnings` what is odd but does not stop the machine."""

    status: str
    checks: list[str]
    warnings: list[str]


@operation("Readiness: database, migrations, functions, disk")
def get(call: Call) -> Ready:
    checks = ["functions", "disk"]
    wrong = _functions() + _disk(call)
    warnings: list[str] = []
    if call.settings.mode == "database":
        checks += ["database", "migrations"]
        wrong += _database(call)
    else:
        checks.append("files")
        warnings = [f"files: {name}: {reason}" for name, reason in call.services.files.broken()]
    if wrong:
        raise Problem(503, "Not ready", "; ".join(wrong), kind="not-ready", failures=wrong, warnings=warnings)
    return Ready("ready", checks, warnings)


def _functions() -> list[str]:
    wrong = []
    for function in served_functions():
        try:
            import_function(function)
        except Problem:
            wrong.append(f"function {function.name}: cannot be imported")
    return wrong


def _disk(call: Call) -> list[str]:
    folders = {"OUTPUT_DIR": call.settings.output_dir}
    if call.settings.mode == "database":
        folders = {"DATA_DIR": call.settings.data_dir}
    return [f"disk: {name} is not writable" for name, folder in folders.items() if not _writable(folder)]


def _writable(folder: Path) -> bool:
    """True when a file can be made there; asks by doing, because a full or read-only disk lies to access()."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".ready-", dir=folder)
        try:
            os.write(handle, b"ready")
        finally:
            os.close(handle)
            Path(name).unlink()
    except OSError:
        return False
    return True


def _database(call: Call) -> list[str]:
    from lib.store import migrate

    try:
        call.services.database.ping()
        waiting = migrate.pending_on(call.services.database.db)
    except Problem as problem:
        return [f"database: {problem.detail}"]
    except Exception:
        observe.LOG.exception("the database cannot be asked")
        return ["database: cannot be reached"]
    return [f"migrations: {len(waiting)} not applied; run scripts/migrate.py up"] if waiting else []
