"""timm, imported so that it works beside the CPU build of PyTorch, for which torchvision has no compiled part."""

from __future__ import annotations

import importlib
import types

import torch

# torchvision describes these two of its operators to PyTorch on import, and stops when its compiled part, which
# brings them, does not load. No classifier uses them: naming them is enough, and calling one would still fail.
_DECLARED = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # what it declares lasts as long as it does


def timm() -> types.ModuleType:
    """The timm package; raises ImportError when it is not installed."""
    global _library
    try:
        return importlib.import_module("timm")
    except RuntimeError:  # operator torchvision::… does not exist
        if _library is not None:
            raise
    _library = torch.library.Library("torchvision", "DEF")
    for operator in _DECLARED:
        _library.define(operator)
    return importlib.import_module("timm")
