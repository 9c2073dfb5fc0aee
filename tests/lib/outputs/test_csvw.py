"""The metadata beside a CSV file: every column described, every cell of the type that it says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lib import __version__
from lib.outputs import csvw, tables
from lib.outputs.csvw import Provenance
from lib.outputs.summaries import ModelInfo
from lib.store.records import DayRow, Photo, Prediction

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
ABOUT = Provenance("1", [{"name": "starter", "version": "1.0"}], NOON)
# Prefixes that the context of CSV on the Web defines.
PREFIXES = {"dc", "schema"}


def photo(number: int) -> Photo:
    """A photo with two guesses; every third has not been classified."""
    said = Prediction(
        "starter", 0.02, NOON,
        [{"species": f"Poa {name}", "confidence": share} for name, share in (("annua", 0.75), ("trivialis", 0.1))],
        "Poa annua", 0.75, 0.4, 0.9,
    )  # fmt: skip
    return Photo(
        id=number, session_id=0, path=f"2025-08-24/{number}.jpg", date=DAY, date_source="folder", captured_at=None,
        original_filename=f"{number}.jpg", width=600, height=600, file_size_bytes=1, sha256=f"{number:064x}",
        media_type="image/jpeg", blur_score=1.0, exposure_score=1.0, brightness_mean=1.0, contrast_std=1.0,
        quality_score=0.5, low_resolution=False, fingerprint="", is_processed=True, is_representative=True,
        cluster_id=number, similarity_score=1.0, label="Poa annua", label_level="species", label_source="model",
        label_history=[], created_at=NOON, prediction=said if number % 3 else None,
    )  # fmt: skip


TODAY = tables.AnalysedDay(DayRow(DAY, species_counts={"Poa annua": 4}), [photo(n) for n in range(1, 7)])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("output")
    tables.write_daily(output, TODAY, lambda *_: ModelInfo("starter", "1.0", "lite0", 12), ABOUT)
    tables.write_soft_voting(output, TODAY, ABOUT)
    tables.write_period(output, [TODAY], ABOUT)
    return output / "csv"


def parsed(cell: str, datatype: Any) -> Any:
    """The value of a cell by a datatype of XML Schema; ValueError when it is none."""
    if isinstance(datatype, dict):
        assert datatype["base"] == "boolean"
        return datatype["format"].split("|").index(cell) == 0
    readers: dict[str, Any] = {
        "string": str, "number": float, "integer": int, "date": date.fromisoformat, "dateTimeStamp": moment,
    }  # fmt: skip
    return readers[datatype](cell)


def moment(cell: str) -> datetime:
    found = datetime.fromisoformat(cell)
    if found.tzinfo is None:
        raise ValueError(cell)
    return found


def document_of(folder: Path, kind: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The metadata of the file of a kind, and the lines of the file that it names."""
    (path,) = folder.glob(f"{kind}_*{csvw.SUFFIX}")
    document = json.loads(path.read_text("utf-8"))
    return document, tables.read_table((folder / document["url"]).read_bytes())


@pytest.mark.parametrize("kind", csvw.TABLES)
def test_every_cell_is_what_its_column_says(written: Path, kind: str) -> None:
    document, lines = document_of(written, kind)
    columns = document["tableSchema"]["columns"]
    assert [each["name"] for each in columns] == list(lines[0])
    for line in lines:
        for column in columns:
            if line[column["name"]]:
                parsed(line[column["name"]], column["datatype"])
    key = document["tableSchema"]["primaryKey"]
    assert len({tuple(line[name] for name in key) for line in lines}) == len(lines)


@pytest.mark.parametrize("kind", csvw.TABLES)
def test_every_column_says_what_it_means(written: Path, kind: str) -> None:
    document, _ = document_of(written, kind)
    for column in document["tableSchema"]["columns"]:
        assert len(column["dc:description"]) > 5
        assert {name.partition(":")[0] for name in column if ":" in name} <= PREFIXES
    assert document["@context"][0] == "http://www.w3.org/ns/csvw"
    assert document["dc:title"]
    assert {name.partition(":")[0] for name in document if ":" in name} <= PREFIXES
    assert document["notes"][0] == {
        "product": "Weed Diversity Analyzer",
        "product_version": __version__,
        "analysis_version": "1",
        "models": [{"name": "starter", "version": "1.0"}],
        "export_timestamp": NOON.isoformat(),
    }


def test_metrics_in_a_table_bring_their_definitions(written: Path) -> None:
    document, _ = document_of(written, "soft_voting")
    assert "Shannon" in document["notes"][1]["definitions"]["shannon_diversity"]["definition"]
    columns = {each["name"]: each for each in document["tableSchema"]["columns"]}
    assert columns["diversity_shannon_diversity"]["schema:unitText"] == "nats"


def test_a_column_that_nobody_described_is_an_error() -> None:
    with pytest.raises(KeyError):
        csvw.metadata("daily_predictions", "a.csv", ["mystery"], ABOUT)
