"""Labels come from a file alone, one for each output; what is known of a species comes from the table of taxa."""

from __future__ import annotations

from pathlib import Path

import pytest

from lib.classifier import taxonomy
from scripts.conversion import Refused, labels


def file(folder: Path, text: str, name: str = "labels.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("abutilon_theophrasti", "Abutilon theophrasti"),
        ("  STELLARIA   Media ", "Stellaria media"),
        ("capsella_bursa-pastoris", "Capsella bursa-pastoris"),
        ("× triticosecale", "× Triticosecale"),
        ("mentha × Piperita", "Mentha × piperita"),
        ("", ""),
    ],
)
def test_names_get_the_form_of_scientific_names(given: str, name: str) -> None:
    assert labels.normalised(given) == name


def test_lines_become_rows_that_the_server_reads(tmp_path: Path) -> None:
    read = labels.read(file(tmp_path, "abutilon_theophrasti\nFoo bar\nstellaria_media\n"), 3)
    labels.write(read, tmp_path / "labels.csv")
    taxa = taxonomy.read_labels(tmp_path / "labels.csv")
    assert [taxon.species for taxon in taxa] == ["Abutilon theophrasti", "Foo bar", "Stellaria media"]
    assert (taxa[0].genus, taxa[0].family, taxa[0].common_name_ja) == ("Abutilon", "Malvaceae", "イチビ")
    assert (taxa[1].genus, taxa[1].family) == ("Foo", "")
    assert read.unmapped == ("Foo bar",)


def test_an_unknown_species_of_a_known_genus_has_its_family(tmp_path: Path) -> None:
    read = labels.read(file(tmp_path, "Stellaria nonexistens\n"), 1)
    assert read.rows[0]["family"] == "Caryophyllaceae"
    assert read.unmapped == ("Stellaria nonexistens",)


@pytest.mark.parametrize("column", ["scientific_name", "Species", "scientificName", "label"])
def test_a_csv_column_is_found_by_its_title(column: str, tmp_path: Path) -> None:
    path = file(tmp_path, f"index,{column},note\n0,poa_annua,x\n1,zea_mays,y\n", "labels.csv")
    assert labels.read(path, 2).species == ["Poa annua", "Zea mays"]


def test_a_csv_file_without_such_a_column_or_out_of_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"needs a column scientific_name .* it has: plant, id"):
        labels.read(file(tmp_path, "plant,id\npoa annua,3\n", "a.csv"), 1)
    with pytest.raises(Refused, match="must count 0, 1, 2"):
        labels.read(file(tmp_path, "index,species\n1,poa annua\n0,zea mays\n", "b.csv"), 2)


@pytest.mark.parametrize("outputs", [1, 3])
def test_another_number_than_the_outputs_is_refused(outputs: int, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"has 2 names, and the checkpoint {outputs} outputs"):
        labels.read(file(tmp_path, "Poa annua\nZea mays\n"), outputs)


def test_a_name_in_two_writings_is_one_name_too_many(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="more than once: Poa annua"):
        labels.read(file(tmp_path, "Poa annua\nZea mays\npoa_annua\n"), 3)


@pytest.mark.parametrize("name", ["Zea " + "m" * 197, "Zea\0 mays"])
def test_a_name_that_the_server_would_not_take_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"names 1 \(counted from 0\) are longer than 200 characters, or no text"
    ):
        labels.read(file(tmp_path, f"Poa annua\n{name}\n"), 2)


def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"labels\.csv cannot be read as a table"):
        labels.read(file(tmp_path, f"species\n{'m' * 200_000}\n", "labels.csv"), 1)


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="names 1 "):
        labels.read(file(tmp_path, "Poa annua\n\nZea mays\n"), 3)


def test_a_missing_file_and_another_encoding_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such file"):
        labels.read(tmp_path / "gone.txt", 1)
    (tmp_path / "x.txt").write_bytes("Poa annüa".encode("latin-1"))
    with pytest.raises(Refused, match="not UTF-8"):
        labels.read(tmp_path / "x.txt", 1)


def test_two_names_of_one_plant_become_one_species(tmp_path: Path) -> None:
    from lib import taxa

    taxon = next(t for t in taxa.table() if t.synonyms)
    synonym = labels.normalised(taxon.synonyms[0])
    read = labels.read(file(tmp_path, f"{synonym}\nZea mays\n{taxon.species}\n"), 3)
    assert read.species == [taxon.species, "Zea mays"]
    assert read.taxon_of == (0, 1, 0)
    assert read.shared == {taxon.species: (synonym, taxon.species)}
    assert read.places() == {synonym: 0, taxon.species: 0, "Zea mays": 1}
    labels.write(read, tmp_path / "labels.csv")
    assert [each.species for each in taxonomy.read_labels(tmp_path / "labels.csv")] == read.species
    alone = labels.read(file(tmp_path, f"{taxon.synonyms[0]}\n"), 1)
    assert alone.species == [taxon.species]


def test_a_prior_is_made_shares(tmp_path: Path) -> None:
    assert labels.prior(None, 4) == [0.25] * 4
    assert labels.prior(file(tmp_path, "1\n3\n"), 2) == [0.25, 0.75]
    assert labels.prior(file(tmp_path, "species,count\na,30\nb,10\n", "p.csv"), 2) == [0.75, 0.25]


@pytest.mark.parametrize("text", ["1\n", "1\n0\n", "1\n-1\n", "1\nnan\n", "1\nx\n"])
def test_a_prior_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        labels.prior(file(tmp_path, text), 2)
