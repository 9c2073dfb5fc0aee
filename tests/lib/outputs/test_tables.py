"""The CSV files: their columns, numbers that stay numbers, and text that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import diversity
from lib.outputs import tables
from lib.outputs.csvw import Provenance
from lib.outputs.summaries import ModelInfo
from lib.store.records import DayRow, Photo, Prediction

DAY = date(2025, 8, 24)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
MODELS = {
    ("starter", "1.0"): ModelInfo("starter", "1.0", "lite0", 12),
    ("starter", "2.0"): ModelInfo("starter", "2.0", "swin", 12, lora_enabled=True),
}
ABOUT = Provenance("1", [{"name": "starter", "version": "1.0"}], NOON)
LATER = replace(ABOUT, exported=NOON + timedelta(days=1))


def info(name: str, version: str | None) -> ModelInfo:
    return MODELS.get((name, version or ""), ModelInfo(name, version))


def photo(number: int, *guesses: tuple[str, float], **changes: Any) -> Photo:
    """A photo whose first guess is its label; without guesses one that is not classified."""
    prediction = Prediction(
        model_name="starter",
        processing_time=0.02,
        timestamp=NOON,
        predictions=[
            {"species": name, "common_name": "", "confidence": confidence, "taxonomic_level": "species"}
            for name, confidence in guesses
        ],
        top_prediction_species=guesses[0][0] if guesses else "",
        top_prediction_confidence=guesses[0][1] if guesses else 0.0,
        mean_confidence=0.5,
        prediction_entropy=0.25,
        model_version="1.0",
    )
    values: dict[str, Any] = {
        "id": number, "session_id": 0, "path": f"2025-08-24/{number}.jpg", "date": DAY, "date_source": "folder",
        "captured_at": None, "original_filename": f"{number}.jpg", "width": 600, "height": 600,
        "file_size_bytes": 1000, "sha256": f"{number:064x}", "media_type": "image/jpeg", "blur_score": 1.0,
        "exposure_score": 1.0, "brightness_mean": 1.0, "contrast_std": 1.0, "quality_score": 0.5,
        "low_resolution": False, "fingerprint": "", "is_processed": True, "is_representative": True,
        "cluster_id": number, "similarity_score": 1.0, "label": guesses[0][0] if guesses else None,
        "label_level": "species" if guesses else None, "label_source": "model" if guesses else None,
        "label_history": [], "created_at": NOON, "prediction": prediction if guesses else None,
    }  # fmt: skip
    return Photo(**(values | changes))


PHOTOS = [
    photo(1, ("Stellaria media", 0.9), ("Zea mays", 0.05), ("Poa annua", 0.02), ("Rumex acetosa", 0.01)),
    photo(2, ("Zea mays", 0.8)),
    photo(3, ("Zea mays", 0.7), is_representative=False, cluster_id=2),
    photo(4),
]
ROW = DayRow(DAY, species_counts={"Stellaria media": 1, "Zea mays": 1})
TODAY = tables.AnalysedDay(ROW, PHOTOS)


def lines(path: Path) -> list[dict[str, str]]:
    return tables.read_table(path.read_bytes())


def test_daily_predictions_have_exactly_the_columns_of_the_shape(tmp_path: Path) -> None:
    assert tables.write_daily(tmp_path, TODAY, info, ABOUT) == 2
    path = tmp_path / "csv" / "daily_predictions_2025-08-24.csv"
    assert path.read_text("utf-8").splitlines()[0] == (
        "date,image_id,image_path,processing_time,timestamp,model_name,total_predictions,model_size,lora_enabled,"
        "device_used,species_name_1,confidence_1,inatag_id_1,taxonomic_level_1,species_name_2,confidence_2,"
        "inatag_id_2,taxonomic_level_2,species_name_3,confidence_3,inatag_id_3,taxonomic_level_3,top_confidence,"
        "mean_confidence,confidence_std,prediction_entropy"
    )
    first, second, third, fourth = lines(path)
    assert (first["date"], first["image_id"], first["image_path"]) == ("2025-08-24", "1", "2025-08-24/1.jpg")
    assert (first["species_name_1"], first["confidence_1"]) == ("Stellaria media", "0.9")
    assert (first["species_name_3"], first["taxonomic_level_3"]) == ("Poa annua", "species")
    assert (first["total_predictions"], first["model_size"], first["lora_enabled"]) == ("4", "lite0", "False")
    assert first["timestamp"] == "2025-08-24T03:00:00+00:00"
    assert float(first["confidence_std"]) == pytest.approx(pstdev([0.9, 0.05, 0.02, 0.01]))
    assert (second["species_name_2"], second["confidence_2"]) == ("", "")
    assert third["image_id"] == "3"
    assert (fourth["total_predictions"], fourth["top_confidence"], fourth["species_name_1"]) == ("0", "", "")


def test_what_is_said_of_the_model_is_of_the_version_that_named_the_photo() -> None:
    assert PHOTOS[0].prediction is not None
    photos = [
        replace(PHOTOS[0], prediction=replace(PHOTOS[0].prediction, model_version=version))
        for version in ("1.0", "2.0", None)
    ]
    found = list(tables.daily_lines(tables.AnalysedDay(ROW, photos), info))
    assert [(each["model_name"], each["model_size"], each["lora_enabled"]) for each in found] == [
        ("starter", "lite0", False), ("starter", "swin", True), ("starter", None, False),
    ]  # fmt: skip


def test_a_table_that_stands_already_is_not_written_again(tmp_path: Path) -> None:
    tables.write_daily(tmp_path, TODAY, info, ABOUT)
    path = tables.daily_path(tmp_path, DAY)
    before = path.stat()
    assert tables.write_daily(tmp_path, TODAY, info, LATER) == 0
    assert path.stat() == before


def test_aggregated_predictions_and_species_cover_the_period(tmp_path: Path) -> None:
    other = date(2025, 8, 26)
    later = [replace(each, date=other) for each in PHOTOS[:1]]
    days = [TODAY, tables.AnalysedDay(replace(ROW, date=other, species_counts={"Stellaria media": 4}), later)]
    assert tables.write_period(tmp_path, days, ABOUT) == 4
    assert tables.write_period(tmp_path, days, LATER) == 0
    aggregated, species = tables.period_paths(tmp_path, days)
    assert aggregated.name == "aggregated_predictions_2025-08-24_to_2025-08-26.csv"
    assert species.name == "species_summary_2025-08-24_to_2025-08-26.csv"
    found = lines(aggregated)
    assert [line["image_id"] for line in found] == [
        "2025-08-24_1", "2025-08-24_2", "2025-08-24_3", "2025-08-24_4", "2025-08-26_1",
    ]  # fmt: skip
    assert list(found[0]) == list(tables.AGGREGATED_COLUMNS)
    first, second = lines(species)
    assert list(first) == list(tables.SPECIES_COLUMNS)
    assert (first["species_name"], first["total_occurrences"], first["days_observed"]) == (
        "Stellaria media",
        "5",
        "2",
    )
    assert first["observation_frequency"] == "1.0"
    assert (first["first_observed"], first["last_observed"]) == ("2025-08-24", "2025-08-26")
    assert (second["species_name"], second["observation_frequency"]) == ("Zea mays", "0.5")
    assert float(second["average_confidence"]) == pytest.approx(0.75)
    assert (second["min_confidence"], second["max_confidence"]) == ("0.7", "0.8")


def test_a_long_table_comes_in_pieces_that_make_the_whole() -> None:
    found = [{"a": number, "b": "x" * 500} for number in range(400)]
    pieces = list(tables.table_chunks(("a", "b"), iter(found)))
    assert len(pieces) > 2
    assert max(map(len, pieces)) < tables.CHUNK + 1000
    assert tables.read_table(b"".join(pieces)) == [{"a": str(each["a"]), "b": each["b"]} for each in found]


def test_a_person_s_label_is_certain_and_a_lost_one_is_not() -> None:
    human = photo(1, ("Zea mays", 0.2), label="Poa annua", label_source="human")
    model = photo(2, ("Zea mays", 0.2), label="Rumex acetosa")
    row = DayRow(DAY, species_counts={"Poa annua": 1, "Rumex acetosa": 1, "Setaria pumila": 1})
    found = {
        line["species_name"]: line for line in tables.species_lines([tables.AnalysedDay(row, [human, model])])
    }
    assert found["Poa annua"]["average_confidence"] == 1.0
    assert found["Rumex acetosa"]["average_confidence"] == 0.0
    assert found["Setaria pumila"]["average_confidence"] is None


def test_soft_voting_sums_probabilities_over_one_photo_a_cluster(tmp_path: Path) -> None:
    assert tables.write_soft_voting(tmp_path, TODAY, ABOUT) == 2
    *species, summary = lines(tmp_path / "csv" / "soft_voting_2025-08-24.csv")
    assert [line["species_name"] for line in species] == [
        "Stellaria media", "Zea mays", "Poa annua", "Rumex acetosa",
    ]  # fmt: skip
    maize = species[1]
    assert float(maize["soft_voting_weight"]) == pytest.approx(0.85)
    assert maize["hard_voting_weight"] == "1"
    assert float(maize["weight_difference"]) == pytest.approx(-0.15)
    assert sum(float(line["normalized_weight"]) for line in species) == pytest.approx(1)
    assert (summary["species_name"], summary["diversity_species_richness"]) == ("SUMMARY", "4")
    weights = [float(line["soft_voting_weight"]) for line in species]
    assert float(summary["diversity_shannon_diversity"]) == pytest.approx(diversity.shannon(weights))


def test_a_day_that_no_model_has_seen_has_no_votes() -> None:
    assert tables.soft_voting_lines(tables.AnalysedDay(ROW, [photo(1)])) == []


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+49", "-2", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "－2", "'=1", "''@x", '=HYPERLINK("x")'],
)
def test_text_that_a_spreadsheet_would_run_is_escaped(text: str) -> None:
    data = tables.table(("a", "b"), [{"a": text, "b": "x"}])
    written = next(csv.reader(io.StringIO(data.decode().partition("\r\n")[2], newline="")))
    assert written == ["'" + text, "x"]
    assert tables.read_table(data) == [{"a": text, "b": "x"}]


@pytest.mark.parametrize("number", [-1, -0.5, 0, 1e-300, -1e30])
def test_negative_numbers_stay_numbers(number: float) -> None:
    (line,) = tables.read_table(tables.table(("a",), [{"a": number}]))
    assert float(line["a"]) == number
    assert not line["a"].startswith("'")


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


@given(st.lists(cells, min_size=1, max_size=4))
def test_text_comes_back_as_it_was(texts: list[str]) -> None:
    columns = [f"c{number}" for number in range(len(texts))] + ["end"]
    line = dict(zip(columns, [*texts, "end"], strict=True))
    data = tables.table(columns, [line])
    assert tables.read_table(data) == [line]
    for row in csv.reader(io.StringIO(data.decode(), newline="")):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_byte_order_mark_and_short_lines_are_read() -> None:
    assert tables.read_table(b"\xef\xbb\xbfa,b\n1\n") == [{"a": "1", "b": ""}]
    assert tables.read_table("名前,b\n×,2,3\n".encode()) == [{"名前": "×", "b": "2"}]


def test_names_that_are_no_text_do_not_stop_it() -> None:
    assert tables.table(("a",), [{"a": "x\udcff.jpg"}]) == b"a\r\nx?.jpg\r\n"
