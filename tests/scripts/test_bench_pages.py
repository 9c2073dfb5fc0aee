"""The measurement of the pages: over a database that is as full as it says, of all that a page loads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import functions
from lib.web import static_files
from scripts.benchmarks import pages, seasons
from scripts.benchmarks.server import Server


@pytest.fixture(autouse=True)
def one_summer(monkeypatch: pytest.MonkeyPatch, photos_dir: Path) -> None:
    monkeypatch.setattr(seasons, "YEARS", (2025,))


def test_it_measures_every_page_of_the_table() -> None:
    found = pages.measure(2)
    by_page = {each["page"]: each for each in found["pages"]}
    assert len(by_page) == sum(each.page and "GET" in each.methods for each in functions.FUNCTIONS)
    assert found["days"] == seasons.DAYS
    upload = by_page["/upload"]
    scripts = ("menu.js", "upload.js", "receipt.js", "sending.js")
    assert upload["js"] == sum(len(static_files.load(name).compressed) for name in scripts)
    assert upload["css"] == len(static_files.load("style.css").compressed)
    assert upload["requests"] == 3 + len(scripts)  # the page, its style and its icon
    assert any(each["pictures"] for each in found["pages"])
    for each in found["pages"]:
        assert 0 < each["server_ms"] <= each["answer_ms"]
        assert each["ratio"] == pytest.approx(each["answer_ms"] / found["health_ms"], rel=0.1)
    calendar = by_page["/calendar"]
    assert calendar["html"] + calendar["css"] + calendar["js"] < 15_000
    told = pages.describe(found)
    assert all(f"\n{page} " in told for page in by_page)


def test_the_days_have_the_photos_that_they_tell_of(tmp_path: Path) -> None:
    with Server(tmp_path).prepare() as server:
        made = seasons.fill(server)
    database = sqlite3.connect(tmp_path / "weeds.db")
    days = database.execute("SELECT date, total_images FROM diversity_metrics ORDER BY date").fetchall()
    photos = database.execute("SELECT date, count(*) FROM image_data GROUP BY date ORDER BY date").fetchall()
    said = database.execute("SELECT count(*) FROM prediction_results").fetchone()[0]
    labels = database.execute(
        "SELECT count(*), sum(label_source = 'human'), sum(label_level = 'genus') FROM image_data"
    ).fetchone()
    database.close()
    assert len(days) == made.days == seasons.DAYS
    assert [(day, count) for day, count in days if count] == photos
    assert said == labels[0] == made.photos
    assert 0 < labels[1] < labels[0]
    assert 0 < labels[2] < labels[0]


def test_a_script_counts_with_what_it_imports() -> None:
    script = b"""import { a } from "./one.js";
import {
  b,
} from "./two.js";
const c = await import("./three.js");
"""
    found = pages._IMPORT.findall(script)
    assert found == [b"./one.js", b"./two.js"]
