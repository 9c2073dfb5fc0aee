"""Which plants the photos of one cluster of near-duplicates show: one, unless people saw several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lib.store.records import Photo

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ShownPlant:
    """One plant: the photo that speaks for it, all photos of it, and whether its label is a person's."""

    photo: Photo
    photos: Sequence[Photo]
    by_person: bool


def plants_in(members: Sequence[Photo]) -> list[ShownPlant]:
    """The plants of one cluster, whose representative is marked; in the order in which people first named them.

    Photos that people gave different labels show different plants, however alike. Else the cluster is one plant,
    for which its representative speaks, or the best labelled photo while that one has no label.
    """
    by_people: dict[str, list[Photo]] = {}
    for photo in members:
        if photo.label_source == "human" and photo.label is not None:
            by_people.setdefault(photo.label, []).append(photo)
    if len(by_people) > 1:
        by_people.pop(UNKNOWN, None)  # it contradicts nothing that another photo of the plant could tell
    if by_people:
        alone = len(by_people) == 1
        return [ShownPlant(_best(each), members if alone else each, True) for each in by_people.values()]
    labelled = [photo for photo in members if photo.label is not None]
    return [ShownPlant(_best(labelled or members), members, False)]


def _best(photos: Sequence[Photo]) -> Photo:
    return max(photos, key=lambda photo: (photo.is_representative, photo.quality_score or 0.0, -photo.id))
