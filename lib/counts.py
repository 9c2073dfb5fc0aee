"""What happened in this process, counted by whoever does it: plain numbers, so that counting imports nothing."""

from __future__ import annotations

import threading


class Counts:
    """How often each combination of labels came; `labels` are their names.

    Labels are words of ours, never what somebody sent: each new one would stay in memory for good.
    """

    def __init__(self, name: str, meaning: str, labels: tuple[str, ...], known: tuple[str, ...] = ()) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = labels
        self._lock = threading.Lock()
        # A series that is there from the start shows its first event as a rise from 0.
        self._counts = {(each, *("" for _ in labels[1:])): 0 for each in known}

    def add(self, *values: str) -> None:
        """Count one more of these values, one for each label."""
        with self._lock:
            self._counts[values] = self._counts.get(values, 0) + 1

    def read(self) -> dict[tuple[str, ...], int]:
        """The counts so far."""
        with self._lock:
            return dict(self._counts)


PHOTOS = Counts(
    "weeds_photos",
    "Files that were sent: created, duplicate, or rejected and why.",
    ("status", "reason"),
    ("created", "duplicate"),
)
REFUSALS = Counts(
    "weeds_refusals",
    "Requests that this server could not answer now (429, 503, 507), and why.",
    ("function", "status", "reason"),
)
DAYS = Counts(
    "weeds_days_recomputed",
    "Days of sessions that were brought in step with their photos.",
    ("outcome",),
    ("computed", "unchanged", "removed", "failed"),
)
