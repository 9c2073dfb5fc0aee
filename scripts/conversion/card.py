"""The model card of a converted checkpoint, from what model.json holds."""

from __future__ import annotations

from typing import Any


def text(document: dict[str, Any], unmapped: tuple[str, ...], shared: dict[str, tuple[str, ...]]) -> str:
    """MODEL_CARD.md."""
    parts = [_head(document), _made(document), _parity(document)]
    if "calibration" in document:
        parts.append(_calibration(document))
    if "strangers" in document:
        parts.append(_strangers(document))
    parts += [_labels(document, unmapped, shared), _use(document)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _head(document: dict[str, Any]) -> str:
    size = document["input_size"]
    lines = [
        f"# Model card of {document['name']} {document['version']}",
        "",
        f"{document['architecture']}, {document['classes']} species, {size[0]} x {size[1]} pixels, "
        f"{document['quantisation']}.",
        "",
        f"- Licence: {document['licence']}",
        f"- Source: {document['source']}",
    ]
    if "notice" in document:
        lines.append(f"- {document['notice']}")
    return "\n".join(lines)


def _made(document: dict[str, Any]) -> str:
    checkpoint = document["checkpoint"]
    lines = [
        "## How it was made",
        "",
        f"Converted from `{checkpoint['file']}`, SHA-256 `{checkpoint['sha256']}`.",
        "",
    ]
    lines += [f"- {said}" for said in checkpoint["found"]]
    if document["assumed"]:
        lines += ["", "Assumed, because the file does not tell:", ""]
        lines += [f"- {assumed}" for assumed in document["assumed"]]
    return "\n".join(lines)


def _parity(document: dict[str, Any]) -> str:
    parity = document["parity"]
    rows = [
        f"| {title} | {figure['largest_logit']:.2g} | {figure['largest_probability']:.2g} | "
        f"{100 * figure['top1']:.1f} % |"
        for title, figure in (("float32 graph", parity["float32"]), ("as shipped", parity["shipped"]))
    ]
    return "\n".join(
        [
            "## Agreement with the checkpoint",
            "",
            f"Against {parity['reference']}, on {parity['float32']['photos']} {parity['images']}.",
            "",
            "| | largest logit difference | largest probability difference | same likeliest species |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def _calibration(document: dict[str, Any]) -> str:
    figure = document["calibration"]
    top1 = figure["top1"]
    kept = "; ".join(
        f"{100 * share:.0f} % at most {100 * float(risk):.0f} % wrong"
        for risk, share in figure["coverage_at_risk"].items()
    )
    wrong = ", ".join(
        f"{100 * risk:.1f} % at {100 * float(share):.0f} %"
        for share, risk in figure["risk_at_coverage"].items()
    )
    return "\n".join(
        [
            "## Calibration",
            "",
            f"Temperature {document['temperature']:.3f}, fitted on {figure['photos_fitted']} labelled photos; all "
            f"figures are of {figure['photos_measured']} others of the same folders.",
            "",
            f"- Right at once: {100 * top1['value']:.1f} % ({100 * top1['low']:.1f} to {100 * top1['high']:.1f}); "
            f"among the first three: {100 * figure['top3']['value']:.1f} %",
            f"- Expected calibration error: {figure['calibration_error']:.3f} "
            f"(at temperature 1: {figure['calibration_error_before']:.3f})",
            f"- Photos that can be answered: {kept}",
            f"- Errors among the surest photos: {wrong}; area under the risk-coverage curve "
            f"{figure['risk_coverage_area']:.3f}",
        ]
    )


def _strangers(document: dict[str, Any]) -> str:
    figure = document["strangers"]
    rows = []
    for title, key in (("softmax alone", "softmax_alone"), ("with the energy", "with_energy")):
        row = figure[key]
        shares = " | ".join(
            f"{100 * share['value']:.1f} % ({100 * share['low']:.1f} to {100 * share['high']:.1f})"
            for share in (row["known_named"], row["strangers_named"])
        )
        rows.append(f"| {title} | {row['brier']:.4f} | {shares} |")
    return "\n".join(
        [
            "## Photos of other things",
            "",
            f"P(in domain) from the energy of the logits, fitted on {figure['photos_fitted']} photos of known "
            f"species and of other things, for a mixture with {100 * figure['strangers_assumed']:.0f} % of these; "
            f"all figures are of {figure['photos_measured']} others. Area under the ROC curve of the energy: "
            f"{figure['area_under_roc']:.3f}. "
            + ("It is used." if figure["used"] else "It is **not used**, because it is no better."),
            "",
            "| confidence | Brier score | known: sure of a species | other things: sure of a species |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def _labels(document: dict[str, Any], unmapped: tuple[str, ...], shared: dict[str, tuple[str, ...]]) -> str:
    lines = [
        "## Species",
        "",
        f"{document['classes']} species by a file of names that was given with the checkpoint; "
        f"{document['classes'] - len(unmapped)} of them are in the table of taxa.",
    ]
    if unmapped:
        lines += ["", f"Not in the table ({len(unmapped)}), so with a genus alone:", "", ", ".join(unmapped)]
    if shared:
        lines += ["", "Outputs that mean one species, whose probabilities are added up:", ""]
        lines += [f"- {species}: {', '.join(names)}" for species, names in sorted(shared.items())]
    return "\n".join(lines)


def _use(document: dict[str, Any]) -> str:
    lines = ["## What it is for, and what not", ""]
    if "calibration" not in document:
        lines += ["Its temperature was not fitted: how sure it says to be is not measured.", ""]
    blind = document["out_of_domain"]["kind"] == "none"
    lines += [
        "For first labels that a person confirms. "
        + (
            "It gives every photo to one of its species, whatever it shows: it has no measure of whether a photo "
            "shows any of them. "
            if blind
            else "Its measure of whether a photo shows any of its species is as good as the photos that it was "
            "fitted on. "
        )
        + "It must not be used to decide on herbicide, "
        "weeding or harvest, to say that a plant is edible, harmless or poisonous, or to report occurrences "
        "without a person's check.",
    ]
    return "\n".join(lines)
