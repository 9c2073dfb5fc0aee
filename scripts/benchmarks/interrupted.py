"""Clients that go on uploading while their server is killed and comes back: what they sent, what they were told."""

from __future__ import annotations

import hashlib
import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Self

from scripts.benchmarks.sending import Reply, answer, form, send
from scripts.benchmarks.server import Server

ANSWER_SECONDS = 180  # as long as the pages wait
AGAIN = 0.05  # seconds until a client whose connection broke tries once more
TAKEN = (200, 201)
KEY_BUSY = 409  # the upload that holds the key is still running, or died two minutes ago at most
LATER = (KEY_BUSY, 429, 503)


@dataclass(frozen=True, slots=True)
class Upload:
    """One request. `key`: its Idempotency-Key. `careful`: sent again when the connection is lost.

    `forgetful`: the client hangs up before it has read the first answer, as a phone in a tunnel does.
    """

    number: int
    photos: tuple[bytes, ...]
    session: int | None
    day: str
    key: str | None
    careful: bool
    forgetful: bool

    def body(self) -> bytes:
        fields = {"date": self.day} | ({} if self.session is None else {"session_id": str(self.session)})
        return form([(f"{self.number}-{i}.jpg", data) for i, data in enumerate(self.photos)], fields)


def uploads(
    count: int, photos: Sequence[bytes], sessions: Sequence[int], days: Sequence[str], chance: random.Random
) -> list[Upload]:
    """`count` requests: a third with several photos, half with a key, some of photos that were sent before."""
    left = iter(photos)
    made: list[Upload] = []
    for number in range(count):
        if made and chance.random() < 0.08:
            sent, session = (earlier := chance.choice(made)).photos, earlier.session
        else:
            several = chance.randint(2, 5) if chance.random() < 0.33 else 1
            sent = tuple(data for _, data in zip(range(several), left, strict=False))
            session = chance.choice([*sessions, None])
        key = f"{chance.getrandbits(128):032x}" if chance.random() < 0.5 else None
        careful = key is not None or chance.random() < 0.5
        forgetful = key is not None and chance.random() < 0.06
        made.append(Upload(number, sent, session, chance.choice(days), key, careful, forgetful))
    return made


@dataclass
class Attempt:
    """One sending of a request."""

    upload: Upload
    lost: bool = False


@dataclass
class Clients:
    """Some threads that send every upload until it is answered, or until its sender would not try again.

    `patience` bounds in seconds how long an answer may have them wait before they ask again. `acknowledged` holds
    the number and the SHA-256 of every photo that an answer named. `over`: the server does not come back.
    """

    server: Server
    waiting: list[tuple[float, int, Upload]]
    count: int
    patience: float = 60.0
    over: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)
    up: threading.Event = field(default_factory=threading.Event)
    in_flight: list[Attempt] = field(default_factory=list)
    forgotten: set[int] = field(default_factory=set)
    ended: int = 0
    sending: int = 0
    resent: int = 0
    given_up: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[tuple[int, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def of(cls, server: Server, sent: Sequence[Upload], count: int, patience: float = 60.0) -> Self:
        return cls(server, [(0.0, each.number, each) for each in sent], count, patience)

    def start(self) -> None:
        self.up.set()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.count)]
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        """Waits until every upload has come to its end; raises what a client stumbled over."""
        for thread in self.threads:
            thread.join()
        if self.trouble:
            raise self.trouble[0]

    @property
    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def wait_for_sender(self, ended: int, most: float = float("inf")) -> bool:
        """Waits until so many uploads have ended and another is on its way; False when none will be any more.

        At most so many seconds, and then only until there is one on its way.
        """
        latest = time.monotonic() + most
        with self.changed:
            while self.alive:
                if self.in_flight and (self.ended >= ended or time.monotonic() >= latest):
                    return True
                self.changed.wait(min(0.2, max(0.001, latest - time.monotonic())))
        return False

    def _work(self) -> None:
        try:
            while (upload := self._next()) is not None:
                self._attempt(upload)
        except BaseException as error:
            with self.changed:
                self.trouble.append(error)
                self.sending -= 1
                self.changed.notify_all()

    def _next(self) -> Upload | None:
        with self.changed:
            while not self.trouble:
                now = time.monotonic()
                if self.waiting and self.waiting[0][0] <= now:
                    self.sending += 1
                    return heapq.heappop(self.waiting)[2]
                if not self.waiting and not self.sending:
                    return None
                self.changed.wait(min(0.2, self.waiting[0][0] - now) if self.waiting else 0.2)
        return None

    def _attempt(self, upload: Upload) -> None:
        self.up.wait()
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=ANSWER_SECONDS)
        attempt = Attempt(upload)
        try:
            connection.connect()
        except OSError:
            if self.over:
                self._end()
            else:
                self._later(upload, AGAIN)
            return
        with self.changed:
            self.in_flight.append(attempt)
            self.changed.notify_all()
        reply = None
        try:
            send(connection, self.server.key, upload.body(), upload.key)
            if not (upload.forgetful and self._first_time(upload)):
                reply = answer(connection)
        except (OSError, HTTPException):
            attempt.lost = True
        finally:
            connection.close()
            with self.changed:
                self.in_flight.remove(attempt)
                self.changed.notify_all()
        self._judge(upload, reply)

    def _first_time(self, upload: Upload) -> bool:
        """Whether this client hangs up now; the next time it waits for the answer."""
        with self.changed:
            first = upload.number not in self.forgotten
            self.forgotten.add(upload.number)
        return first

    def _judge(self, upload: Upload, reply: Reply | None) -> None:
        if reply is None:
            with self.changed:
                self.resent += upload.careful
                self.given_up += not upload.careful
            if upload.careful:
                self._later(upload, AGAIN)
            else:
                self._end()
            return
        with self.changed:
            self.statuses[reply.status] += 1
        if reply.status in LATER and reply.retry_after is not None:
            wait = min(reply.retry_after, self.patience)
            self._later(upload, wait)
            if reply.status != KEY_BUSY:
                time.sleep(wait)  # the server asked this client, whatever it would send next
            return
        with self.changed:
            if reply.status in TAKEN:
                self._acknowledge(upload, reply)
            else:
                self.refused.append(f"{reply.status}: {reply.body[:300]!r}")
        self._end()

    def _acknowledge(self, upload: Upload, reply: Reply) -> None:
        results = reply.json()["results"]
        if len(results) != len(upload.photos):
            self.refused.append(f"{len(results)} results for {len(upload.photos)} photos")
        for result, data in zip(results, upload.photos, strict=False):
            if result["image"] is None:
                self.refused.append(f"{result['status']}: {(result['problem'] or {}).get('detail')}")
            else:
                self.acknowledged.append((result["image"]["id"], hashlib.sha256(data).hexdigest()))

    def _later(self, upload: Upload, seconds: float) -> None:
        with self.changed:
            heapq.heappush(self.waiting, (time.monotonic() + seconds, upload.number, upload))
            self.sending -= 1
            self.changed.notify_all()

    def _end(self) -> None:
        with self.changed:
            self.sending -= 1
            self.ended += 1
            self.changed.notify_all()
