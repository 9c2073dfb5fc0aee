"""Which plants the photos of one cluster of near-duplicates show: one, unless people saw several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

UNKNOWN = "unknown"


class Member(Protocol):
    """What must be known of a photo to tell which plant it shows; a stored Photo has it."""

    @property
    def id(self) -> int: ...
    @property
    def label(self) -> str | None: ...
    @property
    def label_source(self) -> str | None: ...
    @property
    def is_representative(self) -> bool: ...
    @property
    def quality_score(self) -> float | None: ...


Each = TypeVar("Each", bound=Member)


@dataclass(frozen=True, slots=True)
class ShownPlant(Generic[Each]):
    """One plant: the photo that speaks for it, all photos of it, and whether its label is a person's."""

    photo: Each
    photos: Sequence[Each]
    by_person: bool


def plants_in(members: Sequence[Each]) -> list[ShownPlant[Each]]:
    """The plants of one cluster, whose representative is marked; in the order in which people first named them.

    Photos that people gave different labels show different plants, however alike. Else the cluster is one plant,
    for which its representative speaks, or the best labelled photo while that one has no label.
    """
    by_people: dict[str, list[Each]] = {}
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


def _best(photos: Sequence[Each]) -> Each:
    return max(photos, key=lambda photo: (photo.is_representative, photo.quality_score or 0.0, -photo.id))
