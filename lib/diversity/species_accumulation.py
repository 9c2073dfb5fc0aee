"""How many species an area holds, from which of its sites hold which: accumulation, jackknife and bootstrap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.community import sample_matrix


@dataclass(frozen=True, slots=True)
class Accumulated:
    """Mean number of species in `sites` of the sites, and its standard deviation over all ways to choose them."""

    sites: int
    richness: float
    sd: float


@dataclass(frozen=True, slots=True)
class SpeciesPool:
    """Species `observed` in `sites` and estimated for the area; standard errors where they are known."""

    observed: int
    sites: int
    jackknife1: float
    jackknife1_se: float
    jackknife2: float
    bootstrap: float
    bootstrap_se: float


def accumulation(matrix: ArrayLike) -> list[Accumulated]:
    """Species accumulation of 1, 2 ... N sites, from `matrix` (sites x species), abundances or presences.

    The mean over all choices of k of the N sites, sum over species of 1 - C(N - f, k) / C(N, k) with f the
    number of sites that hold it (Kobayashi 1974; Ugland et al. 2003), and the exact standard deviation over
    the same choices; vegan's specaccum approximates its covariances by correlations, and differs a little
    between the first and the last step. A site without species is a site. No sites give [].

    >>> accumulation([[1, 1, 0], [0, 1, 1]])[0]  # either site has two of the three
    Accumulated(sites=1, richness=2.0, sd=0.0)
    """
    present = _presences(matrix)
    n = len(present)
    if not n:
        return []
    # Sites without the one, and without either of two species: how many a choice may fall into to miss them.
    without = n - present.sum(axis=0).astype(int)
    absent = 1 - present
    neither = (absent.T @ absent).round().astype(int)
    curve = []
    for k in range(1, n + 1):
        chance = np.array([math.comb(free, k) / math.comb(n, k) for free in range(n + 1)])
        missed = chance[without]
        covariances = chance[neither] - np.outer(missed, missed)
        spread = math.sqrt(max(0.0, float(covariances.sum())))
        curve.append(Accumulated(k, float((1 - missed).sum()), spread if k < n else 0.0))
    return curve


def species_pool(matrix: ArrayLike) -> SpeciesPool | None:
    """Richness of the area that the sites of `matrix` (sites x species) stand for; vegan's specpool.

    With S species in N sites, a1 of them in a single one and a2 in two: jackknife of the first order
    S + a1 (N-1)/N, of the second S + a1 (2N-3)/N - a2 (N-2)**2 / (N(N-1)) (Heltshe and Forrester 1983; Smith
    and van Belle 1984), bootstrap S + sum (1 - p)**N over the shares p of the sites that hold a species
    (Smith and van Belle 1984). Standard errors by the same papers; that of the jackknife has a1**2 / N where
    vegan has a1 / N. None for fewer than two sites and when none holds a species.

    >>> species_pool([[1, 1, 0], [0, 1, 1]]).jackknife1
    4.0
    """
    present = _presences(matrix)
    n = len(present)
    if n < 2 or not present.any():
        return None
    sites = present.sum(axis=0)
    observed = sites.size
    unique, duplicate = int(np.sum(sites == 1)), int(np.sum(sites == 2))
    # Species of each site that no other has.
    own = present[:, sites == 1].sum(axis=1)
    jackknife_variance = (float(np.sum(own**2)) - unique**2 / n) * (n - 1) / n
    missed = (1 - sites / n) ** n
    absent = 1 - present
    both_missed = (absent.T @ absent / n) ** n
    return SpeciesPool(
        observed=observed,
        sites=n,
        jackknife1=observed + unique * (n - 1) / n,
        jackknife1_se=math.sqrt(max(0.0, jackknife_variance)),
        jackknife2=observed + unique * (2 * n - 3) / n - duplicate * (n - 2) ** 2 / (n * (n - 1)),
        bootstrap=observed + float(missed.sum()),
        bootstrap_se=math.sqrt(max(0.0, float((both_missed - np.outer(missed, missed)).sum()))),
    )


def _presences(matrix: ArrayLike) -> NDArray[np.float64]:
    """1 where a site holds a species, 0 where not; species that no site holds are left out."""
    present = sample_matrix(matrix) > 0
    return present[:, present.any(axis=0)].astype(np.float64)
