"""How unlike two samples are, for many pairs of samples at once: those of a bootstrap, a row each.

The same formulas as lib.diversity.dissimilarity and lib.diversity.partition, whose functions for one pair cost a
hundred times as much a pair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Column = NDArray[np.float64]

ORDERS = (0, 1, 2)


def dissimilarities(a: Rows, b: Rows) -> dict[str, Column]:
    """Every dissimilarity of row i of `a` with row i of `b`: whole counts (R, S), the same species in a column.

    `bray_curtis` is that of the shares, `bray_curtis_raw` that of the counts; `jaccard` and `sorensen` come
    with Baselga's `_turnover` and `_nestedness`. No row may be empty.
    """
    present_a, present_b = a > 0, b > 0
    shared = (present_a & present_b).sum(axis=1).astype(np.float64)
    only_a, only_b = present_a.sum(axis=1) - shared, present_b.sum(axis=1) - shared
    fewer, differing = np.minimum(only_a, only_b), only_a + only_b
    jaccard, sorensen = differing / (shared + differing), differing / (2 * shared + differing)
    jaccard_turnover = _ratio(2 * fewer, shared + 2 * fewer)
    sorensen_turnover = _ratio(fewer, shared + fewer)
    return {
        "bray_curtis": np.abs(_shares(a) - _shares(b)).sum(axis=1) / 2,
        "bray_curtis_raw": np.abs(a - b).sum(axis=1) / (a.sum(axis=1) + b.sum(axis=1)),
        "jaccard": jaccard,
        "jaccard_turnover": jaccard_turnover,
        "jaccard_nestedness": np.maximum(jaccard - jaccard_turnover, 0.0),
        "sorensen": sorensen,
        "sorensen_turnover": sorensen_turnover,
        "sorensen_nestedness": np.maximum(sorensen - sorensen_turnover, 0.0),
    }


def gamma_and_alpha(a: Rows, b: Rows) -> tuple[Column, Column]:
    """Gamma and alpha diversity of row i of `a` and of `b` together, equally weighted: (R, 3) each, by `ORDERS`.

    As `gamma_alpha_beta` has them (Chiu, Jost and Chao 2014); beta is gamma over alpha. No row may be empty.
    """
    p, q = _shares(a), _shares(b)
    gamma = _hills((p + q) / 2)
    of_a, of_b = _hills(p), _hills(q)
    alpha = np.stack(
        [
            (of_a[:, 0] + of_b[:, 0]) / 2,
            np.sqrt(of_a[:, 1] * of_b[:, 1]),
            2 / (1 / of_a[:, 2] + 1 / of_b[:, 2]),
        ],
        axis=1,
    )
    return gamma, alpha


def hill_numbers(rows: Rows) -> Column:
    """Hill numbers of `ORDERS` of every row, (R, 3). No row may be empty."""
    return _hills(_shares(rows))


def _hills(shares: Column) -> Column:
    """Hill numbers of `ORDERS`, (R, 3)."""
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.stack(
        [
            np.count_nonzero(shares, axis=1),
            np.exp(-(shares * logs).sum(axis=1)),
            1 / (shares**2).sum(axis=1),
        ],
        axis=1,
    )


def _shares(rows: Rows) -> Column:
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def _ratio(part: Column, whole: Column) -> Column:
    """part / whole, 0 where there is nothing of either."""
    return np.asarray(part / np.where(whole > 0, whole, 1.0))
