"""An ONNX Runtime session as a small machine needs it: few copies of anything, and no more threads than CPUs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnxruntime

from lib.classifier.folder import Runtime
from lib.classifier.refusals import ModelUnavailable


def finished(runtime: Runtime) -> bool:
    """Whether nothing is left to be optimised. Another version may know more, or expect it otherwise."""
    return bool(runtime.optimised) and runtime.onnxruntime == onnxruntime.__version__


def load(path: Path, runtime: Runtime, threads: int | None = None) -> Any:
    """The session of a verified graph, on as many threads as there are CPUs where not said otherwise.

    Raises ModelUnavailable when ONNX Runtime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    # Both keep buffers of activations that are not in use any more for the next one of their size: off, the
    # speed is the same at half the memory or less.
    options.enable_mem_pattern = False
    options.enable_mem_reuse = False
    options.intra_op_num_threads = threads or _cpus()
    options.inter_op_num_threads = 1
    # Spinning threads burn a shared CPU between photos.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    if finished(runtime):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not runtime.prepacking:
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception:
        raise ModelUnavailable(_refused(runtime)) from None


def _refused(runtime: Runtime) -> str:
    if runtime.optimised and not finished(runtime):
        return (
            f"model.onnx was made for ONNX Runtime {runtime.onnxruntime} and cannot be loaded by "
            f"{onnxruntime.__version__}; convert the model again."
        )
    return "model.onnx cannot be loaded by ONNX Runtime."


def _cpus() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
