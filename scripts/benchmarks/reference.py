"""The statistics against the reference set: how many values, how close, and what is not compared and why."""

from __future__ import annotations

from collections import Counter
from typing import Any


def measure() -> dict[str, Any]:
    """Every family of the set: values compared, worst relative error, values left out by reason."""
    from tests.lib.diversity.reference import families
    from tests.lib.diversity.reference.sections import SECTIONS

    golden = families.load()
    if golden is None:
        raise SystemExit(f"no reference values at {families.golden_path()} (set DIVERSITY_REFERENCE)")
    compared: dict[str, dict[str, Any]] = {}
    not_compared: dict[str, dict[str, Any]] = {}
    for section in SECTIONS:
        for name, values in sorted(families.values_of(golden, section.name).items()):
            label, family = f"{section.name} {name}", section.families.get(name)
            if family is None:
                not_compared[label] = {"values": len(values), "why": section.reason(name)}
                continue
            outcome = families.compare(family, values)
            compared[label] = {
                "compared": outcome.compared,
                "wrong": len(outcome.wrong),
                "worst": float(f"{outcome.worst:.3g}"),
                "worst_at": outcome.worst_at,
                "worst_exact": None if outcome.worst_exact is None else float(f"{outcome.worst_exact:.3g}"),
                "left_out": dict(outcome.left_out),
                "wider": family.wider,
            }
    return {
        "benchmark": "reference",
        "values": golden["counts"]["values"],
        "compared": sum(found["compared"] for found in compared.values()),
        "wrong": sum(found["wrong"] for found in compared.values()),
        "left_out": sum(sum(found["left_out"].values()) for found in compared.values()),
        "not_compared": sum(found["values"] for found in not_compared.values()),
        "families": compared,
        "families_not_compared": not_compared,
    }


def describe(found: dict[str, Any]) -> str:
    """The result in words, a family a line."""
    lines = [
        f"Of {found['values']} reference values {found['compared']} are compared, {found['wrong']} too far off; "
        f"{found['left_out']} of the same families are left out; {found['not_compared']} are of other families.",
        "",
        f"{'family':<44}{'values':>7}{'too far':>9}{'exact':>9}  worst relative error (exact: against 60 digits)",
    ]
    for label, family in found["families"].items():
        where = f"{family['worst']:.1e} ({family['worst_at']})" if family["worst"] else "none"
        exact = "" if family["worst_exact"] is None else f"{family['worst_exact']:.1e}"
        lines.append(f"{label:<44}{family['compared']:>7}{family['wrong']:>9}{exact:>9}  {where}")
    lines += ["", "Tolerances wider than the set states:"]
    lines += [
        f"  {label}: {family['wider']}" for label, family in found["families"].items() if family["wider"]
    ]
    left_out: Counter[str] = Counter()
    for family in found["families"].values():
        left_out.update(family["left_out"])
    lines += ["", "Left out of families that are compared:"]
    lines += [f"{count:>7}  {why}" for why, count in left_out.most_common()]
    unused: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    for label, family in found["families_not_compared"].items():
        unused[family["why"]] += family["values"]
        names.setdefault(family["why"], []).append(label)
    lines += ["", "Families not compared:"]
    lines += [f"{count:>7}  {why}: {', '.join(names[why])}" for why, count in unused.most_common()]
    return "\n".join(lines)
