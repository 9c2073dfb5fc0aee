"""Fisher's alpha: the diversity of a sample under the log-series."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from lib.diversity.abundance import whole_abundances


def fisher_alpha(counts: ArrayLike) -> float | None:
    """The alpha that solves S = alpha ln(1 + n / alpha), from whole `counts` (Fisher, Corbet, Williams 1943).

    None for an empty sample, and where every individual is a species of its own: no finite alpha solves it.

    >>> round(fisher_alpha([7, 3, 1, 1]), 4)
    2.101
    """
    values = whole_abundances(counts)
    n, s = float(values.sum()), float(values.size)
    if n == s:
        return None
    # The right side rises with alpha from 0 to n: halve in logarithms, where the root may be far away.
    low, high = -math.log(n) - 50, math.log(n) + 50
    while high - low > 1e-14 * max(1.0, abs(low)):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        alpha = math.exp(middle)
        low, high = (low, middle) if alpha * math.log1p(n / alpha) > s else (middle, high)
    return math.exp((low + high) / 2)
