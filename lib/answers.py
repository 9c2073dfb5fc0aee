"""How good a model's answers are: figures over plants whose name is known, with intervals that say how sure.

Each answer is one plant, so that near-duplicate photos count once: an interval over photos of the same plant would
promise more than they can tell. The same figures serve the report on confirmed photos and `evaluate_model`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from lib import taxa
from lib.classifier import figures
from lib.store.records import NOT_A_PLANT

UNKNOWN = "unknown"
CONFUSIONS_SHOWN = 50
NAMES_SHOWN = 10
CURVE_POINTS = 50
BINS = 10  # a grower confirms hundreds of photos, not the ten thousands that fifteen bins are for
RISKS = (0.01, 0.05, 0.1)
LEVELS = ("species", "genus", "family")
NAMES_KEPT = 8192  # more than the classes of any model and the names that people give

Key = TypeVar("Key")
# The genus and family of a species as a model's labels have them.
Ranks = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered for one plant, and what it is.

    `truth` at `level` (species, genus, family, unknown, not_a_plant) is what a person says. `named` holds the
    likeliest species, best first, each with its confidence; `label` at `label_level` (species, genus, family,
    unknown) is what the label rule made of them. `known`: whether the model has the true species, None where its
    list is not at hand. `masked`: whether a regional list limited the answer.
    """

    truth: str
    level: str
    named: Sequence[tuple[str, float]]
    label: str
    label_level: str
    known: bool | None = True
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `n` with Wilson's 95 % interval; its value is null where n is 0."""

    value: float | None
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class RuleLevel:
    """How many plants the label rule named at a level, and how many of these rightly (null for unknown)."""

    level: str
    n: int
    right: int | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """`count` plants of the species `true` whose likeliest species was `named`."""

    true: str
    named: str
    count: int


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of a species' n plants that were named so, with its 95 % interval."""

    species: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class NamedAs:
    """How many plants were named as a species."""

    species: str
    count: int


