"""The plants of a day: which photos show one plant, what people and the model say of it, for the statistics."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lib.clusters import plants_in
from lib.diversity.label_draws import KEPT, Candidates
from lib.photos.duplicates import Membership
from lib.store.records import NOT_A_PLANT, Photo, Prediction
from lib.taxa import family_of


@dataclass(frozen=True, slots=True)
class Plant:
    """One cluster of near-duplicates, counted once.

    `label` is None while no photo of it has one; `confidence` is 1.0 under a person's label, else what the model
    gives the label. `predictions` are those of all its photos.
    """

    label: str | None
    level: str | None
    confidence: float
    by_person: bool = False
    predictions: tuple[Prediction, ...] = ()

    @property
    def is_species(self) -> bool:
        """Whether its label is a species."""
        return self.level == "species" and self.label not in (None, NOT_A_PLANT)

    @property
    def counts(self) -> bool:
        """Whether it takes part in the statistics: it was looked at, and is a plant."""
        return self.label is not None and self.label != NOT_A_PLANT


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of N plants, as lib.diversity takes it.

    `species` names the classes that have a name: the first ones, and those beyond the model's K, which people alone
    named; the others are species of the model that no photo of the day resembles. `confirmed` (N,) holds the class
    that a person named, else -1; `prior` (K,) the share of each class in training. `genera` and `families` of the
    species; `coarse` are the ranks and taxa of plants that a person named to a genus or family only.
    """

    species: Mapping[int, str]
    candidates: Candidates
    confirmed: NDArray[np.int64]
    prior: NDArray[np.float64]
    genera: Mapping[str, str]
    families: Mapping[str, str]
    coarse: tuple[tuple[str, str], ...]


def plants_of(photos: Sequence[Photo], memberships: Sequence[Membership]) -> list[Plant]:
    """One plant a cluster, in the order of the clusters' first photos; more where people saw different things."""
    members: dict[tuple[int, int], list[Photo]] = defaultdict(list)
    for photo, membership in zip(photos, memberships, strict=True):
        if photo.is_representative != membership.is_representative:
            photo = replace(photo, is_representative=membership.is_representative)
        members[photo.session_id, membership.cluster_id].append(photo)
    return [plant for each in members.values() for plant in _plants_of(each)]


def evidence_of(plants: Iterable[Plant]) -> Evidence:
    """What people and the model say of the plants that take part in the statistics."""
    counted = [plant for plant in plants if plant.counts]
    facts = _Facts(counted)
    position = {name: place for place, name in facts.species.items()}
    kept = min(KEPT, facts.classes)
    classes = np.empty((len(counted), kept), dtype=np.int64)
    values, rest, unknown = np.zeros((len(counted), kept)), np.zeros(len(counted)), np.zeros(len(counted))
    confirmed = np.full(len(counted), -1, dtype=np.int64)
    coarse: list[tuple[str, str]] = []
    for row, plant in enumerate(counted):
        chances, rest[row], unknown[row] = _chances(plant, facts)
        if plant.by_person and plant.is_species:
            confirmed[row] = position[str(plant.label)]
        elif plant.by_person:
            coarse += _coarse(plant)
        likeliest = sorted(chances, key=lambda name: (-chances[name], name))[:kept]
        places = [position[name] for name in likeliest]
        rest[row] += math.fsum(chances[name] for name in chances if name not in likeliest)
        # Fewer than five are named: other classes fill up, with no more chance than all that are not named.
        share = rest[row] / max(facts.classes - len(places), 1)
        fill = (place for place in range(facts.classes) if place not in places)
        added = [next(fill) for _ in range(kept - len(places))]
        classes[row] = places + added
        values[row] = [*(chances[name] for name in likeliest), *(share for _ in added)]
        rest[row] -= share * len(added)
    candidates = Candidates(classes, values, np.clip(rest, 0.0, None), unknown, facts.classes)
    return Evidence(
        facts.species,
        candidates,
        confirmed,
        facts.prior(),
        facts.genera,
        facts.families,
        tuple(coarse),
    )


