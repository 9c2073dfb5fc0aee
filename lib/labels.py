"""What a person may call a photo: a taxon of the model or of the table of plants, another scientific name, or not a
plant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from lib import taxa
from lib.classifier import Taxon
from lib.model_facts import known_model
from lib.problems import FieldError, invalid
from lib.store.records import NOT_A_PLANT

UNKNOWN = "unknown"
_SOME_SPECIES = ("sp", "sp.", "spp", "spp.")  # "Veronica sp." says the genus and leaves the species open
_WORD = r"[^\W\d_]+(?:-[^\W\d_]+)*\.?"
_SCIENTIFIC = re.compile(rf"^[^\W\d_]+(?:-[^\W\d_]+)*(?: (?:× ?)?{_WORD}){{0,4}}$")


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """A label and its level: species, genus, family, unknown or not_a_plant.

    `known`: the model or the table of plants has it; else it only reads like a scientific name, and may be a slip.
    """

    name: str
    level: str
    known: bool = field(default=True, compare=False)


def human_label(text: str, model_dir: Path) -> HumanLabel:
    """What a person typed, as a label.

    The model's taxa and those of the table of plants are found in any case, by scientific, English or Japanese
    name; a synonym becomes the name that the model has for the plant, else the accepted one, so that a plant is
    counted under one name. Another name is taken when it reads like a scientific one, so that species that
    neither knows can be recorded; 422 otherwise.
    """
    name = " ".join(text.split())
    if name.lower().replace(" ", "_") == NOT_A_PLANT:
        return HumanLabel(NOT_A_PLANT, NOT_A_PLANT)
    if name.lower() == UNKNOWN:
        return HumanLabel(UNKNOWN, UNKNOWN)
    # Kept from the last time; none when the folder is broken, which must not stop a person from labelling.
    model = known_model(model_dir).taxa
    # A taxon's family may be left empty, and is then not what an empty name means.
    known = (_known(name.casefold(), model) or _in_table(name, model)) if name else None
    if known is None and name:
        name = _without_author(name)
        known = _known(name.casefold(), model)
    if known is not None:
        return known
    if not _SCIENTIFIC.match(name) or not name.replace("×", "").isascii():
        error: FieldError = {
            "field": "label",
            "reason": "must be a scientific name such as Stellaria media, a name the model knows, "
            "not_a_plant or unknown",
        }
        raise invalid([error])
    words = name.split(" ")
    genus = words[0].capitalize()
    if len(words) == 2 and words[1].lower() in _SOME_SPECIES:
        words.pop()
    if len(words) == 1:
        known = _known(genus.casefold(), model) or _in_table(genus, model)
        level = "family" if genus.endswith("aceae") else "genus"
        return HumanLabel(genus, level, known=known is not None and known.level == level)
    return HumanLabel(" ".join([genus, *(word.lower() for word in words[1:])]), "species", known=False)


def _without_author(name: str) -> str:
    """`Stellaria media` of `Stellaria media (L.) Vill.`: authors begin with a capital, parts of a name do not."""
    words = name.split(" ")
    author = (i for i, word in enumerate(words) if i >= 2 and word.lstrip("(")[:1].isupper())
    return " ".join(words[: next(author, len(words))])


def _known(name: str, taxa: tuple[Taxon, ...]) -> HumanLabel | None:
    for taxon in taxa:
        names = (taxon.species, taxon.common_name_en, taxon.common_name_ja)
        if name in (each.casefold() for each in names if each):
            return HumanLabel(taxon.species, "species")
    for taxon in taxa:
        if name == taxon.genus.casefold():
            return HumanLabel(taxon.genus, "genus")
        if name == taxon.family.casefold():
            return HumanLabel(taxon.family, "family")
    return None


def _in_table(name: str, model: tuple[Taxon, ...]) -> HumanLabel | None:
    if family := taxa.OLD_FAMILIES.get(name.casefold()):
        return HumanLabel(family, "family")
    if taxa.family_of(name.capitalize()):
        return HumanLabel(
            name.capitalize(), "genus"
        )  # Lantana is a genus, and in English also one of its species
    taxon = taxa.find(name) or taxa.called(name)
    if taxon is None:
        return None
    names = {taxon.species, *taxon.synonyms, *(name.replace("_", " ").capitalize() for name in taxon.inatag)}
    of_model = (each.species for each in model if each.species in names)
    return HumanLabel(next(of_model, taxon.species), "species")
