"""How unlike two samples are: Bray-Curtis, Jaccard, Sorensen and their kin, for a pair or for all pairs.

All run from 0 (alike) to 1 (nothing in common). Two empty samples have no composition to compare: None. An
empty sample against one with species shares nothing with it: 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from lib.diversity.abundance import Abundances
from lib.diversity.community import SampleMatrix, sample_matrix, sample_pair

# One sample against each row of a matrix; rows that are empty together with it may come out as anything.
_Index = Callable[[Abundances, SampleMatrix], Abundances]
Dissimilarities = list[list[float | None]]


def bray_curtis(a: ArrayLike, b: ArrayLike, relative: bool = False) -> float | None:
    """Bray-Curtis dissimilarity sum |a - b| / sum (a + b), 0 to 1 (Bray and Curtis 1957).

    It takes a difference in effort for a difference in vegetation: where one sample has more photos than the
    other, ask for `relative`, which compares the shares a / sum a and b / sum b instead.

    `a`, `b`: abundances of the same species in the same order, zeros allowed. None when both are empty, 1 when
    one is; ValueError for unequal lengths and for what is no count.

    >>> bray_curtis([6, 2, 0], [2, 2, 4])
    0.5
    """
    return _one(_bray_of_shares if relative else _bray, a, b)


def ruzicka(a: ArrayLike, b: ArrayLike) -> float | None:
    """Quantitative Jaccard dissimilarity 1 - sum min(a, b) / sum max(a, b), 0 to 1 (Ruzicka 1958).

    vegan calls this one "jaccard" unless told binary=TRUE. Arguments and edge cases as `bray_curtis`.
    """
    return _one(_ruzicka, a, b)


def jaccard(a: ArrayLike, b: ArrayLike) -> float | None:
    """Jaccard dissimilarity of presence and absence: the share of the species seen that only one sample has.

    (b + c) / (a + b + c) with a species shared, b and c in one sample only (Jaccard 1912). Arguments and edge
    cases as `bray_curtis`; the form that uses abundances is `ruzicka`.
    """
    return _one(_jaccard, a, b)


def sorensen(a: ArrayLike, b: ArrayLike) -> float | None:
    """Sorensen dissimilarity of presence and absence, (b + c) / (2a + b + c) (Sorensen 1948, Dice 1945).

    a is the number of species shared, b and c those in one sample only. Arguments and edge cases as
    `bray_curtis`, which is the form that uses abundances.
    """
    return _one(_sorensen, a, b)


def morisita_horn(a: ArrayLike, b: ArrayLike) -> float | None:
    """Morisita-Horn dissimilarity 1 - 2 sum p_a p_b / (sum p_a**2 + sum p_b**2) of the shares p (Horn 1966).

    Ruled by the dominant species and hardly moved by effort. vegan's "horn". Arguments and edge cases as
    `bray_curtis`.
    """
    return _one(_morisita_horn, a, b)


def hellinger(a: ArrayLike, b: ArrayLike) -> float | None:
    """Hellinger distance sqrt(sum (sqrt p_a - sqrt p_b)**2 / 2) of the shares p, 0 to 1 (Rao 1995).

    vegan's recipe, the Euclidean distance of decostand(x, "hellinger"), is sqrt(2) times as large. Arguments
    and edge cases as `bray_curtis`.
    """
    return _one(_hellinger, a, b)


def chao_jaccard(a: ArrayLike, b: ArrayLike) -> float | None:
    """Jaccard dissimilarity of abundances that allows for shared species not seen yet (Chao et al. 2005).

    1 - UV / (U + V - UV), with U the share of the individuals of the first community that belong to species
    of both: the share seen, plus for the unseen ones (n_b - 1) / n_b * f1 / (2 f2) times the share, in the
    first sample, of the shared species that are singletons in the second; f1 and f2 are the shared species
    that the second sample has once and twice, an f2 of 0 counted as 1. V the other way round; neither above
    1. vegan's "chao". For whole counts; other arguments and edge cases as `bray_curtis`.
    """
    first, second = sample_pair(a, b)
    if np.any(first != np.floor(first)) or np.any(second != np.floor(second)):
        raise ValueError("counts must be whole numbers for an estimate from singletons and doubletons")
    if not first.any() and not second.any():
        return None
    if not np.any((first > 0) & (second > 0)):
        return 1.0
    u, v = _shared_share(first, second), _shared_share(second, first)
    return max(0.0, 1 - u * v / (u + v - u * v))


def _shared_share(one: Abundances, other: Abundances) -> float:
    """Estimated share of the individuals of `one`'s community that belong to species `other`'s has too."""
    shared = (one > 0) & (other > 0)
    once = shared & (other == 1)
    f1, f2 = int(np.count_nonzero(once)), int(np.count_nonzero(shared & (other == 2)))
    n = float(other.sum())
    unseen = (n - 1) / n * f1 / (2 * max(1, f2))
    return min(1.0, float((one[shared].sum() + unseen * one[once].sum()) / one.sum()))


def bray_curtis_matrix(samples: ArrayLike, relative: bool = False) -> Dissimilarities:
    """`bray_curtis` of every two of `samples` (samples x species): symmetric, 0 on the diagonal.

    None where both samples are empty, off the diagonal. No samples give [].
    """
    return _all(_bray_of_shares if relative else _bray, samples)


def jaccard_matrix(samples: ArrayLike) -> Dissimilarities:
    """`jaccard` of every two of `samples` (samples x species), shaped as `bray_curtis_matrix`."""
    return _all(_jaccard, samples)


def sorensen_matrix(samples: ArrayLike) -> Dissimilarities:
    """`sorensen` of every two of `samples` (samples x species), shaped as `bray_curtis_matrix`."""
    return _all(_sorensen, samples)


def _one(index: _Index, a: ArrayLike, b: ArrayLike) -> float | None:
    first, second = sample_pair(a, b)
    return _against(index, first, second[np.newaxis])[0]


def _all(index: _Index, samples: ArrayLike) -> Dissimilarities:
    matrix = sample_matrix(samples)
    table: Dissimilarities = [[0.0] * len(matrix) for _ in matrix]
    for i, sample in enumerate(matrix):
        for j, value in enumerate(_against(index, sample, matrix[i + 1 :]), start=i + 1):
            table[i][j] = table[j][i] = value
    return table


def _against(index: _Index, sample: Abundances, others: SampleMatrix) -> list[float | None]:
    """`index` of one sample against each of `others`, with the rule for empty samples in one place."""
    filled = np.asarray(others.any(axis=1))
    if not sample.any():
        return [1.0 if some else None for some in filled.tolist()]
    values = np.ones(len(others))
    # Rounding may carry a value a hair out of its range.
    values[filled] = np.clip(index(sample, others[filled]), 0.0, 1.0)
    return [float(value) for value in values]


def _bray(sample: Abundances, others: SampleMatrix) -> Abundances:
    return np.asarray(np.abs(others - sample).sum(axis=1) / (others.sum(axis=1) + sample.sum()))


def _bray_of_shares(sample: Abundances, others: SampleMatrix) -> Abundances:
    return np.asarray(np.abs(_shares(others) - _shares(sample)).sum(axis=1) / 2)


def _ruzicka(sample: Abundances, others: SampleMatrix) -> Abundances:
    return np.asarray(np.abs(others - sample).sum(axis=1) / np.maximum(others, sample).sum(axis=1))


def _jaccard(sample: Abundances, others: SampleMatrix) -> Abundances:
    seen, present = sample > 0, others > 0
    return np.asarray((present ^ seen).sum(axis=1) / (present | seen).sum(axis=1))


def _sorensen(sample: Abundances, others: SampleMatrix) -> Abundances:
    seen, present = sample > 0, others > 0
    return np.asarray((present ^ seen).sum(axis=1) / (present.sum(axis=1) + seen.sum()))


def _morisita_horn(sample: Abundances, others: SampleMatrix) -> Abundances:
    p, rest = _shares(sample), _shares(others)
    # 1 - 2 pq / (pp + qq) is this sum of squares, without the cancellation where the samples are alike.
    return np.asarray(((rest - p) ** 2).sum(axis=1) / ((rest**2).sum(axis=1) + (p**2).sum()))


def _hellinger(sample: Abundances, others: SampleMatrix) -> Abundances:
    return np.asarray(np.sqrt(((np.sqrt(_shares(others)) - np.sqrt(_shares(sample))) ** 2).sum(axis=1) / 2))


def _shares(samples: Abundances) -> Abundances:
    return np.asarray(samples / samples.sum(axis=-1, keepdims=True))
