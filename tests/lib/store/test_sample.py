"""The sample season: always the same, shaped as real days are, and what an ecologist would believe."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from statistics import median
from threading import Thread

import pytest

from lib import diversity, taxa
from lib.store.records import DayRow
from lib.store.sample import SEASON_FILE, SampleStore
from scripts.sample_season import BARE_DAYS, GAPS, WEEDS, YEARS, as_json, make_day

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def season() -> list[DayRow]:
    return SampleStore().days()


def test_it_says_that_it_is_a_sample() -> None:
    assert SampleStore().sample is True
    assert SampleStore().sessions() == []


def test_it_is_the_same_in_every_process(season: list[DayRow]) -> None:
    code = (
        "import json; from dataclasses import asdict; from lib.store.sample import SampleStore;"
        "print(json.dumps([asdict(row) for row in SampleStore().days()], default=str))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PATH": ""},
        cwd=ROOT,
    )
    assert json.loads(other.stdout) == json.loads(
        json.dumps([asdict(row) for row in season], default=str, allow_nan=False)
    )


def test_importing_it_costs_nothing() -> None:
    code = (
        "import sys; from lib.store.sample import SampleStore; SampleStore();"
        "print([name for name in ('numpy', 'PIL', 'onnxruntime', 'peewee') if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == "[]"


def test_threads_share_one_season() -> None:
    store = SampleStore()
    seen: list[DayRow] = []
    threads = [Thread(target=lambda: seen.append(store.days()[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(row) for row in seen}) == 1


def test_days_are_ordered_and_filtered(season: list[DayRow]) -> None:
    store = SampleStore()
    dates = [row.date for row in season]
    assert dates == sorted(set(dates))
    july = store.days(start=date(2025, 7, 1), end=date(2025, 7, 31))
    assert july == [row for row in season if (row.date.year, row.date.month) == (2025, 7)]
    assert july
    first = store.day(dates[0])
    assert first == season[0]
    assert store.days(start=dates[0], end=dates[0]) == [first]
    assert store.day(date(2025, 1, 1)) is None
    assert store.processing(date(2025, 1, 1)) is None


def test_it_has_no_sessions_to_ask_for(season: list[DayRow]) -> None:
    store = SampleStore()
    day = season[0].date
    assert store.days(session_id=1) == []
    assert store.day(day, 1) is None
    assert store.processing(day, 1) is None


def test_every_day_is_processed_and_its_numbers_agree(season: list[DayRow]) -> None:
    store = SampleStore()
    for row in season:
        processing = store.processing(row.date)
        assert processing is not None
        assert processing.input_images_count == row.total_images == row.processed_images
        metadata = processing.processing_metadata
        assert metadata["counted"] == sum(row.species_counts.values())
        named = metadata["counted"] + metadata["unsure"] + metadata["not_a_plant"]
        assert named == processing.clusters_found <= row.total_images
        assert processing.redundancy_reduction_ratio == pytest.approx(
            1 - processing.clusters_found / row.total_images, abs=1e-5
        )


def test_the_metrics_are_computed_not_invented(season: list[DayRow]) -> None:
    for row in season:
        counts = list(row.species_counts.values())
        assert row.species_richness == len(counts)
        if counts:
            assert row.shannon_diversity == pytest.approx(diversity.shannon(counts), abs=1e-5)
            assert row.coverage_estimate == pytest.approx(diversity.coverage(counts), abs=1e-5)
        else:
            assert row.shannon_diversity is row.coverage_estimate is None
        assert sum(row.species_frequencies.values()) == pytest.approx(1 if counts else 0)
    assert {field.name for field in fields(DayRow)} == set(asdict(season[0]))


def test_its_days_have_intervals_unless_too_few_plants_were_seen(season: list[DayRow]) -> None:
    for row in season:
        assert bool(row.confidence_intervals) == (row.effort == "ok")
        for metric in ("shannon_diversity", "hill_q1"):
            if row.effort == "ok":
                interval = row.confidence_intervals[metric]
                assert interval["low"] <= getattr(row, metric) + 1e-5
                assert getattr(row, metric) <= interval["high"] + 1e-5


def test_the_file_is_what_the_script_makes() -> None:
    """Some days of it: all of them take seconds."""
    written = {entry["row"]["date"]: entry for entry in json.loads(SEASON_FILE.read_text())}
    for day in (BARE_DAYS[0], *list(map(date.fromisoformat, written))[::40]):
        made = as_json(*make_day(day))
        kept = written[day.isoformat()]
        assert made["processing"] == kept["processing"]
        for column in ("species_counts", "total_images", "inputs_digest", "known_units"):
            assert made["row"][column] == kept["row"][column]
        # The last digits depend on the machine.
        for metric, interval in made["row"]["confidence_intervals"].items():
            for end in ("low", "high"):
                assert interval[end] == pytest.approx(
                    kept["row"]["confidence_intervals"][metric][end], rel=1e-3
                )


def test_counts_agree_with_the_days(season: list[DayRow]) -> None:
    assert SampleStore().counts() == {
        "sessions": 0,
        "photos": sum(row.total_images for row in season),
        "days": len(season),
        "species": len({name for row in season for name in row.species_counts}),
    }


def test_an_ecologist_would_believe_it(season: list[DayRow]) -> None:
    for year in YEARS:
        days = [row for row in season if row.date.year == year]
        ok = [row for row in days if row.effort == "ok"]
        assert 60 <= len(days) <= 110
        assert 3 <= sum(row.effort == "low" for row in days) <= 20
        assert days[0].date.month == 5
        assert days[-1].date.month == 10
        assert 1.4 <= median(row.shannon_diversity or 0 for row in ok) <= 2.3
        assert max(row.shannon_diversity or 0 for row in ok) <= 2.8
        assert 8 <= median(row.species_richness for row in ok) <= 14
        assert max(row.species_richness for row in ok) <= 20
        by_month = defaultdict(list)
        for row in ok:
            by_month[row.date.month].append(row.species_richness)
        assert median(by_month[6]) > median(by_month[10])
        assert median(by_month[8]) > median(by_month[5])


def test_the_field_is_left_alone_in_holidays_and_harvest_and_bare_once_a_year(season: list[DayRow]) -> None:
    dates = {row.date for row in season}
    for year, gaps in GAPS.items():
        for first, last in gaps:
            start, end = date(year, *first), date(year, *last)
            assert not [day for day in dates if start <= day <= end]
    for day in BARE_DAYS:
        bare = SampleStore().day(day)
        assert bare is not None
        assert bare.total_images > 0
        assert bare.species_counts == {}
        assert bare.shannon_diversity is None
        assert bare.effort == "none"


def test_species_have_their_seasons_and_years(season: list[DayRow]) -> None:
    months: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    years: dict[str, set[int]] = defaultdict(set)
    for row in season:
        for name, count in row.species_counts.items():
            months[name][row.date.month] += count
            years[name].add(row.date.year)
    assert months["Stellaria media"][5] > months["Stellaria media"][7]
    assert months["Echinochloa crus-galli"][7] > months["Echinochloa crus-galli"][5]
    assert years["Galinsoga quadriradiata"] == {2025}
    assert years["Spergula arvensis"] == {2024}
    assert sum(seen == {2024, 2025} for seen in years.values()) >= 25


def test_every_species_of_the_sample_has_names_in_both_languages() -> None:
    for weed in WEEDS:
        assert taxa.common_name(weed.species)
        assert taxa.common_name(weed.species, "ja")
