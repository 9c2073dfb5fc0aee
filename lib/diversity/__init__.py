"""Biodiversity statistics of one sample: pure NumPy, exact to the published formulas, natural logarithms.

Every function takes `counts`, a 1-D array-like of non-negative abundances (zeros are species not seen and
change nothing), raises ValueError for anything else, and answers None where the statistic is undefined, never
NaN.
"""

from lib.diversity.indices import hill, inverse_simpson, pielou, richness, shannon, simpson
from lib.diversity.richness_estimators import Estimate, chao1
from lib.diversity.sample_coverage import coverage, coverage_good

__all__ = [
    "Estimate",
    "chao1",
    "coverage",
    "coverage_good",
    "hill",
    "inverse_simpson",
    "pielou",
    "richness",
    "shannon",
    "simpson",
]
