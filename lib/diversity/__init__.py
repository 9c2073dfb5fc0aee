"""Biodiversity statistics of one sample: pure NumPy, exact to the published formulas, natural logarithms.

Every function takes `counts`, a 1-D array-like of non-negative abundances (zeros are species not seen and
change nothing), raises ValueError for anything else, and answers None where the statistic is undefined, never
NaN.
"""

from lib.diversity.dissimilarity import (
    bray_curtis,
    bray_curtis_matrix,
    hellinger,
    jaccard,
    jaccard_matrix,
    morisita_horn,
    ruzicka,
    sorensen,
    sorensen_matrix,
)
from lib.diversity.indices import hill, inverse_simpson, pielou, richness, shannon, simpson
from lib.diversity.partition import (
    BetaPartition,
    GammaAlphaBeta,
    PodaniPartition,
    beta_partition,
    beta_partition_sites,
    gamma_alpha_beta,
    podani_partition,
)
from lib.diversity.rank_tests import KruskalWallis, RankTest, kruskal_wallis, mann_whitney
from lib.diversity.richness_estimators import Estimate, chao1
from lib.diversity.sample_coverage import coverage, coverage_good
from lib.diversity.temporal import Turnover, turnover
from lib.diversity.trends import MannKendall, TheilSen, mann_kendall, theil_sen

__all__ = [
    "BetaPartition",
    "Estimate",
    "GammaAlphaBeta",
    "KruskalWallis",
    "MannKendall",
    "PodaniPartition",
    "RankTest",
    "TheilSen",
    "Turnover",
    "beta_partition",
    "beta_partition_sites",
    "bray_curtis",
    "bray_curtis_matrix",
    "chao1",
    "coverage",
    "coverage_good",
    "gamma_alpha_beta",
    "hellinger",
    "hill",
    "inverse_simpson",
    "jaccard",
    "jaccard_matrix",
    "kruskal_wallis",
    "mann_kendall",
    "mann_whitney",
    "morisita_horn",
    "pielou",
    "podani_partition",
    "richness",
    "ruzicka",
    "shannon",
    "simpson",
    "sorensen",
    "sorensen_matrix",
    "theil_sen",
    "turnover",
]
