"""The report on a model in words, for a terminal."""

from __future__ import annotations

from typing import Any

SHOWN = 15
MEBIBYTE = 1024 * 1024


def percent(value: float | None) -> str:
    """`93.2 %`, or a dash where nothing is known."""
    return "–" if value is None else f"{100 * value:.1f} %"


def interval(share: dict[str, Any]) -> str:
    """`93.2 % (90.9 to 95.0) of 606`."""
    if share["value"] is None:
        return "– of 0"
    return (
        f"{percent(share['value'])} ({100 * share['low']:.1f} to {100 * share['high']:.1f}) of {share['n']}"
    )


def text(report: dict[str, Any]) -> str:
    """One model's report; whatever there is nothing to say about is left out."""
    model, figures = report["model"], report["figures"]
    head = f"{model['name']} {model['version']}, {model['classes']} species"
    if report["possible_classes"] != model["classes"]:
        head += f", held to {report['possible_classes']} of a region"
    lines = [head, f"{report['plants']} plants on {report['asked'] - report['unreadable']} photos"]
    if report["interrupted"]:
        lines.append(f"Stopped: only {report['asked']} of {report['photos']} photos were looked at.")
    lines += [
        "",
        *_accuracy(figures),
        *_strangers(figures),
        *_doubt(figures),
        *_temperature(report["temperature"]),
    ]
    lines += _table(
        "The species with the lowest recall",
        [
            f"{each['species']}: {interval(each)}"
            for each in sorted(figures["recall"], key=lambda each: (each["value"], -each["n"]))
            if each["value"] < 1
        ],
    )
    lines += _table(
        "The most frequent mistakes",
        [f"{each['true']} was named {each['named']}: {each['count']}" for each in figures["confusions"]],
    )
    return "\n".join([*lines, *_cost(report)])


def compared(found: dict[str, Any], a: str, b: str) -> str:
    """Two models on the same plants."""
    lines = [
        "",
        f"{b} against {a}, on the same {found['plants']} plants (95 % intervals; exact McNemar test)",
    ]
    for title, name in (
        ("likeliest species right", "likeliest"),
        ("the same, of species that both have", "likeliest_of_shared_species"),
        ("named as a species, and rightly", "as_species"),
    ):
        pair = found[name]
        if pair["difference"] is None:
            continue
        bounds = f"{100 * pair['low']:+.1f} to {100 * pair['high']:+.1f}"
        lines.append(
            f"  {title}: {percent(pair['a'])} → {percent(pair['b'])}, by {100 * pair['difference']:+.1f} points "
            f"({bounds}); only the first {pair['only_a']}, only the second {pair['only_b']}, p = {pair['p']:.2g}"
        )
    lines += _table(
        "Where they differ",
        [f"{each['species']}: lost {each['only_a']}, won {each['only_b']}" for each in found["species"]],
    )
    return "\n".join(lines)


def _accuracy(figures: dict[str, Any]) -> list[str]:
    lines = [f"Species it has: top-1 {interval(figures['top_1'])}"]
    if figures["top_1"]["n"]:
        lines.append(f"  top-3 {interval(figures['top_3'])}, top-5 {interval(figures['top_5'])}")
        rule = [f"{each['level']} {each['n']}{_right(each['right'])}" for each in figures["rule"]]
        lines.append(f"  the label rule makes of them: {', '.join(rule)}")
        lines.append(f"  of those named as a species right: {interval(figures['right_as_species'])}")
    if figures["coarse"]["n"]:
        lines.append(f"Known to genus or family only: {interval(figures['coarse'])} met")
    return lines


def _right(right: int | None) -> str:
    return "" if right is None else f" ({right} right)"


def _strangers(figures: dict[str, Any]) -> list[str]:
    lines = []
    for title, name in (("Species it has not", "outside"), ("No plants", "not_plants")):
        found = figures[name]
        if found["n"]:
            names = ", ".join(f"{each['species']} {each['count']}" for each in found["names"][:5])
            lines.append(f"{title}: named as a species all the same {interval(found['as_species'])}")
            lines += [f"  as {names}"] if names else []
    return lines


def _doubt(figures: dict[str, Any]) -> list[str]:
    calibration, curve = figures["calibration"], figures["risk_coverage"]
    if not calibration["n"]:
        return []
    return [
        f"Calibration as served: {percent(calibration['confidence'])} sure, {percent(calibration['right'])} right, "
        f"expected error {percent(calibration['error'])} of {calibration['n']}",
        f"Risk–coverage: area {curve['area']:.4f}",
        *(
            f"  {percent(each['coverage'])} can be answered with at most {percent(each['risk'])} wrong: "
            f"from a confidence of {each['threshold']:.2f} on"
            for each in curve["at_risk"]
            if each["threshold"] is not None
        ),
    ]


def _temperature(found: dict[str, Any]) -> list[str]:
    errors = found["calibration_error"]
    if errors["none"] is None:
        return []
    lines = [
        f"Temperature {found['folder']:.3f}: calibration error {percent(errors['none'])} without it, "
        f"{percent(errors['folder'])} with it (softmax alone, {found['plants']} plants)"
    ]
    if found["refitted"] is not None:
        lines.append(
            f"  fitted to these plants it would be {found['refitted']:.3f}: {percent(errors['refitted'])} "
            "(each half with that of the other)"
        )
    return lines


def _table(title: str, rows: list[str]) -> list[str]:
    if not rows:
        return []
    more = [f"  … and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    return ["", f"{title}:", *(f"  {row}" for row in rows[:SHOWN]), *more]


def _cost(report: dict[str, Any]) -> list[str]:
    latency, memory = report["latency"], report["memory"]
    lines = [""]
    if latency["median"] is not None:
        lines.append(
            f"Time for a photo: median {1000 * latency['median']:.0f} ms, "
            f"95 % within {1000 * latency['p95']:.0f} ms; loading took {report['load_seconds']:.2f} s"
        )
    if memory["resident"] is not None:
        lines.append(
            f"Memory of this process: {memory['resident'] / MEBIBYTE:.0f} MiB, "
            f"at most {memory['peak'] / MEBIBYTE:.0f} MiB"
        )
    return lines
