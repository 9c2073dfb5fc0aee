"""What a person may call a photo."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import labels, taxa
from lib.config import STARTER_MODEL
from lib.labels import HumanLabel, human_label
from lib.problems import Problem

HEADER = "index,scientific_name,genus,family,common_name_en,common_name_ja,eppo,gbif\n"


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    rows = "0,Stellaria media,Stellaria,Caryophyllaceae,common chickweed,コハコベ,,\n1,Poa annua,Poa,,,,,\n"
    (tmp_path / "labels.csv").write_text(HEADER + rows, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "text", ["Stellaria media", "stellaria MEDIA", "  Stellaria\t media ", "Common Chickweed", "コハコベ"]
)
def test_a_name_of_the_model_is_found_however_it_is_written(model_dir: Path, text: str) -> None:
    assert human_label(text, model_dir) == HumanLabel("Stellaria media", "species")


@pytest.mark.parametrize(
    ("text", "name", "level"),
    [
        ("stellaria", "Stellaria", "genus"),
        ("CARYOPHYLLACEAE", "Caryophyllaceae", "family"),
        ("veronica", "Veronica", "genus"),
        ("Veronica sp.", "Veronica", "genus"),
        ("veronica spp", "Veronica", "genus"),
        ("brassicaceae", "Brassicaceae", "family"),
        ("Veronica Persica", "Veronica persica", "species"),
        ("capsella bursa-pastoris", "Capsella bursa-pastoris", "species"),
        ("Mentha × piperita", "Mentha × piperita", "species"),
        ("Poa annua var. reptans", "Poa annua var. reptans", "species"),
        ("not a plant", "not_a_plant", "not_a_plant"),
        ("Not_A_Plant", "not_a_plant", "not_a_plant"),
        ("Unknown", "unknown", "unknown"),
    ],
)
def test_other_names_have_the_level_they_read_like(model_dir: Path, text: str, name: str, level: str) -> None:
    assert human_label(text, model_dir) == HumanLabel(name, level)


@pytest.mark.parametrize(
    ("text", "name", "level"),
    [
        ("スギナ", "Equisetum arvense", "species"),
        ("field HORSETAIL", "Equisetum arvense", "species"),
        ("equisetum_arvense", "Equisetum arvense", "species"),
        ("Conyza canadensis", "Erigeron canadensis", "species"),
        ("conyza canadensis (L.) Cronquist", "Erigeron canadensis", "species"),
        ("Mentha x piperita", "Mentha × piperita", "species"),
        ("Capsella bursa pastoris", "Capsella bursa-pastoris", "species"),
        ("Compositae", "Asteraceae", "family"),
        ("lantana", "Lantana", "genus"),
    ],
)
def test_the_table_of_plants_knows_what_the_model_does_not(
    model_dir: Path, text: str, name: str, level: str
) -> None:
    assert human_label(text, model_dir) == HumanLabel(name, level)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("poa ANNUA", True),
        ("スギナ", True),
        ("Veronica sp.", True),
        ("Caryophyllaceae", True),
        ("not a plant", True),
        ("Stelaria media", False),
        ("Stellaria mediae", False),
        ("Chickwed", False),
        ("Nomenaceae", False),
        ("Nomenia spp.", False),
    ],
)
def test_a_name_that_only_reads_like_one_is_told(model_dir: Path, text: str, known: bool) -> None:
    assert human_label(text, model_dir).known is known


@pytest.mark.parametrize("text", ["Persicaria maculosa", "Redshank", "ハルタデ", "polygonum persicaria"])
def test_a_plant_is_counted_under_the_name_that_the_model_has_for_it(tmp_path: Path, text: str) -> None:
    row = "0,Polygonum persicaria,Polygonum,Polygonaceae,,,,\n"
    (tmp_path / "labels.csv").write_text(HEADER + row, encoding="utf-8")
    assert human_label(text, tmp_path) == HumanLabel("Polygonum persicaria", "species")


def test_the_models_own_names_come_before_those_of_the_table(tmp_path: Path) -> None:
    row = "0,Poa annua,Poa,Poaceae,field horsetail,,,\n"
    (tmp_path / "labels.csv").write_text(HEADER + row, encoding="utf-8")
    assert human_label("Field horsetail", tmp_path) == HumanLabel("Poa annua", "species")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "7",
        "Poa 2",
        "Poa annua 2",
        "Qwerty_uiop",
        "=SUM(A1)",
        "<b>",
        "ハコベ",
        "a b c d e f",
        "Poa-",
        "é",
        "Poa; x",
    ],
)
def test_what_reads_like_no_name_is_refused(model_dir: Path, text: str) -> None:
    with pytest.raises(Problem) as caught:
        human_label(text, model_dir)
    assert caught.value.status == 422
    assert [error["field"] for error in caught.value.errors] == ["label"]


@pytest.mark.parametrize("content", [None, "", "nothing,of,this\n", "\xff"])
def test_a_broken_model_stops_nobody_from_labelling(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "labels.csv").write_text(content, encoding="latin-1")
    assert human_label("stellaria media", tmp_path) == HumanLabel("Stellaria media", "species")


def test_the_starter_models_names_are_known() -> None:
    assert human_label("トウモロコシ", STARTER_MODEL) == HumanLabel("Zea mays", "species")


NAMES = [
    name for row in taxa.table() for name in (row.species, row.en, row.ja, *row.inatag, *row.synonyms) if name
]


@given(st.text(max_size=200) | st.from_regex(labels._SCIENTIFIC, fullmatch=True) | st.sampled_from(NAMES))
def test_a_label_that_is_taken_is_stable(text: str) -> None:
    """Sent again as it was stored, a label is the same label: what is shown can be confirmed."""
    try:
        once = human_label(text, STARTER_MODEL)
    except Problem as problem:
        status = problem.status
    else:
        assert once.name == " ".join(once.name.split()) != ""
        assert human_label(once.name, STARTER_MODEL) == once
        return
    assert status == 422