class _Facts:
    """The species that anyone named on the day, and what the model's predictions say of them."""

    def __init__(self, plants: Sequence[Plant]) -> None:
        self.genera: dict[str, str] = {}
        self.families: dict[str, str] = {}
        self._priors: dict[str, float] = {}
        self._prior_mass = 0.0
        named = {str(plant.label) for plant in plants if plant.is_species and not plant.by_person}
        largest = 0
        predictions = [each for plant in plants for each in plant.predictions]
        # Shares in training add up within one model only.
        newest = max(predictions, key=lambda each: (each.timestamp, each.model_name), default=None)
        # Under one list the classes of the day are those of the list. Where not all photos had the same one, a
        # class that some photo shows may have been impossible in another.
        self.mixed = len({(*_model(each), each.region, each.classes) for each in predictions}) > 1
        for prediction in predictions:
            largest = max(largest, prediction.classes or len(prediction.predictions))
            same = newest is not None and _model(prediction) == _model(newest)
            if same:
                mass = 1.0 if prediction.prior_mass is None else prediction.prior_mass
                self._prior_mass = max(self._prior_mass, mass)
            for entry in prediction.predictions:
                name = str(entry["species"])
                named.add(name)
                self.genera.setdefault(name, str(entry.get("genus") or ""))
                self.families.setdefault(name, str(entry.get("family") or ""))
                if same and isinstance(entry.get("prior"), int | float):
                    self._priors.setdefault(name, float(entry["prior"]))
        self.classes = max(largest, len(named), 1)
        # What people alone named is beyond the model: it gave no photo a chance of it, and no other photo gets one.
        beyond = {str(plant.label) for plant in plants if plant.is_species} - named
        self.species = dict(enumerate(sorted(named)))
        self.species |= dict(enumerate(sorted(beyond), start=self.classes))
        for name in self.species.values():
            self.genera[name] = self.genera.get(name) or name.split(" ")[0]
            self.families[name] = self.families.get(name) or family_of(self.genera[name])

    def prior(self) -> NDArray[np.float64]:
        """Share of each class in training; the classes of which nothing is known share what the others leave.

        Under a regional list they share what the others leave of the share of the list's species: all shares
        together are then less than 1, and only their ratios count.
        """
        known = sum(self._priors.values())
        others = self.classes - len(self._priors)
        share = max((self._prior_mass or 1.0) - known, 0.0) / others if others else 0.0
        if share <= 0:  # names beyond the model's own
            share = known / len(self._priors) if self._priors else 1.0
        prior = np.full(self.classes, share)
        for place, name in self.species.items():
            if place < self.classes:
                prior[place] = self._priors.get(name, share)
        return prior


def _model(prediction: Prediction) -> tuple[str, str | None]:
    """Which model spoke: another version has learnt from other photos."""
    return prediction.model_name, prediction.model_version


def _chances(plant: Plant, facts: _Facts) -> tuple[dict[str, float], float, float]:
    """Probability of each species named, of all other classes together, and of none of the classes."""
    if plant.by_person and not plant.is_species:
        # A person who looked and named a genus leaves the species open, whatever the model guessed.
        return {}, 0.0, 1.0
    if not plant.predictions:
        return ({str(plant.label): 1.0}, 0.0, 0.0) if plant.is_species else ({}, 0.0, 1.0)
    chances: dict[str, float] = defaultdict(float)
    rest = unknown = 0.0
    for prediction in plant.predictions:
        named = {str(each["species"]): float(each["confidence"]) for each in prediction.predictions}
        total = math.fsum(named.values())
        # Where a model does not say how much of the rest is none of its species, all of it is taken for that.
        inside = max(total, total if prediction.in_domain is None else prediction.in_domain)
        other = inside - total
        if prediction.masked and facts.mixed and total > 0:
            # Which classes the list left possible is not kept beyond the likeliest: these take the rest as well, so
            # that none gets a chance that was impossible.
            named = {name: chance * inside / total for name, chance in named.items()}
            other = 0.0
        for name, chance in named.items():
            chances[name] += chance / len(plant.predictions)
        rest += other / len(plant.predictions)
        unknown += max(1 - inside, 0.0) / len(plant.predictions)
    return chances, rest, unknown


def _coarse(plant: Plant) -> list[tuple[str, str]]:
    """The ranks at which a plant without a species counts, with its taxon there."""
    taxon = str(plant.label)
    if plant.level == "genus":
        family = family_of(taxon)
        return [("genus", taxon), *([("family", family)] if family else [])]
    return [("family", taxon)] if plant.level == "family" else []


def _plants_of(members: Sequence[Photo]) -> list[Plant]:
    """The plants of one cluster; what the model says of any of its photos it says of each."""
    predictions = tuple(photo.prediction for photo in members if photo.prediction is not None)
    return [
        Plant(
            shown.photo.label,
            shown.photo.label_level,
            1.0 if shown.by_person else _confidence(shown.photo),
            shown.by_person,
            predictions,
        )
        for shown in plants_in(members)
    ]


def _confidence(photo: Photo) -> float:
    """What the model gives the photo's own label; 0 when the label is not among its kept predictions."""
    if photo.prediction is None:
        return 0.0
    kept = {each.get("species"): float(each["confidence"]) for each in photo.prediction.predictions}
    return kept.get(photo.label, 0.0)
