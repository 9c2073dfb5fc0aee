"""The server with a given model in a control group of 512 MB and one CPU: photos in a row, kills, peak, times."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.benchmarks.control_group import Group, Usage, group
from scripts.benchmarks.photos import twelve_megapixels
from scripts.benchmarks.server import Memory, Peak, Server

MEBIBYTE = 1024 * 1024
SETTLE_SECONDS = 1.0


def measure(model: Path, count: int = 100, megabytes: int = 512, cpus: float = 1.0) -> dict[str, Any]:
    """`count` photos of 12 megapixels, one request after the other, to gunicorn inside the group."""
    if not (model / "model.json").is_file():
        raise SystemExit(f"{model} is no model folder: it has no model.json (--model)")
    photos = twelve_megapixels(count)
    forget(model)
    with tempfile.TemporaryDirectory() as place, group("weeds-bench", megabytes * MEBIBYTE, cpus) as held:
        server = Server(Path(place))
        server.environment["MODEL_DIR"] = str(model.resolve())
        server.prepare()
        server.command = held.entering(server.command)
        with server:
            found = _send(server, held, photos)
            time.sleep(SETTLE_SECONDS)
            found |= {"after": _memory(server.memory()), "group": _usage(held.usage())}
            found["master_alive"] = server.process is not None and server.process.poll() is None
    size = sum(path.stat().st_size for path in model.glob("model.onnx*"))
    return {
        "benchmark": "container",
        "model": model.name,
        "model_mb": round(size / MEBIBYTE, 1),
        "megabytes": megabytes,
        "cpus": cpus,
        "photos": count,
        **found,
    }


def _send(server: Server, held: Group, photos: list[Path]) -> dict[str, Any]:
    """Upload each photo; what was refused, how long an answer took, and the highest of the processes."""
    workers = set(server.processes()[1:])
    seconds: list[float] = []
    refused: list[str] = []
    with Peak(server) as peak:
        for photo in photos:
            try:
                seconds.append(server.upload([photo])[0])
            except (RuntimeError, OSError) as no:
                refused.append(str(no)[:200])
            if held.usage().kills:
                break
    ordered = sorted(seconds)
    return {
        "classified": len(seconds),
        "refused": len(refused),
        "first_refusal": refused[0] if refused else None,
        "first_seconds": round(seconds[0], 2) if seconds else None,
        "median_seconds": round(ordered[len(ordered) // 2], 3) if ordered else None,
        "slowest_seconds": round(ordered[-1], 2) if ordered else None,
        "same_worker": set(server.processes()[1:]) == workers,
        "peak": _memory(peak.highest),
    }


def forget(folder: Path) -> None:
    """Have the system drop its copy of a folder's files: what is cached already, the group would not pay for."""
    for path in (each for each in folder.iterdir() if each.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _memory(memory: Memory) -> dict[str, float]:
    return {"pss_mb": round(memory.pss / MEBIBYTE, 1), "rss_mb": round(memory.rss / MEBIBYTE, 1)}


def _usage(usage: Usage) -> dict[str, float]:
    return {
        "peak_with_cache_mb": round(usage.peak / MEBIBYTE, 1),
        "own_mb": round(usage.own / MEBIBYTE, 1),
        "mapped_mb": round(usage.mapped / MEBIBYTE, 1),
        "cached_mb": round(usage.cached / MEBIBYTE, 1),
        "kills": usage.kills,
        "times_at_limit": usage.at_limit,
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    held, peak = found["group"], found["peak"]
    return (
        f"Container of {found['megabytes']} MB and {found['cpus']:g} CPU, model {found['model']} "
        f"({found['model_mb']} MB): {found['classified']} of {found['photos']} 12-megapixel photos classified one "
        f"after the other, {found['refused']} refused, {held['kills']} killed by the kernel, "
        f"{'the same worker' if found['same_worker'] else 'not the same worker'} to the end. Answer: median "
        f"{found['median_seconds']} s, the first {found['first_seconds']} s, the slowest "
        f"{found['slowest_seconds']} s. Processes at their highest: {peak['rss_mb']} MB resident "
        f"({peak['pss_mb']} MB PSS). The group at the end: {held['own_mb']} MB of its own and "
        f"{held['mapped_mb']} MB mapped; its highest with cached files, which give way: "
        f"{held['peak_with_cache_mb']} MB."
    )
