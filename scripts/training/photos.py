"""Read the labelled photos and split them: duplicates stay on one side, every species on all sides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDES = ("train", "val", "test")


@dataclass(frozen=True)
class Photos:
    """All photos in memory: `pixels` uint8 (N, 3, S, S), `labels` int64 (N,), `names` file paths, `species`
    names.
    """

    pixels: np.ndarray
    labels: np.ndarray
    names: list[str]
    species: list[str]


def species_name(folder: str) -> str:
    """`Stellaria_media` -> `Stellaria media`; a hyphen in the epithet stays."""
    return folder.replace("_", " ")


def load(root: Path, size: int = 150) -> Photos:
    """Read `root/<Genus_species>/*.jpg` in name order as RGB squares of `size` pixels.

    Raises FileNotFoundError when there is no species folder or a folder is empty.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    if len(folders) < 2:
        raise FileNotFoundError(f"{root}: expected one folder of .jpg photos for each species")
    pixels, labels, names = [], [], []
    for index, folder in enumerate(folders):
        files = sorted(folder.glob("*.jpg"))
        if not files:
            raise FileNotFoundError(f"{folder}: no .jpg photos")
        for file in files:
            with Image.open(file) as photo:
                rgb = photo.convert("RGB")
                if rgb.size != (size, size):
                    rgb = rgb.resize((size, size), Image.Resampling.BICUBIC)
                pixels.append(np.asarray(rgb).transpose(2, 0, 1))
            labels.append(index)
            names.append(f"{folder.name}/{file.name}")
    return Photos(
        np.stack(pixels), np.array(labels, np.int64), names, [species_name(f.name) for f in folders]
    )


def fingerprints(pixels: np.ndarray) -> np.ndarray:
    """256-bit difference hashes (bool, N x 256) from the grey photo shrunk to 17 x 16."""
    bits = np.empty((len(pixels), 256), bool)
    for i, chw in enumerate(pixels):
        grey = Image.fromarray(np.ascontiguousarray(chw.transpose(1, 2, 0))).convert("L")
        small = np.asarray(grey.resize((17, 16), Image.Resampling.BOX), np.int16)
        bits[i] = (small[:, 1:] > small[:, :-1]).ravel()
    return bits


def duplicate_groups(bits: np.ndarray, distance: int = 50) -> np.ndarray:
    """Group photos whose hashes differ in at most `distance` bits, transitively; group ids (N,).

    Unrelated photos differ in about 128 of 256 bits (standard deviation 9), so 50 is far out in the tail:
    the same frame cropped or compressed again falls inside, another plant does not.
    """
    signs = bits.astype(np.float32) * 2 - 1
    parent = np.arange(len(bits))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for start in range(0, len(bits), 512):
        differing = (bits.shape[1] - signs[start : start + 512] @ signs.T) / 2
        for a, b in zip(*np.nonzero(differing <= distance), strict=True):
            if start + a < b:
                parent[root(int(b))] = root(start + int(a))
    return np.array([root(i) for i in range(len(bits))])


def split(
    labels: np.ndarray, groups: np.ndarray, seed: int, shares: tuple[float, float, float] = (0.70, 0.15, 0.15)
) -> np.ndarray:
    """Side of every photo (0 train, 1 val, 2 test): stratified by species, whole groups, the same for a seed.

    A group goes with the species of its first photo; it is dealt to the side that is furthest behind its
    share.
    """
    generator = np.random.default_rng(seed)
    side = np.full(len(labels), -1)
    first = {g: i for i, g in reversed(list(enumerate(groups)))}
    for species in np.unique(labels):
        own = [g for g, i in first.items() if labels[i] == species]
        members = {g: np.nonzero(groups == g)[0] for g in own}
        order = sorted(own)
        generator.shuffle(order)
        # Large groups first, so that one can still be balanced by the small ones.
        order.sort(key=lambda g: -len(members[g]))
        total = sum(len(m) for m in members.values())
        held = np.zeros(3)
        for g in order:
            behind = np.array(shares) * total - held
            chosen = int(np.argmax(behind / np.array(shares)))
            side[members[g]] = chosen
            held[chosen] += len(members[g])
    return side
