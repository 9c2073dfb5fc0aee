"""The restore drill with figures: backed up, backed up again, verified, restored, and moved to PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from lib.photos.storage import open_photos
from scripts.benchmarks import reads
from scripts.benchmarks.photos import seedlings
from scripts.benchmarks.postgres import postgres
from scripts.benchmarks.server import ROOT, Server

AT_ONCE = 50  # photos of one upload
FIRST_DAY = date(2025, 6, 1)  # each upload is of another
LATER = 10  # photos that come after the first backup


@dataclass
class Answer:
    """What a server answered, as `reads` compares it."""

    status_code: int
    content: bytes
    headers: Any


@dataclass
class Drill:
    """The server that is backed up, and how long each step took, in seconds."""

    server: Server
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    differences: dict[str, int] = field(default_factory=dict)

    def run(self, step: str, script: str, *arguments: str, **environ: str) -> dict[str, Any]:
        """Runs a script, as cron would; its last line. RuntimeError unless it ended well."""
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            cwd=ROOT,
            env=self.server.environment | environ,
            capture_output=True,
            text=True,
        )
        self.seconds[step] = round(time.perf_counter() - started, 3)
        if done.returncode:
            raise RuntimeError(f"{script} ended with {done.returncode}: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def compare(self, what: str, before: dict[str, Answer], ordered: bool = True, **environ: str) -> None:
        """Starts a server on what was restored, and counts on how many addresses it answers something else."""
        other = Server(self.folder / what)
        other.folder.mkdir(exist_ok=True)
        other.environment |= environ
        other.key = self.server.key
        with other:
            after = answers(other)
        skipped = () if ordered else ("/api/status",)  # it tells which kind of database it is
        self.differences[what] = len(before.keys() ^ after.keys()) + sum(
            reads.comparable(before[address], ordered) != reads.comparable(after[address], ordered)
            for address in before.keys() & after.keys()
            if address not in skipped
        )


def measure(photos: int) -> dict[str, Any]:
    """`photos` seedlings and some more, uploaded to a server on SQLite, and what moving them takes."""
    several = zip_longest(*seedlings().values())
    sources = [path for path in chain.from_iterable(several) if path][: photos + LATER]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "field"
        folder.mkdir()
        with Server(folder).prepare() as server:
            return _measured(server, Path(name), sources)


def _measured(server: Server, folder: Path, sources: list[Path]) -> dict[str, Any]:
    drill = Drill(server, folder)
    first, later = sources[:-LATER], sources[-LATER:]
    for number, start in enumerate(range(0, len(first), AT_ONCE)):
        server.upload(first[start : start + AT_ONCE], date=str(FIRST_DAY + timedelta(days=number)))
    backups = str(folder / "backups")
    whole = drill.run("backup", "backup.py", backups)
    drill.run("backup of nothing new", "backup.py", backups)
    server.upload(later, date=str(FIRST_DAY - timedelta(days=1)))
    more = drill.run(f"backup of {LATER} more", "backup.py", backups)
    before = answers(server)
    last = drill.run("backup and verify", "backup.py", backups, "--verify")
    url, data = f"sqlite:///{folder}/new.db", str(folder / "new-photos")
    drill.run("restore", "restore.py", backups, DATABASE_URL=url, DATA_DIR=data)
    drill.compare("restored", before, DATABASE_URL=url, DATA_DIR=data)
    lost = _other_photos(Path(server.environment["DATA_DIR"]), Path(data))
    found = {
        "benchmark": "restore",
        "photos": last["photos"],
        "rows": last["rows"],
        "megabytes": round(_size(Path(server.environment["DATA_DIR"])) / 1e6, 1),
        "database_megabytes": round(last["database_bytes"] / 1e6, 1),
        "copied": [whole["photos_copied"], more["photos_copied"]],
        "addresses": len(before),
        "photos_that_differ": lost,
        "verified": last["verified"],
    }
    with postgres() as running:
        if running is not None:
            _move(drill, before, folder, running.url, str(running.programs))
    broken = [what for what, count in drill.differences.items() if count]
    broken += ["photos that differ"] * bool(lost) + ["not verified"] * (last["verified"] is not True)
    return found | {"seconds": drill.seconds, "differences": drill.differences, "broken": broken}


def _move(drill: Drill, before: dict[str, Answer], folder: Path, server: str, programs: str) -> None:
    """SQLite into PostgreSQL, and a backup and restore of that."""
    from lib.store import migrate
    from lib.store.dumps import scratch

    path = {"PATH": f"{programs}:{os.environ.get('PATH', '')}"}
    source, data = drill.server.environment["DATABASE_URL"], drill.server.environment["DATA_DIR"]
    with scratch("postgresql", folder, server) as url, scratch("postgresql", folder, server) as empty:
        migrate.up(url)
        drill.run("copy to PostgreSQL", "copy_database.py", "--from", source, "--to", url)
        drill.compare("copied", before, False, DATABASE_URL=url, DATA_DIR=data)
        backups = str(folder / "postgres-backups")
        drill.run(
            "backup and verify of PostgreSQL", "backup.py", backups, "--verify", DATABASE_URL=url, **path
        )
        place = {"DATABASE_URL": empty, "DATA_DIR": str(folder / "third-photos")}
        drill.run("restore of PostgreSQL", "restore.py", backups, **place, **path)
        drill.compare("restored on PostgreSQL", before, False, **place)


def describe(found: dict[str, Any]) -> str:
    """The figures in words."""
    seconds = "\n".join(f"  {step:34} {took:8.2f} s" for step, took in found["seconds"].items())
    differ = ", ".join(f"{what} {count}" for what, count in found["differences"].items())
    return (
        f"restore: {found['photos']} photos ({found['megabytes']} MB), {found['rows']} rows "
        f"({found['database_megabytes']} MB); verified: {found['verified']}\n{seconds}\n"
        f"  of {found['addresses']} addresses answered otherwise: {differ}; photos with other bytes: "
        f"{found['photos_that_differ']}"
    )


def answers(server: Server) -> dict[str, Answer]:
    """What a server answers on every read route."""

    def ask(address: str) -> Answer:
        request = Request(f"http://127.0.0.1:{server.port}{address}", headers={"X-API-Key": server.key})
        with urlopen(request, timeout=600) as reply:  # noqa: S310
            return Answer(reply.status, reply.read(), reply.headers)

    return {address: ask(address) for address in reads.addresses(lambda each: json.loads(ask(each).content))}


def _other_photos(old: Path, new: Path) -> int:
    """How many photos are not the same in two folders."""
    was, now = open_photos(old), open_photos(new)
    there = set(now.stored())
    return sum(path not in there or was.read(path) != now.read(path) for path in was.stored())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "photos").rglob("*") if path.is_file())
