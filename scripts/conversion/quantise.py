"""From a float32 graph to the files that the server loads: smaller numbers for the weights, chosen by size.

What each variant costs in agreement, memory and time is measured by `scripts/bench.py models`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

GRAPH = "model.onnx"
METHODS = ("auto", "none", "dynamic-int8")

Feed = Mapping[str, np.ndarray]


class QuantisationError(Exception):
    """The graph cannot be made smaller as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """What `quantise` wrote.

    `method`: the variant taken (never `auto`). `text`: one line for model.json's `quantisation`. `files`: names in
    the folder, each to be listed under `sha256`. `runtime`: model.json's `runtime` block, empty when the graph asks
    nothing of the server.
    """

    method: str
    text: str
    files: tuple[str, ...]
    runtime: dict[str, Any] = field(default_factory=dict)


def quantise(source: Path, folder: Path, method: str = "auto", calibration: Sequence[Feed] = ()) -> Quantised:
    """Write `model.onnx` (and `model.onnx.data` where the variant keeps its weights apart) into `folder`.

    `source`: a float32 graph, in one file or with external data beside it; not changed. `method`: one of METHODS.
    `calibration`: feeds of the graph, {input name: array}, as the runtime prepares them; the static variant needs
    them. Raises QuantisationError when the method is unknown or cannot be applied.
    """
    if method not in METHODS:
        raise QuantisationError(f"unknown method {method!r}; known are {', '.join(METHODS)}")
    chosen = "dynamic-int8" if method == "auto" else method
    folder.mkdir(parents=True, exist_ok=True)
    if chosen == "none":
        onnx.save(onnx.load(source), folder / GRAPH)
        return Quantised(chosen, "none (float32)", (GRAPH,))
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / GRAPH
        quantize_dynamic(
            source,
            made,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        shutil.move(made, folder / GRAPH)
    return Quantised(chosen, "dynamic int8 (weights s8 by channel in 7 bits, MatMul and Gemm)", (GRAPH,))
