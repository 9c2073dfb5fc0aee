"""A database as full as after years of work: five seasons, some thousand survey days with all their photos.

The days are those of the sample season, laid on every date of the five summers; the photos are a few real ones,
uploaded once and listed again for each plant of each day.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import cycle, islice
from pathlib import Path

from lib.store.database import DatabaseStore
from lib.store.records import DayRow, ProcessingRow
from lib.store.sample import SampleStore
from scripts.benchmarks.photos import seedlings
from scripts.benchmarks.server import Server

YEARS = (2021, 2022, 2023, 2024, 2025)
FIRST, DAYS = (4, 20), 201  # of each year: to 6 November
UNSURE_EVERY = 12  # one photo in so many is named to its genus only
CONFIRMED_EVERY = 9


@dataclass(frozen=True, slots=True)
class Seasons:
    """What there is: a session with `days` days and `photos` photos, one of which is `photo`, on `day`."""

    session: int
    days: int
    photos: int
    photo: int
    day: date
    species: str


def fill(server: Server, years: Sequence[int] | None = None, every: int = 1) -> Seasons:
    """Fills the database of a running server: a survey `every` so many days of these years' summers, or of all."""
    folder = [photos[0] for photos in seedlings().values()]
    sent = server.upload(folder)[1]
    session = int(sent["session_id"])
    templates = [result["image"]["id"] for result in sent["results"]]
    days = list(_days(session, years or YEARS, every))
    path = Path(server.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    store = DatabaseStore(f"sqlite:///{path}")
    with store.connection():
        (owner,) = store.users()
        mine = store.for_user(owner.id)
        for row, processing in days:
            mine.save_day(row, processing)
    store.close()
    photos = _list_photos(path, session, templates, [row for row, _ in days])
    last = days[-min(60, len(days))][0]
    return Seasons(
        session, len(days), photos, _photo_of(path, last.date), last.date, last.top_species[0]["species_name"]
    )


def _days(session: int, years: Sequence[int], every: int) -> list[tuple[DayRow, ProcessingRow]]:
    """The sample's days in the order of the summer, one for each date of every summer."""
    sample = SampleStore()
    season = sorted(sample.days(), key=lambda row: (row.date.month, row.date.day, row.date.year))
    found = []
    for year in years:
        for step in range(0, DAYS, every):
            day = date(year, *FIRST) + timedelta(days=step)
            row = season[step * len(season) // DAYS]
            processing = sample.processing(row.date)
            assert processing is not None
            found.append(
                (
                    replace(row, date=day, session_id=session),
                    replace(processing, date=day, session_id=session),
                )
            )
    return found


def _labels(row: DayRow) -> list[tuple[str, str, str]]:
    """For each photo of a day its label, level and source: the day's plants, again until there are enough."""
    species = [name for name, count in row.species_counts.items() for _ in range(count)] or ["unknown"]
    found = []
    for number, name in enumerate(islice(cycle(species), row.total_images)):
        level = "unknown" if name == "unknown" else "species"
        if level == "species" and number % UNSURE_EVERY == UNSURE_EVERY - 1:
            name, level = name.split()[0], "genus"
        source = "human" if level == "species" and number % CONFIRMED_EVERY == 0 else "model"
        found.append((name, level, source))
    return found


def _list_photos(path: Path, session: int, templates: list[int], days: list[DayRow]) -> int:
    """Copies of the uploaded photos' rows, and of what the model said of them; how many photos there are."""
    database = sqlite3.connect(path)
    image = _columns(database, "image_data", ("date", "sha256", "label", "label_level", "label_source"))
    said = _columns(database, "prediction_results", ("diversity_metrics_id", "image_data_id"))
    row_of_day = dict(
        database.execute("SELECT date, id FROM diversity_metrics WHERE session_id = ?", (session,)).fetchall()
    )
    template = cycle(templates)
    with database:
        for row in days:
            for number, (label, level, source) in enumerate(_labels(row)):
                like = next(template)
                digest = hashlib.sha256(f"{row.date} {number}".encode()).hexdigest()
                made = database.execute(
                    f"INSERT INTO image_data (date, sha256, label, label_level, label_source, {image}) "
                    f"SELECT ?, ?, ?, ?, ?, {image} FROM image_data WHERE id = ?",
                    (row.date.isoformat(), digest, label, level, source, like),
                ).lastrowid
                database.execute(
                    f"INSERT INTO prediction_results (diversity_metrics_id, image_data_id, {said}) "
                    f"SELECT ?, ?, {said} FROM prediction_results WHERE image_data_id = ?",
                    (row_of_day[row.date.isoformat()], made, like),
                )
        # Each is a plant of its own: what is said of one says nothing of the others.
        database.execute("UPDATE image_data SET cluster_id = id")
        # The uploaded ones were of today.
        marks = ", ".join("?" * len(templates))
        database.execute(f"DELETE FROM prediction_results WHERE image_data_id IN ({marks})", templates)
        database.execute(f"DELETE FROM image_data WHERE id IN ({marks})", templates)
        for table in ("diversity_metrics", "processing_results"):
            database.execute(f"DELETE FROM {table} WHERE date > ?", (days[-1].date.isoformat(),))
    (photos,) = database.execute("SELECT count(*) FROM image_data").fetchone()
    database.close()
    return int(photos)


def _photo_of(path: Path, day: date) -> int:
    database = sqlite3.connect(path)
    (photo,) = database.execute(
        "SELECT min(id) FROM image_data WHERE date = ?", (day.isoformat(),)
    ).fetchone()
    database.close()
    return int(photo)


def _columns(database: sqlite3.Connection, table: str, but: tuple[str, ...]) -> str:
    """The names of a table's columns that a copy has in common with its original."""
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    return ", ".join(name for name in names if name not in (*but, "id"))
