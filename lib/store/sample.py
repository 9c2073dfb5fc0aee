"""The season shown to visitors who have no rows of their own: invented, but as a Hokkaido field would look.

Made by code from a fixed seed: two seasons of a vegetable field with its weeds, never mixed with real rows.
"""

from __future__ import annotations

import math
import random
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from lib.store.records import DayRow, ProcessingRow, Session, counts_of

SEED = "hokkaido-sample-1"
MODEL_NAME = "sample"
YEARS = (2024, 2025)
SEASON = ((5, 1), (10, 31))  # snow lies into April and from November on
SURVEY_WEEKDAYS = {0: 0.75, 2: 0.85, 4: 0.7, 5: 0.9, 6: 0.35}  # Monday is 0; chance that the day is surveyed
RAIN = 0.13
# (first, last) month and day without a survey: the summer holiday, the onion and potato harvest.
GAPS = {2024: (((8, 12), (8, 17)), ((9, 9), (9, 19))), 2025: (((8, 12), (8, 16)), ((9, 3), (9, 15)))}
# The field is harrowed: photographed all the same, and nothing grows on it.
BARE_DAYS = (date(2024, 5, 11), date(2025, 5, 10))
LOW_EFFORT = 0.12
# Above 1 the commonest species of a day take more of it, as they do in fields; 1.3 gives Shannon 1 to 2.7.
DOMINANCE = 1.3


class Flush(NamedTuple):
    """One wave of a species: the day of the year of its peak, and the standard deviation in days."""

    peak: int
    spread: int


class Weed(NamedTuple):
    """A species of the field: how common it is at its peak (relative), when, and in which years."""

    species: str
    weight: float
    flushes: tuple[Flush, ...]
    years: tuple[int, ...] = YEARS
    share_in_second_year: float = 1.0


SPRING, SUMMER, LATE = Flush(145, 22), Flush(205, 28), Flush(235, 25)
WEEDS = (
    # Winter annuals: a flush in spring and a weaker one when the nights turn cool.
    Weed("Stellaria media", 30, (Flush(138, 24), Flush(282, 20))),
    Weed("Capsella bursa-pastoris", 16, (Flush(140, 20), Flush(285, 18))),
    Weed("Poa annua", 14, (Flush(150, 28), Flush(275, 25))),
    Weed("Lamium purpureum", 5, (Flush(135, 14),)),
    Weed("Senecio vulgaris", 5, (Flush(160, 30), Flush(280, 20))),
    Weed("Rorippa palustris", 4, (Flush(175, 25),)),
    Weed("Spergula arvensis", 4, (SPRING,), (2024,)),
    # Perennials stay all season.
    Weed("Equisetum arvense", 12, (Flush(160, 45),), YEARS, 0.7),
    Weed("Rumex obtusifolius", 5, (Flush(165, 50),)),
    Weed("Rumex acetosella", 3, (Flush(170, 35),)),
    Weed("Taraxacum officinale", 5, (Flush(140, 30), Flush(270, 25))),
    Weed("Trifolium repens", 4, (Flush(190, 50),)),
    Weed("Elymus repens", 5, (Flush(185, 50),)),
    Weed("Plantago asiatica", 2.5, (Flush(210, 40),)),
    Weed("Artemisia montana", 2, (Flush(220, 40),)),
    # Early summer annuals.
    Weed("Chenopodium album", 26, (Flush(175, 26),)),
    Weed("Persicaria lapathifolia", 17, (Flush(185, 28),)),
    Weed("Fallopia convolvulus", 5, (Flush(180, 25),)),
    Weed("Polygonum aviculare", 4, (Flush(185, 35),)),
    Weed("Tripleurospermum inodorum", 6, (Flush(190, 30),), YEARS, 1.6),
    Weed("Matricaria discoidea", 4, (Flush(180, 28),)),
    Weed("Galium spurium", 3, (Flush(160, 22),)),
    # Warm-season annuals.
    Weed("Echinochloa crus-galli", 24, (Flush(210, 26),)),
    Weed("Setaria viridis", 10, (SUMMER,)),
    Weed("Digitaria ciliaris", 9, (Flush(218, 24),)),
    Weed("Amaranthus retroflexus", 7, (Flush(208, 26),)),
    Weed("Persicaria longiseta", 6, (LATE,)),
    Weed("Commelina communis", 5, (Flush(222, 25),)),
    Weed("Portulaca oleracea", 4, (Flush(214, 20),)),
    Weed("Erigeron annuus", 3, (Flush(212, 25),)),
    Weed("Erigeron canadensis", 2.5, (LATE,)),
    Weed("Solanum nigrum", 3, (LATE,)),
    # Arrivals of the second year.
    Weed("Galinsoga quadriradiata", 9, (Flush(215, 32),), (2025,)),
    Weed("Abutilon theophrasti", 2, (Flush(225, 22),), (2025,)),
)


