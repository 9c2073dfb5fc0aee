"""The waiting line in front of the model: one inside, a few waiting, others told when to return."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lib.classifier.refusals import Abandoned, Busy

# Upper bounds in seconds of the durations that are counted: a small model takes milliseconds, a large one seconds.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class WaitingLine:
    """One at a time; at most `places` people wait, each at most `patience` seconds.

    Work in the background waits as long as it takes, takes nobody's place, and goes in only when no person waits:
    a person waits for one photo of the background at most. Every `look_every` seconds those who wait ask whether
    anybody still wants their answer.
    """

    def __init__(
        self,
        places: int = 4,  # with the one inside five of the server's eight threads; the others stay free for reads
        patience: float = 20.0,
        look_every: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.places = places
        self.patience = patience
        self.look_every = look_every
        self.refusals = {"full": 0, "patience": 0, "abandoned": 0}
        self.buckets = [0] * len(BUCKETS)
        self.done = 0
        self.seconds = 0.0
        self._clock = clock
        self._changed = threading.Condition()
        self._inside: int | None = None  # the thread
        self._people: deque[object] = deque()
        self._background: deque[object] = deque()
        self._mean = 0.1
        self._left = clock()

    @property
    def present(self) -> int:
        """How many are inside or waiting, background included."""
        return (self._inside is not None) + len(self._people) + len(self._background)

    @property
    def waiting(self) -> dict[str, int]:
        """How many wait for their turn: people, and work in the background."""
        return {"person": len(self._people), "background": len(self._background)}

    @contextmanager
    def turn(self, abandoned: Callable[[], bool] | None = None, background: bool = False) -> Iterator[None]:
        """Wait for one's turn and hold it; a thread that holds it may take it again.

        Raises Busy when the line is full or patience ends, and Abandoned as soon as `abandoned` says that nobody
        waits for the answer any more; it is asked before the turn is taken, too.
        """
        if self._inside == threading.get_ident():
            yield
            return
        self._enter(abandoned, background)
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def free_turn(self) -> Iterator[float | None]:
        """The turn when nobody is inside or waits, with the seconds since the last one ended; else None at once."""
        with self._changed:
            free = not self.present
            if free:
                self._inside = threading.get_ident()
            now = self._clock()
            since = min(self._left, now)  # the clock may have jumped back while the machine slept
        try:
            yield now - since if free else None
        finally:
            if free:
                self._leave(since)

    def took(self, seconds: float) -> None:
        """Remember how long a photo took: as a running mean for `retry_after`, and in the counts."""
        with self._changed:
            self._mean += 0.2 * (seconds - self._mean)
            self.done += 1
            self.seconds += seconds
            for index, bound in enumerate(BUCKETS):
                self.buckets[index] += seconds <= bound

    def retry_after(self) -> int:
        """Seconds until those present are probably done, at least 1 and at most a minute."""
        return min(60, max(1, math.ceil(self._mean * (self.present + 1))))

    def _enter(self, abandoned: Callable[[], bool] | None, background: bool) -> None:
        mine = object()
        queue = self._background if background else self._people
        with self._changed:
            if not background and (self._inside is not None) + len(self._people) > self.places:
                raise self._refused("full")
            queue.append(mine)
            since = self._clock()
            try:
                while True:
                    if abandoned is not None and abandoned():
                        self.refusals["abandoned"] += 1
                        raise Abandoned
                    if self._inside is None and self._first() is mine:
                        break
                    rest = self.look_every
                    if not background:
                        # A clock that jumped while the machine slept ends the patience early or late, no worse.
                        rest = min(rest, self.patience - (self._clock() - since))
                        if rest <= 0:
                            raise self._refused("patience")
                    self._changed.wait(rest)
                self._inside = threading.get_ident()
            finally:
                queue.remove(mine)
                self._changed.notify_all()  # somebody else may be the first now

    def _leave(self, left: float | None = None) -> None:
        with self._changed:
            self._inside = None
            self._left = self._clock() if left is None else left
            self._changed.notify_all()

    def _first(self) -> object:
        return (self._people or self._background)[0]

    def _refused(self, why: str) -> Busy:
        self.refusals[why] += 1
        return Busy(self.retry_after())
