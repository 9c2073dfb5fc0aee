"""A waiting archive: photos per second without and with workers, and the rows after a worker was killed halfway."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from lib.photos.decode import decode
from lib.photos.examine import examine
from lib.photos.folder_storage import FolderPhotos
from lib.photos.identify import inspect
from lib.store import migrate
from lib.store.database import DatabaseStore
from lib.store.records import NewPhoto
from scripts.benchmarks.photos import seedlings
from scripts.benchmarks.rows import differences
from scripts.benchmarks.server import ROOT

ENGINES = {
    "plain": (),
    "1 worker": ("--engine", "dask", "--workers", "1"),
    "2 workers": ("--engine", "dask", "--workers", "2"),
}
FIRST_DAY = date(2025, 6, 1)
A_DAY = 20  # photos


def measure(photos: int, runs: int) -> dict[str, Any]:
    """Each engine in turn, `runs` times, on fresh copies of the same waiting photos."""
    with tempfile.TemporaryDirectory(prefix="weeds-archive-") as name:
        folder = Path(name)
        _fill(folder / "waiting", photos)
        seconds: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        starts: dict[str, list[float]] = {engine: [] for engine in ENGINES}
        for _, engine in itertools.product(range(runs), ENGINES):
            done = _copy(folder / "waiting", folder / engine)
            seconds[engine].append(_timed(done, ENGINES[engine]))
            starts[engine].append(_timed(done, ENGINES[engine]))  # nothing waits any more
        killed = _copy(folder / "waiting", folder / "killed")
        summary = _with_a_worker_killed(killed, photos)
        found = {
            "photos": photos,
            "runs": runs,
            "seconds": {engine: round(statistics.median(each), 2) for engine, each in seconds.items()},
            "start_seconds": {engine: round(statistics.median(each), 2) for engine, each in starts.items()},
            "photos_per_second": {
                engine: round(
                    photos / (statistics.median(seconds[engine]) - statistics.median(starts[engine])), 1
                )
                for engine in ENGINES
            },
            "different_rows": {
                engine: differences(_url(folder / "plain"), _url(folder / engine)) for engine in ENGINES
            },
            "killed": {
                "workers_lost": summary["workers_lost"],
                "classified": summary["classified"],
                "different_rows": differences(_url(folder / "plain"), _url(killed)),
            },
        }
        unlike = found["different_rows"] | {"a worker killed": found["killed"]["different_rows"]}
        found["broken"] = [
            f"{how}: {rows} rows unlike the plain run's" for how, rows in unlike.items() if rows
        ]
    return found


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    lines = [f"Archive of {found['photos']} photos, median of {found['runs']} runs:"]
    for engine, rate in found["photos_per_second"].items():
        lines.append(
            f"  {engine:9}  {rate:6.1f} photos/s   ({found['seconds'][engine]:.1f} s, of which start "
            f"{found['start_seconds'][engine]:.1f} s; rows unlike the plain run's: "
            f"{found['different_rows'][engine]})"
        )
    killed = found["killed"]
    lines.append(
        f"  a worker killed halfway: {killed['workers_lost']} lost, {killed['classified']} photos named; "
        f"rows unlike the plain run's: {killed['different_rows']}"
    )
    return "\n".join(lines)


def _fill(folder: Path, count: int) -> None:
    """A database with so many seedlings that no model has seen, twenty a day."""
    folder.mkdir(parents=True)
    migrate.up(_url(folder))
    store = DatabaseStore(_url(folder))
    user = store.create_user("bench", "bench@example.org", "d" * 64, "bench", ["write"])
    mine = store.for_user(user.id)
    session = mine.create_session("field", timezone="Asia/Tokyo")
    files = FolderPhotos(folder / "data")
    every = sorted(path for paths in seedlings().values() for path in paths)
    if count > len(every):
        raise SystemExit(f"there are only {len(every)} seedlings")
    for number, path in enumerate(every[:: len(every) // count][:count]):
        data = path.read_bytes()
        digest = sha256(data).hexdigest()
        header = inspect(data, path.name)
        new = NewPhoto(
            session_id=session.id,
            path=files.put(session.id, digest, "jpg", data),
            date=FIRST_DAY + timedelta(days=number // A_DAY),
            date_source="form",
            captured_at=None,
            original_filename=path.name,
            sha256=digest,
            **examine(data, header, decode(data, filename=path.name, header=header)),
        )
        mine.add_photo(new)
    store.close()


def _copy(waiting: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(waiting, folder))


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'weeds.db'}"


def _start(folder: Path, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    shown = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    unset = {line.partition("=")[0]: "" for line in shown if line and not line.startswith("#")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "process_backlog.py"), *arguments],
        cwd=folder,
        env=os.environ | unset | {"DATABASE_URL": _url(folder), "DATA_DIR": str(folder / "data")},
        stdout=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    summary: dict[str, Any] = json.loads(out.splitlines()[-1])
    if process.returncode != 0:
        raise RuntimeError(f"the run ended with {process.returncode}: {summary}")
    return summary


def _timed(folder: Path, arguments: tuple[str, ...]) -> float:
    started = time.perf_counter()
    _ended(_start(folder, arguments))
    return time.perf_counter() - started


def _with_a_worker_killed(folder: Path, photos: int) -> dict[str, Any]:
    """A run of two workers, of which the one that comes to the photo in the middle is killed."""
    store = DatabaseStore(_url(folder))
    middle = folder / "data" / store.unprocessed(1, photos // 2)[0][1].path
    store.close()
    data = middle.read_bytes()
    middle.unlink()
    os.mkfifo(middle)  # who reads it waits
    process = _start(folder, ENGINES["2 workers"])
    with middle.open("wb"):
        reader = next(pid for pid in _children(process.pid) if _reads(pid, middle))
        middle.unlink()
        middle.write_bytes(data)
        os.kill(reader, signal.SIGKILL)
    return _ended(process)


def _children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listed in lists for child in listed.read_text().split()]


def _reads(pid: int, file: Path) -> bool:
    return any(
        handle.is_symlink() and handle.readlink() == file for handle in Path(f"/proc/{pid}/fd").iterdir()
    )
