"""How far the shown confidence can be believed: by bins, coverage and level, also on a mixture with strangers.

A mixture is made of parts, each a set of photos that all weigh the same and together weigh the part's share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.classifier import figures
from lib.classifier.taxonomy import Label, Taxon
from scripts.training import card

BINS = 15
TABLE_BINS = 10
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.5)
DRAWS = card.BOOTSTRAPS
# A mixture's photos are counted as this many, each part as often as its share of them says.
COUNTED = 40_000


@dataclass(frozen=True)
class Part:
    """A set of photos in a mixture: the best species' probability, whether that species is right, the label rule's
    verdict, and what each truly is (None where it is no plant that has a name).
    """

    share: float
    confidence: np.ndarray
    right: np.ndarray
    labels: Sequence[Label]
    truth: Sequence[Taxon | None]


def part(
    share: float,
    probabilities: np.ndarray,
    labels: Sequence[Label],
    truth: Sequence[Taxon | None],
    taxa: Sequence[Taxon],
) -> Part:
    """From the probabilities (N, K), after P(in domain)."""
    best = probabilities.argmax(1)
    right = [
        taxon is not None and taxa[k].species == taxon.species for k, taxon in zip(best, truth, strict=True)
    ]
    return Part(share, probabilities.max(1), np.array(right, bool), labels, truth)


def weights(parts: Sequence[Part]) -> np.ndarray:
    """The weight of every photo, parts one after the other; sum 1."""
    each = np.concatenate([np.full(len(p.confidence), p.share / len(p.confidence)) for p in parts])
    return np.asarray(each / each.sum())


def reliability(parts: Sequence[Part], bins: int = TABLE_BINS) -> list[dict[str, float | None]]:
    """Equal-width bins of confidence: the share of the mixture in it, mean confidence and share right."""
    confidence, right, weight = _joined(parts)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    table: list[dict[str, float | None]] = []
    for b in range(bins):
        inside = place == b
        total = float(weight[inside].sum())
        table.append(
            {
                "low": b / bins,
                "high": (b + 1) / bins,
                "n": int(inside.sum()),
                "share": total,
                "confidence": float((weight * confidence)[inside].sum()) / total if total else None,
                "right": float((weight * right)[inside].sum()) / total if total else None,
            }
        )
    return table


def error(parts: Sequence[Part]) -> float:
    """Expected calibration error of the likeliest species over 15 equal-width bins, each photo at its weight."""
    return sum(
        row["share"] * abs(row["confidence"] - row["right"])
        for row in reliability(parts, BINS)
        if row["share"] is not None and row["confidence"] is not None and row["right"] is not None
    )


def risk_coverage(parts: Sequence[Part], seed: int) -> dict[str, Any]:
    """Share of wrong species among the surest photos at each of COVERAGES, and the area under the curve with a 95 %
    percentile interval over DRAWS bootstrap samples (photos drawn with replacement within each part).
    """
    curve = figures.risk_coverage(*_counted(parts, None))
    g = np.random.default_rng(seed)
    areas = [figures.risk_coverage(*_counted(parts, g)).area or 0.0 for _ in range(DRAWS)]
    low, high = np.quantile(areas, (0.025, 0.975)).tolist()
    return {
        "risk": {f"{coverage:g}": curve.risk_at(coverage) for coverage in COVERAGES},
        "area": {"value": curve.area, "low": low, "high": high},
    }


def levels(parts: Sequence[Part]) -> dict[str, dict[str, float | int | None]]:
    """For each level that the label rule names at: photos, their share of the mixture, mean confidence of the label
    and the share of labels that are true at that level.
    """
    weight = weights(parts)
    named = [(label, taxon) for p in parts for label, taxon in zip(p.labels, p.truth, strict=True)]
    found: dict[str, dict[str, float | int | None]] = {}
    for level in ("species", "genus", "family"):
        at = [i for i, (label, _) in enumerate(named) if label.level == level]
        w = weight[at]
        true = np.array([_true(*named[i]) for i in at], float)
        confidence = np.array([named[i][0].confidence for i in at])
        total = float(w.sum())
        found[level] = {
            "n": len(at),
            "share": total,
            "confidence": float((w * confidence).sum()) / total if at else None,
            "right": float((w * true).sum()) / total if at else None,
        }
    return found


def summary(parts: Sequence[Part], seed: int) -> dict[str, Any]:
    """All of the above."""
    return {
        "n": sum(len(p.confidence) for p in parts),
        "calibration_error": error(parts),
        "reliability": reliability(parts),
        "risk_coverage": risk_coverage(parts, seed),
        "levels": levels(parts),
    }


def _true(label: Label, taxon: Taxon | None) -> bool:
    return taxon is not None and getattr(taxon, label.level) == label.name


def _joined(parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidence = np.concatenate([p.confidence for p in parts])
    return confidence, np.concatenate([p.right for p in parts]), weights(parts)


def _counted(parts: Sequence[Part], g: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and truth with every photo as often as its weight says; resampled where a generator is given."""
    confidence, right = [], []
    alone = len(parts) == 1
    total = sum(p.share for p in parts)
    for p in parts:
        n = len(p.confidence)
        chosen = np.arange(n) if g is None else g.integers(n, size=n)
        if not alone:
            # Spread evenly: every photo the same number of times, but for the rest of the division.
            chosen = chosen[np.arange(round(COUNTED * p.share / total)) % n]
        confidence.append(p.confidence[chosen])
        right.append(p.right[chosen])
    return np.concatenate(confidence), np.concatenate(right)
