"""Uploads while the server is killed at random moments: what is lost, left over or out of step afterwards."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from PIL import Image

from lib.photos.storage import PHOTOS, THUMBNAILS, is_temporary, open_photos
from lib.store.database import DatabaseStore
from lib.store.migrate import plain_database
from scripts.benchmarks.interrupted import Attempt, Clients, Upload, uploads
from scripts.benchmarks.photos import seedlings
from scripts.benchmarks.postgres import DATABASES, database
from scripts.benchmarks.rows import rows
from scripts.benchmarks.server import Server

CLIENTS = 4  # as many as the server takes uploads at once
UPLOADS_A_KILL = 15
LEAST_KILLS = 3
LAST, PHOTOS_EACH = 8, 4  # uploads at the end that nobody sends again
LONGEST_WAIT = 0.6  # seconds from a moment at which an upload is on its way to the kill
SHORT_SIDE = 128  # pixels of the smallest photo that is taken
FIRST_DAY, DAYS = date(2025, 6, 1), 12
OLD = 2 * 3600  # seconds: older than what the sweep leaves alone
# What must be nothing.
PROMISES = (
    "acknowledged_lost",
    "rows_without_files",
    "files_without_rows",
    "temporary_files",
    "days_that_differ",
    "days_behind",
    "unprocessed",
    "unnamed",
    "duplicates",
    "unexpected_answers",
    "jobs_that_failed",
)


def measure(count: int, kind: str | None, seed: int) -> dict[str, Any]:
    """`count` uploads with a kill for each fifteen, on one kind of database, or on each in turn."""
    found: dict[str, Any] = {"benchmark": "crash", "seed": seed}
    for each in (kind,) if kind else DATABASES:
        with tempfile.TemporaryDirectory(prefix="weeds-crash-") as name, database(each, Path(name)) as url:
            found[each] = run(url, Path(name), count, kills_of(count), seed)
    found["broken"] = broken(found)
    return found


def kills_of(count: int) -> int:
    """How often the server is killed during so many uploads."""
    return max(LEAST_KILLS, count // UPLOADS_A_KILL)


def broken(found: dict[str, Any]) -> list[str]:
    """The promises that do not hold, each with its database."""
    return [
        f"{kind}: {promise} {found[kind][promise]}"
        for kind in DATABASES
        if kind in found
        for promise in PROMISES
        if found[kind][promise]
    ]


def run(url: str, folder: Path, count: int, kills: int, seed: int, hurried: bool = False) -> dict[str, Any]:
    """`count` uploads to a server on the empty database of `url`, which is killed `kills` times; what came of it.

    An upload with an Idempotency-Key that dies with the server is refused for two minutes, as if the first request
    were still at work. `hurried`: its mark is made as old as that while the server is down, so that nobody waits.
    """
    chance = random.Random(seed)  # noqa: S311
    server = Server(folder)
    server.environment["DATABASE_URL"] = url
    server.prepare()
    started = time.monotonic()
    server.start()
    try:
        sessions = [_session(server, name) for name in ("north", "south")]
        days = [str(FIRST_DAY + timedelta(days=number)) for number in range(DAYS)]
        photos = _photos(count * 3 + LAST * PHOTOS_EACH)
        sent = uploads(count, photos[LAST * PHOTOS_EACH :], sessions, days, chance)
        last = [
            Upload(count + number, tuple(photos[number::LAST][:PHOTOS_EACH]), each, day, None, False, False)
            for number, each, day in zip(range(LAST), itertools.cycle(sessions), days, strict=False)
        ]
        clients = Clients.of(server, sent, CLIENTS, 0.2 if hurried else 60.0)
        clients.start()
        hit = _kill_now_and_then(clients, count, kills, chance, hurried)
        clients.join()
        end, careless = _kill_for_good(server, last, chance)
        hit.append(end)
        acknowledged = [*clients.acknowledged, *careless.acknowledged]
        refused = [*clients.refused, *careless.refused]
        statuses = clients.statuses + careless.statuses
        seconds = time.monotonic() - started
        server.start()
        found = {
            "uploads": count + len(last),
            "photos": sum(len(each.photos) for each in (*sent, *last)),
            "clients": CLIENTS,
            "kills": len(hit),
            "kills_in_flight": sum(any(attempt.lost for attempt in each) for each in hit),
            "connections_lost": sum(attempt.lost for each in hit for attempt in each),
            "resent": clients.resent,
            "given_up": clients.given_up + careless.given_up,
            "answers": {str(status): number for status, number in sorted(statuses.items())},
            "acknowledged": len(acknowledged),
            "unexpected_answers": len(refused),
            "first_unexpected": refused[0] if refused else None,
            "seconds": round(seconds, 1),
        }
        return found | afterwards(server, acknowledged)
    finally:
        server.stop()


def _kill_now_and_then(
    clients: Clients, count: int, kills: int, chance: random.Random, hurried: bool
) -> list[list[Attempt]]:
    """Kills the server when so many uploads have ended, a moment after one began; what was on its way each time."""
    hit = []
    # Not among the last tenth: these may all be waiting for their keys to be free again.
    moments = sorted(chance.sample(range(count * 9 // 10), kills))
    for ended, following in itertools.pairwise([*moments, count * 9 // 10]):
        # However quick the machine is, there is an upload to hit, and enough are left for the next kills.
        if not clients.wait_for_sender(ended) or not clients.wait_for_sender(
            following, chance.uniform(0, LONGEST_WAIT)
        ):
            break
        clients.up.clear()
        with clients.changed:
            hit.append(list(clients.in_flight))
        clients.server.kill()
        if hurried:
            _age_marks(clients.server.environment["DATABASE_URL"])
        clients.server.start()
        clients.up.set()
    return hit


def _kill_for_good(
    server: Server, last: Sequence[Upload], chance: random.Random
) -> tuple[list[Attempt], Clients]:
    """Kills the server amid uploads that nobody sends again: what they leave, only the backlog's job clears up."""
    clients = Clients.of(server, last, CLIENTS)
    clients.start()
    clients.wait_for_sender(0)
    clients.wait_for_sender(len(last) // 2, chance.uniform(0, LONGEST_WAIT))
    with clients.changed:
        clients.over = True
        hit = list(clients.in_flight)
    server.kill()
    clients.join()
    return hit, clients


def _age_marks(url: str) -> None:
    with closing(plain_database(url)) as database:
        database.connect()
        database.execute_sql(
            "UPDATE idempotency_keys SET created_at = '2000-01-01 00:00:00' WHERE status IS NULL"
        )


def afterwards(server: Server, acknowledged: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """What the backlog's job does once the server runs again, and what is wrong after it.

    The files are made old first, as they are when cron comes by: the sweep leaves young ones alone.
    """
    data = Path(server.environment["DATA_DIR"])
    past = time.time() - OLD
    for path in (each for each in data.rglob("*") if each.is_file()):
        os.utime(path, (past, past))
    backlog = server.job("process_backlog.py")
    found = {"backlog": {name: backlog[name] for name in ("classified", "days_recomputed", "files_swept")}}
    found |= examine(server.environment["DATABASE_URL"], data, acknowledged)
    found |= _fresh(server)
    found["jobs_that_failed"] = (backlog["exit"] != 0) + found.pop("recomputations_failed")
    return found


def examine(url: str, data: Path, acknowledged: Sequence[tuple[int, str]]) -> dict[str, int]:
    """Compares the answers, the rows and the files; counts what is not as it must be."""
    files = open_photos(data)
    with closing(plain_database(url)) as database:
        database.connect()
        cursor = database.execute_sql("SELECT id, session_id, sha256, path, is_processed FROM image_data")
        photos = cursor.fetchall()
        (named,) = database.execute_sql(
            "SELECT count(DISTINCT image_data_id) FROM prediction_results"
        ).fetchone()
    store = DatabaseStore(url)
    with store.connection():
        behind = len(store.stale_days())
    store.close()
    stored = set(files.stored())
    paths = {row[3] for row in photos}
    kept = {
        row[0]: row[2]
        for row in photos
        if row[3] in stored and hashlib.sha256(files.read(row[3])).hexdigest() == row[2]
    }
    everything = [path for place in (PHOTOS, THUMBNAILS) for path, _ in files.listed(place)]
    contents = Counter((row[1], row[2]) for row in photos)
    return {
        "photos_kept": len(photos),
        "acknowledged_lost": sum(kept.get(number) != digest for number, digest in set(acknowledged)),
        "rows_without_files": len(photos) - len(kept),
        "files_without_rows": len(stored - paths),
        "temporary_files": sum(map(is_temporary, everything)),
        "unprocessed": sum(not row[4] for row in photos),
        "unnamed": len(photos) - named,
        "duplicates": sum(number - 1 for number in contents.values()),
        "days_behind": behind,
    }


def _fresh(server: Server) -> dict[str, int]:
    """Has all days computed anew, and counts those whose rows were otherwise before.

    Once as cron does it, which computes the days that it finds out of step, and once with all digests forgotten, so
    that it computes every day.
    """
    url = server.environment["DATABASE_URL"]
    before = rows(url)
    usual = server.job("recompute_metrics.py")
    with closing(plain_database(url)) as database:
        database.connect()
        for table in ("diversity_metrics", "pooled_metrics"):
            database.execute_sql(f"UPDATE {table} SET inputs_digest = ''")
    anew = server.job("recompute_metrics.py")
    after = rows(url)
    differ = sum(
        one != other for name in before for one, other in itertools.zip_longest(before[name], after[name])
    )
    return {
        "days": anew["computed"],
        "days_that_differ": differ + usual["computed"] + usual["removed"] + anew["unchanged"],
        "recomputations_failed": usual["failed"] + anew["failed"],
    }


def _session(server: Server, name: str) -> int:
    asked = Request(
        f"http://127.0.0.1:{server.port}/api/sessions",
        json.dumps({"session_name": name}).encode(),
        {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"},
    )
    with urlopen(asked, timeout=60) as reply:  # noqa: S310
        return int(json.load(reply)["id"])


def _photos(count: int) -> list[bytes]:
    """Seedlings of all species in turn, each of other bytes and large enough to be taken."""
    found: dict[bytes, None] = {}
    for path in itertools.chain.from_iterable(itertools.zip_longest(*seedlings().values())):
        if path is None:
            continue
        data = path.read_bytes()
        with Image.open(BytesIO(data)) as image:
            if min(image.size) >= SHORT_SIDE:
                found[data] = None
        if len(found) == count:
            break
    return list(found)


def describe(found: dict[str, Any]) -> str:
    """The figures in words."""
    lines = []
    for kind in DATABASES:
        if kind not in found:
            continue
        one = found[kind]
        answers = ", ".join(f"{number} × {status}" for status, number in one["answers"].items())
        lines.append(
            f"crash on {kind}: {one['uploads']} uploads of {one['photos']} photos by {one['clients']} clients in "
            f"{one['seconds']} s; {one['kills']} kills, {one['kills_in_flight']} of them with uploads in flight "
            f"({one['connections_lost']} connections lost); {one['resent']} sent again, {one['given_up']} given "
            f"up; answers: {answers}; {one['photos_kept']} photos kept, {one['acknowledged']} acknowledged.\n"
            f"  The backlog's job named {one['backlog']['classified']} photos, brought "
            f"{one['backlog']['days_recomputed']} days up to date, swept {one['backlog']['files_swept']} files. "
            f"Acknowledged photos lost: {one['acknowledged_lost']}; rows without files: "
            f"{one['rows_without_files']}; files without rows: {one['files_without_rows']}; half-written files: "
            f"{one['temporary_files']}; of {one['days']} days differ from a fresh recomputation: "
            f"{one['days_that_differ']}; photos left unprocessed: {one['unprocessed']}; the same content twice in "
            f"a session: {one['duplicates']}."
        )
    lines.append("Broken: " + "; ".join(found["broken"]) if found["broken"] else "Every promise holds.")
    return "\n".join(lines)
