"""Do groups of days differ: the tests of Mann and Whitney and of Kruskal and Wallis, exact where small."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lib.diversity.ranks import doubled_ranks, finite_values, tie_sizes

# All samples together; the numbers of ways to divide them in two (at most C(60, 30)) fit into 64 bits.
EXACT_POOLED = 60
# Ways to divide the values into three groups or more: half a second at the worst.
EXACT_DIVISIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class RankTest:
    """Mann-Whitney test.

    `statistic` is U of the first sample: pairs in which it is larger, equal ones counted half. `p` is
    two-sided, by `method`. `effect` is Cliff's delta (the rank-biserial correlation), the chance that a value
    of the first sample exceeds one of the second minus the chance of the reverse: -1 to 1.
    """

    statistic: float
    p: float
    effect: float
    method: Literal["exact", "normal"]


@dataclass(frozen=True, slots=True)
class KruskalWallis:
    """Kruskal-Wallis test: H, corrected for ties, its degrees of freedom, p by `method`.

    `effect` is epsilon squared, H / (N - 1): 0 (groups alike) to 1 (the groups explain all ranks).
    """

    statistic: float
    df: int
    p: float
    effect: float
    method: Literal["exact", "chi-square"]


def mann_whitney(a: ArrayLike, b: ArrayLike) -> RankTest | None:
    """Mann-Whitney U test of whether values of `a` tend to be larger or smaller than those of `b` (1947).

    With at most 60 values in both together p is exact, ties or not: the share of all ways to divide the
    pooled values whose U is at least as far from its mean. Above, normal with tie and continuity correction.

    None when a sample is empty; all values equal: effect 0, p = 1. ValueError unless both are
    one-dimensional and finite.

    >>> mann_whitney([1, 2, 3], [4, 5, 6])  # 2 of the 20 ways
    RankTest(statistic=0.0, p=0.1, effect=-1.0, method='exact')
    """
    first, second = finite_values(a), finite_values(b)
    m, n = first.size, second.size
    if not m or not n:
        return None
    ranks = doubled_ranks(np.concatenate([first, second]))
    # Twice U, a whole number: nothing hangs on rounding.
    doubled_u = int(ranks[:m].sum()) - m * (m + 1)
    distance = abs(doubled_u - m * n)
    method: Literal["exact", "normal"]
    if m + n <= EXACT_POOLED:
        p, method = _share_as_far(ranks, m, distance), "exact"
    else:
        ties = sum(t**3 - t for t in tie_sizes(np.concatenate([first, second])))
        variance = m * n / 12 * (m + n + 1 - ties / ((m + n) * (m + n - 1)))
        z = max(0.0, distance / 2 - 0.5) / math.sqrt(variance) if distance else 0.0
        p, method = math.erfc(z / math.sqrt(2)), "normal"
    return RankTest(doubled_u / 2, p, (doubled_u - m * n) / (m * n), method)


def kruskal_wallis(groups: Iterable[ArrayLike]) -> KruskalWallis | None:
    """Kruskal-Wallis test of whether the values of any of `groups` tend to be larger than others' (1952).

    With at most 60 values in all and, of three groups or more, a million ways to divide the values into
    groups of these sizes (three of five, four of three), p is exact, ties or not: the share of the ways whose
    H is at least as large. Above, chi-square with one degree of freedom fewer than there are groups.

    None when a group is empty (leave it out if that is meant) and when there are fewer than two groups; all
    values equal: H = 0, p = 1. ValueError unless every group is one-dimensional and finite.

    >>> kruskal_wallis([[1, 2], [3, 4], [5, 6]]).p  # 6 of the 90 ways
    0.06666666666666667
    """
    samples = [finite_values(group) for group in groups]
    sizes = [sample.size for sample in samples]
    if len(sizes) < 2 or not all(sizes):
        return None
    pooled = np.concatenate(samples)
    total = pooled.size
    ranks = doubled_ranks(pooled)
    sums = [int(part.sum()) for part in np.split(ranks, np.cumsum(sizes)[:-1])]
    ties = sum(t**3 - t for t in tie_sizes(pooled))
    spread = 1 - ties / (total**3 - total)
    if spread == 0:
        return KruskalWallis(0.0, len(sizes) - 1, 1.0, 0.0, "exact")
    # Squared distances of the mean ranks from the common mean: no digits lost, as in the usual short form.
    mean = (total + 1) / 2
    between = sum(size * (twice / 2 / size - mean) ** 2 for size, twice in zip(sizes, sums, strict=True))
    h = 12 / (total * (total + 1)) * between / spread
    method: Literal["exact", "chi-square"]
    if total > EXACT_POOLED:
        p, method = chi_square_tail(h, len(sizes) - 1), "chi-square"
    elif len(sizes) == 2:
        # H of two groups grows with the distance of U from its mean: the test of Mann and Whitney.
        p, method = _share_as_far(ranks, sizes[0], abs(sums[0] - sizes[0] * (total + 1))), "exact"
    elif _divisions(sizes) <= EXACT_DIVISIONS:
        p, method = _share_as_large(ranks, sizes, sums), "exact"
    else:
        p, method = chi_square_tail(h, len(sizes) - 1), "chi-square"
    return KruskalWallis(h, len(sizes) - 1, p, min(1.0, h / (total - 1)), method)


def chi_square_tail(x: float, df: int) -> float:
    """The chance that a chi-square variable of `df` >= 1 degrees of freedom exceeds `x` >= 0.

    For even df exp(-x/2) sum_{k < df/2} (x/2)**k / k!; for odd df erfc(sqrt(x/2)) plus the like sum over
    half-whole k (Abramowitz and Stegun 26.4.4, 26.4.5).
    """
    if x <= 0:
        return 1.0
    half = x / 2
    start = 0.0 if df % 2 else -1.0
    steps = [start + 1 + i - (0.5 if df % 2 else 0.0) for i in range(df // 2)]
    terms = [math.exp(k * math.log(half) - half - math.lgamma(k + 1)) for k in steps]
    return min(1.0, math.fsum(terms) + (math.erfc(math.sqrt(half)) if df % 2 else 0.0))


def _share_as_far(ranks: NDArray[np.int64], m: int, distance: int) -> float:
    """Share of the ways to take m of the doubled `ranks` whose U lies at least `distance` / 2 from mn / 2."""
    total = ranks.size
    taken = min(m, total - m)  # U of the other sample is as far from the mean
    # ways[k, s]: ways to take k of the values so far with doubled ranks that sum to s.
    ways = np.zeros((taken + 1, int(np.sort(ranks)[total - taken :].sum()) + 1), dtype=np.int64)
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    reached = np.arange(ways.shape[1]) - taken * (taken + 1)
    far = np.abs(reached - taken * (total - taken)) >= distance
    return int(ways[-1, far].sum()) / int(ways[-1].sum())


def _divisions(sizes: Sequence[int]) -> int:
    """Ways to divide as many values into groups of `sizes`."""
    ways, total = 1, 0
    for size in sizes:
        total += size
        ways *= math.comb(total, size)
    return ways


def _share_as_large(ranks: NDArray[np.int64], sizes: Sequence[int], sums: Sequence[int]) -> float:
    """Share of the ways to divide the doubled `ranks` into groups of `sizes` whose H is at least that of `sums`.

    H grows with sum R**2 / size, compared here times the product of all sizes: in whole numbers.
    """
    product = math.prod(sizes)
    factors = [product // size for size in sizes]
    # Values placed in each group -> the groups' sums of doubled ranks as the digits of one number -> ways.
    base = int(ranks.sum()) + 1
    states: dict[tuple[int, ...], dict[int, int]] = {(0,) * len(sizes): {0: 1}}
    for rank in ranks.tolist():
        following: dict[tuple[int, ...], dict[int, int]] = {}
        for placed, ways in states.items():
            for group, size in enumerate(sizes):
                if placed[group] == size:
                    continue
                added = rank * base**group
                more = following.setdefault((*placed[:group], placed[group] + 1, *placed[group + 1 :]), {})
                for reached, count in ways.items():
                    more[reached + added] = more.get(reached + added, 0) + count
        states = following
    threshold = sum(factor * r * r for factor, r in zip(factors, sums, strict=True))
    large = every = 0
    for reached, count in states[tuple(sizes)].items():
        every += count
        rest, squares = reached, 0
        for factor in factors:
            rest, r = divmod(rest, base)
            squares += factor * r * r
        large += count if squares >= threshold else 0
    return large / every
