"""Lists of a region's species: read as people write them, and refused with the line that is wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import regions, taxa
from lib.regions import RegionUnreadable, is_name, read_region, region_of


def region_file(folder: Path, content: str | bytes, name: str = "field.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_shipped_list_of_hokkaido_is_of_known_weeds() -> None:
    region = read_region("hokkaido")
    assert region.name == "hokkaido"
    assert region.unknown == ()
    assert 60 <= len(region.species) <= 150
    assert {
        "Stellaria media",
        "Elymus repens",
        "Rumex obtusifolius",
        "Solidago gigantea",
        "Beta vulgaris",
    } < set(region.species)
    assert "Eucalyptus globulus" not in region.species


@pytest.mark.parametrize("name", regions.shipped())
def test_each_shipped_list_is_tidy(name: str) -> None:
    """Each name is the accepted one, once, with the Japanese name of the table behind it."""
    lines = (regions.LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert "general knowledge" in "\n".join(lines[:8])
    names = [line.partition("#")[0].strip() for line in lines]
    names = [each for each in names if each]
    assert len(names) == len(set(names)) == len(read_region(name).species)
    assert set(names) == read_region(name).species
    for line in lines:
        species, _, told = line.partition("  # ")
        if told and species:
            assert taxa.common_name(species, "ja") == told


def test_a_text_file_is_read_with_comments_and_blank_lines(tmp_path: Path) -> None:
    path = region_file(
        tmp_path, "# weeds\n\nStellaria media # everywhere\r\n  poa_annua\nStellaria media (L.) Vill.\n"
    )
    region = read_region(path)
    assert region == regions.Region("field", frozenset({"Stellaria media", "Poa annua"}))
    assert read_region(str(path)) == region


def test_synonyms_become_the_accepted_names(tmp_path: Path) -> None:
    region = read_region(region_file(tmp_path, "Conyza canadensis\nErigeron canadensis\nAgropyron repens\n"))
    assert region.species == {"Erigeron canadensis", "Elymus repens"}


def test_names_that_the_table_does_not_have_are_kept_and_told(tmp_path: Path) -> None:
    path = region_file(tmp_path, "\ufeffNothingia  nulla\nPoa annua\nNothingia_nulla\nAlia altera\n")
    region = read_region(path)
    assert region.species == {"Nothingia nulla", "Poa annua", "Alia altera"}
    assert region.unknown == ("Nothingia nulla", "Alia altera")


@pytest.mark.parametrize(
    "content",
    [
        "species\nPoa annua\nStellaria media\n",
        "scientific_name,count\nPoa annua,3\nStellaria media,\n",
        '"count";"Scientific Name"\r\n1;"Poa annua"\r\n2;"Stellaria media"\r\n\r\n3;""\r\n4\r\n',
        "# exported\nid\tscientificName\n1\tPoa annua\n# 2\tx\n3\tStellaria media\n",
        'count,species,note\n1,Poa annua,"wet, shady"\n# none\n2,Stellaria media,\n',
    ],
)
def test_a_table_is_read_by_its_column(tmp_path: Path, content: str) -> None:
    assert read_region(region_file(tmp_path, content)).species == {"Poa annua", "Stellaria media"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names no species"),
        ("# nothing yet\n\n", "names no species"),
        ("species\n", "names no species"),
        ("species,n\n,2\n", "names no species"),
        ("Poa annua\nPoa 2\n", "line 2: “Poa 2” is not a scientific name such as Stellaria media"),
        ("Poa annua\n\nスギナ\n", "line 3"),
        ("Poa annua\nVeronica\n", "line 2: “Veronica”"),
        ("Poa annua\n" + "a" * 100 + " b" * 20, "line 2: “" + "a" * 60 + "…”"),
        ("Poa annua\nPoa \x00annua\n", r"line 2: “Poa \x00annua”"),
        ("n,species\n1,Poa annua\n2,=SUM(A1)\n", "line 3: “=SUM(A1)”"),
        ("n,plant\n1,Poa annua\n", "line 1: a table needs a column species or scientific_name"),
        ("# list\nPoa annua, Stellaria media\n", "line 2: a table needs a column"),
        (b"Poa annua\nPoa \xff\n", "line 2: not text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "line 1: not text in UTF-8"),
        ('species\n"' + "Poa annua," * 20_000, "line 2: not a row of a table"),
        (b"Poa annua\n" * 100_001, "larger than 1,000,000 bytes"),
    ],
)
def test_what_is_no_list_is_refused_with_the_reason(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(RegionUnreadable) as caught:
        read_region(region_file(tmp_path, content))
    assert said in str(caught.value)
    assert str(caught.value).startswith("field.txt")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("named", ["honshu", "", ".", "a\0b", "../regions/hokkaido", "HOKKAIDO"])
def test_what_cannot_be_read_is_told_with_the_lists_there_are(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RegionUnreadable, match=r"cannot be read\. Name a file, or one of: hokkaido"):
        read_region(named)


def test_a_region_holds_a_plant_under_any_of_its_names() -> None:
    region = region_of(["Fallopia convolvulus", "Nothingia nulla"], "mine")
    assert region.name == "mine"
    assert region.unknown == ("Nothingia nulla",)
    for name in ("Fallopia convolvulus", "Polygonum convolvulus", "polygonum_convolvulus", "Nothingia nulla"):
        assert region.holds(name), name
    for name in ("Poa annua", "Fallopia", "", "Nothingia altera"):
        assert not region.holds(name), name


@pytest.mark.parametrize(
    "text", ["Poa annua", "poa_annua", "Mentha × piperita", "Poa annua L.", "Aus-bus cus var. dus"]
)
def test_scientific_names_are_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text", ["", " ", "Poa", "Poa 2", "<b> c", "_ _", "- -", "a" * 60 + " " + "b" * 60, "Poa\nannua;"]
)
def test_other_text_is_no_name(text: str) -> None:
    assert not is_name(text)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = region_file(tmp_path_factory.getbasetemp(), content, "any.txt")
    with suppress(RegionUnreadable):
        region = read_region(path)
        assert region.species
        assert set(region.unknown) <= region.species


@given(st.lists(st.sampled_from([row.species for row in taxa.table()]), min_size=1, max_size=30))
def test_a_written_list_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, species: list[str]
) -> None:
    path = region_file(tmp_path_factory.getbasetemp(), "\n".join(species), "written.txt")
    assert read_region(path).species == set(species)
