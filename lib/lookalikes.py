"""Which species one takes for another: by people's corrections, by the model's test, and by kinship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from lib import taxa
from lib.model_facts import KnownModel, Recalled, known_model
from lib.plant_names import KnownPlant

MOST = 8  # of each list: beyond, nobody compares


@dataclass(frozen=True, slots=True)
class Mix:
    """Photos of the plant that the model named `species`, and photos of `species` that it named as the plant."""

    species: str
    named_so: int
    named_this: int


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """`corrected`: on the reader's photos, by what people said; `tested`: on the test photos of the model's makers.

    `relatives`: species of the same genus, first those that were seen, then those that the model can name too.
    """

    corrected: list[Mix]
    tested: list[Mix]
    relatives: list[str]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.corrected or self.tested or self.relatives)


def lookalikes(
    plant: KnownPlant,
    model_dir: Path,
    corrections: Iterable[tuple[str, str, int]] = (),
    seen: Collection[str] = (),
) -> Lookalikes:
    """The lookalikes of a plant.

    `corrections`: (the species that a person named, the one that the model had named, photos); `seen`: the species
    of the days, by whatever name.
    """
    model = known_model(model_dir)
    tested = [(each.true, each.named, each.photos) for each in model.mistakes]
    return Lookalikes(
        _mixes(plant, corrections),
        _mixes(plant, tested),
        _relatives(plant, model, seen),
    )


def recalled(plant: KnownPlant, model_dir: Path) -> Recalled | None:
    """How often the model knew the plant on its makers' test photos; None where they had none of it."""
    known = known_model(model_dir).recalled
    return next((known[name] for name in plant.names if name in known), None)


def _mixes(plant: KnownPlant, mistakes: Iterable[tuple[str, str, int]]) -> list[Mix]:
    """The most frequent first, then by name."""
    so: Counter[str] = Counter()
    this: Counter[str] = Counter()
    for true, named, photos in mistakes:
        other, counts = (named, so) if true in plant.names else (true, this)
        if (true in plant.names) != (named in plant.names):
            counts[_accepted(other)] += photos
    mixes = [Mix(name, so[name], this[name]) for name in so.keys() | this.keys()]
    mixes.sort(key=lambda each: (-each.named_so - each.named_this, each.species))
    return mixes[:MOST]


def _relatives(plant: KnownPlant, model: KnownModel, seen: Collection[str]) -> list[str]:
    if not plant.genus:
        return []
    found: dict[str, None] = {}
    for names in (seen, model.species):
        of_genus = {_accepted(name) for name in names if name.partition(" ")[0] == plant.genus}
        found |= dict.fromkeys(sorted(name for name in of_genus if name.partition(" ")[0] == plant.genus))
    found.pop(plant.name, None)
    return list(found)[:MOST]


def _accepted(name: str) -> str:
    taxon = taxa.find(name)
    return taxon.species if taxon else name
