"""The figures that say how good a classifier is: accuracy with intervals, calibration, confusions; NumPy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Row-wise probabilities, float64 (N, K)."""
    scaled = logits.astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


class Bin(NamedTuple):
    """One bin of a reliability table: how sure the classifier was there, and how often it was right."""

    low: float
    high: float
    n: int
    confidence: float | None
    right: float | None


def reliability(confidences: np.ndarray, right: np.ndarray, bins: int = 15) -> list[Bin]:
    """Equal-width bins of confidence (0 to 1), with each bin's mean confidence and share of right answers.

    An empty bin has None for both. A confidence on a border belongs to the bin above it, 1.0 to the last.
    """
    place = np.minimum((np.asarray(confidences, np.float64) * bins).astype(int), bins - 1)
    table = []
    for b in range(bins):
        inside = place == b
        n = int(inside.sum())
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if n else (None, None)
        table.append(Bin(b / bins, (b + 1) / bins, n, *means))
    return table


def expected_error(table: list[Bin]) -> float | None:
    """Expected calibration error of a reliability table (Naeini et al. 2015), 0 to 1; None when it is empty."""
    n = sum(b.n for b in table)
    if not n:
        return None
    gaps = (
        b.n * abs(b.right - b.confidence) for b in table if b.right is not None and b.confidence is not None
    )
    return sum(gaps) / n


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the likeliest class over equal-width bins (Naeini et al. 2015), 0 to 1."""
    table = reliability(probabilities.max(1), probabilities.argmax(1) == labels, bins)
    return expected_error(table) or 0.0


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Error among the most confident answers, for every share of answers that a threshold can keep.

    Point i keeps all answers of at least `thresholds[i]`: the share `coverage[i]` of all, of which `risk[i]` are
    wrong. Answers of one confidence are kept or left together, so the curve does not depend on their order.
    """

    thresholds: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    area: float | None

    def coverage_at(self, risk: float) -> float:
        """The largest share that can be answered with at most this share of errors; 0 when there is none."""
        fit = self.coverage[self.risk <= risk]
        return float(fit[-1]) if len(fit) else 0.0

    def threshold_at(self, risk: float) -> float | None:
        """The confidence from which on `coverage_at(risk)` is answered; None when nothing can be."""
        fit = self.thresholds[self.risk <= risk]
        return float(fit[-1]) if len(fit) else None

    def risk_at(self, coverage: float) -> float | None:
        """The share of errors at the smallest reachable share of at least `coverage`; None without answers."""
        place = int(np.searchsorted(self.coverage, coverage - 1e-12))
        return float(self.risk[min(place, len(self.risk) - 1)]) if len(self.risk) else None


