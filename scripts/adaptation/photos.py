"""The photos of a training set: read from its manifest, decoded as the server decodes them, near-copies found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image

from lib import training_set
from lib.photos import duplicates
from lib.photos.decode import decode
from lib.problems import Problem
from scripts.training.photos import duplicate_groups


@dataclass(frozen=True, slots=True)
class OwnPhoto:
    """A photo that its owner named; `species` is empty for one that shows no plant."""

    path: Path
    species: str
    day: date
    cluster: int
    sha256: str


@dataclass(frozen=True, slots=True)
class OwnPhotos:
    """The photos in the order of their digests, so that nothing depends on the order of files.

    `unreadable` names those whose file is missing or broken, with the reason.
    """

    plants: list[OwnPhoto]
    others: list[OwnPhoto]
    unreadable: list[str] = field(default_factory=list)


def read(folder: Path) -> OwnPhotos:
    """The photos of a training set that have a file; raises training_set.NotATrainingSet."""
    plants, others, unreadable = [], [], []
    for entry in sorted(training_set.read_manifest(folder), key=lambda each: each.sha256):
        if not entry.file:
            continue  # a genus, a family or unknown: no class to learn
        photo = OwnPhoto(folder / entry.file, entry.species, entry.day, entry.cluster, entry.sha256)
        if not photo.path.is_file():
            unreadable.append(f"{entry.file}: the file is missing")
        else:
            (plants if entry.species else others).append(photo)
    return OwnPhotos(plants, others, unreadable)


def picture(photo: OwnPhoto) -> Image.Image:
    """The photo as the model gets it from the server: upright, RGB, reduced; Problem for one that is broken."""
    return decode(photo.path.read_bytes(), filename=photo.path.name).image


def looked_at(
    photos: OwnPhotos, progress: Callable[[int], object] = lambda done: None
) -> tuple[OwnPhotos, np.ndarray]:
    """The photos that can be decoded, and the fingerprints of the plants among them (bool, N x 256)."""
    kept: dict[str, list[OwnPhoto]] = {"plants": [], "others": []}
    unreadable = list(photos.unreadable)
    prints = []
    for kind, group in (("plants", photos.plants), ("others", photos.others)):
        for photo in group:
            try:
                image = picture(photo)
            except Problem as problem:
                unreadable.append(f"{photo.path.parent.name}/{photo.path.name}: {problem.detail}")
            else:
                kept[kind].append(photo)
                if kind == "plants":
                    prints.append(bytes.fromhex(duplicates.fingerprint(image)))
            progress(1)
    packed = np.frombuffer(b"".join(prints), np.uint8).reshape(len(prints), duplicates.BITS // 8)
    return OwnPhotos(kept["plants"], kept["others"], unreadable), np.unpackbits(packed, axis=1).astype(bool)


def near_copies(photos: Sequence[OwnPhoto], fingerprints: np.ndarray) -> np.ndarray:
    """Group of every photo (N,): those of one cluster, and those that look alike on whatever days, transitively."""
    if not photos:
        return np.zeros(0, int)
    alike = duplicate_groups(fingerprints, duplicates.MOST_BITS_APART)
    return joined([photo.cluster for photo in photos], alike.tolist())


def joined(*groupings: Sequence[object]) -> np.ndarray:
    """The finest grouping that keeps every group of each of `groupings` together: component numbers (N,).

    Components are numbered in the order of their first members.
    """
    count = len(groupings[0])
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for grouping in groupings:
        first: dict[object, int] = {}
        for i, name in enumerate(grouping):
            a, b = root(first.setdefault(name, i)), root(i)
            parent[max(a, b)] = min(a, b)
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(i), len(numbers)) for i in range(count)], int)


def turned(image: np.ndarray) -> Iterator[np.ndarray]:
    """A prepared photo (1, 3, H, W) in the ways a camera above a plant could have been held.

    All eight turns and mirrors of a square; of another shape the four that keep it.
    """
    square = image.shape[2] == image.shape[3]
    for quarter in range(4) if square else (0, 2):
        seen = np.rot90(image, quarter, (2, 3))
        yield np.ascontiguousarray(seen)
        yield np.ascontiguousarray(seen[..., ::-1])
