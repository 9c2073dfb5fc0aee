"""The model card as text, every figure taken from the metrics that the same run measured."""

# ruff: noqa: E501  (paragraphs of the card, as they are written)
from __future__ import annotations

from typing import Any

CONFUSIONS_SHOWN = 10
BOOTSTRAPS = 1000  # for the intervals of areas
# Measured apart from the training command, on QEMU 7.2.22 (`qemu-x86_64 -cpu Haswell`).
PROCESSORS = """

Processors with AVX2 but without VNNI (AMD Zen 2 and 3, Intel before Cascade Lake) add products of u8 and s8 in 16 bits and cut
what does not fit. The weights of all but the depthwise convolutions are therefore stored as u8 with the zero point 128: the same numbers,
summed in 32 bits everywhere. Asked about 48 of the labelled photos (4 of each species) on an emulated Haswell, the file gave the same
logits to the last bit as on a processor with VNNI; with s8 weights, logits lay up to 3.1 apart and 4 of the 48 labels were
others. The price on one core with VNNI is 3.1 instead of 1.7 ms for the network. Weights small enough for 16 bits would be
as quick as before, but in four ways of making them only 84.8 to 85.6 % of the test photos were named as a species."""


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def interval(figure: dict[str, Any]) -> str:
    """`93.2 % (90.9 to 95.0)`."""
    return f"{percent(figure['value'])} ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text(document: dict[str, Any], metrics: dict[str, Any]) -> str:
    """MODEL_CARD.md from model.json's document and metrics.json."""
    return (
        "\n\n".join(
            part.strip()
            for part in (
                _head(document, metrics),
                _data(document, metrics),
                _known(metrics),
                _calibration(metrics),
                _quantised(metrics),
                _other_plants(metrics),
                _other_photos(metrics),
                _use(metrics),
                _training(metrics),
            )
        )
        + "\n"
    )


def _head(document: dict[str, Any], metrics: dict[str, Any]) -> str:
    species = list(metrics["recall"])
    return f"""# Model card of {document["name"]} {document["version"]}

Names the species of a plant seedling photographed from above, out of {len(species)}: {", ".join(species)}.
{document["architecture"]}, {document["input_size"][0]} x {document["input_size"][1]} pixels, {document["quantisation"]}.
All figures below were measured and written by the training command, but for those of other processors; the same numbers are in `metrics.json`.

- Model and labels: CC BY-SA 4.0, because of the photos. {document["attribution"]}
- Loaded offline by `lib/classifier`; `model.json` holds the SHA-256 of the files."""


def _data(document: dict[str, Any], metrics: dict[str, Any]) -> str:
    split = metrics["split"]
    return f"""## Data and split

{metrics["photos"]} labelled photos of 150 x 150 pixels: {split["train"]} for training, {split["val"]} for choosing (temperature,
in-domain probability), {split["test"]} for testing; stratified by species, seed {metrics["training"]["seed"]}. Near-duplicate frames (a
256-bit difference hash, {metrics["duplicate_groups"]} groups) stand on one side of the split. **The figures are optimistic all the same:**
the same plant was photographed on several days, the file names do not tell which, and a later photo of a plant is not a
near-duplicate in pixels. All photos come from one
set-up: seedlings in boxes of gravel, seen from above. An independent set is the better judge."""


def _known(metrics: dict[str, Any]) -> str:
    error = metrics["calibration_error"]
    with_gate, without = metrics["labels"], metrics["labels_without_gate"]
    recall = table(
        ["species", "recall (95 % interval)", "test photos"],
        [[name, interval(figure), str(figure["n"])] for name, figure in metrics["recall"].items()],
    )
    shown = metrics["confusions"][:CONFUSIONS_SHOWN]
    confusions = table(
        ["is", "was named", "photos"], [[c["true"], c["named"], str(c["count"])] for c in shown]
    )
    rule = table(
        ["", "softmax alone", "with the in-domain probability"],
        [
            ["named as a species", interval(without["species_level"]), interval(with_gate["species_level"])],
            [
                "of these right",
                interval(without["true_of_species_level"]),
                interval(with_gate["true_of_species_level"]),
            ],
            *(
                [
                    f"named as a {level}" if level != "unknown" else "unknown",
                    str(without["levels"][level]),
                    str(with_gate["levels"][level]),
                ]
                for level in ("genus", "family", "unknown")
            ),
        ],
    )
    return f"""## Known species (test photos, shipped file)

- Top-1 {interval(metrics["top_1"])}, top-5 {interval(metrics["top_5"])} of {metrics["top_1"]["n"]} photos; Wilson 95 % intervals.
- Expected calibration error (15 bins): {percent(error["before"])} before, {percent(error["after"])} after the temperature of {metrics["temperature"]:.3f};
  {percent(error["with_in_domain_probability"])} once multiplied by the in-domain probability, which allows for strangers that are not among these photos.

{recall}

Most frequent mistakes:

{confusions}

What the label rule (species from 0.7, genus from 0.5, family from 0.3) makes of the same photos; this is the price of caution:

{rule}"""


