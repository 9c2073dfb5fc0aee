"""PostgreSQL gone for a while under load, stopped and frozen: what is answered before, meanwhile and afterwards."""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path
from typing import Any

from scripts.benchmarks.postgres import MISSING, postgres
from scripts.benchmarks.server import BOUNDARY, Server

READERS = 8  # as many as the server has threads
AROUND = 8.0  # seconds of load before and, once it is back, afterwards
THINKS = 0.02  # seconds between the answer and the next question of one person
GIVES_UP = 120.0  # seconds
RETURNS = 60.0  # seconds that the server may need at most until it answers as before
PATHS = ("/api/status", "/api/sessions", "/api/calendar/shannon_diversity", "/api/images", "/calendar")
PROMISES = ("failures", "without_retry_after", "lost", "tracebacks")  # none of these may there be
MODES = ("stopped", "frozen")
PHASES = ("before", "meanwhile", "after")


@dataclass
class Heard:
    """What everybody was answered: (phase, who, status or 0 for none, seconds)."""

    phase: str = "before"
    answers: list[tuple[str, str, int, float]] = field(default_factory=list)
    without_retry_after: int = 0
    acknowledged: set[str] = field(default_factory=set)
    last_refusal: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, who: str, status: int, seconds: float, headers: Any) -> None:
        with self.lock:
            self.answers.append((self.phase, who, status, seconds))
            if status != 503:
                return
            self.last_refusal = time.monotonic()
            self.without_retry_after += "Retry-After" not in headers

    def count(self, phase: str, who: str) -> dict[str, Any]:
        """The answers by status, and the middle and the longest in seconds."""
        mine = [each for each in self.answers if each[:2] == (phase, who)]
        took = sorted(seconds for *_, seconds in mine) or [0.0]
        statuses = Counter(str(status) for _, _, status, _ in mine)
        return {
            "statuses": dict(sorted(statuses.items())),
            "median": round(took[len(took) // 2], 3),
            "longest": round(took[-1], 3),
        }


def measure(seconds: float, around: float = AROUND) -> dict[str, Any]:
    """Both ways of being gone, each for `seconds` on a server of its own."""
    modes = {mode: _measured(mode, seconds, around) for mode in MODES}
    broken = [
        f"{mode}: {promise} {modes[mode][promise]}"
        for mode in MODES
        for promise in PROMISES
        if modes[mode][promise]
    ]
    return {"benchmark": "outage", "seconds": seconds, "readers": READERS, **modes, "broken": broken}


def _measured(mode: str, seconds: float, around: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, postgres() as database:
        if database is None:
            raise SystemExit(MISSING)
        server = Server(Path(name))
        server.environment["DATABASE_URL"] = database.url
        with server.prepare():
            _upload(server, Heard())  # the model is loaded
            heard = Heard()
            with _load(server, heard):
                time.sleep(around)
                heard.phase = "meanwhile"
                database.freeze() if mode == "frozen" else database.stop()
                try:
                    time.sleep(seconds)
                finally:
                    database.thaw() if mode == "frozen" else database.start()
                back = time.monotonic()
                heard.phase = "after"
                time.sleep(around)
                while time.monotonic() - max(heard.last_refusal, back) < around / 2:
                    if time.monotonic() - back > RETURNS:
                        break
                    time.sleep(0.1)
            lost = _lost(server, heard)
            log = (server.folder / "server.log").read_text(encoding="utf-8", errors="replace")
    statuses = {status for _, _, status, _ in heard.answers}
    return {
        phase: {who: heard.count(phase, who) for who in ("readers", "uploader", "health")} for phase in PHASES
    } | {
        "answers": len(heard.answers),
        "failures": sum(status == 0 or (status >= 500 and status != 503) for *_, status, _ in heard.answers),
        "statuses": sorted(statuses),
        "without_retry_after": heard.without_retry_after,
        "longest": round(max(took for *_, took in heard.answers), 3),
        "back_to_last_refusal": round(max(0.0, heard.last_refusal - back), 3),
        "acknowledged": len(heard.acknowledged),
        "lost": lost,
        "tracebacks": log.count("Traceback"),
    }


def describe(found: dict[str, Any]) -> str:
    """The figures in words."""
    lines = []
    for mode in MODES:
        one = found[mode]
        lines.append(
            f"outage: PostgreSQL {mode} for {found['seconds']:g} s, {found['readers']} readers, one uploader; "
            f"answers {one['answers']}, failures {one['failures']}, longest {one['longest']:.2f} s, "
            f"503 without Retry-After {one['without_retry_after']}, last 503 {one['back_to_last_refusal']:.2f} s "
            f"after its return, acknowledged {one['acknowledged']}, lost {one['lost']}"
        )
        for phase in PHASES:
            for who, what in one[phase].items():
                lines.append(
                    f"  {phase:10} {who:9} {what['statuses']} median {what['median']:.3f} s, "
                    f"longest {what['longest']:.2f} s"
                )
    return "\n".join(lines)


@contextmanager
def _load(server: Server, heard: Heard) -> Iterator[None]:
    """Readers, one who uploads, and a probe, until the block ends."""
    ended = threading.Event()

    def again_and_again(act: Callable[[int], None]) -> None:
        turn = 0
        while not ended.is_set():
            act(turn)
            turn += 1
            ended.wait(THINKS)

    def reading(first: int) -> Callable[[int], None]:
        return lambda turn: _ask(server, heard, "readers", PATHS[(first + turn) % len(PATHS)])

    acts = [
        *(reading(number) for number in range(READERS)),
        lambda turn: _upload(server, heard),
        lambda turn: _ask(server, heard, "health", "/health"),
    ]
    people = [threading.Thread(target=again_and_again, args=(act,)) for act in acts]
    for each in people:
        each.start()
    try:
        yield
    finally:
        ended.set()
        for each in people:
            each.join()


def _ask(
    server: Server, heard: Heard, who: str, path: str, body: bytes | None = None
) -> dict[str, Any] | None:
    """One question on a connection of its own; the answer's JSON when it is one of success."""
    headers = {"X-API-Key": server.key}
    if body is not None:
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
    started = time.monotonic()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=GIVES_UP)
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        data = response.read()
    except (OSError, HTTPException):
        heard.note(who, 0, time.monotonic() - started, {})
        return None
    finally:
        connection.close()
    heard.note(who, response.status, time.monotonic() - started, response.headers)
    if response.status >= 300 or not (response.headers["Content-Type"] or "").startswith("application/json"):
        return None
    found: dict[str, Any] = json.loads(data)
    return found


def _upload(server: Server, heard: Heard) -> None:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="date"\r\n\r\n2025-06-01\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{secrets.token_hex(8)}.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + _photo() + f"\r\n--{BOUNDARY}--\r\n".encode()
    reply = _ask(server, heard, "uploader", "/api/upload", body)
    for result in reply["results"] if reply else ():
        if result["status"] in ("created", "duplicate"):
            heard.acknowledged.add(result["image"]["sha256"])


def _photo() -> bytes:
    """A small JPEG like no other."""
    from PIL import Image

    noise = Image.frombytes("L", (16, 12), secrets.token_bytes(192))
    picture = Image.merge("RGB", (noise, noise.rotate(180), noise)).resize((320, 240))
    out = BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


def _lost(server: Server, heard: Heard) -> int:
    """How many acknowledged photos have no row, or a row without its file."""
    from lib.photos.storage import open_photos
    from lib.store.database import DatabaseStore

    store = DatabaseStore(server.environment["DATABASE_URL"])
    with store.connection():
        paths = store.photo_paths()
    store.close()
    files = open_photos(Path(server.environment["DATA_DIR"]))
    there = {Path(path).name.partition("-")[0] for path in paths if files.exists(path)}
    return len(heard.acknowledged - there)
