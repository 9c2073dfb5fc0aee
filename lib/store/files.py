"""Days in the JSON files of OUTPUT_DIR: what file mode serves, whoever wrote them."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import NamedTuple

from lib.outputs.summaries import (
    FOLDER,
    Broken,
    ModelInfo,
    date_of,
    is_summary,
    read_summary,
    summary_path,
    write_summary,
)
from lib.store.records import DayRow, NamedPhoto, ProcessingRow, Session, counts_of

LOG = logging.getLogger("weeds.files")
# A day of a thousand species takes 200 kB; a file far beyond is no day, and reading it would fill the memory.
LARGEST_BYTES = 5 * 1024 * 1024


# Inode, time of change in ns, size: one of them changes whenever a file is written anew, replaced or grown.
Stamp = tuple[int, int, int]


class Entry(NamedTuple):
    """One file as last read: a day, or the reason why it is none."""

    stamp: Stamp
    row: DayRow | None = None
    processing: ProcessingRow | None = None
    reason: str = ""


class FileStore:
    """ReadStore and DayWriter over `json/daily_summary_*.json`. Safe to share between threads.

    Files are read again only when they changed; each read looks what is there. A broken file is skipped,
    logged once, and listed by `broken`. `model` is what written files say of the model.
    """

    sample = False

    def __init__(self, output_dir: Path, model: ModelInfo | None = None) -> None:
        self.output_dir = Path(output_dir)
        self.model = model
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._ordered: list[tuple[DayRow, ProcessingRow]] = []

    def days(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        columns: Collection[str] = (),
    ) -> list[DayRow]:
        """Rows of `start <= date <= end`, ordered by date; files belong to no session."""
        if session_id is not None:
            return []
        return [
            row
            for row, _ in self._refresh()
            if (start is None or row.date >= start) and (end is None or row.date <= end)
        ]

    def day(self, day: date, session_id: int | None = None) -> DayRow | None:
        """The row of one date, or None."""
        found = self._find(day, session_id)
        return found[0] if found else None

    def processing(self, day: date, session_id: int | None = None) -> ProcessingRow | None:
        """How the day was processed, or None."""
        found = self._find(day, session_id)
        return found[1] if found else None

    def sessions(self) -> list[Session]:
        """None: sessions belong to users, and files have none."""
        return []

    def counts(self) -> dict[str, int]:
        """`sessions`, `photos`, `days`, `species` of all readable files."""
        return counts_of(self.days())

    def confirmed(self, session_id: int | None = None) -> list[NamedPhoto]:
        """None: files know no people who could have named a photo."""
        return []

    def confirmed_stamp(self, session_id: int | None = None) -> str:
        """Always the same, as there is nothing."""
        return "files"

    def broken(self) -> list[tuple[str, str]]:
        """Names of the files that were skipped, each with the reason, in order."""
        self._refresh()
        return [(name, entry.reason) for name, entry in sorted(self._entries.items()) if entry.reason]

    def processed_days(self) -> list[tuple[DayRow, ProcessingRow]]:
        """All days in order, each with how it was processed."""
        return list(self._refresh())

    def save_day(self, row: DayRow, processing: ProcessingRow) -> None:
        """Write the day's file, whole or not at all; one that says the same stays as it is.

        ValueError for the day of a session: a file has no place for one.
        """
        if row.session_id is not None:
            raise ValueError("files hold no sessions")
        write_summary(self.output_dir, row, processing, self.model or ModelInfo(row.model_name))

    def delete_day(self, day: date, session_id: int | None = None) -> None:
        """Remove the day's file; no error when there is none."""
        if session_id is None:
            summary_path(self.output_dir, day).unlink(missing_ok=True)

    def _find(self, day: date, session_id: int | None) -> tuple[DayRow, ProcessingRow] | None:
        if session_id is not None:
            return None
        return next((each for each in self._refresh() if each[0].date == day), None)

    def _refresh(self) -> list[tuple[DayRow, ProcessingRow]]:
        """All readable days in order; reads the files that are new or changed.

        Only the list of names and times is looked at each time: 2 to 3 ms for the 900 days of five seasons.
        """
        with self._lock:
            known = self._entries
            entries: dict[str, Entry] = {}
            same = True
            for name, stamp, is_file in self._listed():
                entry = known.get(name)
                if entry is None or entry.stamp != stamp:
                    same = False
                    entry = self._read(name, stamp, is_file)
                    if entry is None:
                        continue
                    if entry.reason:
                        LOG.warning("%s is skipped: %s", name, entry.reason)
                entries[name] = entry
            if not same or len(entries) != len(known):
                self._entries = entries
                found = [(each.row, each.processing) for each in entries.values()]
                pairs = [(row, processing) for row, processing in found if row and processing]
                self._ordered = sorted(pairs, key=lambda pair: pair[0].date)
            return self._ordered

    def _listed(self) -> list[tuple[str, Stamp, bool]]:
        """Name, stamp and whether it is a file, of every daily summary."""
        listed: list[tuple[str, Stamp, bool]] = []
        try:
            with os.scandir(self.output_dir / FOLDER) as folder:
                for each in folder:
                    if not is_summary(each.name):
                        continue
                    try:
                        status = each.stat()
                    except OSError:  # removed meanwhile, or a link to nothing
                        continue
                    stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                    listed.append((each.name, stamp, stat.S_ISREG(status.st_mode)))
        except FileNotFoundError:
            pass  # nothing was written yet
        except OSError:
            listed.append((FOLDER, (0, 0, 0), False))
        return listed

    def _read(self, name: str, stamp: Stamp, is_file: bool) -> Entry | None:
        """The file as an entry; None when it is gone by now."""
        if name == FOLDER:
            return Entry(stamp, reason="the folder cannot be read")
        if not is_file:
            return Entry(stamp, reason="it is not a file")
        if stamp[2] > LARGEST_BYTES:
            return Entry(stamp, reason="it is larger than 5 MB")
        try:
            day = date_of(name)
            data = (self.output_dir / FOLDER / name).read_bytes()
            return Entry(stamp, *read_summary(data, day))
        except FileNotFoundError:
            return None
        except OSError as error:
            return Entry(stamp, reason=f"it cannot be read: {error.strerror}")
        except Broken as broken:
            return Entry(stamp, reason=str(broken))
