"""The float32 graph of a network: one photo in, logits and embedding out, nothing about where it was made."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from pathlib import Path

import onnx
import torch

from scripts.conversion import rewrite
from scripts.conversion.network import Network

OPSET = 18


def write(network: Network, size: int, path: Path) -> None:
    """Write `image` float32 1 x 3 x size x size (and `place` 1 x 2, degrees) to `logits` 1 x K, `embedding` 1 x D.

    The batch is one: the server asks for one photo at a time, and fixed shapes leave nothing to compute at run time
    but the network itself.
    """
    inputs: tuple[torch.Tensor, ...] = (torch.zeros(1, 3, size, size),)
    names = ["image"]
    if network.place is not None:
        inputs += (torch.zeros(1, 2),)
        names.append("place")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            inputs,
            os.fspath(path),
            input_names=names,
            output_names=["logits", "embedding"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    rewrite.without_origin(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
