"""Biodiversity statistics of samples, between samples and over time: pure NumPy, exact to the published formulas.

Natural logarithms. `counts` is a 1-D array-like of non-negative abundances (zeros are species not seen and change
nothing); what compares samples takes them with the same species in the same places. Anything else raises
ValueError; where a statistic is undefined the answer is None, never NaN.
"""

from lib.diversity.ace_estimator import ace
from lib.diversity.asymptotic_diversity import asymptotic
from lib.diversity.bootstrap import bootstrap, bootstrap_at_coverage, bootstrap_at_size
from lib.diversity.day_estimate import DayEstimate, day_estimate
from lib.diversity.dissimilarity import (
    bray_curtis,
    bray_curtis_matrix,
    chao_jaccard,
    hellinger,
    jaccard,
    jaccard_matrix,
    morisita_horn,
    ruzicka,
    sorensen,
    sorensen_matrix,
)
from lib.diversity.fisher import fisher_alpha
from lib.diversity.incidence import (
    chao2,
    incidence_asymptotic,
    incidence_coverage,
    incidence_coverage_at,
    incidence_diversity_at_coverage,
    incidence_diversity_at_size,
    incidence_frequencies,
    incidence_richness,
    incidence_size_at_coverage,
)
from lib.diversity.indices import (
    hill,
    inverse_simpson,
    inverse_simpson_unbiased,
    pielou,
    richness,
    shannon,
    simpson,
    simpson_unbiased,
)
from lib.diversity.partition import (
    BetaPartition,
    GammaAlphaBeta,
    PodaniPartition,
    beta_partition,
    beta_partition_sites,
    gamma_alpha_beta,
    podani_partition,
)
from lib.diversity.pooling import pool
from lib.diversity.rank_tests import KruskalWallis, RankTest, kruskal_wallis, mann_whitney
from lib.diversity.rarefaction import diversity_at_coverage, diversity_at_size, rarefaction_se
from lib.diversity.rarefaction_curve import RarefactionCurve, rarefaction_curve
from lib.diversity.richness_estimators import Estimate, chao1
from lib.diversity.sample_coverage import coverage, coverage_at, coverage_good, size_at_coverage
from lib.diversity.species_accumulation import Accumulated, SpeciesPool, accumulation, species_pool
from lib.diversity.subsampling import Subsample, subsample
from lib.diversity.temporal import Turnover, turnover
from lib.diversity.trends import MannKendall, TheilSen, mann_kendall, theil_sen

__all__ = [
    "Accumulated",
    "BetaPartition",
    "DayEstimate",
    "Estimate",
    "GammaAlphaBeta",
    "KruskalWallis",
    "MannKendall",
    "PodaniPartition",
    "RankTest",
    "RarefactionCurve",
    "SpeciesPool",
    "Subsample",
    "TheilSen",
    "Turnover",
    "accumulation",
    "ace",
    "asymptotic",
    "beta_partition",
    "beta_partition_sites",
    "bootstrap",
    "bootstrap_at_coverage",
    "bootstrap_at_size",
    "bray_curtis",
    "bray_curtis_matrix",
    "chao1",
    "chao2",
    "chao_jaccard",
    "coverage",
    "coverage_at",
    "coverage_good",
    "day_estimate",
    "diversity_at_coverage",
    "diversity_at_size",
    "fisher_alpha",
    "gamma_alpha_beta",
    "hellinger",
    "hill",
    "incidence_asymptotic",
    "incidence_coverage",
    "incidence_coverage_at",
    "incidence_diversity_at_coverage",
    "incidence_diversity_at_size",
    "incidence_frequencies",
    "incidence_richness",
    "incidence_size_at_coverage",
    "inverse_simpson",
    "inverse_simpson_unbiased",
    "jaccard",
    "jaccard_matrix",
    "kruskal_wallis",
    "mann_kendall",
    "mann_whitney",
    "morisita_horn",
    "pielou",
    "podani_partition",
    "pool",
    "rarefaction_curve",
    "rarefaction_se",
    "richness",
    "ruzicka",
    "shannon",
    "simpson",
    "simpson_unbiased",
    "size_at_coverage",
    "sorensen",
    "sorensen_matrix",
    "species_pool",
    "subsample",
    "theil_sen",
    "turnover",
]
