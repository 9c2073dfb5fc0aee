"""Lets go of old backups: manifests first, then, by a later run, the blobs that none of those left names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.backups.manifest import BackupFailed, created_at
from lib.backups.place import GRACE, BackupPlace


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many backups and blobs went, how many blobs are to go, and the backups whose manifest cannot be read.

    While there is one of these no blob goes: nobody knows which it names.
    """

    backups: int
    blobs: int
    to_go: int
    unreadable: list[str]


def superfluous(
    names: Sequence[str], keep: int | None, days: int | None, whole: str, now: datetime
) -> list[str]:
    """The backups that are neither among the newest `keep` nor younger than so many days, oldest first.

    `names` oldest first; `whole`, which is known to be whole, always stays. Nothing goes when neither is given.
    """
    if keep is None and days is None:
        return []
    newest = set(names[-keep:] if keep else ())
    limit = now - timedelta(days=days) if days is not None else None
    return [
        name
        for name in names
        if name != whole
        and name not in newest
        and not (limit and (made := created_at(name)) and made >= limit)
    ]


def prune(place: BackupPlace, keep: int | None, days: int | None, whole: str, now: datetime) -> Pruned:
    """Lets go of what is superfluous. Safe to interrupt, to repeat, and to run beside any other run."""
    going = superfluous(place.manifests(), keep, days, whole, now)
    for name in going:
        place.remove_manifest(name)
    limit = (now - GRACE).timestamp()
    # In this order: what a list names is looked for in the manifests that were there after it.
    unused = place.unused()
    blobs = place.blobs()
    named: set[str] = set()
    unreadable = []
    for name in place.manifests():
        try:
            named.update(place.manifest(name).blobs())
        except BackupFailed:
            unreadable.append(name)
    if unreadable:
        return Pruned(len(going), 0, 0, unreadable)
    idle = blobs - named
    ripe = sorted(blob for blob in idle if unused.get(blob, now.timestamp()) < limit)
    fresh = sorted(blob for blob in idle if blob not in unused)
    if fresh:
        place.add_unused(fresh)
    if ripe:
        place.remove_unused(ripe)
    place.remove_half_written(limit)
    return Pruned(len(going), len(ripe), len(idle) - len(ripe), [])
