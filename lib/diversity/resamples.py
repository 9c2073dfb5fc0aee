"""The statistics of many samples of one size at once: the bootstrap's, a row each.

The same formulas as the functions for one sample, from tables over the counts 0 to n in place of a loop over the
rows, which makes a thousand bootstrap samples cost as much as a few.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lib.diversity.asymptotic_diversity import tail
from lib.diversity.sample import singleton_rarity, unseen_species

Rows = NDArray[np.int64]
Column = NDArray[np.float64]


class Resamples:
    """Counts (R, S) of R samples, each with the same total n; one column a species, zeros allowed."""

    def __init__(self, counts: Rows) -> None:
        self.counts = counts
        self.n = int(counts[0].sum())
        self.observed = np.count_nonzero(counts, axis=1).astype(np.float64)
        self.once = np.count_nonzero(counts == 1, axis=1).astype(np.float64)
        self.twice = np.count_nonzero(counts == 2, axis=1).astype(np.float64)

    def entropy(self) -> Column:
        """Shannon entropy of every row, in nats."""
        x = np.arange(self.n + 1, dtype=np.float64)
        x[1:] *= np.log(x[1:])
        return np.asarray(np.maximum(math.log(self.n) - x[self.counts].sum(axis=1) / self.n, 0.0))

    def concentration(self) -> Column:
        """Sum of p**2 of every row."""
        return np.asarray((self.counts.astype(np.float64) ** 2).sum(axis=1) / self.n**2)

    def unseen(self) -> Column:
        """Species not seen, as Chao1 estimates them."""
        return unseen_species(self.n, self.once, self.twice)

    def rarity(self) -> Column:
        """Chao and Jost's A of every row: how frequent a species seen once is on average; 1 without one."""
        return singleton_rarity(self.n, self.once, self.twice)

    def coverage(self) -> Column:
        """Chao and Jost's coverage of every row."""
        return np.asarray(1 - self.once / self.n * (1 - self.rarity()))

    def log_community(self) -> Column:
        """Logarithms of the estimated Hill numbers of orders 1 and 2 of the community, (R, 2).

        Order 2 has no finite estimate where no species was found twice; half a pair then stands in for none.
        """
        n, x = self.n, self.counts
        harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, n + 1))))
        known = np.zeros(n + 1)
        known[1:] = np.arange(1, n + 1) / n * (harmonic[n - 1] - harmonic[:n])
        entropy = known[x].sum(axis=1) + self._entropy_tail()
        pairs = (x * (x - 1)).sum(axis=1).astype(np.float64)
        if n < 2:
            return np.zeros((len(x), 2))
        return np.stack([entropy, math.log(n * (n - 1)) - np.log(np.maximum(pairs, 1.0))], axis=1)

    def log_errors(self) -> Column:
        """Standard errors of the logarithms of the Hill numbers of orders 1 and 2, (R, 2).

        First order by the delta method; the second order (of n**-2) is what remains of it in an even community.
        """
        n = self.n
        x = np.arange(n + 1, dtype=np.float64)
        logs = np.log(np.maximum(x, 1.0))
        first, second = x * logs, x * logs * logs
        a, b = first[self.counts].sum(axis=1) / n, second[self.counts].sum(axis=1) / n
        spread = (self.observed - 1) / (2 * n * n)
        of_entropy = np.maximum(b - a * a, 0.0) / n + spread
        p2, p3 = (((self.counts / n) ** power).sum(axis=1) for power in (2, 3))
        of_pairs = 4 * np.maximum(p3 - p2 * p2, 0.0) / (n * p2 * p2) + 4 * spread
        return np.asarray(np.sqrt(np.stack([of_entropy, of_pairs], axis=1)))

    def at_coverage(self, target: float) -> Column:
        """Hill numbers of orders 0, 1, 2 at this coverage, (R, 3); NaN where it takes more than 2 n individuals."""
        found = np.full((len(self.counts), 3), np.nan)
        reached = self.coverage() >= target
        if reached.any():
            found[reached] = self._interpolated(self.counts[reached], target)
        if not reached.all():
            found[~reached] = self._extrapolated(~reached, target)
        # Rounding may leave a single species a little below one.
        return np.asarray(np.maximum(found, 1.0))

    def _entropy_tail(self) -> Column:
        """What the unseen species add to the entropy; a few dozen pairs of f1 and f2 cover a thousand rows."""
        pairs, row = np.unique(np.stack([self.once, self.twice]), axis=1, return_inverse=True)
        rarities = singleton_rarity(self.n, *pairs)
        added = [tail(self.n, once, rarity, 1.0) for once, rarity in zip(pairs[0], rarities, strict=True)]
        return np.asarray(np.array(added)[row.reshape(-1)])

    def _interpolated(self, x: Rows, target: float) -> Column:
        n = self.n
        logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))

        def coverage_at(size: Rows) -> Column:
            m = size[:, None]
            there = (x > 0) & (x + m <= n)
            left = np.where(there, n - x - m, 0)
            missed = logs[n - x] - logs[left] + logs[np.maximum(n - 1 - m, 0)] - logs[n - 1]
            return np.asarray(1 - (x * np.exp(np.where(there, missed, -np.inf))).sum(axis=1) / n)

        low, high = np.ones(len(x), dtype=np.int64), np.full(len(x), n, dtype=np.int64)
        # Invariant: coverage at `low` is below the target (or low is 1), at `high` it is not.
        while (gap := high - low > 1).any():
            middle = (low + high) // 2
            enough = coverage_at(middle) >= target
            high = np.where(gap & enough, middle, high)
            low = np.where(gap & ~enough, middle, low)
        below = coverage_at(low)
        above = np.where(high == n, Resamples(x).coverage(), coverage_at(high))
        share = np.where(below >= target, 0.0, (target - below) / np.where(above > below, above - below, 1.0))
        share = np.clip(share, 0.0, 1.0)[:, None]
        return np.asarray((1 - share) * self._hills_at(x, low, logs) + share * self._hills_at(x, high, logs))

    def _hills_at(self, x: Rows, size: Rows, logs: Column) -> Column:
        """Hill numbers of orders 0, 1, 2 expected in `size` (R,) of the n individuals, (R, 3)."""
        n = self.n
        largest = int(x.max())
        values = np.arange(largest + 1)
        sizes, place = np.unique(size, return_inverse=True)
        seen, entropy = np.zeros((2, sizes.size, largest + 1))
        for row, m in enumerate(sizes.tolist()):
            k = np.arange(min(m, largest) + 1)
            # Chance that k of m individuals are of a species with `values` of n, by the hypergeometric law.
            possible = (k <= values[:, None]) & (m - k <= n - values[:, None])
            v, left = values[:, None], np.where(possible, n - values[:, None] - m + k, 0)
            chance = logs[v] - logs[k] - logs[np.where(possible, v - k, 0)]
            chance = chance + logs[n - v] - logs[m - k] - logs[left] - (logs[n] - logs[m] - logs[n - m])
            weight = np.exp(np.where(possible, chance, -np.inf))
            seen[row] = 1 - weight[:, 0]
            entropy[row] = weight[:, 1:] @ (-k[1:] / m * np.log(k[1:] / m))
        place = place.reshape(-1)[:, None]
        m_each = size.astype(np.float64)
        pairs = (x * (x - 1)).sum(axis=1) / max(n * (n - 1), 1)
        return np.stack(
            [
                np.where(x > 0, seen[place, x], 0.0).sum(axis=1),
                np.exp(np.where(x > 0, entropy[place, x], 0.0).sum(axis=1)),
                1 / (1 / m_each + (m_each - 1) / m_each * pairs),
            ],
            axis=1,
        )

    def _extrapolated(self, rows: NDArray[np.bool_], target: float) -> Column:
        part = Resamples(self.counts[rows])
        n, x, rarity, unseen = part.n, part.counts, part.rarity(), part.unseen()
        if n < 2:
            return np.full((len(x), 3), np.nan)
        logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
        with np.errstate(divide="ignore", invalid="ignore"):
            more = np.log((1 - target) / (part.once / n * (1 - rarity))) / np.log1p(-rarity)
        more = np.where(more <= n, more, np.nan)
        observed = np.stack([part.observed, np.exp(part.entropy())], axis=1)
        limits = np.stack([part.observed + unseen, np.exp(part.log_community()[:, 0])], axis=1)
        before = self._hills_at(x, np.full(len(x), n - 1), logs)[:, :2]
        rise = np.stack([part.once / n, observed[:, 1] - before[:, 1]], axis=1)
        gap = np.maximum(limits - observed, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(gap > 0, np.minimum(rise / (gap + rise), 1 - 1e-15), 0.0)
        grown = observed - gap * np.expm1(more[:, None] * np.log1p(-rate))
        pairs = (x * (x - 1)).sum(axis=1) / (n * (n - 1))
        size = n + more
        return np.concatenate([grown, (1 / (1 / size + (size - 1) / size * pairs))[:, None]], axis=1)
