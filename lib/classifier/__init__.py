"""Naming the plant in a photo: one ONNX model per process, loaded on first use, asked one photo at a time.

Importing this package is cheap: NumPy, Pillow and ONNX Runtime come with the first `get`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib.classifier.refusals import Busy, ModelUnavailable
from lib.classifier.taxonomy import Taxon

if TYPE_CHECKING:
    import numpy as np

    from lib.classifier.model import Classifier

__all__ = [
    "Busy",
    "Classification",
    "ModelUnavailable",
    "Prediction",
    "Taxon",
    "get",
    "loaded",
    "unload",
]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One of the likeliest species of a photo; `confidence` is its probability among all species and *none
    of these*, `prior` the share of the species among the training photos.
    """

    species: str
    common_name: str
    confidence: float
    taxonomic_level: str = "species"
    genus: str = ""
    family: str = ""
    prior: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """What the model says of one photo.

    `predictions`: the five likeliest species, best first; their confidences sum to at most 1, and what is
    missing is the probability of something else. `label`, `label_level` (species, genus, family, unknown)
    and `label_confidence`: the label rule's verdict. `entropy`: natural logarithm, over all species and
    *none of these*. `mean_confidence`: mean over `predictions`. `embedding`: float32 (D,) where the model
    has one. `seconds`: preparing the photo and asking the model, whose name is `model_name`. `in_domain`:
    probability that the photo shows one of the model's species at all, which the confidences hold already.
    `classes`: how many species there are.
    """

    predictions: list[Prediction]
    label: str
    label_level: str
    label_confidence: float
    entropy: float
    mean_confidence: float
    embedding: np.ndarray | None
    seconds: float
    model_name: str
    in_domain: float | None = None
    classes: int | None = None


_lock = threading.Lock()
_classifier: Classifier | None = None


def get(model_dir: Path) -> Classifier:
    """The process's classifier, loaded from the model folder on the first call; later calls answer the same
    object.

    A different folder replaces the one in memory. Raises ModelUnavailable when the folder is missing,
    incomplete or was changed; nothing is remembered then, so that a repaired folder works without a
    restart.
    """
    global _classifier
    folder = Path(model_dir).resolve()
    current = _classifier
    if current is not None and current.folder == folder:
        return current
    with _lock:
        if _classifier is None or _classifier.folder != folder:
            from lib.classifier.model import Classifier

            _classifier = None  # never two models in memory at once
            _classifier = Classifier(folder)
        return _classifier


def loaded() -> Classifier | None:
    """The classifier when a photo has asked for it already; never loads it."""
    return _classifier


def unload() -> None:
    """Forget the classifier; its memory goes when the photo in hand is done."""
    global _classifier
    with _lock:
        _classifier = None
