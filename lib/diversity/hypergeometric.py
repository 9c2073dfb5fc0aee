"""What a smaller sample, drawn from the sample without replacement, is expected to hold of each species.

The chances are hypergeometric. They are computed from ratios of neighbours, never from factorials: ln n! has
lost six digits at n = 1e9, the ratios have lost none.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lib.diversity.abundance import Abundances

# Up to so many factors a product is taken factor by factor.
_DIRECT = 4096
# exp(-745) is the smallest double above zero.
_VANISHES = 745.0
# Rows whose counts reach about as far are computed together as one matrix, those that reach further one by one.
_WIDTHS = (16, 64, 128, 256, 512)


def missed(values: Abundances, units: float, size: float) -> Abundances:
    """Chance of each species, found in `values` of `units`, to be absent from `size` of them.

    C(units - x, size) / C(units, size), for whole sizes from 0 to `units`; Hurlbert 1971.
    """
    chances = np.zeros_like(values)
    # (1 - x/units)**size bounds the chance from above.
    possible = (values <= units - size) & (values * size <= _VANISHES * units)
    rare = possible & (values <= _DIRECT)
    if rare.any():
        x = values[rare]
        logs = np.log1p(-size / (units - np.arange(x.max())))
        chances[rare] = np.exp(np.concatenate(([0.0], np.cumsum(logs))))[x.astype(np.intp)]
    common = possible & ~rare
    if common.any():
        x = values[common]
        if size <= _DIRECT:
            steps = np.arange(size)
            logs = np.array([np.log1p(-each / (units - steps)).sum() for each in x])
        else:
            logs = _summed_logs(x, units, size)
        chances[common] = np.exp(logs)
    return chances


def missed_together(values: Abundances, units: float, size: float) -> Abundances:
    """Covariance of the absences of every two different species with these frequencies, as a matrix.

    C(units - x - y, size) / C(units, size) less the product of the two single chances.
    """
    absent = missed(values, units, size)
    x, y = np.maximum(values[:, None], values), np.minimum(values[:, None], values)
    both = missed((x + y).ravel(), units, size).reshape(x.shape) - absent[:, None] * absent
    # With few units of one species its factors give the small difference without cancellation.
    steps = np.arange(min(float(_DIRECT), values.max()))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = -size * values[:, None] / ((units - values[:, None] - steps) * (units - size - steps))
        logs = np.cumsum(np.log1p(gap), axis=1)
    rows = np.arange(values.size)
    row = np.where(values[:, None] >= values, rows[:, None], rows)
    exact = (y <= steps.size) & (x + y <= units - size)
    column = np.minimum(y, steps.size).astype(np.intp) - 1
    return np.where(exact, absent[:, None] * absent * np.expm1(logs[row, column]), both)


def expected(
    values: Abundances, units: float, size: float, g: Callable[[Abundances], Abundances]
) -> Abundances:
    """Mean of g(K) per species; K units hold it among `size` of `units`, `values` of which do in all.

    `g` maps an array of counts, zeros among them, to an array of the same shape. Whole sizes, 1 to `units`.
    """
    mean = values * (size / units)
    spread = np.sqrt(mean * (1 - values / units) * ((units - size) / max(units - 1, 1.0)))
    # Bernstein: what lies beyond has a chance below 1e-17.
    reach = 9 * spread + 30
    low = np.maximum(np.maximum(0.0, size - (units - values)), np.floor(mean - reach))
    high = np.minimum(np.minimum(values, size), np.ceil(mean + reach))
    means = np.empty_like(values)
    band = np.searchsorted(_WIDTHS, high - low)
    for each in sorted(set(band.tolist())):  # np.unique would import numpy.ma
        rows = np.flatnonzero(band == each)
        for part in [rows] if each < len(_WIDTHS) else np.split(rows, rows.size):
            means[part] = _means(values[part], units, size, low[part], high[part], g)
    return means


def _means(
    values: Abundances,
    units: float,
    size: float,
    low: Abundances,
    high: Abundances,
    g: Callable[[Abundances], Abundances],
) -> Abundances:
    """As `expected`, over counts from `low` to `high`, all species in one matrix."""
    width = int((high - low).max()) + 1
    counts = low[:, None] + np.arange(width)
    before = counts[:, :-1]
    x = values[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (x - before) * (size - before) / ((before + 1) * (units - x - size + before + 1))
        logs = np.zeros_like(counts)
        np.cumsum(np.log(ratios), axis=1, out=logs[:, 1:])
    logs[counts > high[:, None]] = -np.inf
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    counts = np.minimum(counts, high[:, None])
    return np.asarray((weights * g(counts)).sum(axis=1) / weights.sum(axis=1), dtype=np.float64)


def _summed_logs(values: Abundances, units: float, size: float) -> Abundances:
    """Sum over i below x of ln(1 - size / (units - i)), for thousands of terms that hardly differ.

    The integral by Gauss and Legendre, with the first correction of Euler and Maclaurin at midpoints.
    """
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = values[:, None] / 2
    at = half * (nodes + 1) - 0.5
    integral = (np.log1p(-size / (units - at)) * weights * half).sum(axis=1)

    def slope(i: Abundances | float) -> Abundances:
        return np.asarray(-size / ((units - i) * (units - i - size)))

    return np.asarray(integral - (slope(values - 0.5) - slope(-0.5)) / 24)
