"""What long work on a command line shares: a bar on a terminal, failures in one line, a clean end on signals."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TypeVar

from lib.backups.manifest import BackupFailed
from lib.problems import Problem
from lib.store.copying import CopyRefused
from lib.store.dumps import DumpFailed
from lib.store.migrate import BrokenReferences

T = TypeVar("T")


@dataclass
class Outcome:
    """The exit code: 1 until the work within says otherwise."""

    code: int = 1


@contextmanager
def told(stopped: str) -> Iterator[Outcome]:
    """Says in one line why the work within failed (1) or, with `stopped`, that it was stopped (130).

    SIGTERM stops it as Ctrl-C does, so that it cleans up after itself. Call it on the main thread.
    """
    outcome = Outcome()
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield outcome
    except Problem as problem:
        print(problem.detail, file=sys.stderr)
    except (BackupFailed, CopyRefused, DumpFailed, BrokenReferences) as error:
        print(f"Not done: {error}", file=sys.stderr)
    except OSError as error:
        print(f"Not done: {error.strerror}: {error.filename}", file=sys.stderr)
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        outcome.code = 130
    finally:
        signal.signal(signal.SIGTERM, before)


def progress(items: Iterable[T], total: int, what: str) -> Iterable[T]:
    """A bar while things are passed on, if somebody looks."""
    from tqdm import tqdm

    bar: Iterable[T] = tqdm(items, total=total, desc=what, unit="photo", disable=not sys.stderr.isatty())
    return bar


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
