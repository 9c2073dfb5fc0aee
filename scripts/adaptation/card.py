"""The card of an adapted model as text, every figure taken from the report of the run that made it."""

# ruff: noqa: E501  (paragraphs of the card, as they are written)
from __future__ import annotations

from typing import Any

from scripts.training.card import interval, percent, table


def text(document: dict[str, Any], report: dict[str, Any]) -> str:
    """MODEL_CARD.md from model.json's document and the report."""
    before, test, learned = document["adapted_from"], report["test"], report["learned"]
    old, new = test["old"], test["new"]
    pairs, familiar = test["all"], test["species_of_the_old_model"]
    strangers = report["strangers"]
    if None in strangers.values():
        falsely: list[list[str]] = []
    else:
        falsely = [
            [
                "falsely named as a species, when asked without their own",
                interval(strangers["old"]),
                interval(strangers["new"]),
            ]
        ]
    figures = table(
        ["test photos", "before", "now"],
        [
            ["named rightly (top-1)", interval(old["top_1"]), interval(new["top_1"])],
            ["among the three likeliest", interval(old["top_3"]), interval(new["top_3"])],
            ["log-loss", f"{test['log_loss']['old']:.3f}", f"{test['log_loss']['new']:.3f}"],
            ["calibration error", percent(old["calibration_error"]), percent(new["calibration_error"])],
            [
                "named as a species by the label rule",
                interval(old["named_as_a_species"]),
                interval(new["named_as_a_species"]),
            ],
            ["of these right", interval(old["of_these_right"]), interval(new["of_these_right"])],
            *falsely,
        ],
    )
    recalls = table(
        ["species", "photos learned from", "recall before", "recall now", "test photos"],
        [
            [
                name + (" (new)" if name in learned["new_species"] else ""),
                str(learned["photos"].get(name, 0)),
                percent(found["old"]["value"]),
                interval(found["new"]),
                str(found["new"]["n"]),
            ]
            for name, found in test["recall"].items()
        ],
    )
    return f"""# Model card of {document["name"]} {document["version"]}

{before["name"]} {before["version"]}, adapted to the photos of its owner ({report["method"]}). What the model was before, what it
was made of and what it must not be used for is told by its own card, BASE_MODEL_CARD.md; licence and attribution stay those of
model.json, and apply together with the rights in the owner's photos. All figures were measured by the command that made it; the same
numbers are in `metrics.json`.

## Photos

{report["photos"]["training"]} photos of {len(learned["photos"])} species to learn from, {report["photos"]["validation"]} to choose by, {report["photos"]["test"]} to judge by: whole days
({report["days"]["training"]}, {report["days"]["validation"]} and {report["days"]["test"]} days, {report["first_day"]} to {report["last_day"]}), and near-copies always on one side. In validation and
test a plant that was photographed several times counts once. New species: {", ".join(learned["new_species"]) or "none"}.
{_left_out(report)}
## Before and now

{figures}

- Only the old model right: {pairs["only_a"]} photos; only the new one: {pairs["only_b"]} (exact McNemar, one-sided: p = {pairs["one_sided_p"]:.2g}). Difference in top-1
  {100 * pairs["difference"]:.1f} points (95 % interval {100 * pairs["low"]:.1f} to {100 * pairs["high"]:.1f}).
- Of the {familiar["n"]} test photos whose species the old model has: {familiar["both_right"] + familiar["only_a"]} right before, {familiar["both_right"] + familiar["only_b"]} now.
- A species that the old model does not have counts as wrong for it, and in its log-loss as named by chance.
- *Asked without their own* species, the test photos play plants that the model has never heard of; a right answer is a true
  genus or family, or *unknown*.

{recalls}

The test photos are of the same fields as those learned from, taken on other days. In other fields the model may do worse.

## What else changed

- Species without a photo here: {learned["untouched"]}. Their own part of the model is as it was{_anchors(learned)}.
- Temperature {document["temperature"]:.3f} (before {before["temperature"]:.3f}), fitted on the validation photos and held near the old one, as they are few.
- {report["in_domain"]}
- Training class prior: half the old model's, half the shares of the photos learned from.
"""


def _left_out(report: dict[str, Any]) -> str:
    names = report["learned"]["left_out"]
    if not names:
        return ""
    few = "; ".join(f"{name} ({count} photos)" for name, count in names.items())
    return f"New species left out, because there were not two photos in each part: {few}.\n"


def _anchors(learned: dict[str, Any]) -> str:
    if learned.get("anchors") is None:
        return ""
    return f"; of {learned['anchors']['n']} mean photos of them, {learned['anchors']['same']} are still given the same name"
