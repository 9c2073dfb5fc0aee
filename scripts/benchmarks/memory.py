"""Memory of the server: idle, after the first classified photo, and at its peak during one large upload."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from scripts.benchmarks.photos import twelve_megapixels
from scripts.benchmarks.server import Memory, Peak, Server

SETTLE_SECONDS = 1.0
MEBIBYTE = 1024 * 1024


def _shown(memory: Memory) -> dict[str, float]:
    return {"pss_mb": round(memory.pss / MEBIBYTE, 1), "rss_mb": round(memory.rss / MEBIBYTE, 1)}


def measure(count: int) -> dict[str, Any]:
    """One server: /health, one photo, then `count` other photos in one request."""
    first, *others = twelve_megapixels(count + 1)
    with tempfile.TemporaryDirectory() as name, Server(Path(name)).prepare() as server:
        time.sleep(SETTLE_SECONDS)
        idle = server.memory()
        server.upload([first])
        time.sleep(SETTLE_SECONDS)
        classified = server.memory()
        with Peak(server) as peak:
            seconds, answer = server.upload(others)
        time.sleep(SETTLE_SECONDS)
        after = server.memory()
    created = sum(result["status"] == "created" for result in answer["results"])
    if created != count:
        raise RuntimeError(f"only {created} of {count} photos were taken")
    return {
        "benchmark": "memory",
        "idle": _shown(idle),
        "first_photo_classified": _shown(classified),
        "upload_peak": _shown(peak.highest),
        "after_upload": _shown(after),
        "photos": count,
        "megabytes_sent": round(sum(path.stat().st_size for path in others) / MEBIBYTE, 1),
        "upload_seconds": round(seconds, 2),
        "samples": peak.samples,
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words."""
    return (
        f"Memory (PSS of master and worker): idle {found['idle']['pss_mb']} MB; after the first classified "
        f"photo {found['first_photo_classified']['pss_mb']} MB; peak during one upload of {found['photos']} "
        f"12-megapixel JPEGs ({found['megabytes_sent']} MB, {found['upload_seconds']} s) "
        f"{found['upload_peak']['pss_mb']} MB."
    )
