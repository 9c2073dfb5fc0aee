"""What a test found, in sentences: whether a metric rises or falls, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lib.web.words import N_

if TYPE_CHECKING:
    from lib.trends import LeftOut, Trend
    from lib.web.words import Words

MOST_DECIMALS = 4
_ROUNDING = 1e-9
LEAST_P = 0.001  # smaller ones are only said to be smaller
NEEDED_DAYS = 10  # as lib.trends.MINIMUM_DAYS, which a page need not load to say it

RISING = N_("Rising: %(slope)s per 30 days (%(low)s to %(high)s), %(p)s over %(days)s days.")
FALLING = N_("Falling: %(slope)s per 30 days (%(low)s to %(high)s), %(p)s over %(days)s days.")
STEADY = N_(
    "Neither rising nor falling for sure: %(slope)s per 30 days (%(low)s to %(high)s), %(p)s over %(days)s days."
)
TOO_FEW = N_("Too few days for a trend: %(days)s can be compared, and at least %(needed)s are needed.")
RISING_YEARS = N_(
    "Rising from year to year: %(slope)s a year, %(p)s over %(years)s years, each month compared with itself."
)
FALLING_YEARS = N_(
    "Falling from year to year: %(slope)s a year, %(p)s over %(years)s years, each month compared with itself."
)
STEADY_YEARS = N_(
    "Neither rising nor falling from year to year for sure: %(slope)s a year, %(p)s over %(years)s years, each "
    "month compared with itself."
)
BY_DAYS = {"rising": RISING, "falling": FALLING, "none": STEADY}
BY_YEARS = {"rising": RISING_YEARS, "falling": FALLING_YEARS, "none": STEADY_YEARS}


def signed(value: float, decimals: int) -> str:
    """A number with its sign, which is written as a sign and not as a hyphen; zero has none."""
    text = f"{abs(value):,.{decimals}f}"
    if not any(digit in "123456789" for digit in text):
        return text
    return f"{'−' if value < 0 else '+'}{text}"


def decimals_for(low: float, high: float) -> int:
    """As many decimals as an interval from `low` to `high` deserves: its width to two digits."""
    width, size = high - low, max(abs(low), abs(high))
    if width <= _ROUNDING * size:  # days on one line: what is left of the width is rounding
        width = size
    if not math.isfinite(width) or width <= 0:
        return 2
    return min(max(1 - math.floor(math.log10(width)), 0), MOST_DECIMALS)


def p_words(p: float, say: Words) -> str:
    """A probability, as it is reported."""
    if p < LEAST_P:
        return say.gettext("p < %(p)s", p="0.001")
    return say.gettext("p = %(p)s", p=say.number(p, 3 if p < 0.1 else 2))


def trend_words(trend: Trend, say: Words) -> list[str]:
    """The verdict, what it rests on, and the days that are not in it."""
    found = [_by_years(trend, say)] if trend.verdict_from == "seasonal" else []
    found.append(_by_days(trend, say))
    if trend.autocorrelation.inflation > 1 and trend.mann_kendall.verdict != "too_few":
        found.append(
            say.gettext(
                "Neighbouring days resemble each other: these days tell as much as %(days)s independent ones, "
                "which the test takes into account.",
                days=say.number(trend.autocorrelation.effective_days),
            )
        )
    left_out = left_out_words(trend.left_out, say)
    return [*found, left_out] if left_out else found


def left_out_words(left_out: LeftOut, say: Words) -> str:
    """How many surveyed days are not used and why; empty when all are."""
    reasons: list[tuple[int, Callable[[int], str]]] = [
        (left_out.low, lambda number: say.gettext("%(days)s with too few photos", days=say.number(number))),
        (
            left_out.none,
            lambda number: say.gettext("%(days)s with no species named", days=say.number(number)),
        ),
        (left_out.undefined, lambda number: say.gettext("%(days)s without a value", days=say.number(number))),
    ]
    words = [write(number) for number, write in reasons if number]
    if not words:
        return ""
    return say.gettext("Days left out: %(reasons)s.", reasons=say.gettext(", ").join(words))


def _by_days(trend: Trend, say: Words) -> str:
    test, slope, days = trend.mann_kendall, trend.slope, say.number(len(trend.points))
    if test.verdict == "too_few" or test.p is None or slope is None:
        return say.gettext(TOO_FEW, days=days, needed=say.number(NEEDED_DAYS))
    decimals = decimals_for(slope.low_30_days, slope.high_30_days)
    return say.gettext(
        BY_DAYS[test.verdict],
        slope=signed(slope.per_30_days, decimals),
        low=signed(slope.low_30_days, decimals),
        high=signed(slope.high_30_days, decimals),
        p=p_words(test.p, say),
        days=days,
    )


def _by_years(trend: Trend, say: Words) -> str:
    test = trend.seasonal
    per_year = test.per_year or 0.0
    return say.gettext(
        BY_YEARS[trend.verdict],
        slope=signed(per_year, decimals_for(0.0, abs(per_year))),
        p=p_words(1.0 if test.p is None else test.p, say),
        years=say.number(test.years),
    )
