"""What the numbers mean, metric by metric: embedded in every export, and the only place where it is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from lib import __version__

PRODUCT = "Weed Diversity Analyzer"
LEVEL = 0.95

# What is reported as *the value*, and why: said once, for every metric that is estimated from labels.
ESTIMATED = (
    "The mean over draws of the labels: each counted unit gets a species drawn from the probabilities that the "
    "classifier gives it, a label that a person confirmed is certain, and near-duplicate photos are one unit. "
    "Counting the likeliest label instead would call every mistake of the classifier a species."
)
# How the interval around it is made.
POOLED = (
    "95 %: within each draw of the labels the sampling error (bootstrap that includes the species not seen), "
    "between the draws the doubt about the labels; both pooled by Rubin's rules (Rubin 1987)."
)
COUNTED = "The number itself, counted; there is nothing to estimate, and no interval."


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric. `interval` is None where there is none; `p` are the shares of the species among the units."""

    unit: str
    definition: str
    formula: str
    source: str
    value: str = ESTIMATED
    interval: str | None = POOLED
    level: float | None = LEVEL


DEFINITIONS = {
    "species_richness": Definition(
        "species",
        "Number of species among the counted units of the day.",
        "S = number of species with a count above zero",
        "Hill 1973; the count of Magurran 2004",
    ),
    "shannon_diversity": Definition(
        "nats",
        "Shannon entropy: how uncertain the species of a unit picked at random is.",
        "H′ = −Σ p ln p, natural logarithm",
        "Shannon 1948",
    ),
    "pielou_evenness": Definition(
        "index 0–1",
        "How evenly the units are spread over the species found: 1 when all are equally frequent.",
        "J = H′ / ln S; 1 when S = 1",
        "Pielou 1966",
    ),
    "simpson_diversity": Definition(
        "index 0–1",
        "Gini–Simpson index: the chance that two units picked at random are of different species.",
        "1 − Σ p²",
        "Simpson 1949",
    ),
    "hill_q0": Definition(
        "effective species",
        "Hill number of order 0: every species counts alike; equals species richness.",
        "(Σ p^q)^(1/(1−q)) at q = 0",
        "Hill 1973",
    ),
    "hill_q1": Definition(
        "effective species",
        "Hill number of order 1: as many equally frequent species would give the same Shannon entropy.",
        "exp(H′), the limit of (Σ p^q)^(1/(1−q)) at q = 1",
        "Hill 1973; Jost 2006",
    ),
    "hill_q2": Definition(
        "effective species",
        "Hill number of order 2: as many equally frequent species would give the same Simpson index; "
        "mostly about the dominant species.",
        "1 / Σ p²",
        "Hill 1973; Jost 2006",
    ),
    "chao1_estimate": Definition(
        "species",
        "Species richness with a lower bound for the species that were there and not photographed.",
        "S + ((n−1)/n) f1² / (2 f2); S + ((n−1)/n) f1 (f1−1) / 2 when f2 = 0; n units, f1 species seen once, "
        "f2 seen twice",
        "Chao 1984; as iNEXT computes it",
    ),
    "coverage_estimate": Definition(
        "index 0–1",
        "Sample coverage: the share of the plants there whose species was found.",
        "1 − (f1/n) · ((n−1) f1 / ((n−1) f1 + 2 f2))",
        "Chao & Jost 2012",
    ),
    "total_images": Definition(
        "photos",
        "Photos taken on the day, near-duplicates and photos without a plant included: the sampling effort.",
        "count",
        "",
        COUNTED,
        None,
        None,
    ),
}
# What stands beside the metrics in the same files.
TERMS = {
    "unit": "One plant as photographed: a group of near-duplicate photos counts once.",
    "species_counts": "Units whose label is a species, by species: what a person counts who looks at the labels.",
    "species_frequencies": "species_counts as shares of their sum.",
    "effort": "none: no unit was named to the species; low: too few units or too little coverage to compare the "
    "day with others; ok: neither.",
    "level": "Colour of the calendar, 0 to 4: how many of the year's four thresholds the value reaches.",
    "confidence": "Probability that the classifier gives a name, after temperature scaling; a name that a person "
    "gave counts as 1.",
}


def definitions(metrics: Iterable[str] = tuple(DEFINITIONS)) -> dict[str, dict[str, Any]]:
    """The definitions of `metrics` as JSON has them: unit, definition, formula, source, value, interval, level.

    >>> definitions(["total_images"])["total_images"]["unit"]
    'photos'
    """
    return {name: asdict(DEFINITIONS[name]) for name in metrics}


def versions(analysis_version: str | None) -> dict[str, Any]:
    """The versions that every export names: of the product, and of the way in which days are analysed."""
    return {"product": PRODUCT, "product_version": __version__, "analysis_version": analysis_version}
