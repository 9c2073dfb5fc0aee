"""The reference set against this package: what is compared, how close it must come, and what is left out and why.

The set has five sections (cases, pairs, multisite, incidence, temporal); each has a module here with two tables:
`FAMILIES` (a family of the set -> how we compute it) and `NOT_COMPARED` (a family, or a glob over families ->
why no value of it is compared). A family is a metric's name with the numbers after its `@` replaced by `*`:
`size.q0@m=224` is the family `size.q0@m=*` at (224,), `bray@1-2` is `bray@*-*` at (1, 2).
"""

from __future__ import annotations

import gzip
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]

# One sample, pair, matrix or series of the set, as the file has it.
Case = dict[str, Any]
# The numbers that a family's name leaves open.
At = tuple[float, ...]

# Below this a value is a zero with rounding dust, and its relative error says nothing.
SMALL = 1e-12
NO_NUMBER = "the tool gives no finite number there"


def close(case: Case, tool: str) -> float:
    """The set's default tolerance, relative: 1e-12 against exact values, 1e-9 against tools."""
    return 1e-12 if tool.startswith("exact@") else 1e-9


def within(relative: float) -> Callable[[Case, str], float]:
    """One relative tolerance for every value of a family."""
    return lambda case, tool: relative


def everything_counts(case: Case, tool: str, at: At) -> str | None:
    """No value is left out."""
    return None


@dataclass(frozen=True)
class Family:
    """One family: how we compute it, how many values are compared and left out, and how close they must come.

    `excuse` answers the reason why a value of the set is left out, or None where it counts. A value that is no
    finite number is left out by itself. `values` and `left_out` are pinned: a test fails when they change.
    A true zero has no relative size, and the tools leave rounding dust there: hence `absolute`. `wider` says why
    `relative` is wider than the tolerance that the set states, where it is.
    """

    compute: Callable[[Case, At], float | None]
    values: int
    left_out: int = 0
    excuse: Callable[[Case, str, At], str | None] = everything_counts
    relative: Callable[[Case, str], float] = close
    absolute: float = 1e-14
    wider: str = ""


@dataclass(frozen=True)
class Section:
    """One section of the set with its two tables."""

    name: str
    families: Mapping[str, Family]
    not_compared: Mapping[str, str]

    def reason(self, family: str) -> str | None:
        """Why `family` is not compared; None when no reason is given."""
        found = [why for pattern, why in self.not_compared.items() if matches(pattern, family)]
        return found[0] if found else None


@dataclass
class Outcome:
    """What came of comparing one family; `worst_exact`: against the values of 60 digits, None without any."""

    compared: int = 0
    worst: float = 0.0
    worst_at: str = ""
    worst_exact: float | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def golden_path() -> Path:
    """Where the set lies: DIVERSITY_REFERENCE, or beside the repository."""
    folder = Path(os.environ.get("DIVERSITY_REFERENCE", ROOT.parent / "shared" / "reference" / "diversity"))
    return folder / "golden.json.gz"


def load() -> dict[str, Any] | None:
    """The reference set; None when it is not there."""
    path = golden_path()
    if not path.is_file():
        return None
    with gzip.open(path) as file:
        return json.load(file)  # type: ignore[no-any-return]


def family_of(metric: str) -> tuple[str, At]:
    """The family of a metric's name, and the numbers it was taken at."""
    name, mark, rest = metric.partition("@")
    numbers = re.findall(r"(?:(?<==)|(?<=-)|^)\d+(?:\.\d+)?", rest)
    rest = re.sub(r"(?:(?<==)|(?<=-)|^)\d+(?:\.\d+)?", "*", rest)
    return name + mark + rest, tuple(float(number) for number in numbers)


def matches(pattern: str, family: str) -> bool:
    """Whether a line of NOT_COMPARED speaks of this family: by its very name, or as a glob."""
    return pattern == family or fnmatchcase(family, pattern)


def values_of(golden: dict[str, Any], section: str) -> dict[str, list[tuple[Case, str, At, str, Any]]]:
    """Every value of a section by its family: (case, metric, at, tool, value)."""
    found: dict[str, list[tuple[Case, str, At, str, Any]]] = {}
    for case in golden[section]:
        for metric, by_tool in case["ref"].items():
            family, at = family_of(metric)
            found.setdefault(family, []).extend(
                (case, metric, at, tool, value) for tool, value in by_tool.items()
            )
    return found


def compare(family: Family, values: list[tuple[Case, str, At, str, Any]]) -> Outcome:
    """Every value of the family that counts, against ours."""
    outcome = Outcome()
    ours: dict[tuple[int, str], float | None] = {}
    for case, metric, at, tool, value in values:
        why = family.excuse(case, tool, at)
        if why is None and not (isinstance(value, int | float) and math.isfinite(value)):
            why = NO_NUMBER
        if why is not None:
            outcome.left_out[why] += 1
            continue
        key = (id(case), metric)
        if key not in ours:
            ours[key] = family.compute(case, at)
        outcome.compared += 1
        mine, label = ours[key], f"{case['id']} {metric} {tool.partition('::')[0]}"
        if mine is None or not math.isclose(
            mine, value, rel_tol=family.relative(case, tool), abs_tol=family.absolute
        ):
            outcome.wrong.append(f"{label}: {mine!r}, expected {value!r}")
        if mine is not None and abs(value) > SMALL:
            error = abs(mine - value) / max(abs(mine), abs(value))
            if tool.startswith("exact@"):
                outcome.worst_exact = max(error, outcome.worst_exact or 0.0)
            if error > outcome.worst:
                outcome.worst, outcome.worst_at = error, label
    return outcome
