"""Every value of the reference set that this package offers, within the tolerance the set states."""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lib import diversity

ROOT = Path(__file__).resolve().parents[3]
# scikit-bio and breakaway cut the normal quantile to 1.96.
LEVEL_OF_196 = math.erf(1.96 / math.sqrt(2))


@dataclass(frozen=True)
class Family:
    """One metric of the set: how we compute it, how many values there are, and which of them count."""

    compute: Callable[[list[float]], float | None]
    values: int
    counts: Callable[[dict[str, Any], str], bool] = lambda case, tool: True
    absolute: float = 0.0


def chao(field: str, **options: Any) -> Callable[[list[float]], float | None]:
    """One field of the Chao1 estimate."""

    def compute(counts: list[float]) -> float | None:
        estimate = diversity.chao1(counts, **options)
        return None if estimate is None else getattr(estimate, field)

    return compute


# Where the tools part ways on the bias-corrected form (known_disagreements): breakaway forgets the unseen
# species when there is no doubleton, vegan's standard error is another one, and where the form adds no
# species SpadeR's interval is followed, because its factor (n-1)/n then has no effect.
def bias_corrected_point(case: dict[str, Any], tool: str) -> bool:
    return case["f2"] > 0 or not tool.startswith("breakaway")


def bias_corrected_error(case: dict[str, Any], tool: str) -> bool:
    return case["f1"] > 1 and case["f2"] > 0 and not tool.startswith("vegan")


def bias_corrected_interval(case: dict[str, Any], tool: str) -> bool:
    return case["f1"] > 1 and (case["f2"] > 0 or not tool.startswith("breakaway"))


def adds_nothing(case: dict[str, Any], tool: str) -> bool:
    return case["f1"] <= 1


def several_species(case: dict[str, Any], tool: str) -> bool:
    return case["s_obs"] > 1 or tool.startswith("skbio")  # vegan's recipe is 0 / 0 at S = 1


FAMILIES = {
    "richness": Family(diversity.richness, 104),
    "shannon": Family(diversity.shannon, 150),
    "simpson": Family(diversity.simpson, 150),
    "inv_simpson": Family(diversity.inverse_simpson, 150),
    "pielou": Family(diversity.pielou, 144, several_species),
    "hill.q0": Family(lambda counts: diversity.hill(counts, 0), 200),
    "hill.q0.5": Family(lambda counts: diversity.hill(counts, 0.5), 200),
    "hill.q1": Family(lambda counts: diversity.hill(counts, 1), 200),
    "hill.q1.5": Family(lambda counts: diversity.hill(counts, 1.5), 200),
    "hill.q2": Family(lambda counts: diversity.hill(counts, 2), 200),
    "hill.q3": Family(lambda counts: diversity.hill(counts, 3), 100),
    "hill.qInf": Family(lambda counts: diversity.hill(counts, math.inf), 100),
    "chao1.classic_nc": Family(chao("value"), 99),
    "chao1.classic_nc.se": Family(chao("se"), 99),
    "chao1.classic_nc.ci_lo": Family(chao("low"), 99),
    "chao1.classic_nc.ci_hi": Family(chao("high"), 99),
    "chao1.classic_nc@round3": Family(chao("value"), 49, absolute=5.1e-4),
    "chao1.classic_nc.se@round3": Family(chao("se"), 49, absolute=5.1e-4),
    "chao1.classic_nc.ci_lo@round3": Family(chao("low"), 49, absolute=5.1e-4),
    "chao1.classic_nc.ci_hi@round3": Family(chao("high"), 49, absolute=5.1e-4),
    "chao1.bc": Family(chao("value", bias_corrected=True), 185, bias_corrected_point),
    "chao1.bc.se": Family(chao("se", bias_corrected=True), 24, bias_corrected_error),
    "chao1.bc.ci_lo": Family(
        chao("low", bias_corrected=True, level=LEVEL_OF_196), 57, bias_corrected_interval
    ),
    "chao1.bc.ci_hi": Family(
        chao("high", bias_corrected=True, level=LEVEL_OF_196), 57, bias_corrected_interval
    ),
    "chao1.bc_nc": Family(chao("value", bias_corrected=True), 34, adds_nothing),
    "chao1.bc_nc.se": Family(chao("se", bias_corrected=True), 17, adds_nothing),
    "chao1.bc_nc.ci_lo": Family(chao("low", bias_corrected=True), 17, adds_nothing),
    "chao1.bc_nc.ci_hi": Family(chao("high", bias_corrected=True), 17, adds_nothing),
    "asymptotic.q0": Family(chao("value"), 144),
    "coverage.chao_jost": Family(diversity.coverage, 146),
    "coverage.chao_jost@round4": Family(diversity.coverage, 49, absolute=5.1e-5),
    "coverage.good": Family(diversity.coverage_good, 100),
}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """The reference set; without it the tests are skipped, but never in CI."""
    folder = Path(os.environ.get("DIVERSITY_REFERENCE", ROOT.parent / "shared" / "reference" / "diversity"))
    path = folder / "golden.json.gz"
    if not path.is_file():
        message = f"the reference values are missing: {path} (set DIVERSITY_REFERENCE)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with gzip.open(path) as file:
        return json.load(file)  # type: ignore[no-any-return]


