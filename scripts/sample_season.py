"""Makes the season that visitors see: invented, but as a Hokkaido field would look; written to lib/store."""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import Counter
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lib.diversity.day_columns import day_columns  # noqa: E402
from lib.diversity.day_estimate import estimate_day  # noqa: E402
from lib.diversity.label_draws import Candidates  # noqa: E402
from lib.store.records import DayRow, ProcessingRow  # noqa: E402
from lib.store.sample import MODEL_NAME, SEASON_FILE  # noqa: E402
from lib.taxa import family_of  # noqa: E402

DIGITS = 5  # of floats: more would only make the file larger
# What follows from the counts, and is made of them on reading.
DERIVED = ("species_frequencies", "top_species")
SEED = "hokkaido-sample-1"
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


def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(description=__doc__)


def main(argv: list[str] | None = None) -> int:
    """Writes the season anew; the same on every machine but for the last digits."""
    parser().parse_args(argv)
    days = season()
    lines = ",\n".join(json.dumps(day, ensure_ascii=False, separators=(",", ":")) for day in days)
    SEASON_FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(days)} days written to {SEASON_FILE.relative_to(ROOT)}")
    return 0


def season() -> list[dict[str, Any]]:
    """Every surveyed day as JSON: its row and how it was processed."""
    return [as_json(*make_day(day)) for day in _survey_days()]


def as_json(row: DayRow, processing: ProcessingRow) -> dict[str, Any]:
    """A day as the file has it; what follows from the rest is left out."""
    columns = {name: value for name, value in asdict(row).items() if name not in DERIVED}
    columns["confidences"] = {top["species_name"]: top["average_confidence"] for top in row.top_species}
    return {"row": _plain(columns), "processing": _plain(asdict(processing))}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _survey_days() -> list[date]:
    """The days with photos, in order: a weekly rhythm less rain, holidays and harvest."""
    days = []
    for year in YEARS:
        day, last = date(year, *SEASON[0]), date(year, *SEASON[1])
        while day <= last:
            chance = random.Random(f"{SEED}:weather:{day}")  # noqa: S311 # nosec B311
            rain, visit = chance.random() < RAIN, chance.random() < SURVEY_WEEKDAYS.get(day.weekday(), 0.0)
            away = any(date(year, *first) <= day <= date(year, *end) for first, end in GAPS[year])
            if day in BARE_DAYS or (visit and not rain and not away):
                days.append(day)
            day += timedelta(days=1)
    return days


def make_day(day: date) -> tuple[DayRow, ProcessingRow]:
    """One surveyed day: plants drawn by season, duplicates and unsure labels as they happen, real metrics."""
    draw = random.Random(f"{SEED}:field:{day}")  # each day its own  # noqa: S311 # nosec B311
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
        **_columns(day, counts, confidences, unsure),
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


def _columns(day: date, counts: Counter[str], confidences: dict[str, float], unsure: int) -> dict[str, Any]:
    """What the statistics make of labels of which all but `unsure` are certain."""
    species = sorted(counts)
    confirmed = [place for place, name in enumerate(species) for _ in range(counts[name])] + [-1] * unsure
    places = len(confirmed)
    candidates = Candidates(
        classes=np.zeros((places, 1), dtype=np.int64),
        values=np.zeros((places, 1)),
        rest=np.zeros(places),
        unknown=np.array([float(place < 0) for place in confirmed]),
        size=max(len(species), 1),
    )
    columns = day_columns(
        estimate_day(candidates, np.array(confirmed, dtype=np.int64), seed=day.toordinal()),
        dict(enumerate(species)),
        counts,
        confidences,
        {
            "genus": {name: name.split(" ")[0] for name in species},
            "family": {name: family_of(name.split(" ")[0]) for name in species},
        },
    )
    return {each.name: getattr(columns, each.name) for each in fields(columns)}


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


if __name__ == "__main__":
    sys.exit(main())
