"""The season shown to visitors who have no rows of their own: invented, but as a Hokkaido field would look.

Two seasons of a vegetable field with its weeds, never mixed with real rows. They lie in a file, which
`scripts/sample_season.py` writes, because the intervals of 170 days take seconds and visitors wait for none.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lib.store.records import DayRow, NamedPhoto, ProcessingRow, Session, counts_of

SEASON_FILE = Path(__file__).with_name("sample_season.json")
MODEL_NAME = "sample"


class SampleStore:
    """ReadStore of the sample season; it is read on first use and kept."""

    sample = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._season: dict[date, tuple[DayRow, ProcessingRow]] | None = None

    def days(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Collection[str] = (),
    ) -> list[DayRow]:
        """Rows of `start <= date <= end`, ordered by date; the sample has no sessions."""
        if session_id is not None:
            return []
        return [
            row
            for day, (row, _) in self._all().items()
            if (start is None or day >= start) and (end is None or day <= end)
        ]

    def day(self, day: date, session_id: int | None = None) -> DayRow | None:
        """The row of one date, or None."""
        found = self._all().get(day) if session_id is None else None
        return found[0] if found else None

    def processing(self, day: date, session_id: int | None = None) -> ProcessingRow | None:
        """How the day was processed, or None."""
        found = self._all().get(day) if session_id is None else None
        return found[1] if found else None

    def sessions(self) -> list[Session]:
        """None: sessions belong to users."""
        return []

    def counts(self) -> dict[str, int]:
        """`sessions`, `photos`, `days`, `species` of the sample."""
        return counts_of(self.days())

    def confirmed(self, session_id: int | None = None) -> list[NamedPhoto]:
        """None: the sample has no photos."""
        return []

    def confirmed_stamp(self, session_id: int | None = None) -> str:
        """Always the same, as there is nothing."""
        return "sample"

    def _all(self) -> dict[date, tuple[DayRow, ProcessingRow]]:
        with self._lock:
            if self._season is None:
                self._season = _read()
            return self._season


def _read() -> dict[date, tuple[DayRow, ProcessingRow]]:
    season = {}
    for entry in json.loads(SEASON_FILE.read_text(encoding="utf-8")):
        columns, processing = entry["row"], entry["processing"]
        day = date.fromisoformat(columns["date"])
        columns |= {"date": day, "computed_at": datetime.fromisoformat(columns["computed_at"])}
        season[day] = (_row(columns), ProcessingRow(**(processing | {"date": day})))
    return season


def _row(columns: dict[str, Any]) -> DayRow:
    """The row, with what the file leaves out because it follows from the counts."""
    confidences, counts = columns.pop("confidences"), columns["species_counts"]
    total = sum(counts.values())
    return DayRow(
        **columns,
        species_frequencies={name: count / total for name, count in counts.items()},
        top_species=[
            {
                "species_name": name,
                "count": count,
                "frequency": count / total,
                "average_confidence": confidences[name],
                "expected_count": float(count),
            }
            for name, count in counts.items()
        ],
    )
