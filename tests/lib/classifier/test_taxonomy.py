"""The label rule: what is named at which level, and that nothing but the probabilities matters."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.classifier.refusals import ModelUnavailable
from lib.classifier.taxonomy import COLUMNS, Label, Taxon, Thresholds, decide, read_labels

GRASSES = [
    Taxon("Poa annua", "Poa", "Poaceae"),
    Taxon("Poa trivialis", "Poa", "Poaceae"),
    Taxon("Zea mays", "Zea", "Poaceae"),
    Taxon("Stellaria media", "Stellaria", "Caryophyllaceae"),
]
DEPTH = {"unknown": 0, "family": 1, "genus": 2, "species": 3}


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.70, 0.10, 0.10, 0.10], Label("Poa annua", "species", 0.70)),
        ([0.69, 0.10, 0.10, 0.10], Label("Poa", "genus", 0.79)),
        ([0.25, 0.25, 0.00, 0.00], Label("Poa", "genus", 0.50)),
        ([0.20, 0.20, 0.25, 0.35], Label("Poaceae", "family", 0.65)),
        ([0.10, 0.10, 0.10, 0.00], Label("Poaceae", "family", 0.30)),
        ([0.09, 0.10, 0.10, 0.10], Label("unknown", "unknown", 0.10)),
        ([0.00, 0.00, 0.00, 0.00], Label("unknown", "unknown", 0.0)),
        # A genus of one species is enough at 0.5: the species' own bar is higher.
        ([0.00, 0.00, 0.60, 0.20], Label("Zea", "genus", 0.60)),
    ],
)
def test_the_levels_and_their_bounds(probabilities: list[float], expected: Label) -> None:
    found = decide(probabilities, GRASSES)
    assert (found.name, found.level) == (expected.name, expected.level)
    assert found.confidence == pytest.approx(expected.confidence)


def test_below_the_floor_nothing_is_named_whatever_the_levels_allow() -> None:
    lax = Thresholds(species=0.1, genus=0.1, family=0.1, floor=0.2)
    assert decide([0.05, 0.05, 0.05, 0.04], GRASSES, lax).level == "unknown"
    assert decide([0.19, 0.0, 0.0, 0.0], GRASSES, lax).level == "unknown"
    assert decide([0.2, 0.0, 0.0, 0.0], GRASSES, lax) == Label("Poa annua", "species", 0.2)


def test_taxa_without_genus_or_family_are_not_pooled() -> None:
    bare = [Taxon("A a", "", ""), Taxon("B b", "", ""), Taxon("C c", "", "")]
    assert decide([0.3, 0.3, 0.3], bare).level == "unknown"
    assert decide([0.8, 0.1, 0.1], bare) == Label("A a", "species", 0.8)


def test_equal_figures_are_decided_by_name() -> None:
    taxa = [Taxon("B b", "B", "Y"), Taxon("A a", "A", "X")]
    assert decide([0.5, 0.5], taxa).name == "A"
    assert decide([0.5, 0.5], taxa[::-1]).name == "A"


def test_the_numbers_must_fit_the_taxa() -> None:
    with pytest.raises(ValueError, match="2 probabilities for 4 taxa"):
        decide([0.5, 0.5], GRASSES)


@st.composite
def photo(draw: st.DrawFn) -> tuple[list[float], list[Taxon]]:
    """Probabilities that sum to at most 1 over taxa of a few genera and families."""
    n = draw(st.integers(1, 12))
    shares = draw(st.lists(st.floats(0, 1), min_size=n + 1, max_size=n + 1))
    total = math.fsum(shares) or 1.0
    taxa = []
    for i in range(n):
        genus = draw(st.integers(0, 3))
        taxa.append(Taxon(f"Genus{genus} species{i}", f"Genus{genus}", f"Family{genus % 2}"))
    return [share / total for share in shares[:n]], taxa


@given(photo())
def test_the_verdict_is_a_taxon_whose_figure_passes_its_bar(case: tuple[list[float], list[Taxon]]) -> None:
    probabilities, taxa = case
    label = decide(probabilities, taxa)
    assert 0 <= label.confidence <= 1
    bars = {"species": 0.7, "genus": 0.5, "family": 0.3}
    if label.level == "unknown":
        assert label.name == "unknown"
        assert label.confidence == max(probabilities)
        for family in {taxon.family for taxon in taxa}:
            pooled = math.fsum(
                p for p, taxon in zip(probabilities, taxa, strict=True) if taxon.family == family
            )
            assert pooled < 0.3
    else:
        assert label.confidence >= bars[label.level]
        assert label.name in {getattr(taxon, label.level) for taxon in taxa}


@given(photo(), st.randoms(use_true_random=False))
def test_the_order_of_the_taxa_never_matters(case: tuple[list[float], list[Taxon]], random: object) -> None:
    probabilities, taxa = case
    order = list(range(len(taxa)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert decide([probabilities[i] for i in order], [taxa[i] for i in order]) == decide(probabilities, taxa)


@given(photo(), st.floats(0, 1))
def test_less_in_the_domain_is_never_surer(case: tuple[list[float], list[Taxon]], inside: float) -> None:
    probabilities, taxa = case
    scaled = decide([p * inside for p in probabilities], taxa)
    assert DEPTH[scaled.level] <= DEPTH[decide(probabilities, taxa).level]


@given(photo(), st.floats(0, 1))
def test_moving_mass_to_the_likeliest_species_is_never_less_sure(
    case: tuple[list[float], list[Taxon]], moved: float
) -> None:
    probabilities, taxa = case
    best = probabilities.index(max(probabilities))
    sharper = [p * (1 - moved) for p in probabilities]
    sharper[best] = probabilities[best] + moved * math.fsum(
        p for i, p in enumerate(probabilities) if i != best
    )
    if decide(probabilities, taxa).level == "species":
        assert decide(sharper, taxa) == Label(taxa[best].species, "species", min(sharper[best], 1.0))


def write(path: Path, *rows: str, header: str = ",".join(COLUMNS)) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_labels_are_read_in_the_order_of_the_outputs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "labels.csv",
        "0,Zea mays,Zea,Poaceae,maize,トウモロコシ,ZEAMX,",
        "1,Stellaria media,Stellaria,Caryophyllaceae,common chickweed,コハコベ,STEME,",
    )
    labels = read_labels(path)
    assert labels[0] == Taxon("Zea mays", "Zea", "Poaceae", "maize", "トウモロコシ", "ZEAMX", "")
    assert labels[1].common_name_ja == "コハコベ"


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        ([], ",".join(COLUMNS), "names no species"),
        (["1,Zea mays,Zea,Poaceae,,,,"], ",".join(COLUMNS), "row 1: the index must be 0"),
        (["0,,Zea,Poaceae,,,,"], ",".join(COLUMNS), "row 1: the scientific name is empty"),
        (["0,Zea mays,,,,,,", "1,Zea mays,,,,,,"], ",".join(COLUMNS), "names a species twice"),
        ([f"0,Zea {'m' * 200},,,,,,"], ",".join(COLUMNS), "row 1: a name is longer than 200 characters"),
        (["0,Zea mays,Zea\0,,,,,"], ",".join(COLUMNS), "row 1: a name is longer .* or no text"),
        (["0,Zea mays"], "index,scientific_name", "no column genus, family"),
        (["0,Zea mays"], ",".join(COLUMNS), None),
    ],
)
def test_a_label_file_that_is_not_usable_is_refused(
    tmp_path: Path, rows: list[str], header: str, reason: str | None
) -> None:
    path = write(tmp_path / "labels.csv", *rows, header=header)
    if reason is None:  # missing cells at the end of a row are empty, not an error
        assert read_labels(path) == (Taxon("Zea mays", "", ""),)
        return
    with pytest.raises(ModelUnavailable, match=reason):
        read_labels(path)


def test_a_label_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ModelUnavailable, match=r"labels\.csv cannot be read"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(ModelUnavailable, match=r"labels\.csv cannot be read"):
        read_labels(tmp_path / "absent.csv")
