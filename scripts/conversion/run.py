"""The conversion from end to end: each step refuses what it cannot vouch for; nothing is written before all did."""

from __future__ import annotations

import argparse
import contextlib
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib.classifier import folder as model_folder
from lib.classifier.refusals import ModelUnavailable
from scripts.conversion import (
    Refused,
    calibrate,
    card,
    export,
    folder,
    labels,
    lora,
    network,
    parity,
    photos,
    place,
    pooling,
    quantise,
    reference,
    source,
    strangers,
)
from scripts.conversion.backbones import timm

GRAPH = "model.onnx"
FEWEST_PHOTOS = 16
RANGING_PHOTOS = 64  # of the static quantisation: more change its scales little


def convert(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> Path:
    """Convert as the command line asks; answers the folder. Raises Refused, with nothing written."""
    if arguments.threads < 1:
        raise Refused("--threads must be 1 or more.")
    torch.set_num_threads(arguments.threads)
    if arguments.quantise not in quantise.METHODS:
        raise Refused(f"--quantise {arguments.quantise}: known are {', '.join(quantise.METHODS)}.")
    if arguments.lora_alpha is not None and not (
        math.isfinite(arguments.lora_alpha) and arguments.lora_alpha > 0
    ):
        raise Refused("--lora-alpha must be a positive number.")
    folder.check(arguments.output, replace=arguments.replace)
    paths, others = _photos(arguments)
    found = source.locate(arguments.checkpoint, arguments.sha256)
    say(f"{found.origin}: SHA-256 {found.sha256}")
    folder.room(arguments.output, 2 * found.path.stat().st_size)
    inatag = arguments.inatag or folder.INATAG_REPOSITORY in found.origin
    if inatag:
        say(folder.INATAG_NOTICE)

    tensors, said = source.tensors(source.read(found.path), found.path.stat().st_size, arguments.entry)
    merged = lora.merge(tensors, found.adapter, arguments.lora_alpha)
    filled = network.fill(merged.weights, arguments.architecture, arguments.input_size, arguments.head)
    place.check(filled.head, arguments.place_scale, arguments.default_place)
    rule = _rule(arguments) if filled.head.coordinates else None
    said += [*merged.said, *filled.said, _head_line(filled.head)]
    for line in said:
        say(line)
    names = labels.read(arguments.labels, filled.classes)
    shares = pooling.summed(labels.prior(arguments.prior, filled.classes), names.taxon_of)
    if names.unmapped:
        say(
            f"{len(names.unmapped)} of {filled.classes} names are not in the table of taxa; see the model card"
        )
    if names.shared:
        say(f"{len(names.shared)} species have several outputs, which become one; see the model card")
    labelled = None
    if arguments.calibration is not None:
        labelled = calibrate.find(arguments.calibration, names.places())
        if labelled.skipped:
            say(f"not the model's species: {', '.join(labelled.skipped)}")

    others_unknown = None
    if arguments.strangers is not None:
        if labelled is None:
            raise Refused("--strangers needs photos of known species to tell them from: --calibration.")
        others_unknown = strangers.find(arguments.strangers)

    document = _document(arguments, filled, found, inatag=inatag)
    document["classes"] = len(names.rows)
    if pooling.is_needed(names.taxon_of):
        document["taxon_of"] = list(names.taxon_of)  # so that the checkpoint can be taught further
    document |= {"prior": shares, "checkpoint": _checkpoint(found, said, arguments)}
    document["assumed"] += [line for line in said if "assumed" in line]
    if rule is not None:
        document["place"] = _place_block(arguments, filled.head, rule)
    try:
        reader = model_folder.parse(document | {"sha256": {}})
    except ModelUnavailable as wrong:
        raise Refused(f"The server would not take this folder: {wrong.reason}") from None
    images = [photos.opened(path) for path in paths] if paths else photos.made()
    default = arguments.default_place if rule else None
    fed = parity.feeds(photos.tensors(images, reader), default)
    ranging = parity.feeds(photos.tensors([photos.opened(path) for path in others], reader), default)
    say(
        f"comparing on {len(fed)} "
        + ("photos" if paths else "generated pictures (give photos with --photos)")
    )

    of_source = reference.of(filled, merged.base, merged.pairs, rule)
    expected = pooling.pooled(parity.by_reference(of_source, fed), names.taxon_of)
    title = of_source.title
    del of_source, merged, tensors
    with folder.staged(arguments.output, replace=arguments.replace) as made, _scratch(made) as scratch:
        graph = scratch / "float32.onnx"
        export.write(network.Network(filled, rule, names.taxon_of), document["input_size"][0], graph)
        exact = parity.difference(expected, parity.by_graph(graph, fed))
        say(_parity_line("float32 graph", exact))
        # Written so that NaN fails too.
        if not exact.largest_logit <= parity.LARGEST:
            raise Refused(
                f"The float32 graph differs from {title} by {exact.largest_logit:.3g} in a logit; at most "
                f"{parity.LARGEST:g} is rounding. Nothing was written."
            )
        try:
            shipped = quantise.quantise(graph, made, arguments.quantise, ranging)
        except quantise.QuantisationError as impossible:
            raise Refused(f"--quantise {arguments.quantise}: {impossible}") from None
        graph.unlink()
        final = parity.difference(expected, parity.by_graph(made / GRAPH, fed))
        say(_parity_line(shipped.text, final))
        document |= {
            "quantisation": shipped.text,
            "parity": {
                "reference": title,
                "images": "photos" if paths else "pictures made for it, not photos",
                "float32": exact.block(),
                "shipped": final.block(),
            },
        }
        if shipped.runtime:
            document["runtime"] = shipped.runtime
        if labelled is not None:
            document |= _calibrated(made, labelled, others_unknown, reader, say)
        labels.write(names, made / "labels.csv")
        folder.describe(
            made, document, [*shipped.files, "labels.csv"], card.text(document, names.unmapped, names.shared)
        )
        _load(made)
    say(f"{arguments.output}: {len(names.rows)} species, {_megabytes(arguments.output):.1f} MB")
    return Path(arguments.output)


@contextlib.contextmanager
def _scratch(made: Path) -> Any:
    """A folder on the same disk, gone with the staged one."""
    with tempfile.TemporaryDirectory(dir=made.parent) as name:
        yield Path(name)


def _photos(arguments: argparse.Namespace) -> tuple[list[Path], list[Path]]:
    """The photos to compare on, and others, where there are enough, for the ranges of a static quantisation."""
    if arguments.photos is None:
        return [], []
    found = photos.found(arguments.photos)
    paths = photos.spread(found, arguments.compare)
    if len(paths) < FEWEST_PHOTOS:
        raise Refused(
            f"{arguments.photos}: {len(paths)} photos; at least {FEWEST_PHOTOS} are needed to compare on."
        )
    compared = set(paths)
    rest = [path for path in found if path not in compared]
    return paths, photos.spread(rest if len(rest) >= FEWEST_PHOTOS else paths, RANGING_PHOTOS)


def _rule(arguments: argparse.Namespace) -> place.PlaceRule:
    return place.PlaceRule(
        arguments.place_scale,
        arguments.place_activation,
        arguments.place_end == "activated",
        arguments.place_order == "place-first",
    )


def _place_block(arguments: argparse.Namespace, head: place.Head, rule: place.PlaceRule) -> dict[str, Any]:
    return {
        "default": list(arguments.default_place),
        "scale": rule.scale,
        "order": "place-first" if rule.place_first else "image-first",
        "layers": [[layer.weight.shape[1], layer.weight.shape[0]] for layer in head.chain],
        "activation": rule.activation if head.chain else "none",
        "activated_end": bool(head.chain) and rule.activated_end,
    }


def _head_line(head: place.Head) -> str:
    line = f"head: {head.linear.name}, {len(head.linear.weight)} outputs"
    if head.chain:
        line += f"; latitude and longitude through {', '.join(layer.name for layer in head.chain)}"
    elif head.coordinates:
        line += f"; {head.coordinates} coordinates beside the image's features"
    return line


def _checkpoint(found: source.Source, said: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """What the checkpoint is, and how a person said that it is read: whoever teaches it further reads it so."""
    asked = {name: getattr(arguments, name) for name in ("entry", "head", "lora_alpha")}
    given = {name: value for name, value in asked.items() if value is not None}
    return {"file": found.origin, "sha256": found.sha256, "found": said} | ({"asked": given} if given else {})


def _document(
    arguments: argparse.Namespace, filled: network.Filled, found: source.Source, *, inatag: bool
) -> dict[str, Any]:
    """model.json but for what is measured later."""
    size = filled.architecture.size
    config = timm().get_pretrained_cfg(filled.architecture.name)
    assumed = []
    if config is None:
        config = timm().get_pretrained_cfg("swin_tiny_patch4_window7_224")
    mean, std = arguments.mean or config.mean, arguments.std or config.std
    short = arguments.resize or math.floor(size / config.crop_pct)
    if short < size:
        raise Refused(f"--resize {short} is smaller than the input of {size} pixels.")
    resample = arguments.resample or ("bilinear" if config.interpolation == "bilinear" else "bicubic")
    if not (arguments.mean and arguments.std and arguments.resize and arguments.resample):
        assumed.append(
            f"preprocessing as timm publishes the architecture: short side {short}, {resample}, the middle "
            f"{size} x {size}, mean {_figures(mean)}, standard deviation {_figures(std)} "
            "(--resize, --resample, --mean, --std)"
        )
    if filled.head.coordinates:
        assumed.append("how the place goes in, as the command line said (model.json, place)")
    licence = arguments.licence or ("CC-BY-NC-4.0 (data)" if inatag else "not stated")
    document = {
        "name": arguments.name or arguments.output.name,
        "version": arguments.version,
        "licence": licence,
        "source": arguments.source or found.origin,
        "architecture": filled.architecture.name,
        "input_size": [size, size],
        "mean": list(mean),
        "std": list(std),
        "resize": {"short_side": short, "resample": resample},
        "crop": "center",
        "temperature": arguments.temperature,
        "out_of_domain": {"kind": "none"},
        "assumed": assumed,
    }
    if inatag:
        document["notice"] = folder.INATAG_NOTICE
    return document


def _calibrated(
    made: Path,
    labelled: calibrate.Labelled,
    others: list[Path] | None,
    reader: model_folder.Card,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The fitted temperature and in-domain probability with their figures, from the graph as it is shipped."""
    say(f"fitting the temperature on {len(labelled.paths)} labelled photos")
    default = reader.place

    def one(path: Path) -> dict[str, np.ndarray]:
        (image,) = photos.tensors([photos.opened(path)], reader)
        return {"image": image} | ({"place": np.array([default], np.float32)} if default else {})

    logits = parity.by_graph(made / GRAPH, map(one, labelled.paths))
    temperature, figure = calibrate.fit(logits, labelled.targets)
    say(
        f"temperature {temperature:.3f}; calibration error {figure['calibration_error']:.3f} "
        f"(before {figure['calibration_error_before']:.3f})"
    )
    fitted: dict[str, Any] = {"temperature": temperature, "calibration": figure}
    if others is not None:
        say(f"telling the model's species from {len(others)} photos of other things")
        judged = strangers.judge(
            logits, labelled.targets, parity.by_graph(made / GRAPH, map(one, others)), temperature
        )
        alone, shown = judged.figure["softmax_alone"], judged.figure["with_energy"]
        say(
            f"energy beside the probability: {'used' if judged.figure['used'] else 'not used, it is no better'}; "
            f"Brier score {shown['brier']:.4f} (softmax alone {alone['brier']:.4f})"
        )
        fitted |= {"out_of_domain": judged.block, "strangers": judged.figure}
    return fitted


def _load(made: Path) -> None:
    """What the server does with the folder, before the folder is put in place."""
    from lib.classifier.model import Classifier

    try:
        Classifier(made)
    except ModelUnavailable as wrong:
        raise Refused(f"The server does not take the folder: {wrong.reason} Nothing was written.") from None


def _parity_line(title: str, difference: parity.Difference) -> str:
    return (
        f"{title}: largest logit difference {difference.largest_logit:.3g}, largest probability difference "
        f"{difference.largest_probability:.3g}, same likeliest species in {100 * difference.top1:.1f} % of "
        f"{difference.photos}"
    )


def _figures(numbers: Any) -> str:
    return ", ".join(f"{number:.3f}" for number in numbers)


def _megabytes(where: Path) -> float:
    return sum(path.stat().st_size for path in Path(where).iterdir()) / 1e6
