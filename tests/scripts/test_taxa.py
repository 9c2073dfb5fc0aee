"""The command that checks a model's names against the table of plants, and adds those that it lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib import taxa
from lib.config import STARTER_MODEL
from scripts import taxa as command

HEADER = ",".join(taxa.COLUMNS) + "\n"
ROWS = (
    "Poa annua,Poa,Poaceae,Annual meadow grass,スズメノカタビラ,POAAN,,weed,poa_annua,\n"
    "Stellaria media,Stellaria,Caryophyllaceae,Common chickweed,コハコベ,STEME,,,,\n"
)


def forget() -> None:
    for cached in (taxa._read, taxa._accepted, taxa._lines, taxa._common, taxa._families):
        cached.cache_clear()


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "taxa.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    monkeypatch.setattr(taxa, "TABLE", path)
    forget()
    yield path
    forget()


def entry(family: str, kind: str, *names: str) -> dict[str, Any]:
    return {"classes": {"0": kind}, "extra_metadata": {"family_name": family, "common_name": list(names)}}


def data_file(folder: Path, data: object) -> Path:
    path = folder / "data.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_it_says_that_the_starter_model_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check", str(STARTER_MODEL)]) == 0
    told = capsys.readouterr().out
    assert "12 of 12 names are in the table; they are 12 species\nof 12 genera and 7 families." in told
    assert "12 species have a Japanese name." in told


def test_it_names_what_the_table_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names.txt"
    path.write_text(
        "# of a model\n\nstellaria_media  # コハコベ\nnothingia_nulla\npolygonum_persicaria\npersicaria_maculosa\n"
    )
    assert command.main(["check", str(path)]) == 1
    told = capsys.readouterr().out
    assert "3 of 4 names are in the table; they are 2 species" in told
    assert "Persicaria maculosa: polygonum_persicaria, persicaria_maculosa\n" in told
    assert told.endswith("not in the table: nothingia_nulla\n")


@pytest.mark.parametrize(
    "data",
    [
        ["poa_annua", "zea_mays"],
        {"0": "Poa annua", "1": "Zea mays"},
        {
            "iNatAg/poa_annua": entry("Poaceae", "weed"),
            "iNatAg/zea_mays": entry("Poaceae", "crop"),
            "other/x": {},
        },
    ],
)
def test_names_come_from_json_of_several_forms(
    tmp_path: Path, data: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["check", str(data_file(tmp_path, data))]) == 0
    assert "2 of 2 names" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command_name", "content", "said"),
    [
        ("check", "[1, 2]", "holds no list of names"),
        ("check", "[]", "holds no list of names"),
        ("check", "7", "holds no list of names"),
        ("check", "{", "is not JSON"),
        ("add", "[]", "has no entries iNatAg/"),
        ("add", '{"other/poa_annua": {}}', "has no entries iNatAg/"),
        ("add", "\x00", "is not JSON"),
    ],
)
def test_other_files_are_refused(
    table: Path,
    tmp_path: Path,
    command_name: str,
    content: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "data.json"
    path.write_text(content)
    assert command.main([command_name, str(path)]) == 2
    assert said in capsys.readouterr().err
    assert table.read_text(encoding="utf-8") == HEADER + ROWS


@pytest.mark.parametrize("command_name", ["check", "add"])
def test_a_missing_file_is_told(
    tmp_path: Path, command_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([command_name, str(tmp_path / "none.json")]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_it_adds_what_the_table_lacks_and_overwrites_nothing(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data_file(
        tmp_path,
        {
            "iNatAg/stellaria_media": entry("Wrongaceae", "weed", "some other weed"),
            "iNatAg/stellaria_holostea": entry("Wrongaceae", "crop", "sternmiere", "Easterbell chickweed"),
            "iNatAg/poa_pratensis": entry("Poaceae", "crop", "annual meadow grass", "Kentucky blue grass"),
            "iNatAg/mentha_×_piperita": entry("Lamiaceae", "crop", "menthe poivrée"),
        },
    )
    assert command.main(["add", str(path)]) == 0
    expected = (
        HEADER
        + "Mentha × piperita,Mentha,Lamiaceae,,,,,crop,mentha_×_piperita,\n"
        + ROWS.splitlines()[0]
        + "\nPoa pratensis,Poa,Poaceae,Kentucky blue grass,,,,crop,poa_pratensis,\n"
        + "Stellaria holostea,Stellaria,Caryophyllaceae,Easterbell chickweed,,,,crop,stellaria_holostea,\n"
        + "Stellaria media,Stellaria,Caryophyllaceae,Common chickweed,コハコベ,STEME,,weed,stellaria_media,\n"
    )
    assert table.read_text(encoding="utf-8") == expected
    told = capsys.readouterr()
    assert "Stellaria holostea: Wrongaceae in the file, Caryophyllaceae in the table" in told.err
    assert "added: Mentha × piperita, Lamiaceae\n" in told.out
    assert told.out.endswith("5 species in the table\n")
    forget()
    assert command.main(["add", str(path)]) == 0
    assert table.read_text(encoding="utf-8") == expected


def test_a_comma_does_not_get_into_the_table(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data_file(tmp_path, {"iNatAg/aus_bus": entry("Poaceae, nom. cons.", "crop")})
    assert command.main(["add", str(path)]) == 2
    assert "has a comma or a quote" in capsys.readouterr().err
    assert table.read_text(encoding="utf-8") == HEADER + ROWS


def test_the_shipped_table_is_as_the_command_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = taxa.TABLE.read_text(encoding="utf-8")
    rows = taxa.table()
    monkeypatch.setattr(taxa, "TABLE", tmp_path / "again.csv")
    command.write(rows)
    assert (tmp_path / "again.csv").read_text(encoding="utf-8") == shipped
