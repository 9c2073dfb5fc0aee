"""Every operation of the OpenAPI document asked thousands of questions by schemathesis, good ones and bad ones."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from scripts.benchmarks import seasons
from scripts.benchmarks.postgres import database
from scripts.benchmarks.server import ROOT, Server

PHASES = ("examples", "coverage", "fuzzing", "stateful")
CALLERS = ("nobody", "reader", "owner")  # without a key, with one that may only read, with one of all scopes
ANSWER_SECONDS = 60  # the longest deadline of an operation that does not make a file
LONGEST_BODY = 500  # bytes of one that are shown
DAYS_APART = 4  # of the season's surveys: exports of years take seconds each, and say no more
OPERATIONS = 32  # about; only to share the cases out


@dataclass
class Asked:
    """What one run sent, what came back, and what was wrong with it."""

    cases: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def ask(
    base: str,
    folder: Path,
    *,
    key: str = "",
    keep_key: int | str = "",
    keep_session: int | str = "",
    seed: int = 1,
    examples: int = 20,
    phases: tuple[str, ...] = PHASES,
) -> Asked:
    """Runs schemathesis with all its checks against a server; its scratch files go into `folder`.

    `examples` are those of each operation and phase; the phase `coverage` makes others of the document itself.
    With `key`, the key of number `keep_key` and the session `keep_session` are not deleted.
    """
    report = folder / "report.ndjson"
    config = folder / "schemathesis.toml"
    # Here rather than on the command line, which every user of a machine can read.
    config.write_text(f'[headers]\nAuthorization = "Bearer {key}"\n' if key else "", encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
        f"{base}/openapi.json", "--url", base, "--checks", "all", "--phases", ",".join(phases),
        "--seed", str(seed), "--max-examples", str(examples), "--no-shrink", "--continue-on-failure",
        "--generation-database", "none", "--suppress-health-check", "all",
        "--request-timeout", str(ANSWER_SECONDS), "--max-response-time", str(ANSWER_SECONDS), "--no-color",
        "--report", "ndjson", "--report-ndjson-path", str(report),
    ]  # fmt: skip
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "scripts.benchmarks.fuzz_rules",
        "PYTHONPATH": str(ROOT),
        "FUZZ_KEY": str(keep_key),
        "FUZZ_SESSION": str(keep_session),
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    found = read(report) if report.is_file() else Asked()
    (folder / "schemathesis.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode and not found.failures:
        found.failures.append(
            f"schemathesis ended with {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return found


def read(report: Path) -> Asked:
    """The figures of a report that schemathesis wrote, one event a line.

    Cases with a method that an address does not take count as its operation's; status 0 is no answer at all.
    """
    found = Asked()
    for line in report.read_text(encoding="utf-8").splitlines():
        ((kind, event),) = json.loads(line).items()
        if kind in ("NonFatalError", "FatalError"):
            found.failures.append(f"{event.get('label')}: {json.dumps(event.get('value', event))[:1000]}")
        if kind == "ScenarioFinished":
            _scenario(found, event)
    return found


def _scenario(found: Asked, event: dict[str, Any]) -> None:
    recorder = event["recorder"]
    interactions = recorder.get("interactions", {})
    for interaction in interactions.values():
        found.cases += 1
        found.operations[recorder["label"]] += 1
        status = (interaction.get("response") or {}).get("status_code", 0)
        found.statuses[status] += 1
        if status >= 500:  # whatever the document says
            found.failures.append(_exchange(interaction))
    for case, checks in recorder.get("checks", {}).items():
        for check in checks:
            found.checks[check["name"]] += 1
            if check["status"] != "success":
                said = check.get("failure_info", {}).get("failure", {}).get("message", "")
                found.failures.append(f"{check['name']}: {said!r} {_exchange(interactions.get(case))}")


def _exchange(interaction: dict[str, Any] | None) -> str:
    """A request and its answer in one line."""
    if interaction is None:
        return ""
    request, response = interaction["request"], interaction.get("response") or {}
    bodies = [
        base64.b64decode((each or {}).get("$base64", ""))[:LONGEST_BODY]
        for each in (request.get("body"), response.get("content"))
    ]
    return f"{request['method']} {request['uri']} {bodies[0]!r}: {response.get('status_code')} {bodies[1]!r}"


def measure(cases: int, seed: int, kind: str = "sqlite") -> dict[str, Any]:
    """At least `cases` requests to a server with a season of data on one `kind` of database, of three callers."""
    examples = math.ceil(cases / len(CALLERS) / OPERATIONS)
    with tempfile.TemporaryDirectory(prefix="weed-fuzz-") as name:
        server = Server(Path(name))
        # Wrong keys are what is tried here; that too many are refused has tests of its own.
        server.environment["WRONG_KEY_LIMIT"] = "1000000/minute"
        server.prepare()
        with server:
            full = seasons.fill(server, (2025,), every=DAYS_APART)
        with database(kind, server.folder) as url:
            if url != server.environment["DATABASE_URL"]:
                _copy(server, url)
            found = _all_callers(server, full.session, examples, seed)
        log = (server.folder / "server.log").read_text(encoding="utf-8", errors="replace")
    failures = [f"{caller}: {line}" for caller, each in found.items() for line in each.failures]
    if "Traceback" in log:
        failures.append(f"a traceback in the log: {log[log.index('Traceback') - 500 :][:3000]}")
    total = sum(each.cases for each in found.values())
    if total < cases:
        failures.append(f"only {total} of {cases} cases were sent")
    operations: Counter[str] = sum((each.operations for each in found.values()), Counter())
    statuses: Counter[int] = sum((each.statuses for each in found.values()), Counter())
    checks: Counter[str] = sum((each.checks for each in found.values()), Counter())
    return {
        "what": "fuzz",
        "database": kind,
        "seed": seed,
        "cases": total,
        "cases_of": {caller: each.cases for caller, each in found.items()},
        "operations": dict(sorted(operations.items())),
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "checks": dict(sorted(checks.items())),
        "failures": failures,
    }


def _all_callers(server: Server, session: int, examples: int, seed: int) -> dict[str, Asked]:
    found = {}
    with server:
        base = f"http://127.0.0.1:{server.port}"
        (own,) = _json(server, "/api/keys")["keys"]
        reader = _json(server, "/api/keys", {"name": "reader", "scopes": ["read"]})
        keys = {
            "nobody": ("", ""),
            "reader": (reader["secret"], reader["id"]),
            "owner": (server.key, own["id"]),
        }
        for caller in CALLERS:  # the owner last, who may delete
            folder = server.folder / caller
            folder.mkdir()
            key, number = keys[caller]
            found[caller] = ask(
                base, folder, key=key, keep_key=number, keep_session=session, seed=seed, examples=examples
            )
        with urlopen(f"{base}/health", timeout=ANSWER_SECONDS) as reply:  # noqa: S310 - it still answers
            assert reply.status == 200
    return found


def _json(server: Server, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = Request(
        f"http://127.0.0.1:{server.port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"},
    )
    with urlopen(request, timeout=ANSWER_SECONDS) as reply:  # noqa: S310
        return dict(json.load(reply))


def _copy(server: Server, url: str) -> None:
    source = server.environment["DATABASE_URL"]
    server.environment["DATABASE_URL"] = url
    for script, *arguments in (("migrate.py", "up"), ("copy_database.py", "--from", source, "--to", url)):
        command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
        subprocess.run(command, cwd=ROOT, env=server.environment, check=True, capture_output=True)


def describe(found: dict[str, Any]) -> str:
    """In words."""
    lines = [
        f"fuzz: {found['cases']:,} cases over {len(found['operations'])} operations "
        f"({found['database']}, seed {found['seed']}): {len(found['failures'])} failures"
    ]
    return "\n".join([*lines, *(f"  {line}" for line in found["failures"])])
