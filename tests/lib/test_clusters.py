"""Which plants a cluster shows: the representative's, unless people saw others."""

from __future__ import annotations

from typing import Any

from lib.clusters import plants_in
from lib.store.records import Photo
from tests.lib.test_analysis import CHICKWEED, DOCK, FAT_HEN, by_hand, photo


def shown(*members: Photo) -> list[tuple[str | None, list[int], bool]]:
    return [
        (each.photo.label, [one.id for one in each.photos], each.by_person) for each in plants_in(members)
    ]


def member(number: int, label: str | None, best: bool = False, **changes: Any) -> Photo:
    return photo(number, label, is_representative=best, **changes)


def test_the_representative_speaks_for_all_photos() -> None:
    assert shown(member(1, FAT_HEN), member(2, DOCK, best=True)) == [(DOCK, [1, 2], False)]


def test_while_it_has_no_label_the_best_labelled_photo_does() -> None:
    members = (
        member(1, FAT_HEN, quality_score=0.2),
        member(2, None, best=True),
        member(3, DOCK, quality_score=0.4),
    )
    assert shown(*members) == [(DOCK, [1, 2, 3], False)]


def test_without_any_label_it_is_one_plant_all_the_same() -> None:
    assert shown(member(1, None), member(2, None, best=True)) == [(None, [1, 2], False)]


def test_a_person_s_label_is_that_of_all_photos() -> None:
    assert shown(member(1, FAT_HEN, best=True), by_hand(2, DOCK)) == [(DOCK, [1, 2], True)]


def test_several_labels_by_people_are_several_plants() -> None:
    members = by_hand(1, DOCK), by_hand(2, CHICKWEED), by_hand(3, DOCK), member(4, FAT_HEN)
    assert shown(*members) == [(DOCK, [1, 3], True), (CHICKWEED, [2], True)]


def test_unknown_beside_a_name_is_no_plant_of_its_own() -> None:
    members = by_hand(1, "unknown", level="unknown"), by_hand(2, DOCK)
    assert shown(*members) == [(DOCK, [1, 2], True)]
    assert shown(members[0]) == [("unknown", [1], True)]
