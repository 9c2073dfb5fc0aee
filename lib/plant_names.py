"""Which plant a name in an address means, in whatever language it is written, and what is known of that plant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lib import taxa, taxon_search
from lib.classifier import Taxon
from lib.model_facts import known_model

LONGEST_NAME = 200  # characters; no label is longer


@dataclass(frozen=True, slots=True)
class KnownPlant:
    """A species by its accepted name; what is not known of it is empty.

    `names` are all scientific names under which days may count it, the accepted one first; `synonyms` those of
    them that people write. `in_model`: the model can name it; `in_table`: the table of plants has it.
    """

    name: str
    names: tuple[str, ...]
    synonyms: tuple[str, ...] = ()
    genus: str = ""
    family: str = ""
    en: str = ""
    ja: str = ""
    eppo: str = ""
    gbif: str = ""
    in_model: bool = False
    in_table: bool = False


def known_plant(name: str, model_dir: Path, seen: Collection[str] = ()) -> KnownPlant | None:
    """The plant that a scientific, English or Japanese name means, in any spelling; None when nobody knows it.

    Known are the species of the table of plants, those of the model, and the names in `seen`, which days count.
    """
    text = " ".join(name.split())
    if not text or len(text) > LONGEST_NAME:
        return None
    model = known_model(model_dir).taxa
    row = taxa.find(text) or taxa.called(text)
    if row is not None:
        return _of_row(row, model)
    taxon = _in_model(text, model)
    if taxon is not None:
        row = taxa.find(taxon.species)
        return _of_row(row, model) if row else _of_model(taxon)
    for each in seen:
        if each in (name, text) or each.casefold() == text.casefold():
            return KnownPlant(each, (each,), genus=each.partition(" ")[0] if " " in each else "")
    return _as_searched(text, model_dir)


def _of_row(row: taxa.Taxon, model: tuple[Taxon, ...]) -> KnownPlant:
    classes = (name.replace("_", " ").capitalize() for name in row.inatag)
    names = dict.fromkeys((row.species, *row.synonyms, *classes))
    # The model may write the name in a way of its own, which labels then have.
    genera = {_genus(name) for name in names}
    near = [taxon for taxon in model if _genus(taxon.species) in genera]
    of_model = [taxon for taxon in near if taxon.species in names or taxa.find(taxon.species) == row]
    names |= dict.fromkeys(taxon.species for taxon in of_model)
    return KnownPlant(
        row.species,
        tuple(names),
        row.synonyms,
        row.genus,
        row.family,
        row.en or _first(taxon.common_name_en for taxon in of_model),
        row.ja or _first(taxon.common_name_ja for taxon in of_model),
        row.eppo or _first(taxon.eppo for taxon in of_model),
        row.gbif or _first(taxon.gbif for taxon in of_model),
        in_model=bool(of_model),
        in_table=True,
    )


def _genus(species: str) -> str:
    return species.replace("_", " ").partition(" ")[0].casefold()


def _of_model(taxon: Taxon) -> KnownPlant:
    return KnownPlant(
        taxon.species,
        (taxon.species,),
        genus=taxon.genus,
        family=taxon.family,
        en=taxon.common_name_en,
        ja=taxon.common_name_ja,
        eppo=taxon.eppo,
        gbif=taxon.gbif,
        in_model=True,
    )


def _first(names: Iterable[str]) -> str:
    return next(filter(None, names), "")


def _in_model(text: str, model: tuple[Taxon, ...]) -> Taxon | None:
    wanted = text.replace("_", " ").casefold()
    for taxon in model:
        if wanted in (
            each.casefold() for each in (taxon.species, taxon.common_name_en, taxon.common_name_ja) if each
        ):
            return taxon
    return None


def _as_searched(text: str, model_dir: Path) -> KnownPlant | None:
    """A name that differs from a known one by what searching overlooks: hiragana, half-width kana, accents."""
    words = taxon_search.words_of(text)
    for found in taxon_search.search(text, model_dir, 3) if words else ():
        names = (found.name, found.common_name_en, found.common_name_ja)
        if found.level == "species" and words in [taxon_search.words_of(each) for each in names if each]:
            return known_plant(found.name, model_dir, (found.name,))
    return None
