"""The one model of a process: loaded on first use, again when its folder changes, dropped when idle."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib import memory
from lib.classifier import folder as model_folder
from lib.classifier.idle import IdleWatch
from lib.classifier.refusals import MODEL_RETRY, ModelUnavailable
from lib.classifier.waiting import WaitingLine

if TYPE_CHECKING:
    from lib.classifier.model import Classifier

LOG = logging.getLogger("weeds.classifier")


@dataclass(frozen=True, slots=True)
class FolderState:
    """A model folder as it is now: where it is, and what the file system says of its files.

    Equal states mean that nothing was written, replaced, renamed or made readable in between.
    """

    folder: Path
    files: tuple[tuple[str | int, ...], ...]

    @classmethod
    def of(cls, model_dir: Path) -> FolderState:
        """The state of a folder, in a fraction of a millisecond; a missing one has a state as well."""
        folder = Path(os.path.realpath(model_dir))
        try:
            with os.scandir(folder) as entries:
                files = sorted(_stamp(entry) for entry in entries if not entry.name.startswith("."))
        except OSError as error:
            return cls(folder, ((error.errno or 0,),))
        return cls(folder, tuple(files))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the model of this state could not be loaded, and when that was."""

    state: FolderState
    reason: str
    at: float


class Resident:
    """Keeps at most one model in memory. Loading and dropping take a turn in the line, as every photo does.

    `loads`, `failures`, `unloads` and `load_seconds` count since the process began.
    """

    def __init__(
        self,
        line: WaitingLine | None = None,
        clock: Callable[[], float] = time.monotonic,
        short: Callable[[], bool] = memory.is_short,
        rooms: Callable[[], list[memory.Room]] = memory.rooms,
    ) -> None:
        self.line = line or WaitingLine()
        self.loads = 0
        self.failures = 0
        self.load_seconds = 0.0
        self.unloads = {"idle": 0, "replaced": 0}
        self.idle_seconds: float | None = None
        self.threads: int | None = None
        self._clock = clock
        self._short = short
        self._rooms = rooms
        self._held: tuple[FolderState, Classifier] | None = None
        self._failure: Failure | None = None
        self._sound: FolderState | None = None
        self._watch: IdleWatch | None = None

    def get(self, model_dir: Path) -> Classifier:
        """The model of a folder as it is now; raises ModelUnavailable, and Busy when others wait for a turn.

        A model that cannot be loaded is not tried again for a minute, unless its folder changes.
        """
        state = FolderState.of(model_dir)
        if (there := self._there(state)) is not None:
            return there
        self._recall(state)
        with self.line.turn():
            if (there := self._there(state)) is not None:
                return there
            self._recall(state)
            return self._load(state)

    def loaded(self) -> Classifier | None:
        """The model when it is in memory."""
        held = self._held
        return held[1] if held else None

    def known_trouble(self, model_dir: Path) -> str | None:
        """As `trouble`, but only what has been found out before: reads no file, and waits for nobody who does."""
        failure = self._failure
        return failure.reason if failure is not None and failure.state == FolderState.of(model_dir) else None

    def trouble(self, model_dir: Path) -> str | None:
        """Why photos cannot be classified, in a plain sentence; None when the folder seems to be in order.

        Nothing is loaded for it, but the first time that a folder is seen in this state its digests are compared.
        """
        state = FolderState.of(model_dir)
        failure = self._failure
        if failure is not None and failure.state == state:
            return failure.reason
        if self._sound == state or self._there(state) is not None:
            return None
        try:
            model_folder.read(state.folder)
        except Exception as error:
            self._failure = failure = self._failed(state, error)
            return failure.reason
        self._sound = state
        return None

    def unload(self) -> None:
        """Drop the model, and what was remembered of its folder, when the photo in hand is done."""
        with self.line.turn():
            self._drop()
            self._failure = self._sound = None

    def _there(self, state: FolderState) -> Classifier | None:
        held = self._held  # another thread may drop it between two looks
        return held[1] if held is not None and held[0] == state else None

    def _recall(self, state: FolderState) -> None:
        failure = self._failure
        # A clock that jumped back while the machine slept must not keep a mended model away.
        if failure is not None and failure.state == state and 0 <= self._clock() - failure.at < MODEL_RETRY:
            raise ModelUnavailable(failure.reason)

    def _load(self, state: FolderState) -> Classifier:
        if self._drop():  # never two models in memory at once
            self.unloads["replaced"] += 1
            memory.hand_back()
        from lib.classifier.model import Classifier

        started = time.perf_counter()
        try:
            self._must_fit(state.folder)
            model = Classifier(state.folder, self.line, self.threads)
        except Exception as error:
            self.failures += 1
            self._failure = self._failed(state, error)
            raise ModelUnavailable(self._failure.reason) from None
        seconds = time.perf_counter() - started
        self.loads += 1
        self.load_seconds += seconds
        self._held, self._failure, self._sound = (state, model), None, state
        LOG.info("model loaded", extra={"model": model.name, "seconds": round(seconds, 3)})
        if self.idle_seconds:
            self._watch = IdleWatch(self.line, self.idle_seconds, self._idle, self._short)
            self._watch.start()
        return model

    def _must_fit(self, folder: Path) -> None:
        """Refuse a graph that is larger than the memory that is left.

        It is read into memory whole, unlike weights in a file of their own: a process that tries is killed with all
        that it was doing, and as soon as it is back it tries again for the same photo.
        """
        graph = folder / "model.onnx"
        need = graph.stat().st_size if graph.is_file() else 0
        for room in self._rooms():
            if need > room.left:
                need_mb, left_mb = -(-need // 2**20), room.left // 2**20
                raise ModelUnavailable(
                    f"the model needs more than {need_mb} MB of memory, and {left_mb} MB are left; "
                    "convert it with its weights quantised and in a file of their own."
                )

    def _failed(self, state: FolderState, error: Exception) -> Failure:
        if isinstance(error, ModelUnavailable):
            reason = error.reason
            LOG.warning("no model: %s", reason)
        else:
            reason = "the model folder cannot be read."
            if not isinstance(error, OSError):
                reason = "the model cannot be loaded; the log of the server says why."
            LOG.error("no model", exc_info=error)
        return Failure(state, reason, self._clock())

    def _idle(self) -> None:
        self._drop()
        self.unloads["idle"] += 1
        LOG.info("model unloaded: nobody asked it for a while, and memory is short")

    def _drop(self) -> bool:
        """Forget the model, in a turn; whether there was one."""
        if self._watch is not None:
            self._watch.end()
            self._watch = None
        there = self._held is not None
        self._held = None
        return there


def _stamp(entry: os.DirEntry[str]) -> tuple[str | int, ...]:
    """What changes with a file: links are followed, and one that leads nowhere is told from one that does."""
    try:
        found = entry.stat()
    except OSError as error:
        return (entry.name, error.errno or 0)
    return (entry.name, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
