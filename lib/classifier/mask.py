"""Which classes of a model a regional list leaves possible."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from lib import taxa
from lib.classifier.taxonomy import Taxon

KEPT = 32  # lists; of each a byte for every class


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """`possible` (K,) is true for the classes of the list, of which there are `count`; `prior_mass` is their share
    of the training photos.
    """

    possible: np.ndarray
    count: int
    prior_mass: float


class Masks:
    """The masks of one model's labels, each list looked up once; `prior` (K,) are the shares in training."""

    def __init__(self, labels: Sequence[Taxon], prior: np.ndarray) -> None:
        self._labels = labels
        self._prior = prior
        self._known: OrderedDict[frozenset[str], Mask] = OrderedDict()

    def of(self, species: Collection[str]) -> Mask:
        """The mask of a list of species: accepted names, or names as the model writes them.

        A class whose name is a synonym of one on the list is on it, too.
        """
        key = species if isinstance(species, frozenset) else frozenset(species)
        found = self._known.pop(key, None)
        if found is None:
            possible = np.array([is_on(key, taxon.species) for taxon in self._labels])
            found = Mask(possible, int(possible.sum()), min(float(self._prior[possible].sum()), 1.0))
        self._known[key] = found
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found


def is_on(species: Collection[str], name: str) -> bool:
    """Whether a plant of this scientific name is on a list of accepted names."""
    if name in species:
        return True
    taxon = taxa.find(name)
    return taxon is not None and taxon.species in species
