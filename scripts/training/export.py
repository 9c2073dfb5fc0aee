"""From a trained network to ONNX: float32, then static int8, with the same answer on every processor."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scripts.conversion.rewrite import without_origin
from scripts.training.fit import Network, enlarge, normalise


def folded(network: Network) -> Network:
    """A copy for inference with every batch normalisation folded into the convolution before it."""
    copied = copy.deepcopy(network).eval().to(memory_format=torch.contiguous_format)
    backbone = copied.backbone
    pairs = [(backbone, "_conv_stem", "_bn0"), (backbone, "_conv_head", "_bn1")]
    for block in backbone._blocks:
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
    for parent, conv, norm in pairs:
        setattr(parent, conv, fuse_conv_bn_eval(getattr(parent, conv), getattr(parent, norm)))
        setattr(parent, norm, torch.nn.Identity())
    return copied


def write_float(network: Network, size: int, path: Path) -> None:
    """The float32 graph: `image` N x 3 x size x size to `logits` N x K and `embedding` N x 1280, N free."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            folded(network),
            (torch.zeros(2, 3, size, size),),
            str(path),
            input_names=["image"],
            output_names=["logits", "embedding"],
            dynamic_shapes={"image": {0: torch.export.Dim("n", min=1, max=1024)}},
            opset_version=18,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    without_origin(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Training photos one at a time, prepared as the runtime does."""

    def __init__(self, pixels: np.ndarray, size: int) -> None:
        self.photos = iter(pixels)
        self.size = size

    def get_next(self) -> dict[str, np.ndarray] | None:
        photo = next(self.photos, None)
        if photo is None:
            return None
        return {"image": normalise(enlarge(photo[None], self.size)).contiguous().numpy()}


def write_int8(float_path: Path, path: Path, pixels: np.ndarray, size: int) -> None:
    """Static quantisation calibrated on `pixels` (N,3,S,S) uint8; weights by channel, pooling and head
    included, with the same answer on processors without VNNI.
    """
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(float_path), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(path),
        _Calibration(pixels, size),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=["Conv", "Add", "Clip"],
    )
    made = onnx.load(path)
    lift_weights(made)
    onnx.save(made, path)
    prepared.unlink()


def lift_weights(model: onnx.ModelProto) -> int:
    """Write the s8 weights of full convolutions as u8 with the zero point 128: the same numbers, summed elsewhere.

    For u8 x s8, processors with AVX2 or AVX-512 but without VNNI add the products of two neighbouring weights in 16
    bits and cut what does not fit: 255 x (127 + 127) is twice too much. For u8 x u8, ONNX Runtime sums in 32 bits
    everywhere, and so it does for depthwise convolutions. Weights small enough for 16 bits would be quicker, but
    cost accuracy. Returns how many convolutions were changed.
    """
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    writer = {name: node for node in model.graph.node for name in node.output}
    changed = 0
    for node in model.graph.node:
        if node.op_type != "Conv" or any(a.name == "group" and a.i != 1 for a in node.attribute):
            continue
        for name in (writer[node.input[1]].input[0], writer[node.input[1]].input[2]):
            lifted = (numpy_helper.to_array(held[name]).astype(np.int16) + 128).astype(np.uint8)
            held[name].CopyFrom(numpy_helper.from_array(lifted, name))
        changed += 1
    return changed


def outputs(path: Path, pixels: np.ndarray, size: int, batch: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embeddings of uint8 photos (N,3,S,S) by ONNX Runtime; static scales do not depend on the batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    logits, embeddings = [], []
    for start in range(0, len(pixels), batch):
        images = normalise(enlarge(pixels[start : start + batch], size)).contiguous().numpy()
        z, e = session.run(["logits", "embedding"], {"image": images})
        logits.append(z)
        embeddings.append(e)
    return np.concatenate(logits), np.concatenate(embeddings)
