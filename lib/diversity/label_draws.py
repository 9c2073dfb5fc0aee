"""Possible labellings of a day's plants, drawn from the classifier's probabilities by Gibbs sampling.

A classifier is trained on other proportions of the species than a field has. Each plant's label is drawn from
its probabilities times the field's proportions, the proportions from the labels drawn, in turns: y ~ p * pi and
pi ~ Dirichlet(concentration + counts). A species that every photo mentions a little and none names is not
drawn, and a plant that could be one of two look-alikes is drawn as the one that stands there by the dozen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

KEPT = 5  # probabilities kept of each plant; what they leave of 1 is shared out evenly
SWEEPS = 60  # turns of labels and proportions before a labelling is taken
_TINY = 1e-300


class Candidates(NamedTuple):
    """What is known of N plants among K classes: the likeliest classes of each, and what is left for the others.

    classes (N, k) whole numbers, no class twice in a row; values (N, k) probabilities in the same places; rest
    (N,) probability of all other classes together; unknown (N,) probability of none of the classes.
    """

    classes: NDArray[np.int64]
    values: NDArray[np.float64]
    rest: NDArray[np.float64]
    unknown: NDArray[np.float64]
    size: int


def keep_likeliest(probabilities: NDArray[np.float64], unknown: NDArray[np.float64]) -> Candidates:
    """The `KEPT` largest probabilities of each row of (N, K), in the order of the classes."""
    count, size = probabilities.shape
    kept = min(KEPT, size)
    classes = np.empty((count, kept), dtype=np.int64)
    # By blocks: a partition of all rows at once would hold a second matrix of whole numbers.
    for start in range(0, count, 64):
        block = probabilities[start : start + 64]
        if kept < size:
            best = np.argpartition(-block, kept - 1, axis=1)[:, :kept]
            classes[start : start + 64] = np.sort(best, axis=1)
        else:
            classes[start : start + 64] = np.arange(size)
    values = np.take_along_axis(probabilities, classes, axis=1)
    rest = np.clip(1 - unknown - values.sum(axis=1), 0.0, None)
    if kept == size:  # no class is left that the rest could be of
        return Candidates(classes, values, np.zeros(count), unknown + rest, size)
    # A class kept for want of a likelier one is as likely as those that were not kept.
    absent = values == 0
    share = rest / (size - kept + absent.sum(axis=1))
    values = np.where(absent, share[:, None], values)
    rest = share * (size - kept)
    return Candidates(classes, values, rest, unknown, size)


def draw_labels(
    candidates: Candidates,
    confirmed: NDArray[np.int64],
    prior: ArrayLike | None,
    concentration: float,
    draws: int,
    generator: np.random.Generator,
    sweeps: int = SWEEPS,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`draws` labellings as (classes that occur (C,), how many plants of each (draws, C)).

    `confirmed` (N,) holds the class of plants that a person named, which may lie beyond the K classes, and -1 for
    the others. `prior` (K,) is the share of each class that the probabilities assume, None for equal shares.
    Plants of no known class are left out of a labelling with their probability `unknown`.
    """
    free = confirmed < 0
    certain, certain_counts = np.unique(confirmed[~free], return_counts=True)
    classes = candidates.classes[free]
    kept = classes.shape[1] if classes.size else 0
    active = np.unique(np.concatenate([classes.ravel(), certain]))
    known = active < candidates.size
    inverse_prior = _inverse_prior(prior, candidates.size)
    weights = np.zeros(active.size)  # a class beyond the K has no probability in a plant that nobody named
    weights[known] = inverse_prior[active[known]]
    # The classes that no plant is likely to be stand together as one, of which each is as likely as the next.
    others = candidates.size - int(known.sum())
    outside = np.ones(candidates.size, dtype=bool)
    outside[active[known]] = False
    other_weight = float(inverse_prior[outside].mean()) if others else 0.0

    places = np.searchsorted(active, classes)
    fixed = np.zeros(active.size)
    fixed[np.searchsorted(active, certain)] = certain_counts
    values = candidates.values[free]
    share = candidates.rest[free] / max(candidates.size - kept, 1)
    missed = generator.random((draws, int(free.sum()))) < candidates.unknown[free]

    counts = np.zeros((draws, active.size + 1))
    chosen = np.empty((draws, places.shape[0]), dtype=np.int64)
    proportions = np.full((draws, active.size + 1), 1.0)
    proportions[:, -1] = others
    rows = np.arange(draws)[:, None]
    for _ in range(sweeps if places.size else 0):
        scaled = proportions * np.append(weights, other_weight)
        chosen = _choose(scaled, places, values, share, generator)
        chosen[missed] = active.size + 1
        counts = np.zeros((draws, active.size + 2))
        np.add.at(counts, (rows, chosen), 1)
        counts = counts[:, :-1]
        shapes = counts + concentration
        shapes[:, :-1] += fixed
        shapes[:, -1] += concentration * (others - 1) if others else -concentration
        proportions = generator.standard_gamma(np.maximum(shapes, 0)) + _TINY
        proportions /= proportions.sum(axis=1, keepdims=True)
    return _with_others(active, counts, fixed, np.flatnonzero(outside), concentration, generator)


