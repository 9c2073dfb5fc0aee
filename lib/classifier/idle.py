"""Letting go of a model that nobody has asked for a while, when memory is short."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lib import memory
from lib.classifier.waiting import WaitingLine


class IdleWatch:
    """A thread that sleeps while the model is loaded, and looks every `seconds` whether it should go.

    The model goes when nobody was at it for `seconds` and `short()`: `drop()` is then called while the line is
    held, so that no photo is in hand, and the thread ends. It ends as well after `end()`.
    """

    def __init__(
        self,
        line: WaitingLine,
        seconds: float,
        drop: Callable[[], None],
        short: Callable[[], bool] = memory.is_short,
    ) -> None:
        self.seconds = seconds
        self._line = line
        self._drop = drop
        self._short = short
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-idle", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def end(self) -> None:
        """The model went another way."""
        self._ended.set()

    def look(self) -> float | None:
        """Drop the model if it is time; the seconds until the next look, or None when there is none.

        Times are differences of a clock that may jump when the machine sleeps: a look comes early or late then,
        and the worst that follows is that a model is loaded again.
        """
        with self._line.free_turn() as idle:
            if idle is None:
                return self.seconds
            if self._ended.is_set():
                return None
            if idle < self.seconds:
                return self.seconds - idle
            if not self._short():
                return self.seconds
            self._drop()
        return None

    def _run(self) -> None:
        rest: float | None = self.seconds
        while rest is not None and not self._ended.wait(rest):
            rest = self.look()
        if rest is None:
            memory.hand_back()