def _calibration(metrics: dict[str, Any]) -> str:
    plants = metrics["other_plants"]
    shares, mixture, alone = plants["shares"], plants["mixture"], metrics["known_alone"]
    columns = [alone["softmax alone"], alone["shipped"], mixture["softmax alone"], mixture["shipped"]]
    head = ["", "known: softmax alone", "known: shown", "mixture: softmax alone", "mixture: shown"]
    rows = [
        ["calibration error", *(percent(c["calibration_error"]) for c in columns)],
        *(
            [
                f"wrong among the surest {100 * float(coverage):.0f} %",
                *(percent(c["risk_coverage"]["risk"][coverage]) for c in columns),
            ]
            for coverage in columns[0]["risk_coverage"]["risk"]
        ),
        ["area under the risk–coverage curve", *(_area(c["risk_coverage"]["area"]) for c in columns)],
    ]
    bins = [
        [
            f"{shown['low']:.1f} to {shown['high']:.1f}",
            *(
                cell
                for row in (plain, shown, mixed)
                for cell in (str(row["n"]), percent(row["confidence"]), percent(row["right"]))
            ),
        ]
        for plain, shown, mixed in zip(
            *(columns[i]["reliability"] for i in (0, 1, 3)),
            strict=True,
        )
    ]
    bins_head = ["confidence"] + [
        f"{of}: {what}"
        for of in ("known, softmax alone", "known, shown", "mixture, shown")
        for what in ("photos", "mean", "right")
    ]
    levels = [
        [
            level,
            *(
                cell
                for c in (columns[1], columns[3])
                for cell in (
                    str(c["levels"][level]["n"]),
                    percent(c["levels"][level]["confidence"]),
                    percent(c["levels"][level]["right"]),
                )
            ),
        ]
        for level in ("species", "genus", "family")
    ]
    levels_head = ["named as a"] + [
        f"{of}: {what}" for of in ("known", "mixture") for what in ("photos", "mean confidence", "right")
    ]
    return f"""## How far the confidence can be believed

The confidence shown is softmax at the temperature x P(in domain). It is meant for a mixture in which {percent(shares["known"])} of
the photos show known species, {percent(shares["plants"])} other plants and {percent(shares["made"])} no plant. *Known* below is the shipped file on the
test photos of its own {len(metrics["recall"])} species, of which none is a stranger, so that what is shown must be too low for them. *Mixture* is
the run without two species (next but one section) at those shares: known test photos, the two left-out species, each judged by a
fit without it, and made photos. Where fewer or more strangers come by than assumed, the confidence is too low or too high.
Intervals: bootstrap, {BOOTSTRAPS} draws, 95 %.

{table(head, rows)}

In bins of confidence (photos, their mean confidence, the share of them named rightly; in the mixture, photos weigh by their part's share):

{table(bins_head, bins)}

Labels of the rule, by level (a label is right when it is true at its own level):

{table(levels_head, levels)}"""


def _area(area: dict[str, float]) -> str:
    return f"{100 * area['value']:.2f} % ({100 * area['low']:.2f} to {100 * area['high']:.2f})"


def _quantised(metrics: dict[str, Any]) -> str:
    q = metrics["quantisation"]
    rows = [
        [
            name,
            percent(q[name]["top_1"]),
            percent(q[name]["calibration_error"]),
            f"{q[name]['bytes'] / 1e6:.1f} MB",
        ]
        for name in ("float32", "int8")
    ]
    reason = (
        "costs less than a point of top-1 and of calibration error"
        if q["shipped"] == "int8"
        else "because int8 costs more than a point of top-1 or of calibration error"
    )
    return f"""## int8 against float32 (test photos, each with its own temperature)

{table(["file", "top-1", "calibration error", "size"], rows)}

They agree on {percent(q["agreement"])} of the photos. Shipped: {q["shipped"]}, {reason}.{PROCESSORS if q["shipped"] == "int8" else ""}"""


