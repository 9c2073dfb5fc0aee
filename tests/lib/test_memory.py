"""How much memory is left, read from trees as the kernel shows them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lib import memory
from lib.memory import Room
from lib.photos.identify import MEMORY_BUDGET

ROOT = Path(__file__).resolve().parent.parent.parent
MB = 1024 * 1024
V2_MOUNT = "30 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNT = "35 31 0:32 {root} /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory"
MEMINFO = "MemTotal:       {total} kB\nMemFree:  1 kB\nMemAvailable:   {left} kB\nHugePages_Total:       0\n"

Tree = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes files below a root of its own."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def meminfo(total: int, left: int) -> str:
    return MEMINFO.format(total=total * 1024, left=left * 1024)


def version_2(limit: int | str, used: int, files: int = 0) -> dict[str, str]:
    return {
        "memory.max": f"{limit if isinstance(limit, str) else limit * MB}\n",
        "memory.current": f"{used * MB}\n",
        "memory.stat": f"anon 5\ninactive_file {files * MB // 2}\nactive_file {files * MB // 2}\n",
    }


def version_1(limit: int, used: int, files: int = 0) -> dict[str, str]:
    return {
        "memory.limit_in_bytes": f"{limit}\n",
        "memory.usage_in_bytes": f"{used * MB}\n",
        "memory.stat": f"inactive_file 1\ntotal_inactive_file {files * MB}\ntotal_active_file 0\n",
    }


def at(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


def test_a_container_of_version_2_sees_its_group_at_the_mount(tree: Tree) -> None:
    root = tree(
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT + "\n"}
        | at("sys/fs/cgroup", version_2(512, 300, 100))
    )
    # Of the 300 MB in use 100 only mirror files.
    assert memory.rooms(root) == [Room("cgroup2", 512 * MB, 312 * MB)]
    assert memory.is_short(root) is False


def test_the_groups_around_count_as_well(tree: Tree) -> None:
    root = tree(
        {
            "proc/self/cgroup": "0::/system.slice/weeds.service\n",
            "proc/self/mountinfo": V2_MOUNT + "\n",
            "proc/meminfo": meminfo(8000, 6000),
        }
        | at("sys/fs/cgroup/system.slice/weeds.service", version_2("max", 100))
        | at("sys/fs/cgroup/system.slice", version_2(300, 280))
    )
    assert memory.rooms(root) == [
        Room("cgroup2", 300 * MB, 20 * MB),
        Room("meminfo", 8000 * MB, 6000 * MB),
    ]
    assert memory.is_short(root) is True


def test_a_group_of_version_1(tree: Tree) -> None:
    root = tree(
        {
            "proc/self/cgroup": "4:memory:/box/a\n0::/\n",
            "proc/self/mountinfo": V1_MOUNT.format(root="/") + "\n" + V2_MOUNT.replace("cgroup ", "unified "),
        }
        | at("sys/fs/cgroup/memory/box/a", version_1(512 * MB, 500, 60))
        | at("sys/fs/cgroup/memory", version_1(9223372036854771712, 900))
    )
    assert memory.rooms(root) == [Room("cgroup1", 512 * MB, 72 * MB)]
    assert memory.is_short(root) is True


def test_a_container_of_version_1_sees_its_group_at_the_mount_under_another_name(tree: Tree) -> None:
    root = tree(
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n",
            "proc/self/mountinfo": V1_MOUNT.format(root="/docker/abc") + "\n",
        }
        | at("sys/fs/cgroup/memory", version_1(512 * MB, 100))
    )
    assert memory.rooms(root) == [Room("cgroup1", 512 * MB, 412 * MB)]


def test_a_group_that_cannot_be_seen_from_here_is_that_of_the_mount(tree: Tree) -> None:
    root = tree(
        {"proc/self/cgroup": "0::/../../other\n", "proc/self/mountinfo": V2_MOUNT + "\n"}
        | at("sys/fs/cgroup", version_2(512, 100))
    )
    assert memory.rooms(root) == [Room("cgroup2", 512 * MB, 412 * MB)]


def test_more_in_use_than_allowed_leaves_nothing_and_page_cache_never_more_than_all(tree: Tree) -> None:
    groups = {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT + "\n"}
    root = tree(groups | at("sys/fs/cgroup", version_2(100, 130)))
    assert memory.rooms(root)[0].short
    root = tree(groups | at("sys/fs/cgroup", version_2(100, 10, 20)))
    assert memory.rooms(root)[0].left == 100 * MB


@pytest.mark.parametrize(
    ("total", "left", "short"),
    [
        (512, MEMORY_BUDGET // MB - 1, True),
        (512, MEMORY_BUDGET // MB + 1, False),
        (2000, 499, True),
        (2000, 501, False),
        (24_000, 1023, True),
        (24_000, 1025, False),
    ],
)
def test_short_is_less_than_a_photo_or_a_quarter_but_a_gigabyte_is_ample(
    tree: Tree, total: int, left: int, short: bool
) -> None:
    assert memory.is_short(tree({"proc/meminfo": meminfo(total, left)})) is short


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/meminfo": "nonsense\nMemTotal: many kB\n"},
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "1 2 - \n" + V2_MOUNT},
        {"proc/self/cgroup": "words\n", "proc/self/mountinfo": V2_MOUNT, "sys/fs/cgroup/memory.max": "x"},
    ],
)
def test_where_nothing_is_told_memory_is_not_short(tree: Tree, files: dict[str, str]) -> None:
    assert memory.rooms(tree(files)) == []
    assert memory.is_short(tree(files)) is False


def test_this_machine_tells_what_it_has() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has /proc")
    rooms = memory.rooms()
    assert rooms[-1].source == "meminfo"
    assert all(0 < room.left <= room.limit for room in rooms)


def test_freed_memory_goes_back_to_the_system() -> None:
    """Small blocks under a few that stay: the C library keeps such memory for itself until it is asked."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux has /proc")
    script = (
        "import ctypes, os\n"
        "from pathlib import Path\n"
        "from lib import memory\n"
        "def resident(): return int(Path('/proc/self/statm').read_text().split()[1])"
        " * os.sysconf('SC_PAGE_SIZE') // 2**20\n"
        "c = ctypes.CDLL(None)\n"
        "c.malloc.restype = ctypes.c_void_p\n"
        "c.free.argtypes = [ctypes.c_void_p]\n"
        "c.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]\n"
        "blocks = [c.malloc(65536) for _ in range(1600)]\n"
        "for block in blocks: c.memset(block, 1, 65536)\n"
        "full = resident()\n"
        "for block in blocks[:-1]: c.free(block)\n"
        "before = resident()\n"
        "memory.hand_back()\n"
        "print(hasattr(c, 'malloc_trim'), full, before, resident())\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    known, full, before, after = shown.stdout.split()
    if known != "True":
        pytest.skip("another C library than GNU's")
    assert int(before) > int(full) - 20  # still held
    assert int(after) < int(before) - 80


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    memory.hand_back()


def test_the_memory_of_this_process_is_what_the_system_says() -> None:
    held = memory.process_memory()
    if not Path("/proc/self/status").exists():
        assert held == memory.Memory(None, None)
        return
    assert held.resident is not None
    assert held.peak is not None
    assert 10_000_000 < held.resident <= held.peak