def _choose(
    scaled: NDArray[np.float64],
    places: NDArray[np.int64],
    values: NDArray[np.float64],
    share: NDArray[np.float64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """One label for every plant in every labelling, (draws, N); the last place stands for the other classes."""
    near = scaled[:, places]  # (draws, N, kept)
    cumulated = np.cumsum(near * values, axis=2)
    own = cumulated[:, :, -1]
    elsewhere = np.clip(scaled.sum(axis=1)[:, None] - near.sum(axis=2), 0.0, None) * share
    point = generator.random(own.shape) * (own + elsewhere)
    position = (cumulated <= point[:, :, None]).sum(axis=2)
    kept = places.shape[1]
    chosen = np.take_along_axis(
        np.broadcast_to(places, (*own.shape, kept)), np.minimum(position, kept - 1)[:, :, None], axis=2
    )[:, :, 0]
    # Few are left: those drawn from the classes that are not among their likeliest.
    for draw, plant in np.argwhere(position >= kept):
        odds = scaled[draw].copy()
        odds[places[plant]] = 0.0
        steps = np.cumsum(odds)
        if steps[-1] > 0:
            chosen[draw, plant] = min(
                int(np.searchsorted(steps, generator.random() * steps[-1], side="right")), odds.size - 1
            )
    return chosen


def _with_others(
    active: NDArray[np.int64],
    counts: NDArray[np.float64],
    fixed: NDArray[np.float64],
    others: NDArray[np.int64],
    concentration: float,
    generator: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the plants of the classes that stood together a class each, by Polya's urn, and drop empty classes."""
    named = counts[:, :-1] + fixed
    found: list[dict[int, int]] = []
    for number in counts[:, -1].astype(int):
        urn: dict[int, int] = {}
        for placed in range(number):
            if placed and generator.random() * (placed + concentration * others.size) < placed:
                drawn = int(generator.choice([name for name, times in urn.items() for _ in range(times)]))
            else:
                drawn = int(generator.choice(others))
            urn[drawn] = urn.get(drawn, 0) + 1
        found.append(urn)
    extra = sorted({name for urn in found for name in urn})
    if extra:
        more = np.array([[urn.get(name, 0) for name in extra] for urn in found], dtype=np.float64)
        active, named = np.concatenate([active, extra]), np.concatenate([named, more], axis=1)
    order = np.argsort(active)
    order = order[named[:, order].any(axis=0)]
    return active[order], named[:, order].astype(np.int64)


def _inverse_prior(prior: ArrayLike | None, size: int) -> NDArray[np.float64]:
    """What a probability is multiplied with to take the training shares out; 1 on average."""
    if prior is None:
        return np.ones(size)
    shares = np.asarray(prior, dtype=np.float64)
    if shares.shape != (size,) or not np.isfinite(shares).all() or (shares <= 0).any():
        raise ValueError("prior must hold one positive share for each class")
    inverse = 1 / shares
    return np.asarray(inverse / inverse.mean())
