"""The graph optimised once, by the machine that converts, its weights in a file that the server maps into memory.

Mapped weights cost nothing until they are read, are shared, and can be dropped when memory is short; those
read from one file are copied onto the heap. Loading then optimises nothing, which takes a third of the time.

What is written holds on every processor: the optimisations stop before the layouts made for one instruction
set, and no weights packed for one are saved. It holds for other versions of ONNX Runtime too, but only the
version that wrote it may trust that nothing is left to be optimised: hence the version in model.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

GRAPH, WEIGHTS = "model.onnx", "model.onnx.data"
SMALLEST = 1024  # bytes; smaller tensors stay in the graph


def write(source: Path, folder: Path) -> tuple[str, ...]:
    """Write the optimised graph of `source` into `folder`; returns its files."""
    target = folder / GRAPH
    for name in (GRAPH, WEIGHTS):
        (folder / name).unlink(missing_ok=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", WEIGHTS)
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", str(SMALLEST)
    )
    options.add_session_config_entry("session.disable_prepacking", "1")
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return present(folder)


def block(prepacking: bool) -> dict[str, Any]:
    """model.json's `runtime`: what wrote the graph, and how it is to be loaded.

    `prepacking`: whether the server repacks the weights at load. Repacked ones are up to a tenth faster and
    lie on the heap, a second time; the block-wise operators are slow without.
    """
    return {"optimised": "extended", "onnxruntime": onnxruntime.__version__, "prepacking": prepacking}


def present(folder: Path) -> tuple[str, ...]:
    """The graph, and its weights where there are any large enough; an empty file is removed."""
    weights = folder / WEIGHTS
    if weights.exists() and not weights.stat().st_size:
        weights.unlink()
    return (GRAPH, WEIGHTS) if weights.exists() else (GRAPH,)
