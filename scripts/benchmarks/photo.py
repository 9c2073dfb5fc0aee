"""Photo to answer: one 12-megapixel JPEG, cold and warm, against a bare loop of Pillow and ONNX Runtime."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lib.config import STARTER_MODEL
from scripts.benchmarks.photos import twelve_megapixels
from scripts.benchmarks.server import ROOT, Server


class BareLoop:
    """The yardstick's process; `seconds(photo)` asks it for one photo."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.benchmarks.bare_loop", str(STARTER_MODEL)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def seconds(self, photo: Path) -> float:
        """From the bytes in memory to the logits."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{photo}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)


def measure(cold_starts: int, count: int) -> dict[str, Any]:
    """`cold_starts` fresh servers with one photo each; then `count` photos to a warm one and to the loop."""
    first, *others = twelve_megapixels(count + 1)
    cold: list[float] = []
    for _ in range(cold_starts):
        with tempfile.TemporaryDirectory() as name, Server(Path(name)).prepare() as server:
            cold.append(server.upload([first])[0])
    warm: list[float] = []
    bare: list[float] = []
    loop = BareLoop()
    with tempfile.TemporaryDirectory() as name, Server(Path(name)).prepare() as server:
        server.upload([first])
        loop.seconds(first)
        for photo in others:
            warm.append(server.upload([photo])[0])
            bare.append(loop.seconds(photo))
    loop.close()
    return {
        "benchmark": "photo",
        "cold_ms": round(statistics.median(cold) * 1000, 1),
        "cold_starts": cold_starts,
        "warm_ms": round(statistics.median(warm) * 1000, 1),
        "photos": count,
        "bare_loop_ms": round(statistics.median(bare) * 1000, 1),
        "ratio": round(statistics.median(warm) / statistics.median(bare), 2),
        "warm_range_ms": [round(min(warm) * 1000, 1), round(max(warm) * 1000, 1)],
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    return (
        f"One 12-megapixel JPEG to its answer: cold {found['cold_ms']} ms (first photo after a start, median "
        f"of {found['cold_starts']}); warm {found['warm_ms']} ms (median of {found['photos']} photos); bare "
        f"Pillow and ONNX Runtime {found['bare_loop_ms']} ms; ratio {found['ratio']}."
    )