def risk_coverage(confidences: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """The risk-coverage curve and the area under it (AURC; Geifman & El-Yaniv 2017): lower is better.

    `confidences` (N,) in any unit, higher for surer; `right` (N,) of truth values. The area is the mean over
    k = 1 … N of the error among the k surest. Among equal confidences the order is unknown, so their part of that
    mean is its expectation over all orders: e errors among m equals count e/m each. No answers: empty, area None.
    """
    confidences, wrong = np.asarray(confidences, np.float64), ~np.asarray(right, bool)
    n = len(confidences)
    if not n:
        empty = np.zeros(0)
        return RiskCoverage(empty, empty, empty, None)
    values, place, sizes = np.unique(-confidences, return_inverse=True, return_counts=True)
    errors = np.bincount(place.ravel(), weights=wrong, minlength=len(values))
    kept, failed = np.cumsum(sizes), np.cumsum(errors)
    each = np.repeat(errors / sizes, sizes)
    before = np.repeat(failed - errors, sizes)
    rank = np.arange(1, n + 1)
    within = rank - np.repeat(kept - sizes, sizes)
    area = float(((before + within * each) / rank).mean())
    return RiskCoverage(-values, kept / n, failed / kept, area)


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided p of McNemar's test (1947), from the two counts of pairs that disagree.

    Under the hypothesis that neither is better, b is binomial with b + c trials and one half; p is twice the
    smaller tail, at most 1. Without a disagreement it is 1.
    """
    n = b + c
    term, tail = 1, 1
    for k in range(1, min(b, c) + 1):
        term = term * (n - k + 1) // k
        tail += term
    return min(1.0, tail / (1 << n) * 2)


class Paired(TypedDict):
    """Two classifiers on the same photos: `a` and `b` are their names here."""

    n: int
    both_right: int
    only_a: int
    only_b: int
    neither: int
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float


def paired(right_a: np.ndarray, right_b: np.ndarray) -> Paired:
    """What two classifiers got right on the same photos: counts, b − a with its interval, McNemar's exact p.

    The 95 % interval of the difference is Newcombe's for paired shares (1998, Statistics in Medicine 17:2635,
    method 10), which stays within −1 to 1 and holds at zero counts. Both arrays (N,) of truth values.
    """
    right_a, right_b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    if right_a.shape != right_b.shape:
        raise ValueError(f"not the same photos: {right_a.shape} and {right_b.shape}")
    n = len(right_a)
    both, neither = int((right_a & right_b).sum()), int((~right_a & ~right_b).sum())
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    report = Paired(
        n=n, both_right=both, only_a=only_a, only_b=only_b, neither=neither,
        a=None, b=None, difference=None, low=None, high=None, p=mcnemar(only_a, only_b),
    )  # fmt: skip
    if n:
        report["a"], report["b"] = (both + only_a) / n, (both + only_b) / n
        report["difference"] = (only_b - only_a) / n
        report["low"], report["high"] = _newcombe(both, only_b, only_a, neither)
    return report


def _newcombe(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    """Interval of (first − second) / n from the fourfold table of pairs."""
    n = both + first + second + neither
    share_1, share_2 = (both + first) / n, (both + second) / n
    (low_1, high_1), (low_2, high_2) = wilson(both + first, n), wilson(both + second, n)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    product = float(both * neither - first * second)
    if product > 0:  # the correction for continuity, which may not turn the sign
        product = max(product - n / 2, 0.0)
    phi = product / math.sqrt(margins) if margins else 0.0
    below = _side(share_1 - low_1, high_2 - share_2, phi)
    above = _side(high_1 - share_1, share_2 - low_2, phi)
    difference = (first - second) / n
    return max(-1.0, difference - below), min(1.0, difference + above)


def _side(one: float, other: float, phi: float) -> float:
    """Length of one side of the interval from the sides of the two shares' own."""
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def wilson(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(successes: int, trials: int) -> dict[str, float | int | None]:
    """A share with its count and interval, as the card prints it; its value is None without trials."""
    low, high = wilson(successes, trials)
    return {"value": successes / trials if trials else None, "low": low, "high": high, "n": trials}


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> int:
    """How many labels are among the k likeliest classes."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return int((best == labels[:, None]).any(1).sum())


def recalls(predicted: np.ndarray, labels: np.ndarray, classes: int) -> list[tuple[int, int]]:
    """For each class: how many of its photos were named right, and how many there are."""
    right = np.bincount(labels[predicted == labels], minlength=classes)
    return list(zip(right.tolist(), np.bincount(labels, minlength=classes).tolist(), strict=True))


def confusions(predicted: np.ndarray, labels: np.ndarray, classes: int) -> list[tuple[int, int, int]]:
    """(true, predicted, count) of every mistake made, most frequent first, then in the order of the classes."""
    wrong = predicted != labels
    # One number for each pair: a table of thousands of classes would hold millions of zeros.
    pairs, counts = np.unique(labels[wrong].astype(np.int64) * classes + predicted[wrong], return_counts=True)
    found = zip((pairs // classes).tolist(), (pairs % classes).tolist(), counts.tolist(), strict=True)
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))
