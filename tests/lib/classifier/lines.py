"""A line to the model that somebody else stands in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lib.classifier.waiting import WaitingLine


@contextmanager
def occupied(line: WaitingLine, background: bool = False) -> Iterator[None]:
    """Another thread holds the turn meanwhile."""
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        with line.turn(background=background):
            inside.set()
            go.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    try:
        yield
    finally:
        go.set()
        thread.join()


class Clock:
    """A monotonic clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
