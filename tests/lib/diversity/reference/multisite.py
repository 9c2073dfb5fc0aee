"""Section `multisite` of the reference set (several samples of one area): what is compared and what is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from statistics import fmean

import numpy as np

from lib import diversity
from tests.lib.diversity.reference.families import At, Case, Family

Compute = Callable[[Case, At], float | None]


def baselga(index: str, field: str) -> Compute:
    return lambda case, at: getattr(diversity.beta_partition_sites(case["matrix"], index), field)


def hill_part(q: float, field: str, weights: str) -> Compute:
    return lambda case, at: getattr(diversity.gamma_alpha_beta(case["matrix"], q, weights), field)


def whittaker(case: Case, at: At) -> float:
    """Whittaker's beta, less one: the beta of order 0."""
    return diversity.gamma_alpha_beta(case["matrix"], 0).beta - 1


def bray_of_rows(case: Case, at: At) -> float | None:
    """The entry of the matrix form at rows i and j, counted from 1."""
    i, j = (int(number) - 1 for number in at)
    return diversity.bray_curtis_matrix(case["matrix"])[i][j]


def mean_bray(case: Case, at: At) -> float:
    table = diversity.bray_curtis_matrix(case["matrix"])
    return fmean(table[i][j] for i, j in combinations(range(len(table)), 2))


def pool(field: str) -> Compute:
    return lambda case, at: getattr(diversity.species_pool(case["matrix"]), field)


def accumulated(field: str) -> Compute:
    return lambda case, at: getattr(diversity.accumulation(case["matrix"])[int(at[0]) - 1], field)


def chao2(field: str) -> Compute:
    """From the number of samples that hold each species."""

    def compute(case: Case, at: At) -> float | None:
        frequencies = (np.array(case["matrix"]) > 0).sum(axis=0)
        return getattr(diversity.chao2(frequencies, len(case["matrix"])), field)

    return compute


def no_unique_species(case: Case, tool: str, at: At) -> str | None:
    return VEGAN_COMPLETE if not ((np.array(case["matrix"]) > 0).sum(axis=0) == 1).any() else None


def several_unique_species(case: Case, tool: str, at: At) -> str | None:
    found = diversity.species_pool(case["matrix"])
    unique = (found.jackknife1 - found.observed) * found.sites / (found.sites - 1)
    return VEGAN_JACKKNIFE if round(unique) > 1 else None


def approximate_covariance(case: Case, tool: str, at: At) -> str | None:
    return VEGAN_ACCUMULATION if 1 < at[0] < len(case["matrix"]) - 1 else None


VEGAN_COMPLETE = (
    "where no species is added, vegan answers 0; the variance is that of the observed richness (iNEXT)"
)
VEGAN_JACKKNIFE = "vegan has a1 / N where Heltshe and Forrester 1983 and the jackknife itself have a1**2 / N"
VEGAN_ACCUMULATION = (
    "vegan takes the correlation of one site for that of k sites; ours is that of all choices"
)

FAMILIES: dict[str, Family] = {
    **{
        f"baselga_{index[:3]}.{field}": Family(baselga(index, field), 6)
        for index in ("sorensen", "jaccard")
        for field in ("total", "turnover", "nestedness")
    },
    **{
        f"hill_parti.q{q}.{field}": Family(hill_part(q, field, "equal"), 6)
        for q in (0, 1, 2)
        for field in ("gamma", "alpha", "beta", "local_similarity", "region_similarity")
    },
    **{
        f"hill_parti_weighted.q{q}.{field}": Family(hill_part(q, field, "abundance"), 6)
        for q in (0, 1, 2)
        for field in ("gamma", "alpha", "beta")
    },
    "whittaker.S_over_mean": Family(whittaker, 6),
    "bray@*-*": Family(bray_of_rows, 8),
    "bray.mean_pairwise": Family(mean_bray, 6),
    "specpool.S": Family(pool("observed"), 6),
    "specpool.chao2": Family(chao2("value"), 6),
    "specpool.chao2.se": Family(chao2("se"), 4, 2, no_unique_species),
    "specpool.jack1": Family(pool("jackknife1"), 6),
    "specpool.jack1.se": Family(pool("jackknife1_se"), 2, 4, several_unique_species),
    "specpool.jack2": Family(pool("jackknife2"), 6),
    "specpool.boot": Family(pool("bootstrap"), 6),
    "specpool.boot.se": Family(pool("bootstrap_se"), 6, absolute=1e-7),
    "specaccum.S@k=*": Family(accumulated("richness"), 25),
    "specaccum.sd@k=*": Family(accumulated("sd"), 13, 12, approximate_covariance, absolute=1e-7),
}

NOT_COMPARED: dict[str, str] = {}
