"""From a float32 graph to the files that the server loads: smaller numbers for the weights, chosen by size.

What each variant costs in agreement, memory and time is measured by `scripts/bench.py models`.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from scripts.conversion import offline, rewrite

Feed = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to make the weights smaller. `text` goes into model.json; `options` are the kind's own."""

    kind: str
    text: str
    options: Mapping[str, Any] = field(default_factory=dict)
    prepacking: bool = False


PRODUCTS = ("MatMul", "Gemm")
VARIANTS: Mapping[str, Variant] = {
    "none": Variant("float", "none (float32)"),
    "dynamic-int8": Variant(
        "dynamic",
        "dynamic int8 (weights s8 by channel, neighbours within 16-bit sums, MatMul and Gemm)",
        {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": False, "pairs": True},
    ),
    "dynamic-int8-full": Variant(
        "dynamic",
        "dynamic int8 (weights s8 by channel in all 8 bits, for processors with VNNI, MatMul and Gemm)",
        {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": False},
    ),
    "dynamic-int8-7bit": Variant(
        "dynamic",
        "dynamic int8 (weights s8 by channel in 7 bits, MatMul and Gemm)",
        {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": True},
    ),
    "dynamic-uint8": Variant(
        "dynamic",
        "dynamic int8 (weights u8 by channel, MatMul and Gemm)",
        {"weight_type": QuantType.QUInt8, "per_channel": True, "reduce_range": False},
    ),
    "static-int8": Variant(
        "static",
        "static int8 (u8 activations, s8 weights by channel in 7 bits, MatMul and Gemm, QDQ, MinMax)",
        {"quant_format": QuantFormat.QDQ, "calibrate_method": CalibrationMethod.MinMax},
    ),
    "static-int8-percentile": Variant(
        "static",
        "static int8 (u8 activations, s8 weights by channel in 7 bits, MatMul and Gemm, QDQ, percentile)",
        {"quant_format": QuantFormat.QDQ, "calibrate_method": CalibrationMethod.Percentile},
    ),
    "static-int8-all": Variant(
        "static",
        "static int8 (u8 activations, s8 weights by channel in 7 bits, all operators, QDQ, MinMax)",
        {
            "quant_format": QuantFormat.QDQ,
            "calibrate_method": CalibrationMethod.MinMax,
            "op_types_to_quantize": None,
        },
    ),
    "int8-weights": Variant(
        "blocks",
        "8-bit weights (blocks of 128, MatMulNBits)",
        {"bits": 8, "block_size": 128},
        prepacking=True,
    ),
    "int4-weights-32": Variant(
        "blocks", "4-bit weights (blocks of 32, MatMulNBits)", {"bits": 4, "block_size": 32}, prepacking=True
    ),
    "int4-weights-64": Variant(
        "blocks", "4-bit weights (blocks of 64, MatMulNBits)", {"bits": 4, "block_size": 64}, prepacking=True
    ),
    "int4-weights-128": Variant(
        "blocks",
        "4-bit weights (blocks of 128, MatMulNBits)",
        {"bits": 4, "block_size": 128},
        prepacking=True,
    ),
}
METHODS = ("auto", *VARIANTS)

# The choice by size: (million weights up to which it holds, variant). It came out the same for all three sizes,
# from `scripts/bench.py models` with 2,959 outputs, one core (AMD EPYC, AVX-512 VNNI), ONNX Runtime 1.32.0:
# - Dynamic int8 takes a quarter of the file and half the time of float32. Served, master and worker hold at most
#   180 MB with Swin-Tiny (float32: 263), 245 MB with Base and 368 MB with Large: all fit into 512 MB. On a Tiny
#   trained on the seedlings it named all of 240 photos as float32 did. Weights of 7 bits: 98.8 %; all 8 bits:
#   100 %, but wrong on processors without VNNI; u8 weights: 100 %, a third slower.
# - Static int8 is no smaller and no faster once GELU is one operator, agrees less (97.5 %) and needs photos.
# - 4-bit weights save 45 MB with Large and nothing with Tiny, since they must be repacked onto the heap; they take
#   twice the time and agree less (97.5 to 98.3 % with Tiny).
CHOICE: tuple[tuple[float, str], ...] = ((float("inf"), "dynamic-int8"),)


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


def quantise(
    source: Path, folder: Path, method: str = "auto", calibration: Sequence[Feed] = (), plain: bool = False
) -> Quantised:
    """Write `model.onnx`, and `model.onnx.data` with its weights, into `folder`.

    `source`: a float32 graph, in one file or with external data beside it; not changed. `method`: one of METHODS.
    `calibration`: feeds of the graph, {input name: array}, as the runtime prepares them; the static variants
    need them. `plain`: one file that is not optimised beforehand, for comparison. Raises QuantisationError when
    the method is unknown or cannot be applied.
    """
    if method not in METHODS:
        raise QuantisationError(f"unknown method {method!r}; known are {', '.join(METHODS)}")
    model = onnx.load(source)
    chosen = choose(weights(model)) if method == "auto" else method
    variant = VARIANTS[chosen]
    if variant.kind == "static" and not calibration:
        raise QuantisationError(f"{chosen} needs calibration photos")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, _quiet():
        made = Path(name) / offline.GRAPH
        rewrite.fuse_gelu(model)
        _write(model, variant, made, calibration)
        if plain:
            onnx.save(onnx.load(made), folder / offline.GRAPH)
            (folder / offline.WEIGHTS).unlink(missing_ok=True)
            return Quantised(chosen, variant.text, (offline.GRAPH,))
        files = offline.write(made, folder)
    return Quantised(chosen, variant.text, files, offline.block(variant.prepacking))


def weights(model: onnx.ModelProto) -> int:
    """How many numbers the graph holds."""
    return sum(int(np.prod(tensor.dims, dtype=np.int64)) for tensor in model.graph.initializer)


def choose(count: int) -> str:
    """The variant for a graph of `count` weights, from CHOICE."""
    return next(name for million, name in CHOICE if count <= million * 1e6)


def _write(model: onnx.ModelProto, variant: Variant, path: Path, calibration: Sequence[Feed]) -> None:
    """The graph in the variant's numbers, not yet optimised."""
    if variant.kind == "float":
        onnx.save(model, path)
        return
    if variant.kind == "blocks":
        rewrite.matmul_of_gemm(model)
        onnx.save(_blocks(model, **variant.options), path)
        return
    given = path.with_name("float.onnx")
    # The weights of a Gemm may lie turned; those of a MatMul have one row for each number that goes in.
    rewrite.matmul_of_gemm(model)
    onnx.save(model, given)
    if variant.kind == "dynamic":
        options = dict(variant.options)
        pairs = options.pop("pairs", False)
        quantize_dynamic(given, path, op_types_to_quantize=list(PRODUCTS), **options)
        if pairs:
            made = onnx.load(path)
            rewrite.keep_pairs(made, model)
            onnx.save(made, path)
    else:
        prepared = path.with_name("prepared.onnx")
        quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
        options = {"op_types_to_quantize": list(PRODUCTS), **variant.options}
        quantize_static(
            prepared,
            path,
            _Calibration(calibration),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # as `rewrite.keep_pairs` explains
            # The products of attention have no weights: their two activations stay float32.
            extra_options={"MatMulConstBOnly": options["op_types_to_quantize"] is not None},
            **options,
        )


def _blocks(model: onnx.ModelProto, bits: int, block_size: int) -> onnx.ModelProto:
    """Weights of every product in blocks with a scale and a zero point each; computed in int8."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(
        model, bits=bits, block_size=block_size, is_symmetric=False, accuracy_level=4
    )
    quantizer.process()
    made: onnx.ModelProto = quantizer.model.model
    return made


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """One feed after the other."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, np.ndarray] | None:
        feed = next(self.feeds, None)
        return None if feed is None else dict(feed)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantisers tell of every operator they pass by."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
