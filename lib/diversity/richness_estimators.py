"""How many species there are, seen and unseen: Chao1 with its log-normal interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.sample import Sample, abundance_sample


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error and the two ends of its interval, all finite, low <= value <= high."""

    value: float
    se: float
    low: float
    high: float


def chao1(counts: ArrayLike, bias_corrected: bool = False, level: float = 0.95) -> Estimate | None:
    """Chao1 lower bound of species richness, from whole `counts`; None for an empty sample.

    Classic (default): S + k f1**2 / (2 f2) with k = (n-1)/n, and S + k f1 (f1-1) / 2 when f2 = 0 (Chao 1984;
    Chao and Chiu 2016; iNEXT, SpadeR). `bias_corrected`: S + f1 (f1-1) / (2 (f2+1)), without k (vegan,
    scikit-bio). Variance with the 1/4 of Chao 1987, interval log-normal at `level`. Where the estimate adds
    no species, the variance is that of the observed richness and the interval normal around S / (1 - P),
    P = sum f_i e**-i / S, never below S, as iNEXT has it.

    >>> round(chao1([6, 3, 2, 1, 1, 1]).value, 4)  # S = 6, n = 14, f1 = 3, f2 = 1
    10.1786
    """
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    sample = abundance_sample(counts)
    return None if sample is None else chao_estimate(sample, level, bias_corrected)


def chao_estimate(sample: Sample, level: float, bias_corrected: bool = False) -> Estimate:
    """Chao1 of individuals, Chao2 of other units; see `chao1`."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    unseen, variance = _bias_corrected(sample) if bias_corrected else _classic(sample)
    if unseen <= 0:
        return _complete(sample, z)
    spread = math.exp(z * math.sqrt(math.log1p(variance / unseen**2)))
    return Estimate(
        value=sample.observed + unseen,
        se=math.sqrt(variance),
        low=sample.observed + unseen / spread,
        high=sample.observed + unseen * spread,
    )


def _classic(sample: Sample) -> tuple[float, float]:
    """Unseen species and variance of the classic form."""
    f1, f2 = sample.once, sample.twice
    k = (sample.units - 1) / sample.units
    if f2 == 0:
        return _no_doubletons(sample, k)
    ratio = f1 / f2
    variance = f2 * (k * ratio**2 / 2 + k**2 * ratio**3 + k**2 * ratio**4 / 4)
    return k * f1**2 / (2 * f2), variance


def _bias_corrected(sample: Sample) -> tuple[float, float]:
    """Unseen species and variance of the bias-corrected form (Chao 2005; EstimateS, appendix B, 2 and 6)."""
    f1, f2 = sample.once, sample.twice
    if f2 == 0:
        return _no_doubletons(sample, 1.0)
    unseen = f1 * (f1 - 1) / (2 * (f2 + 1))
    variance = (
        unseen
        + f1 * (2 * f1 - 1) ** 2 / (4 * (f2 + 1) ** 2)
        + f1**2 * f2 * (f1 - 1) ** 2 / (4 * (f2 + 1) ** 4)
    )
    return unseen, variance


def _no_doubletons(sample: Sample, k: float) -> tuple[float, float]:
    """Both forms at f2 = 0; the classic one scales by k = (n-1)/n."""
    s, f1 = sample.observed, sample.once
    unseen = k * f1 * (f1 - 1) / 2
    variance = unseen + k**2 * f1 * (2 * f1 - 1) ** 2 / 4 - k**2 * f1**4 / (4 * (s + unseen))
    return unseen, variance


def _complete(sample: Sample, z: float) -> Estimate:
    """The estimate when nothing points to unseen species: S itself."""
    missed = np.exp(-sample.values)
    weighted = float(np.sum(sample.species * sample.values * missed))
    variance = float(np.sum(sample.species * (missed - missed**2))) - weighted**2 / sample.units
    se = math.sqrt(max(0.0, variance))
    s = sample.observed
    seen = 1 - float(np.sum(sample.species * missed)) / s
    return Estimate(value=s, se=se, low=max(s, (s - z * se) / seen), high=max(s, (s + z * se) / seen))
