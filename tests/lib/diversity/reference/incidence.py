"""Section `incidence` of the reference set (frequencies of detection over plots): what is compared and what not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib import diversity
from tests.lib.diversity.reference.families import At, Case, Family, within


def of(function: Callable[..., float | None]) -> Callable[[Case, At], Any]:
    """A statistic of the frequencies and the number of units, at the number in the family's name."""
    return lambda case, at: function(case["freq"], case["T"], *at)


def hill(q: float) -> Callable[[Case, At], float | None]:
    """The empirical profile of incidence data is that of its frequencies."""
    return lambda case, at: diversity.hill(case["freq"], q)


def at_size(q: float) -> Callable[[Case, At], float | None]:
    return lambda case, at: diversity.incidence_diversity_at_size(case["freq"], case["T"], at[0], q)


def at_coverage(q: float) -> Callable[[Case, At], float | None]:
    return lambda case, at: diversity.incidence_diversity_at_coverage(case["freq"], case["T"], at[0], q)


def reached_coverage(case: Case, at: At) -> float | None:
    size = diversity.incidence_size_at_coverage(case["freq"], case["T"], at[0])
    return None if size is None else diversity.incidence_coverage_at(case["freq"], case["T"], size)


def asymptotic(q: float) -> Callable[[Case, At], float | None]:
    return lambda case, at: diversity.incidence_asymptotic(case["freq"], case["T"], q)


def chao2(field: str) -> Callable[[Case, At], float | None]:
    def compute(case: Case, at: At) -> float | None:
        found = diversity.chao2(case["freq"], case["T"])
        return None if found is None else float(getattr(found, field))

    return compute


def by_coverage(compute: Callable[[Case, At], float | None]) -> Family:
    return Family(compute, 52, relative=within(1e-3))


def no_pair(case: Case, tool: str, at: At) -> str | None:
    if max(case["freq"]) == 1:
        return "infinite where no species was found twice: no value here, iNEXT answers 2**26 / 3"
    return None


# i_weed_week at q = 2 is 729 * 6 / (7 * 112) = 5.5790816327; iNEXT has 5.5790814664.
SINGLE_PRECISION: dict[str, Any] = {
    "relative": within(2e-6),
    "wider": "iNEXT computes these in single precision: off the closed form of q = 2 by up to 2e-7",
}


FAMILIES: dict[str, Family] = {
    "richness": Family(of(diversity.incidence_richness), 13),
    "hill.q0": Family(hill(0), 13),
    "hill.q1": Family(hill(1), 13),
    "hill.q2": Family(hill(2), 13),
    "chao2@round3": Family(chao2("value"), 13, absolute=5.1e-4),
    "chao2@round3.se": Family(chao2("se"), 13, absolute=5.1e-4),
    "chao2@round3.ci_lo": Family(chao2("low"), 13, absolute=5.1e-4),
    "chao2@round3.ci_hi": Family(chao2("high"), 13, absolute=5.1e-4),
    "coverage.chao_jost": Family(of(diversity.incidence_coverage), 13),
    "coverage@t=*": Family(of(diversity.incidence_coverage_at), 91),
    "size.q0@t=*": Family(at_size(0), 91),
    "size.q1@t=*": Family(at_size(1), 91),
    "size.q2@t=*": Family(at_size(2), 91),
    "coverage_based.t@C=*": by_coverage(of(diversity.incidence_size_at_coverage)),
    "coverage_based.SC@C=*": by_coverage(reached_coverage),
    "coverage_based.q0@C=*": by_coverage(at_coverage(0)),
    "coverage_based.q1@C=*": by_coverage(at_coverage(1)),
    "coverage_based.q2@C=*": by_coverage(at_coverage(2)),
    "asymptotic.q0": Family(asymptotic(0), 13),
    "asymptotic.q0.5": Family(asymptotic(0.5), 13, **SINGLE_PRECISION),
    "asymptotic.q1": Family(asymptotic(1), 13),
    "asymptotic.q1.5": Family(asymptotic(1.5), 13, **SINGLE_PRECISION),
    "asymptotic.q2": Family(asymptotic(2), 12, 1, no_pair, **SINGLE_PRECISION),
}

NOT_COMPARED: dict[str, str] = {}
