"""A folder in which named bytes lie, seen and changed from outside of the program."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class FolderPlace:
    """What lies below `root`, by its path from there."""

    root: Path

    def names(self) -> list[str]:
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def add(self, path: str, data: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(data)

    def remove(self, path: str) -> None:
        (self.root / path).unlink()

    def age(self, path: str, hours: float) -> None:
        """Make a file look older than it is."""
        moment = time.time() - hours * 3600
        os.utime(self.root / path, (moment, moment))
