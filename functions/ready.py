"""GET /ready: may this machine be sent requests? Names everything that is not in order.

It imports every function, with NumPy and Pillow: whether a machine is alive is better asked of /health.
"""

from __future__ import annotations

import msgspec

from lib import observe
from lib.dispatcher import Call, served_functions
from lib.operations import operation
from lib.photos.folder_storage import folder_writable
from lib.problems import Problem
from lib.routes import import_function


class Ready(msgspec.Struct):
    """`checks` names what was looked at; `warnings` what is odd but does not stop the machine."""

    status: str
    checks: list[str]
    warnings: list[str]


@operation("Readiness: database, migrations, functions, disk, model")
def get(call: Call) -> Ready:
    wrong = _functions()
    warnings: list[str] = []
    if call.settings.mode == "database":
        place = "disk" if call.settings.object_store is None else "photo store"
        checks = ["functions", place, "database", "migrations", "model"]
        wrong += _photos(call) + _database(call)
        warnings = _model(call) + _limits(call)
    else:
        checks = ["functions", "disk", "files"]
        if not folder_writable(call.settings.output_dir):
            wrong.append("disk: OUTPUT_DIR is not writable")
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


def _photos(call: Call) -> list[str]:
    if call.services.photos.writable():
        return []
    if call.settings.object_store is None:
        return ["disk: DATA_DIR is not writable"]
    return ["photo store: PHOTO_STORE cannot be reached or written to; the log says what it answered"]


def _model(call: Call) -> list[str]:
    """A warning, no failure: without a model photos are taken and kept, and everything else works."""
    from lib import classifier

    reason = classifier.trouble(call.settings.model_dir)
    return [f"model: {reason} Photos are kept and classified when it is mended."] if reason else []


def _limits(call: Call) -> list[str]:
    """A warning as well: without its storage nobody is limited, and everything works."""
    if call.services.wrong_keys.reachable():
        return []
    return ["limits: RATE_LIMIT_STORAGE does not answer; requests are let through without limits."]


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
