"""Many readers and some uploaders at once, at a server in 512 MB and one CPU: answers, times, memory, kills."""

from __future__ import annotations

import itertools
import os
import random
import re
import sqlite3
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from lib.config import STARTER_MODEL
from scripts.benchmarks import pages
from scripts.benchmarks.container import MEBIBYTE, forget
from scripts.benchmarks.control_group import Group, group
from scripts.benchmarks.photos import twelve_megapixels
from scripts.benchmarks.seasons import YEARS, Seasons, fill
from scripts.benchmarks.sending import Reply, answer, form, send
from scripts.benchmarks.server import Server

MEGABYTES, CPUS = 512, 1.0
SOURCES = 24  # photos of 12 megapixels; each is sent again as one of another moment
A_DAY = 40  # photos
FIRST_MOMENT = datetime(2024, 12, 1, 8, 0, tzinfo=UTC)  # between the seasons of the other days
THINK = 0.1  # seconds that a reader takes at most between two requests
NAMED_WITHIN = 300  # seconds after the load that the background has for the photos still waiting
ANSWER_SECONDS = 180
_TAKEN = re.compile(rb"2025:08:24 10:\d\d:\d\d")
KINDS = ("health", "page", "read", "upload")


@dataclass
class Seen:
    """What the clients met; written by many threads, each operation under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused_seconds: list[float] = field(default_factory=list)
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})
    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    impolite: int = 0  # 503 without Retry-After
    sent: int = 0
    acknowledged: set[int] = field(default_factory=set)

    def note(self, kind: str, address: str, reply: Reply, seconds: float) -> None:
        """Times of refusals are kept apart: they are quick, and would make the others look better."""
        with self.lock:
            self.statuses[kind][reply.status] += 1
            (self.refused_seconds if reply.status >= 400 else self.seconds[kind]).append(seconds)
            self.impolite += reply.status == 503 and reply.retry_after is None
            if reply.status not in (200, 201, 304, 503):
                self.unexpected.append(f"{address}: {reply.status} {reply.body[:200]!r}")


@dataclass
class Highest:
    """The most that the group held of its own, looked at on a thread of its own."""

    held: Group
    own: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.done.wait(0.2):
            self.own = max(self.own, self.held.usage().own)


def measure(
    seconds: float,
    readers: int,
    uploaders: int,
    limited: Callable[..., Any] = group,
    photos: Sequence[Path] | None = None,
) -> dict[str, Any]:
    """`readers` and `uploaders` at once for so many seconds, at a server in a group of 512 MB and one CPU."""
    photos = photos or twelve_megapixels(SOURCES)
    with tempfile.TemporaryDirectory(prefix="weeds-load-") as name:
        server = Server(Path(name)).prepare()
        with server:  # outside the group: what is made here is not what is measured
            seasons = fill(server)
        forget(STARTER_MODEL)
        forget(server.folder)
        plain = list(server.command)
        with limited("weeds-load", MEGABYTES * MEBIBYTE, CPUS) as held:
            server.command = held.entering(plain)
            with server:
                found = _loaded(server, held, seasons, seconds, (readers, uploaders), photos)
    found["broken"] = broken(found)
    return found


def _loaded(
    server: Server,
    held: Group,
    seasons: Seasons,
    seconds: float,
    counts: tuple[int, int],
    photos: Sequence[Path],
) -> dict[str, Any]:
    readers, uploaders = counts
    seen, highest = Seen(), Highest(held)
    workers = server.processes()
    addresses = _addresses(seasons)
    ends = time.monotonic() + seconds
    distinct = _distinct(photos)
    threads = [
        threading.Thread(target=_read, args=(server, seen, addresses, number, ends))
        for number in range(readers)
    ]
    threads += [
        threading.Thread(target=_upload, args=(server, seen, distinct, ends)) for _ in range(uploaders)
    ]
    watcher = threading.Thread(target=highest.watch)
    started = time.monotonic()
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - started
    waited = _wait_for_names(server)
    highest.done.set()
    watcher.join()
    usage = held.usage()
    kept, named = _named(server, seen.acknowledged)
    answers = sum(sum(each.values()) for each in seen.statuses.values())
    return {
        "benchmark": "load",
        "megabytes": MEGABYTES,
        "cpus": CPUS,
        "seconds": round(took, 1),
        "readers": readers,
        "uploaders": uploaders,
        "days": seasons.days,
        "photos_before": seasons.photos,
        "answers": answers,
        "answers_a_second": round(answers / took, 1),
        "statuses": {
            kind: {str(status): number for status, number in sorted(each.items())}
            for kind, each in seen.statuses.items()
        },
        "milliseconds": {kind: _percentiles(seen.seconds[kind]) for kind in KINDS},
        "refusals_milliseconds": _percentiles(seen.refused_seconds),
        "photos_sent": seen.sent,
        "photos_acknowledged": len(seen.acknowledged),
        "photos_kept": kept,
        "photos_named": named,
        "named_after_seconds": round(waited, 1),
        "kills": usage.kills,
        "same_processes": server.processes() == workers,
        "peak_own_mb": round(highest.own / MEBIBYTE, 1),
        "peak_with_cache_mb": round(usage.peak / MEBIBYTE, 1),
        "times_at_limit": usage.at_limit,
        "connections_lost": len(seen.lost),
        "unexpected": len(seen.unexpected),
        "first_trouble": (seen.unexpected or seen.lost or [None])[0],
        "refusals_without_retry_after": seen.impolite,
        "load_of_the_machine": round(os.getloadavg()[0], 1),
    }


def broken(found: dict[str, Any]) -> list[str]:
    """The promises that do not hold."""
    lost = found["photos_acknowledged"] - found["photos_kept"]
    nothing = {
        "killed by the kernel": found["kills"],
        "answers that are neither success nor a 503": found["unexpected"],
        "503 without Retry-After": found["refusals_without_retry_after"],
        "connections lost": found["connections_lost"],
        "acknowledged photos lost": lost,
        "photos left unnamed": found["photos_kept"] - found["photos_named"],
        "another process at the end": int(not found["same_processes"]),
        "no photo taken": int(not found["photos_acknowledged"]),
    }
    return [f"{what}: {number}" for what, number in nothing.items() if number]


def _addresses(seasons: Seasons) -> list[tuple[str, str]]:
    """What readers ask for, each with its kind: the pages as often as the API, and /health now and then."""
    year, day = YEARS[-1], seasons.day.isoformat()
    api = [
        "/api/status",
        f"/api/calendar/shannon_diversity?year={year}",
        f"/api/calendar/species_richness?year={year}&session={seasons.session}",
        f"/api/time-series?start_date={year}-05-01&end_date={year}-09-30",
        "/api/species-dashboard",
        f"/api/daily/{day}",
        "/api/images?limit=50",
        f"/api/images/{seasons.photo}",
        f"/api/images/{seasons.photo}/file?width=320",
        "/api/sessions",
        "/api/trend?metric=shannon_diversity",
    ]
    shown = [("page", address) for address in pages.addresses(seasons)]
    asked = [("read", address) for address in api]
    return [
        *shown,
        *itertools.islice(itertools.cycle(asked), len(shown)),
        ("health", "/health"),
        ("health", "/health"),
    ]


def _read(server: Server, seen: Seen, addresses: Sequence[tuple[str, str]], number: int, ends: float) -> None:
    """One reader on a connection that is kept; every second one asks whether what it had has changed."""
    _leave_the_first_processor()
    chance = random.Random(number)  # noqa: S311
    known: dict[str, str] = {}
    connection = _connection(server)
    while time.monotonic() < ends:
        kind, address = chance.choice(addresses)
        headers = {"X-API-Key": server.key, "Accept": "text/html,*/*;q=0.8", "Accept-Encoding": "gzip"}
        if number % 2 and address in known:
            headers["If-None-Match"] = known[address]
        started = time.monotonic()
        try:
            connection.request("GET", address, headers=headers)
            response = connection.getresponse()
            wait = response.headers.get("Retry-After")
            reply = Reply(response.status, int(wait) if wait else None, response.read())
        except (OSError, HTTPException) as error:
            with seen.lock:
                seen.lost.append(f"{address}: {error!r}")
            connection.close()
            connection = _connection(server)
            continue
        seen.note(kind, address, reply, time.monotonic() - started)
        if tag := response.headers.get("ETag"):
            known[address] = tag
        time.sleep(_wait(reply, chance.uniform(0, THINK), ends))
    connection.close()


def _upload(server: Server, seen: Seen, distinct: Iterator[tuple[str, bytes]], ends: float) -> None:
    """One uploader: a photo a request, the next when the last is answered; one that is refused is sent again."""
    _leave_the_first_processor()
    while time.monotonic() < ends:
        with seen.lock:
            photo = next(distinct)
            seen.sent += 1
        body = form([photo], {})
        while time.monotonic() < ends:
            connection = _connection(server)
            started = time.monotonic()
            try:
                send(connection, server.key, body, photo[0])
                reply = answer(connection)
            except (OSError, HTTPException) as error:
                with seen.lock:
                    seen.lost.append(f"/api/upload: {error!r}")
                continue
            finally:
                connection.close()
            seen.note("upload", "/api/upload", reply, time.monotonic() - started)
            if reply.status in (200, 201):
                images = [result["image"] for result in reply.json()["results"]]
                with seen.lock:
                    seen.acknowledged |= {image["id"] for image in images if image}
            time.sleep(_wait(reply, 0, ends))
            if reply.status != 503:
                break


def _wait(reply: Reply, else_: float, ends: float) -> float:
    """Seconds until the next request: what the server asks for, but not beyond the end."""
    wait = else_ if reply.retry_after is None else reply.retry_after
    return max(0.0, min(wait, ends - time.monotonic()))


def _connection(server: Server) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_SECONDS)


def _leave_the_first_processor() -> None:
    """This thread stays on the others, so that the clients take nothing of what the server may use."""
    others = os.sched_getaffinity(0) - {0}
    if others:
        os.sched_setaffinity(0, others)


def _distinct(photos: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """The photos again and again, each time as taken a minute later: other bytes, and forty of a day."""
    for number in itertools.count():
        taken = FIRST_MOMENT + timedelta(days=number // A_DAY, minutes=number % A_DAY)
        data = photos[number % len(photos)].read_bytes()
        yield (
            f"field-{number:05d}.jpg",
            _TAKEN.sub(taken.strftime("%Y:%m:%d %H:%M:%S").encode(), data, count=1),
        )


def _wait_for_names(server: Server) -> float:
    """Seconds until no photo waits any more; as a server sees it whose people look at a page from time to time."""
    started = time.monotonic()
    while time.monotonic() - started < NAMED_WITHIN:
        with closing(_connection(server)) as connection:
            connection.request("GET", "/api/status", headers={"X-API-Key": server.key})
            connection.getresponse().read()
        with closing(_opened(server)) as database:
            (waiting,) = database.execute("SELECT count(*) FROM image_data WHERE NOT is_processed").fetchone()
        if not waiting:
            break
        time.sleep(0.5)
    return time.monotonic() - started


def _named(server: Server, acknowledged: set[int]) -> tuple[int, int]:
    """How many of these photos there are, and how many of them the model named."""
    with closing(_opened(server)) as database:
        kept = {number for (number,) in database.execute("SELECT id FROM image_data")} & acknowledged
        asked = database.execute("SELECT DISTINCT image_data_id FROM prediction_results")
        return len(kept), len(kept & {number for (number,) in asked})


def _opened(server: Server) -> sqlite3.Connection:
    path = server.environment["DATABASE_URL"].removeprefix("sqlite:///")
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _percentiles(seconds: list[float]) -> dict[str, float] | None:
    """Milliseconds: half, 95 and 99 of a hundred were quicker, and the slowest. None without any."""
    if not seconds:
        return None
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)

    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": at(1)}


def describe(found: dict[str, Any]) -> str:
    """The figures in words."""
    lines = [
        f"Load within {found['megabytes']} MB and {found['cpus']:g} CPU: {found['readers']} readers and "
        f"{found['uploaders']} uploaders of 12-megapixel photos for {found['seconds']} s, over {found['days']} "
        f"survey days with {found['photos_before']:,} photos. {found['answers']} answers, "
        f"{found['answers_a_second']} a second; {found['kills']} killed by the kernel; at its highest "
        f"{found['peak_own_mb']} MB of its own, {found['peak_with_cache_mb']} MB with cached files, which give "
        f"way. {found['photos_acknowledged']} photos acknowledged, {found['photos_kept']} of them kept, "
        f"{found['photos_named']} named, the last {found['named_after_seconds']} s after the end. Connections "
        f"lost: {found['connections_lost']}; 503 without Retry-After: {found['refusals_without_retry_after']}.",
    ]
    for kind in KINDS:
        answers = ", ".join(f"{number} × {status}" for status, number in found["statuses"][kind].items())
        times = found["milliseconds"][kind] or {}
        shown = ", ".join(f"{name} {value:g} ms" for name, value in times.items())
        lines.append(f"  {kind:7} {answers or 'none'}; {shown or 'no answer'}")
    lines.append("Broken: " + "; ".join(found["broken"]) if found["broken"] else "Every promise holds.")
    return "\n".join(lines)
