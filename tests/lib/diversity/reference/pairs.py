"""Section `pairs` of the reference set (two samples side by side): what is compared and what is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lib import diversity
from tests.lib.diversity.reference.families import At, Case, Family

Compute = Callable[[Case, At], float | None]


def of(function: Callable[..., float | None], **named: Any) -> Compute:
    """A dissimilarity of the two samples."""
    return lambda case, at: function(case["a"], case["b"], **named)


def similarity(function: Callable[..., float | None]) -> Compute:
    """One minus a dissimilarity: vegan's betadiver has some the other way round."""
    return lambda case, at: 1 - function(case["a"], case["b"])


def part(function: Callable[..., Any], field: str, **named: Any) -> Compute:
    """One part of a partition of the two samples."""
    return lambda case, at: getattr(function(case["a"], case["b"], **named), field)


def hill_part(q: float, field: str) -> Compute:
    return lambda case, at: getattr(diversity.gamma_alpha_beta([case["a"], case["b"]], q), field)


FAMILIES: dict[str, Family] = {
    "bray": Family(of(diversity.bray_curtis), 30),
    "bray.on_relative": Family(of(diversity.bray_curtis, relative=True), 15),
    "jaccard.binary": Family(of(diversity.jaccard), 30),
    "jaccard.ruzicka": Family(of(diversity.ruzicka), 15),
    "sorensen.binary": Family(of(diversity.sorensen), 30),
    "horn": Family(of(diversity.morisita_horn), 15),  # vegan's name of Morisita-Horn
    "hellinger": Family(lambda case, at: math.sqrt(2) * diversity.hellinger(case["a"], case["b"]), 15),
    "chao": Family(of(diversity.chao_jaccard), 15),
    "betadiver.j": Family(similarity(diversity.jaccard), 15),
    "betadiver.sor": Family(similarity(diversity.sorensen), 15),
    "betadiver.sim": Family(part(diversity.beta_partition, "turnover"), 15),
    "betadiver.w": Family(of(diversity.sorensen), 15),
    **{
        f"baselga_{index[:3]}.{field}": Family(part(diversity.beta_partition, field, index=index), 15)
        for index in ("sorensen", "jaccard")
        for field in ("total", "turnover", "nestedness")
    },
    **{
        f"podani_{index}.{'abund' if quantitative else 'pa'}.{field.removesuffix('_difference')}": Family(
            part(diversity.podani_partition, field, index=index, quantitative=quantitative), 15
        )
        for index in ("sorensen", "jaccard")
        for quantitative in (False, True)
        for field in ("total", "replacement", "richness_difference")
    },
    **{
        f"hill_parti.q{q}.{field}": Family(hill_part(q, field), 15)
        for q in (0, 1, 2)
        for field in ("gamma", "alpha", "beta", "local_similarity", "region_similarity")
    },
}

DISTANCE = "a distance without an upper end, ruled by effort and not by composition; no function offers it"
NO_FUNCTION = "not among the measures offered"

NOT_COMPARED: dict[str, str] = {
    "euclidean": DISTANCE,
    "manhattan": DISTANCE,
    "gower": "scaled by the range within the two samples: of a pair it only counts the species that differ",
    "canberra": NO_FUNCTION,
    "kulczynski": NO_FUNCTION,
    "morisita": "not bounded by 1, and undefined for singletons; Morisita-Horn is offered instead",
}
