"""The whole training: split, main run, the run with two species left out, measuring, writing."""

from __future__ import annotations

import argparse
import csv
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.classifier import figures
from lib.classifier.taxonomy import Taxon
from scripts.training import (
    calibration,
    domain_fit,
    export,
    fit,
    left_out,
    measure,
    negatives,
    photos,
    strangers,
    write,
)
from scripts.training.domain_fit import Gate, Outputs

CALIBRATION_PHOTOS = 200


def run(arguments: argparse.Namespace) -> None:
    """Train, measure and write the model folder; raises FileNotFoundError or ValueError for unusable input."""
    torch.set_num_threads(arguments.threads)
    fit.keep_memory()
    arguments.work.mkdir(parents=True, exist_ok=True)
    data = photos.load(arguments.photos)
    taxa = read_taxa(data.species)
    strange = [s for s in arguments.leave_out if s not in data.species]
    if strange:
        raise ValueError(f"--leave-out: no photos of {', '.join(strange)}")
    groups = photos.duplicate_groups(photos.fingerprints(data.pixels))
    side = photos.split(data.labels, groups, arguments.seed)
    sides = {name: int((side == i).sum()) for i, name in enumerate(photos.SIDES)}
    print(f"{len(data.labels)} photos of {len(data.species)} species, {sides}", flush=True)

    everything = np.arange(len(data.species))
    network, seconds = train("main", data, side, everything, arguments.epochs, arguments)
    absent = np.array([data.species.index(s) for s in arguments.leave_out])
    kept = np.setdiff1d(everything, absent)
    smaller, smaller_seconds = train("left_out", data, side, kept, arguments.left_out_epochs, arguments)
    print(f"training took {seconds:.0f} s and {smaller_seconds:.0f} s; measuring", flush=True)

    metrics: dict[str, Any] = {
        "photos": len(data.labels),
        "duplicate_groups": int((np.unique(groups, return_counts=True)[1] > 1).sum()),
        "split": sides,
        "left_out": list(arguments.leave_out),
        "training": {
            "command": "python scripts/train_classifier.py",
            "seed": arguments.seed,
            "epochs": arguments.epochs,
            "left_out_epochs": arguments.left_out_epochs,
            "seconds": round(seconds),
            "left_out_seconds": round(smaller_seconds),
            "threads": arguments.threads,
            "processor": processor(),
            "torch": torch.__version__,
        },
    }
    stranger_run = left_out.measured(smaller, data, side, kept, absent, taxa, arguments.seed)
    metrics["other_plants"] = stranger_run.metrics

    float_file, int8_file = arguments.work / "float32.onnx", arguments.work / "int8.onnx"
    size = fit.Recipe(arguments.epochs).size
    export.write_float(network, size, float_file)
    chosen = np.random.default_rng(arguments.seed).permutation(np.nonzero(side == 0)[0])[:CALIBRATION_PHOTOS]
    export.write_int8(float_file, int8_file, data.pixels[chosen], size)
    metrics["quantisation"] = compare(float_file, int8_file, data, side, size)
    file = int8_file if metrics["quantisation"]["shipped"] == "int8" else float_file
    print(f"shipping {metrics['quantisation']['shipped']}", flush=True)

    trained = np.nonzero(side == 0)[0]
    embeddings = export.outputs(file, data.pixels[trained], size)[1]
    known = domain_fit.reference(embeddings, data.labels[trained], len(taxa))

    def ask(pixels: np.ndarray) -> Outputs:
        return domain_fit.outputs(*export.outputs(file, pixels, size), known)

    val, labels = ask(data.pixels[side == 1]), data.labels[side == 2]
    test_logits, test_embeddings = export.outputs(file, data.pixels[side == 2], size)
    test = domain_fit.outputs(test_logits, test_embeddings, known)
    temperature = measure.fit_temperature(val.logits, data.labels[side == 1])
    gate = stranger_run.gate.carried(stranger_run.val, val)
    metrics |= known_species(test, labels, temperature, gate, taxa, arguments.seed)
    metrics["each_in_turn"] = domain_fit.each_in_turn(known, data.labels[trained], test_embeddings, labels)
    metrics["other_photos_source"] = strangers.source(arguments.other_photos)
    metrics["out_of_domain"] = other_photos(ask, data, side == 2, temperature, gate, taxa, arguments)
    counts = np.bincount(data.labels[side == 0], minlength=len(taxa))
    write.folder(
        arguments.output,
        file=file,
        taxa_rows=taxa_rows(data.species),
        size=size,
        temperature=temperature,
        prior=(counts / counts.sum()).tolist(),
        gate=gate,
        known=known,
        metrics=metrics,
    )
    print(
        f"wrote {arguments.output}: top-1 {metrics['top_1']['value']:.3f} on {len(labels)} test photos",
        flush=True,
    )


