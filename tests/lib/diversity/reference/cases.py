"""Section `cases` of the reference set (one abundance vector each): what is compared and what is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lib import diversity
from lib.diversity import asymptotic_diversity
from tests.lib.diversity.reference.families import At, Case, Family, within

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


def derived(function: Callable[[list[int]], Any]) -> Callable[[Case, At], float | None]:
    """A number that follows from one of ours."""
    return lambda case, at: function(case["counts"]) if case["n"] else None


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


CLASSIC = "no function offers the classic form without the factor (n-1)/n"


def asymptotic_bootstrap(counts: list[int], q: float, draws: int) -> Any:
    return diversity.bootstrap(counts, q, draws=draws, asymptotic=True)


def chao(field: str, **named: Any) -> Callable[[Case, At], float | None]:
    return estimate(diversity.chao1, field, **named)


def curve(case: Case, tool: str) -> float:
    """Along the curves hillrep is off by up to 6e-8, and the tools lose digits above a million."""
    if tool.startswith("exact@"):
        return 1e-11
    return 1e-6 if case["n"] > 1e6 else 6e-8 if tool.startswith("hillrep") else 1e-9


def vegan_cancels(case: Case, tool: str) -> float:
    return 1e-6 if case["n"] > 1e6 else 1e-8


def by_optimiser(case: Case, tool: str) -> float:
    """iNEXT finds the size with an optimiser that is content with an approximation."""
    return 1e-3 if tool.startswith("iNEXT") else curve(case, tool)


def flagged(case: Case, tool: str, at: At) -> str | None:
    for flag in case["flags"]:
        if tool.startswith(flag["source"]) and flag["metric"].endswith(f"@C={at[0]:g}"):
            return "iNEXT's optimiser missed the coverage asked for (flagged in the set)"
    return None


def large_enough(case: Case, tool: str, at: At) -> str | None:
    small = case["n"] < asymptotic_diversity.SMALLEST_SAMPLE
    return "below the smallest sample that we estimate an asymptote from" if small else None


def not_the_ends(case: Case, tool: str, at: At) -> str | None:
    if at[0] in (1, case["n"]) or case["f1"] == case["n"]:
        return "the error is zero there, where vegan leaves the root of rounding dust"
    return None


def flagged_or_flat(case: Case, tool: str, at: At) -> str | None:
    if case["s_obs"] == 1 and tool.startswith("iNEXT"):
        return "every size covers all of a single species: iNEXT's optimiser ends anywhere"
    return flagged(case, tool, at)


def along_curve(function: Callable[..., float | None]) -> Callable[[Case, At], float | None]:
    """A statistic of the counts at the number in the family's name."""
    return lambda case, at: function(case["counts"], at[0])


def at_size(q: float) -> Callable[[Case, At], float | None]:
    return lambda case, at: diversity.diversity_at_size(case["counts"], at[0], q)


def at_coverage(q: float) -> Callable[[Case, At], float | None]:
    return lambda case, at: diversity.diversity_at_coverage(case["counts"], at[0], q)


def reached_coverage(case: Case, at: At) -> float | None:
    size = diversity.size_at_coverage(case["counts"], at[0])
    return None if size is None else diversity.coverage_at(case["counts"], size)


def by_coverage(compute: Callable[[Case, At], float | None]) -> Family:
    return Family(compute, 687, 18, flagged, relative=by_optimiser)


def asymptotic_entropy(case: Case, at: At) -> float | None:
    found = diversity.asymptotic(case["counts"], 1)
    return None if found is None else math.log(found)


def asymptotic_simpson(case: Case, at: At) -> float | None:
    found = diversity.asymptotic(case["counts"], 2)
    # Without two finds of one species the concentration is estimated as zero.
    return (1.0 if case["n"] else None) if found is None else 1 - 1 / found


def ace(field: str) -> Callable[[Case, At], float | None]:
    return estimate(diversity.ace, field)


def ace_error(case: Case, tool: str, at: At) -> str | None:
    if tool.startswith("vegan"):
        return "vegan's error of ACE leaves out the variance of the observed richness"
    return nonempty(case, tool, at)


def several_individuals(case: Case, tool: str, at: At) -> str | None:
    if case["n"] == 1:
        return "no pair can be drawn from one individual: no value here, vegan answers 0"
    return nonempty(case, tool, at)


def some_pair(case: Case, tool: str, at: At) -> str | None:
    if case["n"] == case["s_obs"] > 0:
        return "infinite where no species was found twice: no value here, vegan answers 1 or 2e15"
    return nonempty(case, tool, at)


