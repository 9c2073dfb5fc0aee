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
    "The mean over draws of the labels. In each draw every counted unit gets a species by the probabilities of the "
    "classifier (corrected for how often it saw each species in training); a label that a person gave is certain; "
    "near-duplicate photos are one unit; a unit is left out with the probability that it is none of the species "
    "known. Counting the likeliest labels instead would make a species of every mistake of the classifier."
)
# How the interval around it is made.
POOLED = (
    "95 %, for the community that was photographed: within each draw the sampling error (bootstrap of a community "
    "that holds the species not seen, Chao et al. 2014), between the draws the doubt about the labels, both pooled "
    "by Rubin's rules (Rubin 1987). None on days with too few units."
)
POOLED_CHAO1 = (
    "95 %: within each draw the log-normal interval of Chao (1987), between the draws the doubt about the labels, "
    "both pooled by Rubin's rules (Rubin 1987). None on days with too few units."
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
        "Number of species among the counted units of the day, rounded to a whole number (hill_q0 is not).",
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
        interval=POOLED_CHAO1,
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
    "expected_counts": "How many units of each species there are by the draws of the labels, on average.",
    "unknown": "How many units are expected to be none of the species known; they are part of no metric.",
    "known_units": "Units less unknown: how many take part in the metrics, on average.",
    "draws": "Units of each species in each draw of the labels, for statistics of one's own.",
    "standardised": "What the metric would be at a sample coverage of 0.8 (Chao & Jost 2012), by the Hill numbers "
    "at that coverage; in the summary of a day these stand among the confidence_intervals, as hill_q0_standardised "
    "and so on. Days with unequal numbers of photos can be compared by it. Absent where the day would need more "
    "than twice its units.",
    "ranks": "The same for genera and families, with the units that are known to that rank only.",
    "too_few": "no_plants, few_plants (under 5 known units), low_coverage (under 0.5), or null: why there are no "
    "intervals.",
    "effort": "none: no unit of a known species; low: too few units or too little coverage to compare the day with "
    "others; ok: neither.",
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