def train(
    name: str,
    data: photos.Photos,
    side: np.ndarray,
    species: np.ndarray,
    epochs: int,
    arguments: argparse.Namespace,
) -> tuple[fit.Network, float]:
    """One run on the training photos of `species`, with negatives made from those photos alone."""
    new_label = np.full(len(data.species), -1)
    new_label[species] = np.arange(len(species))
    seen = (side == 0) & np.isin(data.labels, species)
    outliers, _ = negatives.make(data.pixels[seen], data.labels[seen], 3600, arguments.seed + 100)
    return fit.train(
        name,
        data.pixels[seen],
        new_label[data.labels[seen]],
        outliers,
        len(species),
        fit.Recipe(epochs, arguments.seed),
        arguments.work,
    )


def taxa_rows(species: list[str]) -> list[dict[str, str]]:
    """The rows of taxa.csv for these species, in their order; raises ValueError for one that has none."""
    with (Path(__file__).parent / "taxa.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["scientific_name"]: row for row in csv.DictReader(file)}
    unknown = [name for name in species if name not in rows]
    if unknown:
        raise ValueError(f"scripts/training/taxa.csv has no row for {', '.join(unknown)}")
    return [rows[name] for name in species]


def read_taxa(species: list[str]) -> list[Taxon]:
    """The same as taxa."""
    return [Taxon(row["scientific_name"], row["genus"], row["family"]) for row in taxa_rows(species)]


def compare(
    float_file: Path, int8_file: Path, data: photos.Photos, side: np.ndarray, size: int
) -> dict[str, Any]:
    """float32 against int8 on the test photos, each with its own temperature; int8 is shipped if it costs
    no point.
    """
    result: dict[str, Any] = {}
    predicted = {}
    for name, file in (("float32", float_file), ("int8", int8_file)):
        val_logits, _ = export.outputs(file, data.pixels[side == 1], size)
        logits, _ = export.outputs(file, data.pixels[side == 2], size)
        temperature = measure.fit_temperature(val_logits, data.labels[side == 1])
        probabilities = figures.softmax(logits, temperature)
        predicted[name] = logits.argmax(1)
        result[name] = {
            "top_1": figures.top_k(probabilities, data.labels[side == 2], 1) / len(logits),
            "calibration_error": figures.calibration_error(probabilities, data.labels[side == 2]),
            "bytes": file.stat().st_size,
        }
    result["agreement"] = float((predicted["float32"] == predicted["int8"]).mean())
    worse = (
        result["float32"]["top_1"] - result["int8"]["top_1"] > 0.01
        or result["int8"]["calibration_error"] - result["float32"]["calibration_error"] > 0.01
    )
    result["shipped"] = "float32" if worse else "int8"
    return result


def known_species(
    test: Outputs, labels: np.ndarray, temperature: float, gate: Gate, taxa: list[Taxon], seed: int
) -> dict[str, Any]:
    """The shipped file's figures on the test photos."""
    plain, warm = figures.softmax(test.logits), figures.softmax(test.logits, temperature)
    predicted = warm.argmax(1)
    n = len(labels)
    truth = [taxa[i] for i in labels]
    return {
        "top_1": figures.share(figures.top_k(warm, labels, 1), n),
        "top_5": figures.share(figures.top_k(warm, labels, 5), n),
        "recall": {
            taxon.species: figures.share(*found)
            for taxon, found in zip(taxa, figures.recalls(predicted, labels, len(taxa)), strict=True)
        },
        "confusions": [
            {"true": taxa[t].species, "named": taxa[p].species, "count": count}
            for t, p, count in figures.confusions(predicted, labels, len(taxa))
        ],
        "temperature": temperature,
        "calibration_error": {
            "before": figures.calibration_error(plain, labels),
            "after": figures.calibration_error(warm, labels),
            "with_in_domain_probability": figures.calibration_error(warm * gate(test)[:, None], labels),
        },
        "labels_without_gate": domain_fit.known_photos(
            domain_fit.labels(test, Gate(), temperature, taxa), truth
        ),
        "labels": domain_fit.known_photos(domain_fit.labels(test, gate, temperature, taxa), truth),
        "known_alone": {
            name: calibration.summary([domain_fit.part(1.0, test, g, temperature, taxa, truth)], seed)
            for name, g in (("softmax alone", Gate()), ("shipped", gate))
        },
    }


def other_photos(
    ask: Any,
    data: photos.Photos,
    tested: np.ndarray,
    temperature: float,
    gate: Gate,
    taxa: list[Taxon],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """What the shipped file calls photos of none of its species: made from test photos only, or real ones."""
    made, kinds = negatives.make(data.pixels[tested], data.labels[tested], 540, arguments.seed + 300)
    sets = {
        f"made: {kind}": made[[i for i, k in enumerate(kinds) if k == kind]] for kind in sorted(set(kinds))
    }
    for group, files in strangers.groups(arguments.other_photos).items():
        name = f"real: {group} ({len(files)} photos, 5 squares of each)"
        sets[name] = strangers.crops(files, 4, arguments.seed)
    result = {}
    for name, pixels in sets.items():
        found = ask(pixels)
        result[name] = {
            "without_gate": domain_fit.levels(domain_fit.labels(found, Gate(), temperature, taxa)),
            "with_gate": domain_fit.levels(domain_fit.labels(found, gate, temperature, taxa)),
        }
    return result


def processor() -> str:
    """The processor's family and how many of its CPUs there were."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.machine()
    return f"{model}, {os.cpu_count()} CPUs"
