"""Old backups go, and what only they named; what a backup names never goes under it, whoever runs beside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from lib.backups.place import GRACE, LONGEST, short
from lib.backups.retention import Pruned, prune, superfluous
from lib.backups.taking import Taken
from tests.farm import Farm
from tests.lib.backups.conftest import Inside

NOW = datetime(2025, 8, 24, 12, tzinfo=UTC)
NAMES = [f"manifests/202508{day:02}T000000.000000Z-{'d' * 64}.json" for day in (1, 10, 20, 23, 24)]
GRACE_HOURS = GRACE.total_seconds() / 3600


@pytest.mark.parametrize(
    ("keep", "days", "going"),
    [
        (None, None, []),
        (2, None, [0, 1, 2]),
        (1, None, [0, 1, 2, 3]),
        (9, None, []),
        (None, 5, [0, 1]),
        (None, 1, [0, 1, 2, 3]),
        (4, 5, [0]),  # kept by either is kept
        (1, 15, [0]),
    ],
)
def test_which_are_superfluous(keep: int | None, days: int | None, going: list[int]) -> None:
    assert superfluous(NAMES, keep, days, NAMES[-1], NOW) == [NAMES[each] for each in going]


def test_the_backup_known_to_be_whole_stays_whatever_the_clock_said() -> None:
    assert superfluous(NAMES, 1, 1, NAMES[0], NOW) == NAMES[1:4]
    assert superfluous(NAMES, None, 1, NAMES[0], NOW + timedelta(days=900)) == NAMES[1:]


@pytest.fixture
def two(inside: Inside, little_farm: Farm, back_up: Callable[..., Taken]) -> tuple[Taken, Taken]:
    """A backup, and a second after a photo was deleted that the first still names."""
    first = back_up(little_farm, inside.place)
    with little_farm.opened() as rows:
        photo = rows.photo(1)
    little_farm.delete(photo)
    return first, back_up(little_farm, inside.place)


def unused_lists(inside: Inside) -> list[str]:
    return [name for name in inside.names() if name.startswith("unused/")]


def is_whole(inside: Inside, name: str) -> bool:
    return set(inside.place.manifest(name).blobs()) <= inside.place.blobs()


def test_blobs_go_in_two_steps(inside: Inside, two: tuple[Taken, Taken]) -> None:
    old, new = two
    only_old = set(old.manifest.blobs()) - set(new.manifest.blobs())
    before = len(inside.place.blobs())
    now = datetime.now(UTC)
    assert prune(inside.place, 1, None, new.name, now) == Pruned(1, 0, len(only_old), [])
    assert inside.place.manifests() == [new.name]
    assert len(inside.place.blobs()) == before
    assert set(inside.place.unused()) == only_old
    (unused,) = unused_lists(inside)
    inside.age(unused, GRACE_HOURS - 1)
    assert prune(inside.place, 1, None, new.name, now) == Pruned(0, 0, len(only_old), [])
    assert unused_lists(inside) == [unused]  # said once
    inside.age(unused, GRACE_HOURS + 1)
    assert prune(inside.place, 1, None, new.name, now) == Pruned(0, len(only_old), 0, [])
    assert inside.place.blobs() == set(new.manifest.blobs())
    assert unused_lists(inside) == []
    assert is_whole(inside, new.name)


def test_nothing_goes_that_a_backup_names(inside: Inside, two: tuple[Taken, Taken]) -> None:
    assert prune(inside.place, 2, None, two[1].name, datetime.now(UTC)) == Pruned(0, 0, 0, [])
    assert unused_lists(inside) == []
    assert all(is_whole(inside, each.name) for each in two)


def test_a_run_that_began_before_the_list_may_still_name_what_is_on_it(
    inside: Inside, little_farm: Farm, back_up: Callable[..., Taken], two: tuple[Taken, Taken]
) -> None:
    """It names a blob of which the last other manifest went while it was running."""
    _, new = two
    with little_farm.opened() as rows:
        session = rows.create_session("South", timezone="Asia/Tokyo")
    little_farm.add(0, session.id)  # the photo that only the old backup holds

    def let_go(items: list[object], total: int, what: str) -> list[object]:
        prune(inside.place, 1, None, new.name, datetime.now(UTC))
        for each in unused_lists(inside):
            inside.age(each, LONGEST.total_seconds() / 3600)
        prune(inside.place, 1, None, new.name, datetime.now(UTC))
        return items

    third = back_up(little_farm, inside.place, progress=let_go)
    assert third.photos_copied == 0
    assert set(inside.place.unused()) & set(third.manifest.blobs())
    for each in unused_lists(inside):
        inside.age(each, 2 * GRACE_HOURS)
    prune(inside.place, 2, None, third.name, datetime.now(UTC))
    assert is_whole(inside, third.name)
    # Whoever begins now copies anew what is on the list, because the next one may remove it.
    fourth = back_up(little_farm, inside.place)
    assert fourth.photos_copied == 1


def test_while_a_manifest_cannot_be_read_nothing_is_freed(inside: Inside, two: tuple[Taken, Taken]) -> None:
    old, new = two
    damaged = old.name.replace(old.name[-20:], "0" * 15 + ".json")
    inside.add(damaged, inside.read(old.name))
    before = inside.place.blobs()
    assert prune(inside.place, 9, None, new.name, datetime.now(UTC)) == Pruned(0, 0, 0, [damaged])
    assert (inside.place.blobs(), unused_lists(inside)) == (before, [])
    assert len(short(damaged)) == 32
