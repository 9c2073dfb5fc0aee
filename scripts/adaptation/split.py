"""Which of one's own photos are learned from, chosen by and judged by: whole days, and no plant on two sides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from scripts.adaptation.photos import joined

SIDES = ("training", "validation", "test")
TRAIN, VALIDATE, TEST = range(3)
SHARES = (0.5, 0.2, 0.3)
# A species counts as tried when each part has so many photos of it.
EACH = 2
LEAST_DAYS, LEAST_SPECIES = 3, 2
PROPOSALS = 3000


class TooLittle(ValueError):
    """Too few photos to teach a model and to know whether it got better; the text says what is missing."""


def units(days: Sequence[date], copies: np.ndarray) -> np.ndarray:
    """The unit of every photo (N,), numbered by its first day: whole days, joined where near-copies link them."""
    together = joined(days, copies.tolist())
    first = {}
    for unit, day in zip(together.tolist(), days, strict=True):
        first[unit] = min(day, first.get(unit, day))
    order = {unit: place for place, unit in enumerate(sorted(first, key=lambda each: first[each]))}
    return np.array([order[unit] for unit in together.tolist()], int)


def deal(labels: np.ndarray, unit: np.ndarray, seed: int, learned: np.ndarray | None = None) -> np.ndarray:
    """Side of every photo (N,), 0 training, 1 validation, 2 test: the same for the same photos and seed.

    Of many random ways to deal the units, the one that tries the most species in all three parts, and among those
    the one nearest to SHARES of every species. Units with a photo that the old model learned from already
    (`learned`, (N,) of truth values) can judge neither, and are for training. Too few units for three parts: all
    are.
    """
    count = int(unit.max()) + 1 if len(unit) else 0
    taken = np.unique(unit[learned]) if learned is not None else np.zeros(0, int)
    free = np.setdiff1d(np.arange(count), taken)
    if len(free) + bool(len(taken)) < len(SIDES):
        return np.full(len(unit), TRAIN)
    table = np.zeros((count, int(labels.max()) + 1))
    np.add.at(table, (unit, labels), 1)
    sizes, totals = table.sum(1), table.sum(0)
    wanted = np.array(SHARES)[:, None] * totals
    generator = np.random.default_rng(seed)
    best, best_score = np.full(count, TRAIN), (np.inf, np.inf)
    for _ in range(PROPOSALS):
        proposal = _proposal(generator.permutation(free), sizes)
        held = np.stack([table[proposal == side].sum(0) for side in range(len(SIDES))])
        score = (-float((held >= EACH).all(0).sum()), float(np.abs(held - wanted).sum()))
        if score < best_score:
            best, best_score = proposal, score
    return best[unit]


def _proposal(order: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Deal units in this order to test and validation until each has its share; the others, at least one, train."""
    side = np.full(len(sizes), TRAIN)
    for_training = int(len(order) == len(sizes))
    place = 0
    for part, spare in ((TEST, 1 + for_training), (VALIDATE, for_training)):
        held = 0.0
        while place < len(order) - spare and (not held or held < SHARES[part] * sizes.sum()):
            # A large day is left out rather than taken when the share is nearer without it.
            size = sizes[order[place]]
            if held and held + size - SHARES[part] * sizes.sum() > SHARES[part] * sizes.sum() - held:
                break
            side[order[place]] = part
            held += size
            place += 1
    return side


def tried(labels: np.ndarray, side: np.ndarray, species: int) -> np.ndarray:
    """Which species (bool, K) have EACH photos or more in every part."""
    held = np.zeros((len(SIDES), species), int)
    np.add.at(held, (side, labels), 1)
    return np.asarray((held >= EACH).all(0))


def check(
    labels: np.ndarray,
    side: np.ndarray,
    unit: np.ndarray,
    days: Sequence[date],
    names: Sequence[str],
    learned: np.ndarray | None = None,
) -> None:
    """Raises TooLittle when nothing could be learned or judged, naming what to photograph."""
    found = sorted(set(days))
    count = len(set(unit.tolist()))
    if count < LEAST_DAYS:
        linked = f", linked by near-copies to {count}" if count < len(found) else ""
        raise TooLittle(
            f"The photos are of {len(found)} {_plural(len(found), 'day')}{linked}. At least {LEAST_DAYS} days are "
            "needed, so that the model is judged by days that it has not learned from. Photograph and confirm more."
        )
    new = count - len(set(unit[learned].tolist())) if learned is not None else count
    if new < LEAST_DAYS - 1:
        raise TooLittle(
            f"The old model was taught photos of all but {new} of these days already. At least "
            f"{LEAST_DAYS - 1} days are needed that it has not learned from, to choose and to judge by. Photograph "
            "and confirm more."
        )
    good = tried(labels, side, len(names))
    if good.sum() >= LEAST_SPECIES:
        return
    short = []
    for species in np.argsort(-np.bincount(labels, minlength=len(names)), kind="stable")[:5]:
        own = labels == species
        over = len(set(unit[own].tolist()))
        short.append(f"{names[species]} ({own.sum()} {_plural(own.sum(), 'photo')} on {over})")
    raise TooLittle(
        f"Only {good.sum()} species can be learned and judged: at least {LEAST_SPECIES} are needed that have "
        f"{EACH} photos or more in each of three parts with days of their own. Most photographed, with the "
        f"number of separate days: {', '.join(short)}. Photograph and confirm them on more days."
    )


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
