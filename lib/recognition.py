"""Asking the model about a photo: the one place that knows the model folder, the regional list and the place."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lib import classifier, regions, taxa
from lib.classifier.taxonomy import read_labels
from lib.problems import invalid
from lib.regions import Region
from lib.store.records import NO_REGION

if TYPE_CHECKING:
    from PIL import Image

    from lib.classifier import Classification

LOG = logging.getLogger("weeds.recognition")
OWN_LIST = "session"  # what a session's own list is called
LONGEST_NAME = 80
# A list that names none of the model's species is a mistake; to mask nothing would hide it.
STRANGERS = "The list names no species that the model knows, so that every photo comes out as unknown."


class Field(Protocol):
    """What of a photo's session the model goes by: its own list, and where it is."""

    @property
    def region_species(self) -> str | tuple[str, ...] | None:
        """As a session has it."""
        ...

    @property
    def latitude(self) -> float | None:
        """In degrees."""
        ...

    @property
    def longitude(self) -> float | None:
        """In degrees."""
        ...


class Recogniser:
    """Names plants with the model of `model_dir`; nothing is loaded before the first photo.

    `region` is the site's list of species, to which the model is held where a session does not say otherwise.
    """

    def __init__(self, model_dir: Path, region: Region | None = None) -> None:
        self.model_dir = model_dir
        self.region = region
        self._warned: set[str] = set()
        self._background = False

    def in_background(self) -> Recogniser:
        """The same for work that nobody waits for: every photo of a person goes before its own."""
        behind = copy(self)
        behind._background = True
        return behind

    def classify(
        self,
        image: Image.Image,
        session: Field | None = None,
        abandoned: Callable[[], bool] | None = None,
    ) -> Classification:
        """What the model says of an oriented photo of `session`, which has its own place and perhaps its own list.

        `abandoned` is asked while the photo waits for its turn: true when nobody waits for the answer any more.
        Raises ModelUnavailable, Busy and Abandoned.
        """
        # In one turn, so that a model that is replaced or let go is in nobody's hand.
        with classifier.turn(abandoned, self._background):
            region = self.region_of(session)
            species = None if region is None else region.species
            found = classifier.get(self.model_dir).classify(image, species, _place(session))
        if region is None:
            return found
        name = stamp(region)
        if not found.classes and name not in self._warned:
            self._warned.add(name)
            LOG.warning("region %s: %s", name, STRANGERS)
        return replace(found, region=name)

    def region_of(self, session: Field | None) -> Region | None:
        """The list that limits what may be named in a session's photos; None: all that the model knows."""
        chosen = None if session is None else session.region_species
        if chosen is None:
            return self.region
        if chosen == NO_REGION:
            return None
        if not isinstance(chosen, str):
            return _own(chosen)
        region = _shipped(chosen)
        if region is None:  # a list of another version of the program
            LOG.error("there is no list %r any more; the photos of a session take the site's", chosen)
            return self.region
        return region


@dataclass(frozen=True, slots=True)
class Known:
    """A list beside a model: of `species` names the model knows `known`, and `unknown` are the others."""

    name: str
    species: int
    known: int
    unknown: tuple[str, ...]


def known_to_model(region: Region, model_dir: Path) -> Known:
    """Which species of a list the model of a folder knows, by its labels; it is not loaded.

    Raises ModelUnavailable when the labels cannot be read.
    """
    labels = model_dir / "labels.csv"
    try:
        state = labels.stat()
    except OSError:
        raise classifier.ModelUnavailable("labels.csv cannot be read.") from None
    names = _label_names(labels, state.st_mtime_ns, state.st_size)
    unknown = tuple(sorted(region.species - names))
    count = len(region.species)
    return Known(shown(region), count, count - len(unknown), unknown)


@dataclass(frozen=True, slots=True)
class SiteList:
    """The list that the site holds the model to; what the model knows of it is None while there is no model.

    `warning` says what is wrong with the list.
    """

    name: str
    species: int
    known: int | None
    unknown: tuple[str, ...] | None
    warning: str | None


def site_list(region: Region, model_dir: Path) -> SiteList:
    """What REGION_SPECIES comes to with the model of a folder, which is not loaded."""
    try:
        found = known_to_model(region, model_dir)
    except classifier.ModelUnavailable:
        return SiteList(shown(region), len(region.species), None, None, None)
    return SiteList(found.name, found.species, found.known, found.unknown, None if found.known else STRANGERS)


def refuse_strangers(chosen: str | Sequence[str] | None, model_dir: Path) -> None:
    """422 when a session's own list names no species that the model knows; silent while there is no model.

    What is no name at all is for the store to refuse, which says which one.
    """
    if chosen is None or isinstance(chosen, str) or not all(map(regions.is_name, chosen)):
        return
    try:
        known = known_to_model(regions.region_of(chosen, OWN_LIST), model_dir).known
    except classifier.ModelUnavailable:
        return
    if not known:
        reason = "names no species that the model knows: every photo would come out as unknown"
        raise invalid([{"field": "region_species", "reason": reason}])


@lru_cache(maxsize=64)
def stamp(region: Region) -> str:
    """What tells a list from all others: its name and, as lists change, the first letters of its digest."""
    digest = hashlib.sha256("\n".join(sorted(region.species)).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{shown(region)}@{digest[:12]}"


def shown(region: Region) -> str:
    """The name of a list, which may be that of any file, as text that can be stored and shown."""
    return region.name.encode("utf-8", "replace").decode()[:LONGEST_NAME]


@lru_cache(maxsize=64)
def _own(names: tuple[str, ...]) -> Region:
    return regions.region_of(names, OWN_LIST)


@lru_cache(maxsize=16)
def _shipped(name: str) -> Region | None:
    try:
        return regions.read_region(name) if name in regions.shipped() else None
    except regions.RegionUnreadable:
        return None


@lru_cache(maxsize=4)
def _label_names(labels: Path, *_: int) -> frozenset[str]:
    """Every name that a list may have for a model's classes: their own, and the accepted ones."""
    own = {taxon.species for taxon in read_labels(labels)}
    return frozenset(own | {found.species for name in own if (found := taxa.find(name))})


def _place(session: Field | None) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, where the session has them."""
    if session is None or session.latitude is None or session.longitude is None:
        return None
    return session.latitude, session.longitude