def expected_values(case: dict[str, Any], metric: str, family: Family) -> list[tuple[str, float]]:
    """(tool, value) of this case that count: numbers only, a tool's failure or NaN is no reference."""
    if case["n"] == 0 and metric != "richness":
        return []
    return [
        (tool, float(value))
        for tool, value in case["ref"].get(metric, {}).items()
        if isinstance(value, int | float) and math.isfinite(value) and family.counts(case, tool)
    ]


@pytest.mark.parametrize("metric", FAMILIES)
def test_it_agrees_with_every_reference_value(golden: dict[str, Any], metric: str) -> None:
    family = FAMILIES[metric]
    wrong: list[str] = []
    compared = 0
    for case in golden["cases"]:
        for tool, value in expected_values(case, metric, family):
            compared += 1
            ours = family.compute(case["counts"])
            relative = 1e-12 if tool.startswith("exact@") else 1e-9
            # A true zero has no relative size: the tools leave rounding dust there.
            if ours is None or not math.isclose(
                ours, value, rel_tol=relative, abs_tol=family.absolute or 1e-14
            ):
                wrong.append(f"{case['id']} {tool}: {ours!r}, expected {value!r}")
    assert not wrong, "\n".join(wrong)
    # A changed number means that values were skipped, or that the set grew and wants a look.
    assert compared == family.values, f"{metric}: {compared} values compared"


# Other statistics under a name that starts alike; they are compared from the day a function offers them.
OTHER_STATISTICS = (
    "richness.good_turing",
    "shannon.base2",
    "simpson_",
    "inv_simpson_unbiased",
    "chao1.classic_skbio",
)


def test_no_family_is_forgotten(golden: dict[str, Any]) -> None:
    """Every metric of the set that a public function answers is compared."""
    offered = ("richness", "shannon", "simpson", "inv_simpson", "pielou", "hill.", "chao1.", "coverage.")
    in_the_set = {metric for case in golden["cases"] for metric in case["ref"]}
    due = {metric for metric in in_the_set if metric.startswith(offered)}
    due -= {metric for metric in due if metric.startswith(OTHER_STATISTICS) or metric.endswith("boot_se")}
    # The classic form without (n-1)/n is offered by no function.
    due -= {"chao1.classic", "chao1.classic.se", "chao1.classic.ci_lo", "chao1.classic.ci_hi"}
    assert due - FAMILIES.keys() == set()
    assert FAMILIES.keys() - in_the_set == set()


def test_empty_samples_have_no_value(golden: dict[str, Any]) -> None:
    empty = [case["counts"] for case in golden["cases"] if case["n"] == 0]
    assert len(empty) == 2
    for counts in empty:
        assert diversity.richness(counts) == 0
        for family in FAMILIES.values():
            if family.compute is not diversity.richness:
                assert family.compute(counts) is None


def test_the_incidence_hill_numbers_agree_too(golden: dict[str, Any]) -> None:
    """The empirical profile of incidence data is that of its frequencies: further, longer vectors."""
    compared = 0
    for case in golden["incidence"]:
        for q in (0, 1, 2):
            for value in case["ref"].get(f"hill.q{q}", {}).values():
                if isinstance(value, float) and sum(case["freq"]):
                    compared += 1
                    assert diversity.hill(case["freq"], q) == pytest.approx(value, rel=1e-9)
    assert compared >= 30