def monte_carlo(of_statistic: Callable[..., Any], q: float, draws: int) -> Callable[[Case, At], float | None]:
    """Standard error of a bootstrap at the number in the family's name, if it has one."""

    def compute(case: Case, at: At) -> float | None:
        found = of_statistic(case["counts"], *at, q=q, draws=draws)
        return None if found is None else float(found.se)

    return compute


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
    # The same numbers in another dress: log 2, a reciprocal, a share of the species.
    "shannon.base2": counted(derived(lambda counts: diversity.shannon(counts) / math.log(2)), 50, 2),
    "berger_parker": counted(derived(lambda counts: 1 / diversity.hill(counts, math.inf)), 50, 2),
    "simpson_evenness": counted(
        derived(lambda counts: diversity.inverse_simpson(counts) / diversity.richness(counts)), 50, 2
    ),
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
    "simpson_unbiased": Family(of(diversity.simpson_unbiased), 147, 6, several_individuals),
    "inv_simpson_unbiased": Family(of(diversity.inverse_simpson_unbiased), 135, 14, some_pair),
    "ace": counted(ace("value"), 170, 25),
    "ace.se": Family(ace("se"), 47, 54, ace_error),
    "ace.ci_lo": counted(ace("low"), 47, 2),
    "ace.ci_hi": counted(ace("high"), 47, 2),
    "fisher_alpha": counted(of(diversity.fisher_alpha), 90, 14, relative=within(1e-4)),
    "coverage@m=*": counted(along_curve(diversity.coverage_at), 1727, 0, relative=curve),
    "size.q0@m=*": counted(at_size(0), 1718, 0, relative=curve),
    "size.q1@m=*": counted(at_size(1), 1694, 0, relative=curve),
    "size.q2@m=*": counted(at_size(2), 1718, 0, relative=curve),
    "rarefy.q0@m=*": counted(at_size(0), 895, 0, relative=curve),
    "rarefy.q0.se@m=*": counted(
        along_curve(diversity.rarefaction_se),
        343,
        105,
        excuse=not_the_ends,
        relative=vegan_cancels,
        wider="vegan subtracts sums of chances that are nearly equal: 1.2e-9 off p(1-p) for two individuals",
    ),
    "coverage_based.m@C=*": Family(
        along_curve(diversity.size_at_coverage), 677, 28, flagged_or_flat, relative=by_optimiser
    ),
    "coverage_based.SC@C=*": Family(reached_coverage, 217, 18, flagged, relative=by_optimiser),
    "coverage_based.q0@C=*": by_coverage(at_coverage(0)),
    "coverage_based.q1@C=*": by_coverage(at_coverage(1)),
    "coverage_based.q2@C=*": by_coverage(at_coverage(2)),
    "asymptotic.q0": Family(of(diversity.asymptotic, 0), 132, 12, large_enough),
    "asymptotic.q0.5": Family(of(diversity.asymptotic, 0.5), 127, 12, large_enough),
    "asymptotic.q1": Family(of(diversity.asymptotic, 1), 132, 12, large_enough),
    "asymptotic.q1.5": Family(of(diversity.asymptotic, 1.5), 127, 12, large_enough),
    "asymptotic.q2": Family(of(diversity.asymptotic, 2), 129, 11, large_enough),
    "asymptotic.shannon_entropy": Family(asymptotic_entropy, 45, 4, large_enough),
    "asymptotic.shannon_entropy@round3": Family(asymptotic_entropy, 44, 4, large_enough, absolute=5.1e-4),
    "asymptotic.simpson_index@round3": Family(asymptotic_simpson, 44, 4, large_enough, absolute=5.1e-4),
    **{
        f"hill.q{q}.boot_se": Family(monte_carlo(diversity.bootstrap, q, 1000), 12, relative=within(0.1))
        for q in (0, 1, 2)
    },
    **{
        # Chao1 of a draw with a single doubleton is huge: its spread takes many draws to see.
        f"asymptotic.q{q}.boot_se": Family(
            monte_carlo(asymptotic_bootstrap, q, 40_000 if q == 0 else 2000), 12, relative=within(0.1)
        )
        for q in (0, 1, 2)
    },
    **{
        f"size.q{q}@m=*.boot_se": Family(
            monte_carlo(diversity.bootstrap_at_size, q, 1000), 24, relative=within(0.2)
        )
        for q in (0, 1, 2)
    },
    **{
        f"coverage_based.q{q}@C=*.boot_se": Family(
            monte_carlo(diversity.bootstrap_at_coverage, q, 200), 12, relative=within(0.2)
        )
        for q in (0, 1, 2)
    },
}

NOT_COMPARED: dict[str, str] = {
    "ace1*": "no function offers ACE-1",
    "ichao1*": "no function offers iChao1",
    "chao1.classic": CLASSIC,
    "chao1.classic.se": CLASSIC,
    "chao1.classic.ci_lo": CLASSIC,
    "chao1.classic.ci_hi": CLASSIC,
    "chao1.classic_skbio*": "no function offers the form without (n-1)/n, and scikit-bio's variance is wrong",
    "richness.good_turing*": "no function offers S over Good's coverage",
    "completeness.*": "no function offers the completeness profile",
    "evenness.*": "no function offers the evenness profiles E1 to E5",
    "esty.*": "no function offers Esty's interval of coverage",
    "heip": "no function offers Heip's evenness",
    "brillouin": "no function offers Brillouin's index",
    "margalef": "no function offers Margalef's index",
    "menhinick": "no function offers Menhinick's index",
    "robbins": "no function offers Robbins' estimate",
}
