"""The waiting line in front of the model: one photo inside, a few waiting, others told when to return."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lib.classifier.refusals import Busy


class WaitingLine:
    """One at a time; at most `places` wait, each at most `patience` seconds."""

    def __init__(self, places: int = 8, patience: float = 20.0) -> None:
        self.places = places
        self.patience = patience
        self._inside = threading.Lock()
        self._count = threading.Lock()
        self._present = 0
        self._seconds = 0.1

    @property
    def present(self) -> int:
        """How many are inside or waiting."""
        return self._present

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn and hold it; raises Busy when the line is full or patience ends."""
        with self._count:
            if self._present > self.places:
                raise Busy(self.retry_after())
            self._present += 1
        try:
            if not self._inside.acquire(timeout=self.patience):
                raise Busy(self.retry_after())
            try:
                yield
            finally:
                self._inside.release()
        finally:
            with self._count:
                self._present -= 1

    def took(self, seconds: float) -> None:
        """Remember how long a photo took, as a running mean, for `retry_after`."""
        self._seconds += 0.2 * (seconds - self._seconds)

    def retry_after(self) -> int:
        """Seconds until those present are probably done, at least 1 and at most a minute."""
        return min(60, max(1, math.ceil(self._seconds * (self._present + 1))))
