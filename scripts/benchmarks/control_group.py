"""A control group of the kernel with so much memory and so many CPUs as a small machine, version 1 or 2."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes, and how often the kernel killed. `peak` counts cached files too, which are dropped before anything is
    killed; `own` is what cannot be dropped; `mapped` the part of the files that the processes have mapped.
    """

    peak: int
    own: int
    mapped: int
    cached: int
    kills: int
    at_limit: int


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one group: `memory` alone in version 2, where one folder holds all."""

    version: int
    memory: Path
    cpu: Path

    def entering(self, command: list[str]) -> list[str]:
        """The command that enters the group and becomes `command`: the same process, so that its id is known."""
        into = " && ".join(f"echo $$ > {folder}/cgroup.procs" for folder in {self.memory, self.cpu})
        return ["/bin/sh", "-c", f'{into} && exec "$@"', "sh", *command]

    def usage(self) -> Usage:
        """What the group holds now, and its highest."""
        stat = _table(self.memory / "memory.stat")
        if self.version == 1:
            return Usage(
                peak=_number(self.memory / "memory.max_usage_in_bytes"),
                own=stat["total_rss"],
                mapped=stat["total_mapped_file"],
                cached=stat["total_cache"],
                kills=_table(self.memory / "memory.oom_control").get("oom_kill", 0),
                at_limit=_number(self.memory / "memory.failcnt"),
            )
        events = _table(self.memory / "memory.events")
        peak = self.memory / "memory.peak"
        return Usage(
            # Kernels before 5.19 do not keep the highest.
            peak=_number(peak if peak.exists() else self.memory / "memory.current"),
            own=stat["anon"],
            mapped=stat["file_mapped"],
            cached=stat["file"],
            kills=events["oom_kill"],
            at_limit=events["max"],
        )


@contextlib.contextmanager
def group(name: str, memory: int, cpus: float, root: Path = ROOT) -> Iterator[Group]:
    """A group of `memory` bytes without swap and `cpus` CPUs, gone afterwards; SystemExit when none can be made."""
    first = (root / "cgroup.controllers").exists()
    made = (
        Group(2, root / name, root / name) if first else Group(1, root / "memory" / name, root / "cpu" / name)
    )
    folders = list(dict.fromkeys((made.memory, made.cpu)))
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
        _limit(made, root, memory, cpus)
    except OSError as refused:
        _remove(folders)
        raise SystemExit(
            f"no control group can be made below {root} ({refused.strerror}): this needs root, and a kernel or "
            "container that lets control groups be written"
        ) from None
    try:
        yield made
    finally:
        _remove(folders)


def _limit(made: Group, root: Path, memory: int, cpus: float) -> None:
    quota = int(cpus * PERIOD)
    if made.version == 2:
        enabled = (root / "cgroup.subtree_control").read_text(encoding="ascii").split()
        wanted = [f"+{one}" for one in ("memory", "cpu") if one not in enabled]
        if wanted:
            (root / "cgroup.subtree_control").write_text(" ".join(wanted), encoding="ascii")
        (made.memory / "memory.max").write_text(str(memory), encoding="ascii")
        if (made.memory / "memory.swap.max").exists():
            (made.memory / "memory.swap.max").write_text("0", encoding="ascii")
        (made.cpu / "cpu.max").write_text(f"{quota} {PERIOD}", encoding="ascii")
        return
    (made.memory / "memory.limit_in_bytes").write_text(str(memory), encoding="ascii")
    if (made.memory / "memory.memsw.limit_in_bytes").exists():
        (made.memory / "memory.memsw.limit_in_bytes").write_text(str(memory), encoding="ascii")
    (made.cpu / "cpu.cfs_period_us").write_text(str(PERIOD), encoding="ascii")
    (made.cpu / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")


def _remove(folders: list[Path]) -> None:
    """The kernel lets a group go a moment after its last process."""
    for folder in folders:
        for _ in range(50):
            try:
                folder.rmdir()
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.1)
            else:
                break


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
