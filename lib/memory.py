"""How much memory this process holds, how much is left for it, and giving back what it does not use.

What a container may use is told by its control group (version 1 or 2), what a machine has by /proc/meminfo. Pages
that only mirror files count as left: the kernel takes them back when they are needed, weights that are mapped from
their file included.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Short of memory: less is left than the costliest photo that is let in takes to be opened (256 MB; see
# lib/photos/identify.py), or than a quarter of all; but a gigabyte is ample on a machine of any size.
ONE_PHOTO = 256 * 1024**2
SHORT_SHARE = 0.25
AMPLE = 1024**3
# Version 1 writes "no limit" as the largest multiple of a page below 2^63.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True)
class Room:
    """`limit` and what is `left` of it, in bytes; `source`: cgroup2, cgroup1 or meminfo."""

    source: str
    limit: int
    left: int

    @property
    def short(self) -> bool:
        """Less is left than a quarter of the limit, but than 256 MB at least and a gigabyte at most."""
        return self.left < min(max(self.limit * SHORT_SHARE, ONE_PHOTO), AMPLE)


@dataclass(frozen=True, slots=True)
class Memory:
    """A process in bytes: what is resident now, and the most that ever was; null where the system does not say."""

    resident: int | None
    peak: int | None


def process_memory() -> Memory:
    """What this process holds in memory now, and the most it ever held; nulls where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return Memory(None, None)
    values = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    resident, peak = (values.get(name, [])[:1] for name in ("VmRSS", "VmHWM"))  # in kibibytes
    return Memory(*(int(each[0]) * 1024 if each else None for each in (resident, peak)))


def rooms(root: Path = Path("/")) -> list[Room]:
    """Every limit that this process lives under: its control groups, from its own outwards, and the machine.

    Empty where the system tells none, as outside Linux. `root` is where the file system begins.
    """
    return [*_control_groups(root), *_machine(root)]


def is_short(root: Path = Path("/")) -> bool:
    """True when one of the limits is near; False where none is known."""
    return any(room.short for room in rooms(root))


def hand_back() -> None:
    """Give memory that was freed back to the system, which the C library would keep for later."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library than GNU's
        return


def _machine(root: Path) -> Iterator[Room]:
    fields = _fields(root / "proc/meminfo")
    if "MemTotal:" in fields and "MemAvailable:" in fields:
        yield Room("meminfo", fields["MemTotal:"] * 1024, fields["MemAvailable:"] * 1024)


def _control_groups(root: Path) -> Iterator[Room]:
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _folders(root, "cgroup2", "", path):
                yield from _version_2(folder)
        elif "memory" in controllers.split(","):
            for folder in _folders(root, "cgroup", "memory", path):
                yield from _version_1(folder)


def _folders(root: Path, kind: str, controller: str, path: str) -> Iterator[Path]:
    """The folders of a control group and of those around it, as far as they can be seen from here."""
    for line in _lines(root / "proc/self/mountinfo"):
        fields = line.split()
        if "-" not in fields or len(fields) < 10:
            continue
        after = fields[fields.index("-") + 1 :]
        if after[0] != kind or (controller and controller not in after[-1].split(",")):
            continue
        # A container sees its own group at the mount point, whatever the host calls it in `path`.
        within = PurePosixPath(path)
        top = PurePosixPath(fields[3])
        below = within.relative_to(top) if within.is_relative_to(top) else PurePosixPath(".")
        mounted = root / fields[4].lstrip("/")
        folder = mounted / below
        if ".." in below.parts or not folder.is_dir():
            folder = mounted
        while True:
            yield folder
            if folder == mounted:
                return
            folder = folder.parent


def _version_2(folder: Path) -> Iterator[Room]:
    limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
    if limit is not None and used is not None:
        stat = _fields(folder / "memory.stat")
        files = stat.get("active_file", 0) + stat.get("inactive_file", 0)
        yield Room("cgroup2", limit, limit - max(0, used - files))


def _version_1(folder: Path) -> Iterator[Room]:
    limit, used = _number(folder / "memory.limit_in_bytes"), _number(folder / "memory.usage_in_bytes")
    if limit is not None and used is not None and limit < _NO_LIMIT:
        stat = _fields(folder / "memory.stat")
        files = stat.get("total_active_file", 0) + stat.get("total_inactive_file", 0)
        yield Room("cgroup1", limit, limit - max(0, used - files))


def _number(path: Path) -> int | None:
    """The number in a file; None for `max`, and when there is none."""
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _fields(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in _lines(path))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) > 1 and pair[1].isdecimal()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