class SampleStore:
    """ReadStore of the sample season; it is computed on the first read and kept."""

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

    def _all(self) -> dict[date, tuple[DayRow, ProcessingRow]]:
        with self._lock:
            if self._season is None:
                self._season = {day: _make_day(day) for day in _survey_days()}
            return self._season


def _survey_days() -> list[date]:
    """The days with photos, in order: a weekly rhythm less rain, holidays and harvest."""
    days = []
    for year in YEARS:
        day, last = date(year, *SEASON[0]), date(year, *SEASON[1])
        while day <= last:
            chance = random.Random(f"{SEED}:weather:{day}")  # noqa: S311 - not for secrets
            rain, visit = chance.random() < RAIN, chance.random() < SURVEY_WEEKDAYS.get(day.weekday(), 0.0)
            away = any(date(year, *first) <= day <= date(year, *end) for first, end in GAPS[year])
            if day in BARE_DAYS or (visit and not rain and not away):
                days.append(day)
            day += timedelta(days=1)
    return days


def _make_day(day: date) -> tuple[DayRow, ProcessingRow]:
    """One surveyed day: plants drawn by season, duplicates and unsure labels as they happen, real metrics."""
    from lib.diversity.day_columns import day_columns  # loads NumPy, which a start-up must not

    draw = random.Random(f"{SEED}:field:{day}")  # noqa: S311 - every day has its own, so days do not depend on others
    if day in BARE_DAYS:
        units, bare = 0, draw.randint(6, 10)
    elif draw.random() < LOW_EFFORT:
        units, bare = draw.randint(2, 6), 0
    else:
        units, bare = max(8, round(draw.gauss(38, 12))), draw.choice((0, 0, 0, 1, 2))
    shares = _shares(day, draw)
    counts = Counter(draw.choices(list(shares), list(shares.values()), k=units)) if units else Counter[str]()
    confidences = {name: round(draw.betavariate(14, 3) * 0.3 + 0.69, 4) for name in sorted(counts)}
    unsure = sum(draw.random() < 0.08 for _ in range(units))
    repeats = sum(draw.random() < 0.15 for _ in range(units + unsure + bare))
    clusters = units + unsure + bare
    photos = clusters + repeats
    seconds = round(sum(draw.uniform(0.016, 0.024) for _ in range(photos)), 4)
    row = DayRow(
        date=day,
        total_images=photos,
        processed_images=photos,
        model_name=MODEL_NAME,
        computed_at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        inputs_digest=f"{SEED}:{day}",
        **asdict(day_columns(counts, confidences)),
    )
    processing = ProcessingRow(
        date=day,
        input_images_count=photos,
        processed_images_count=photos,
        predictions_count=photos,
        processing_time_total=seconds,
        processing_time_per_image=seconds / photos,
        average_confidence=_mean_confidence(counts, confidences),
        low_confidence_count=unsure,
        clusters_found=clusters,
        redundancy_reduction_ratio=repeats / photos,
        processing_metadata={"counted": units, "unsure": unsure, "not_a_plant": bare, "unprocessed": 0},
    )
    return row, processing


def _shares(day: date, draw: random.Random) -> dict[str, float]:
    """Relative abundance of each species: its season, its year, the corner of the field walked."""
    number = day.timetuple().tm_yday
    shares = {}
    for weed in WEEDS:
        patchiness = draw.lognormvariate(0, 0.7)
        season = sum(math.exp(-(((number - peak) / spread) ** 2) / 2) for peak, spread in weed.flushes)
        year = weed.share_in_second_year if day.year == YEARS[1] else 1.0
        if day.year in weed.years:
            shares[weed.species] = (weed.weight * season * year * patchiness) ** DOMINANCE
    return shares


def _mean_confidence(counts: Counter[str], confidences: dict[str, float]) -> float | None:
    total = counts.total()
    return sum(confidences[name] * count for name, count in counts.items()) / total if total else None