def _other_plants(metrics: dict[str, Any]) -> str:
    plants = metrics["other_plants"]
    names = metrics["left_out"]
    rows = []
    for variant, figures in plants["variants"].items():
        known = figures["known"]
        rows.append(
            [
                variant + (" **(shipped)**" if variant == plants["shipped"] else ""),
                *(interval(figures["strangers"][name]["species_level"]) for name in names),
                percent(known["species_level"]["value"]),
                percent(known["true_of_species_level"]["value"]),
            ]
        )
    called = []
    for name in names:
        figures = plants["variants"][plants["shipped"]]["strangers"][name]
        counts = figures["levels"]
        often = ", ".join(f"{label} ({count})" for label, count in figures["most_frequent_names"])
        called.append(
            f"- *{name}* ({figures['n']} photos): {counts['species']} named as a species, {counts['genus']} as a genus, "
            f"{counts['family']} as a family, {counts['unknown']} unknown; {figures['true_of_named']} of the names are true "
            f"at their level. Most often: {often or 'nothing'}."
        )
    separation = table(
        ["score", *(cell for name in names for cell in (f"*{name}*: area", "strangers above"))],
        [
            [
                score + (" **(shipped)**" if score == plants["shipped_score"] else ""),
                *(
                    cell
                    for name in names
                    for cell in (f"{found[name]['auroc']:.3f}", interval(found[name]["above"]))
                ),
            ]
            for score, found in plants["scores"].items()
        ],
    )
    turns = metrics["each_in_turn"]
    concentration, directions = plants["concentration"], plants["directions"]
    head = ["in-domain probability", *(f"*{name}* falsely named as a species" for name in names)]
    return f"""## Other plants: two species left out

A second network was trained in the same way on {len(metrics["recall"]) - 2} species, without *{names[0]}* and *{names[1]}*, and then
asked about every photo of these two: plants it has never seen, in the same boxes. This is the hardest and the most usual
case in a field. A right answer is *unknown* or the true family. Each species is judged by an in-domain probability fitted
without it; the last two columns say what caution costs on test photos of the known species. Which score is shipped, and
which share of strangers is assumed, was chosen with this table and the next in view, so they flatter the shipped line a little.
But for the line of version 1.0.0, all in-domain probabilities are fitted for the mixture above.

{table([*head, "known: named as a species", "of these right"], rows)}

With the shipped variant:

{chr(10).join(called)}

Scores alone, before any fit: the area under the ROC curve of known test photos against the stranger, and the share of the
stranger's photos above the value that 90 % of the known photos exceed.

{separation}

With the shipped file, each of the {len(metrics["recall"])} species once in the part of the stranger, all that it is compared with taken away: area
{turns["similarity"]["auroc"]:.3f} and {percent(turns["similarity"]["above"])} above for the cosine to the nearest class mean, {turns["density"]["auroc"]:.3f} and {percent(turns["density"]["above"])} for the density
(means over the species). The network has learned these species, so that real strangers are harder.

The density is the mean of exp({concentration:g} x cosine) over all training photos, the cosines taken along the {directions} main directions of
the embeddings. Training and test photos show the same plants on different days more often than strangers would, which flatters
every score that asks for the nearest photos, as it does top-1."""


def _other_photos(metrics: dict[str, Any]) -> str:
    rows = [
        [
            name,
            str(found["with_gate"]["n"]),
            percent(found["without_gate"]["species_level"]["value"]),
            interval(found["with_gate"]["species_level"]),
            percent(found["with_gate"]["levels"]["unknown"] / found["with_gate"]["n"]),
        ]
        for name, found in metrics["out_of_domain"].items()
    ]
    head = [
        "photos of",
        "n",
        "species: softmax alone",
        "species: shipped (falsely confident)",
        "unknown: shipped",
    ]
    return f"""## Anything else

{metrics["other_photos_source"]} *Made* photos are drawn by code from test photos (soil, shuffled tiles, half-and-half blends of two species,
scrambled phases, waves) or from nothing (noise, ramps, patterns, shapes). The network was trained to refuse the made kinds,
on others made from training photos; it never saw a real photo of anything else.

{table(head, rows)}"""


def _use(metrics: dict[str, Any]) -> str:
    return """## What it is for, and what not

For trying the product on a fresh installation, and for first labels of seedlings of these species that a person confirms.

It must not be used to decide on herbicide, weeding or harvest, to say that a plant is edible, harmless or poisonous, for
protected, quarantine or invasive species, or to report occurrences without a person's check. It does not know any species but
its own: the figures for left-out species above are what to expect of all others. It was never tested on field photos, on
grown or flowering plants, on other soils, lights or cameras, nor on several species in one photo; expect it to be unsure
there, and wrong more often than on its test photos. Its training prior (the shares of the species among the training photos) is
not that of any field; divide it out before counting."""


def _training(metrics: dict[str, Any]) -> str:
    t = metrics["training"]
    return f"""## Training

`{t["command"]}` (`make train` installs what it needs first; `--other-photos DIR` adds the real photos of other things). {t["epochs"]} epochs in {t["seconds"] / 60:.0f} minutes and, for the run with two species left
out, {t["left_out_epochs"]} epochs in {t["left_out_seconds"] / 60:.0f} minutes, with {t["threads"]} threads on a {t["processor"]} that had other work to do as well; torch {t["torch"]}, bfloat16
autocast, seed {t["seed"]}. The seed fixes the split, the negatives and every draw; another processor or number of threads rounds
differently, so weights repeat to within rounding, not to the bit.

AdamW with a cosine schedule, an average of the weights over time, label smoothing 0.05; any rotation, mirror, zoom, light, white balance,
blur, noise and JPEG as augmentation; a fifth of every batch are made negatives, for which a refusal with the fixed
logit 0 is the right answer, so that logistic(log-sum-exp of the logits) is a learned probability of being in the domain. The stem and
the first three blocks keep their ImageNet weights."""
