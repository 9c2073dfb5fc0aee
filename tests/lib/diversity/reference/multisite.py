"""Section `multisite` of the reference set (several samples of one area): what is compared and what is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from statistics import fmean

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
}

NOT_COMPARED: dict[str, str] = {
    "specpool.*": "no function offers it",
    "specaccum.*": "no function offers it",
}
