"""How far the converted model is from the checkpoint it was made of, on the same photos."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from tqdm import tqdm

from lib.classifier.figures import softmax
from scripts.conversion.reference import Reference

Feed = Mapping[str, np.ndarray]
# Two implementations of one network in float32 differ by rounding; more than this is another network.
LARGEST = 1e-3


@dataclass(frozen=True)
class Difference:
    """`largest_logit`: largest absolute difference of a logit; `largest_probability`: of a probability at
    temperature 1; `top1`: share of photos with the same likeliest class, of `photos`."""

    largest_logit: float
    largest_probability: float
    top1: float
    photos: int

    def block(self) -> dict[str, Any]:
        """As model.json holds it."""
        return asdict(self)


def difference(source: np.ndarray, converted: np.ndarray) -> Difference:
    """Of logits (N, K) and (N, K)."""
    return Difference(
        float(np.abs(source.astype(np.float64) - converted).max()),
        float(np.abs(softmax(source) - softmax(converted)).max()),
        float((source.argmax(1) == converted.argmax(1)).mean()),
        len(source),
    )


def feeds(images: Sequence[np.ndarray], place: tuple[float, float] | None) -> list[dict[str, np.ndarray]]:
    """What the graph takes in, one photo each; of a model with a place each photo has another one, the first the
    default."""
    if place is None or not images:
        return [{"image": image} for image in images]
    generator = np.random.default_rng(2)
    places = generator.uniform((-80, -180), (80, 180), (len(images), 2))
    places[0] = place
    return [
        {"image": image, "place": at[None].astype(np.float32)}
        for image, at in zip(images, places, strict=True)
    ]


def by_reference(reference: Reference, photos: Sequence[Feed]) -> np.ndarray:
    """Logits (N, K) of the source's own implementation."""
    rows = []
    with torch.inference_mode():
        for feed in tqdm(photos, "the checkpoint", disable=not sys.stderr.isatty(), leave=False):
            place = torch.from_numpy(feed["place"]) if "place" in feed else None
            rows.append(reference.predict(torch.from_numpy(feed["image"]), place).numpy())
    return np.concatenate(rows)


def by_graph(path: Path, photos: Iterable[Feed]) -> np.ndarray:
    """Logits (N, K) of an ONNX graph in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    shown = tqdm(photos, "the graph", disable=not sys.stderr.isatty(), leave=False)
    return np.concatenate([session.run(["logits"], dict(feed))[0] for feed in shown])