@dataclass(frozen=True, slots=True)
class Strangers:
    """Plants (or other things) that the model cannot name rightly as a species.

    `as_species`: the share that the label rule named as a species all the same, which is confidently wrong;
    `levels` how many it named at each level; `names` what the species were, most frequent first.
    """

    n: int
    as_species: Share
    levels: dict[str, int]
    names: list[NamedAs]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers with a confidence from `low` to `high`: their mean confidence, and the share that was right."""

    low: float
    high: float
    n: int
    confidence: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether 80 % sure is right in 80 %: `error` is the expected calibration error over the bins, 0 to 1.

    Over all n plants of which it is certain whether the likeliest species is right, those included that no answer
    could be right for.
    """

    n: int
    error: float | None
    confidence: float | None
    right: float | None
    bins: list[ReliabilityBin]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Answers from `threshold` on are the share `coverage` of all; the share `risk` of these is wrong."""

    threshold: float
    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class AtRisk:
    """The largest share of answers with at most `risk` of them wrong, and the confidence they begin at."""

    risk: float
    coverage: float
    threshold: float | None


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Error among the surest answers (Geifman and El-Yaniv 2017), over the same plants as the calibration.

    `area` under the curve: lower is better; `points` are at most fifty of it.
    """

    n: int
    area: float | None
    points: list[CurvePoint]
    at_risk: list[AtRisk]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model's answers come to.

    Over plants of species that the model has (or whose list is not at hand): `top_1`, `top_3`, `top_5`; `rule`,
    what the label rule made of them, and `right_as_species`, the share of those named as a species that was right;
    `confusions` and `recall` of the likeliest species; `top_1_masked` and `top_1_unmasked`, with and without a
    regional list. `coarse`: plants named to a genus or family by a person; right where the likeliest species
    belongs to it. `outside`: species that the model has not; `not_plants`; `undecided` were called unknown by a
    person and are in no figure.
    """

    plants: int
    top_1: Share
    top_3: Share
    top_5: Share
    rule: list[RuleLevel]
    right_as_species: Share
    coarse: Share
    outside: Strangers
    not_plants: Strangers
    undecided: int
    confusions: list[Confusion]
    recall: list[Recall]
    calibration: Calibration
    risk_coverage: RiskCoverage
    masked: int
    top_1_masked: Share
    top_1_unmasked: Share


def figures_of(answers: Sequence[Answer], ranks: Ranks | None = None) -> Figures:
    """All figures of a model's answers, one for each plant; everything finite, empty where there is nothing.

    `ranks` tells genus and family of species that the table of plants may not have.
    """
    ranks = ranks or {}
    inside = [each for each in answers if each.level == "species" and each.known is not False]
    outside = [each for each in answers if each.level == "species" and each.known is False]
    nothing = [each for each in answers if each.level == NOT_A_PLANT]
    coarse = [each for each in answers if each.level in ("genus", "family")]
    places = np.array([_place(each) for each in inside], int)
    right = places == 0
    masked = np.array([each.masked for each in inside], bool)
    judged = [*inside, *outside, *nothing]
    confidences = np.array([each.named[0][1] if each.named else 0.0 for each in judged], float)
    judged_right = np.append(right, np.zeros(len(judged) - len(inside), bool))
    as_species = [each for each in inside if each.label_level == "species"]
    return Figures(
        plants=len(answers),
        top_1=share(right),
        top_3=share(places < 3),
        top_5=share(places < 5),
        rule=_rule(inside, ranks),
        right_as_species=share(np.array([_right_at_level(each, ranks) for each in as_species], bool)),
        coarse=share(np.array([_belongs(each, ranks) for each in coarse], bool)),
        outside=_strangers(outside),
        not_plants=_strangers(nothing),
        undecided=sum(each.level == UNKNOWN for each in answers),
        confusions=_confusions(inside),
        recall=_recall(inside, right),
        calibration=calibration_of(confidences, judged_right),
        risk_coverage=risk_coverage_of(confidences, judged_right),
        masked=sum(each.masked for each in answers),
        top_1_masked=share(right[masked]),
        top_1_unmasked=share(right[~masked]),
    )


def share(right: np.ndarray) -> Share:
    """The share of true values (N,) with its interval."""
    found = int(right.sum())
    low, high = figures.wilson(found, len(right))
    return Share(found / len(right) if len(right) else None, low, high, len(right))


def calibration_of(confidences: np.ndarray, right: np.ndarray) -> Calibration:
    """Calibration of answers with these confidences (N,), 0 to 1, and whether they were right (N,)."""
    table = figures.reliability(confidences, right, BINS)
    n = len(confidences)
    return Calibration(
        n=n,
        error=figures.expected_error(table),
        confidence=float(confidences.mean()) if n else None,
        right=float(right.mean()) if n else None,
        bins=[ReliabilityBin(*each) for each in table],
    )


def risk_coverage_of(confidences: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """The risk-coverage curve of answers, thinned to what a chart can show; the area is of the whole curve."""
    curve = figures.risk_coverage(confidences, right)
    steps = len(curve.thresholds)
    if not steps:
        return RiskCoverage(0, None, [], [])
    shown = np.unique(np.linspace(0, steps - 1, min(steps, CURVE_POINTS)).round().astype(int))
    return RiskCoverage(
        n=len(confidences),
        area=curve.area,
        points=[
            CurvePoint(float(curve.thresholds[i]), float(curve.coverage[i]), float(curve.risk[i]))
            for i in shown
        ],
        at_risk=[AtRisk(risk, curve.coverage_at(risk), curve.threshold_at(risk)) for risk in RISKS],
    )


@lru_cache(NAMES_KEPT)
def canonical(name: str) -> str:
    """The accepted name of a species, so that a synonym is no mistake; the name itself where the table has none."""
    taxon = taxa.find(name)
    return taxon.species if taxon else name


def is_right(answer: Answer) -> bool:
    """Whether the likeliest species is the true one."""
    return _place(answer) == 0


def _place(answer: Answer) -> int:
    """Where the true species stands among the named ones, 0 for the likeliest; beyond all when it is not there."""
    truth = canonical(answer.truth)
    for place, (name, _) in enumerate(answer.named):
        if name == answer.truth or canonical(name) == truth:
            return place
    return 1_000_000


def _rule(answers: Sequence[Answer], ranks: Ranks) -> list[RuleLevel]:
    counts = Counter(each.label_level for each in answers)
    right = Counter(each.label_level for each in answers if _right_at_level(each, ranks))
    levels = [RuleLevel(level, counts[level], right[level]) for level in LEVELS]
    return [*levels, RuleLevel(UNKNOWN, len(answers) - sum(each.n for each in levels), None)]


def _right_at_level(answer: Answer, ranks: Ranks) -> bool:
    """Whether a label of the rule is right for a plant whose species is known."""
    if answer.label_level == "species":
        return canonical(answer.label) == canonical(answer.truth)
    return answer.label in _taxa_above(answer.truth, answer.label_level, ranks)


def _belongs(answer: Answer, ranks: Ranks) -> bool:
    """Whether the likeliest species belongs to the genus or family that a person named."""
    return bool(answer.named) and answer.truth in _taxa_above(answer.named[0][0], answer.level, ranks)


def _taxa_above(species: str, level: str, ranks: Ranks) -> set[str]:
    """The genus or the family of a species: by the name given, by its accepted name, and as the model has it."""
    accepted = canonical(species)
    genera = {species.split(" ")[0], accepted.split(" ")[0]}
    if level == "genus":
        return genera | {ranks[name][0] for name in (species, accepted) if name in ranks}
    if level != "family":
        return set()
    families = {taxa.family_of(genus) for genus in genera}
    families |= {ranks[name][1] for name in (species, accepted) if name in ranks}
    return families - {""}


def _strangers(answers: Sequence[Answer]) -> Strangers:
    named = [each.label for each in answers if each.label_level == "species"]
    levels = Counter(each.label_level for each in answers)
    return Strangers(
        n=len(answers),
        as_species=share(np.array([each.label_level == "species" for each in answers], bool)),
        levels={level: levels[level] for level in (*LEVELS, UNKNOWN)},
        names=[NamedAs(*each) for each in _frequent(Counter(named))[:NAMES_SHOWN]],
    )


def _confusions(answers: Sequence[Answer]) -> list[Confusion]:
    wrong = Counter(
        (canonical(each.truth), canonical(each.named[0][0]))
        for each in answers
        if each.named and not is_right(each)
    )
    return [Confusion(true, named, count) for (true, named), count in _frequent(wrong)[:CONFUSIONS_SHOWN]]


def _recall(answers: Sequence[Answer], right: np.ndarray) -> list[Recall]:
    """Of every true species, the most frequent first."""
    there = Counter(canonical(each.truth) for each in answers)
    found = Counter(canonical(each.truth) for each, good in zip(answers, right, strict=True) if good)
    return [
        Recall(species, found[species] / n, *figures.wilson(found[species], n), n)
        for species, n in _frequent(there)
    ]


def _frequent(counts: Counter[Key]) -> list[tuple[Key, int]]:
    """Most frequent first, then by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
