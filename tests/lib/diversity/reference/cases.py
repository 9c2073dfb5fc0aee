"""Section `cases` of the reference set (one abundance vector each): what is compared and what is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lib import diversity
from tests.lib.diversity.reference.families import At, Case, Family

# scikit-bio and breakaway cut the normal quantile to 1.96.
LEVEL_OF_196 = math.erf(1.96 / math.sqrt(2))

EMPTY = "an empty sample has no value here; the tools answer 0, 1, NaN or an error"


def of(function: Callable[..., float | None], *options: Any, **named: Any) -> Callable[[Case, At], Any]:
    """A statistic of the counts alone."""
    return lambda case, at: function(case["counts"], *options, **named)


def estimate(function: Callable[..., Any], field: str, **named: Any) -> Callable[[Case, At], float | None]:
    """One field of an estimate."""

    def compute(case: Case, at: At) -> float | None:
        found = function(case["counts"], **named)
        return None if found is None else getattr(found, field)

    return compute


def nonempty(case: Case, tool: str, at: At) -> str | None:
    return EMPTY if case["n"] == 0 else None


# Where the tools part ways on the bias-corrected form (known_disagreements): breakaway forgets the unseen
# species when there is no doubleton, vegan's standard error is another one, and where the form adds no
# species SpadeR's interval is followed, because its factor (n-1)/n then has no effect.
BREAKAWAY = "breakaway drops the unseen species where there is no doubleton"
VEGAN_SE = "vegan has a standard error of its own"
NOTHING_ADDED = "where no species is added, SpadeR's interval is followed"
NO_DOUBLETON = "without a doubleton the tools' variances differ; SpadeR's is compared under chao1.bc_nc"
WITH_FACTOR = "SpadeR's bias-corrected form has the factor (n-1)/n, ours has not"


def bias_corrected_point(case: Case, tool: str, at: At) -> str | None:
    if case["f2"] == 0 and tool.startswith("breakaway"):
        return BREAKAWAY
    return nonempty(case, tool, at)


def bias_corrected_error(case: Case, tool: str, at: At) -> str | None:
    if tool.startswith("vegan"):
        return VEGAN_SE
    if case["f1"] <= 1:
        return NOTHING_ADDED
    return BREAKAWAY if case["f2"] == 0 else None


def bias_corrected_interval(case: Case, tool: str, at: At) -> str | None:
    if case["f1"] <= 1:
        return NOTHING_ADDED
    return BREAKAWAY if case["f2"] == 0 and tool.startswith("breakaway") else None


def adds_nothing(case: Case, tool: str, at: At) -> str | None:
    if case["f1"] > 1:
        return WITH_FACTOR
    return nonempty(case, tool, at)


def several_species(case: Case, tool: str, at: At) -> str | None:
    if case["s_obs"] == 1 and tool.startswith("vegan"):
        return "vegan's recipe is 0 / 0 at one species"
    return nonempty(case, tool, at)


def counted(compute: Callable[[Case, At], float | None], values: int, left_out: int, **named: Any) -> Family:
    """A family whose empty samples do not count."""
    named.setdefault("excuse", nonempty)
    return Family(compute, values, left_out, **named)


def chao(field: str, **named: Any) -> Callable[[Case, At], float | None]:
    return estimate(diversity.chao1, field, **named)


FAMILIES: dict[str, Family] = {
    "richness": Family(of(diversity.richness), 104),
    "shannon": counted(of(diversity.shannon), 150, 4),
    "simpson": counted(of(diversity.simpson), 150, 4),
    "inv_simpson": counted(of(diversity.inverse_simpson), 150, 4),
    "pielou": Family(of(diversity.pielou), 144, 7, several_species),
    "hill.q0": counted(of(diversity.hill, 0), 200, 6),
    "hill.q0.5": counted(of(diversity.hill, 0.5), 200, 6),
    "hill.q1": counted(of(diversity.hill, 1), 200, 6),
    "hill.q1.5": counted(of(diversity.hill, 1.5), 200, 6),
    "hill.q2": counted(of(diversity.hill, 2), 200, 6),
    "hill.q3": counted(of(diversity.hill, 3), 100, 4),
    "hill.qInf": counted(of(diversity.hill, math.inf), 100, 4),
    "chao1.classic_nc": counted(chao("value"), 99, 0),
    "chao1.classic_nc.se": counted(chao("se"), 99, 0),
    "chao1.classic_nc.ci_lo": counted(chao("low"), 99, 0),
    "chao1.classic_nc.ci_hi": counted(chao("high"), 99, 0),
    "chao1.classic_nc@round3": counted(chao("value"), 49, 0, absolute=5.1e-4),
    "chao1.classic_nc.se@round3": counted(chao("se"), 49, 0, absolute=5.1e-4),
    "chao1.classic_nc.ci_lo@round3": counted(chao("low"), 49, 0, absolute=5.1e-4),
    "chao1.classic_nc.ci_hi@round3": counted(chao("high"), 49, 0, absolute=5.1e-4),
    "chao1.bc": Family(chao("value", bias_corrected=True), 185, 18, bias_corrected_point),
    "chao1.bc.se": Family(chao("se", bias_corrected=True), 24, 72, bias_corrected_error),
    "chao1.bc.ci_lo": Family(
        chao("low", bias_corrected=True, level=LEVEL_OF_196), 57, 39, bias_corrected_interval
    ),
    "chao1.bc.ci_hi": Family(
        chao("high", bias_corrected=True, level=LEVEL_OF_196), 57, 39, bias_corrected_interval
    ),
    "chao1.bc_nc": Family(chao("value", bias_corrected=True), 34, 65, adds_nothing),
    "chao1.bc_nc.se": Family(chao("se", bias_corrected=True), 17, 32, adds_nothing),
    "chao1.bc_nc.ci_lo": Family(chao("low", bias_corrected=True), 17, 32, adds_nothing),
    "chao1.bc_nc.ci_hi": Family(chao("high", bias_corrected=True), 17, 32, adds_nothing),
    "coverage.chao_jost": counted(of(diversity.coverage), 146, 0),
    "coverage.chao_jost@round4": counted(of(diversity.coverage), 49, 0, absolute=5.1e-5),
    "coverage.good": counted(of(diversity.coverage_good), 100, 2),
}

NOT_COMPARED: dict[str, str] = {
    "*": "no function offers it",
}
