"""What makes samples differ: replacement against loss of species, and gamma diversity within and between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.community import sample_matrix, sample_pair
from lib.diversity.indices import hill

BetaIndex = Literal["sorensen", "jaccard"]
SiteWeights = Literal["equal", "abundance"]


@dataclass(frozen=True, slots=True)
class BetaPartition:
    """Dissimilarity `total` = `turnover` (species replaced by others) + `nestedness` (species merely lost)."""

    total: float
    turnover: float
    nestedness: float


@dataclass(frozen=True, slots=True)
class PodaniPartition:
    """Dissimilarity `total` = `replacement` (one for one) + `richness_difference`."""

    total: float
    replacement: float
    richness_difference: float


@dataclass(frozen=True, slots=True)
class GammaAlphaBeta:
    """Diversity of the whole (`gamma`) = mean diversity of a sample (`alpha`) x number of kinds of them (`beta`).

    `gamma` and `alpha` are effective species, `beta` effective samples, 1 (all alike) to N (nothing shared).
    `local_similarity` (the share of an average sample's species that the others have) and `region_similarity`
    (the share of the region's species that a sample has on average) run from 0 to 1, None for one sample.
    """

    gamma: float
    alpha: float
    beta: float
    local_similarity: float | None
    region_similarity: float | None


def beta_partition(a: ArrayLike, b: ArrayLike, index: BetaIndex = "sorensen") -> BetaPartition | None:
    """Baselga's split of the Sorensen (2010) or Jaccard (2012) dissimilarity of two samples.

    With a species shared and b, c in one sample only: turnover is min(b, c) / (a + min(b, c)) for Sorensen,
    2 min(b, c) / (a + 2 min(b, c)) for Jaccard; nestedness is the rest of the total. Presence and absence
    only. `a`, `b`: abundances of the same species in the same order. None when both are empty; an empty
    sample has lost all species and replaced none: total 1, turnover 0. ValueError as `bray_curtis`.

    >>> beta_partition([1, 1, 1, 0], [1, 0, 0, 0])  # the second is a part of the first
    BetaPartition(total=0.5, turnover=0.0, nestedness=0.5)
    """
    first, second = sample_pair(a, b)
    return beta_partition_sites(np.array([first, second]), index)


def beta_partition_sites(matrix: ArrayLike, index: BetaIndex = "sorensen") -> BetaPartition | None:
    """The multiple-site form of `beta_partition`, for all samples of `matrix` (samples x species) together.

    With A = sum S_i - S_total, and B and C the sums over pairs of the smaller and the larger number of
    species that one has and the other not (Baselga 2010, 2012; vegan's nestedbetasor, nestedbetajac):
    Sorensen (B + C) / (2A + B + C), turnover B / (A + B); Jaccard (B + C) / (A + B + C), turnover
    2B / (A + 2B). It grows with the number of samples: compare only sets of equally many. An empty sample
    counts as one. None for fewer than two samples and when no sample has a species.
    """
    _check(index, ("sorensen", "jaccard"), "index")
    present = (sample_matrix(matrix) > 0).astype(np.float64)
    if len(present) < 2 or not present.any():
        return None
    richness = present.sum(axis=1)
    shared = float(richness.sum() - np.count_nonzero(present.any(axis=0)))
    # Species of i that j lacks, for all i, j; each pair stands in it once on either side of the diagonal.
    only = richness[:, np.newaxis] - present @ present.T
    fewer = float(np.triu(np.minimum(only, only.T), 1).sum())
    more = float(np.triu(np.maximum(only, only.T), 1).sum())
    if index == "sorensen":
        total = (fewer + more) / (2 * shared + fewer + more)
        replaced, within = fewer, shared + fewer
    else:
        total = (fewer + more) / (shared + fewer + more)
        replaced, within = 2 * fewer, shared + 2 * fewer
    turnover = replaced / within if within else 0.0
    # Rounding may take the difference a hair below zero.
    return BetaPartition(total, turnover, max(0.0, total - turnover))


def podani_partition(
    a: ArrayLike, b: ArrayLike, index: BetaIndex = "sorensen", quantitative: bool = False
) -> PodaniPartition | None:
    """Podani and Carvalho's split of a dissimilarity into replacement and difference in richness.

    With a shared and b, c in one sample only: replacement 2 min(b, c) / d, richness difference |b - c| / d,
    d = a + b + c for Jaccard, 2a + b + c for Sorensen (Podani and Schmera 2011; Carvalho et al. 2012; BAT).
    `quantitative` counts individuals in place of species, a = sum min: the totals are then Ruzicka's and
    Bray-Curtis's. Unlike `beta_partition`, it gives any difference in richness, nested or not, its own share.
    None when both samples are empty; ValueError as `bray_curtis`.
    """
    _check(index, ("sorensen", "jaccard"), "index")
    first, second = sample_pair(a, b)
    if not quantitative:
        first, second = np.sign(first), np.sign(second)
    common = np.minimum(first, second)
    shared = float(common.sum())
    only_first, only_second = float((first - common).sum()), float((second - common).sum())
    whole = shared * (2 if index == "sorensen" else 1) + only_first + only_second
    if not whole:
        return None
    return PodaniPartition(
        total=(only_first + only_second) / whole,
        replacement=2 * min(only_first, only_second) / whole,
        richness_difference=abs(only_first - only_second) / whole,
    )


def gamma_alpha_beta(matrix: ArrayLike, q: float, weights: SiteWeights = "equal") -> GammaAlphaBeta | None:
    """Gamma, alpha and beta diversity of order `q` >= 0 of the samples of `matrix` (samples x species).

    gamma is the Hill number of the pooled samples, alpha 1/N times that of all their entries z_ij / z_++
    together, beta = gamma / alpha (Chiu, Jost and Chao 2014; hillR's hill_taxa_parti): 1 <= beta <= N for
    every q. `weights="equal"` gives each sample the same weight, whatever its effort (hillR's
    rel_then_pool = TRUE); "abundance" weighs it by its total (FALSE). Similarities: 1 - C and 1 - U of the
    same paper, linear in beta at q = 0 and the overlap of Morisita and Horn at q = 2; at q = infinity they
    are all or nothing, and None here.

    Empty samples have no composition: they are left out, and N counts the others. None when no sample is
    left; ValueError for a negative order, unknown weights, or what `bray_curtis_matrix` refuses.

    >>> gamma_alpha_beta([[5, 5, 0, 0], [0, 0, 5, 5]], q=1).beta  # two samples with nothing in common
    2.0
    """
    _check(weights, ("equal", "abundance"), "weights")
    if math.isnan(q) or q < 0:
        raise ValueError("the order of a Hill number must be 0 or more")
    samples = sample_matrix(matrix)
    samples = samples[samples.any(axis=1)]
    if not len(samples):
        return None
    if weights == "equal":
        samples = samples / samples.sum(axis=1, keepdims=True)
    gamma, joint = hill(samples.sum(axis=0), q), hill(samples.ravel(), q)
    assert gamma is not None
    assert joint is not None
    n = len(samples)
    alpha = joint / n
    beta = min(max(gamma / alpha, 1.0), float(n))
    if n == 1 or math.isinf(q):
        return GammaAlphaBeta(gamma, alpha, beta, None, None)
    return GammaAlphaBeta(
        gamma=gamma,
        alpha=alpha,
        beta=beta,
        local_similarity=1 - _share_of_range(math.log(beta), math.log(n), 1 - q),
        region_similarity=1 - _share_of_range(math.log(beta), math.log(n), q - 1),
    )


def _share_of_range(log_beta: float, log_n: float, power: float) -> float:
    """(beta**power - 1) / (n**power - 1), its limit ln beta / ln n at power 0, without overflow."""
    if power == 0:
        return log_beta / log_n
    if power > 0:
        decay = math.exp(power * (log_beta - log_n))
        return decay * math.expm1(-power * log_beta) / math.expm1(-power * log_n)
    return math.expm1(power * log_beta) / math.expm1(power * log_n)


def _check(choice: str, choices: tuple[str, ...], name: str) -> None:
    if choice not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}")
