"""Naming the plant in a photo: one ONNX model per process, loaded on first use, asked one photo at a time.

Importing this package is cheap: NumPy, Pillow and ONNX Runtime come with the first `get`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib.classifier.refusals import Abandoned, Busy, ModelUnavailable
from lib.classifier.resident import Resident
from lib.classifier.taxonomy import Taxon

if TYPE_CHECKING:
    import numpy as np

    from lib.classifier.model import Classifier

__all__ = [
    "RESIDENT",
    "Abandoned",
    "Busy",
    "Classification",
    "ModelUnavailable",
    "Prediction",
    "Taxon",
    "get",
    "loaded",
    "trouble",
    "turn",
    "unload",
    "unload_when_idle",
    "use_threads",
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
    has one. `seconds`: preparing the photo and asking the model, whose name is `model_name` and whose version is
    `model_version` (None where its card gives an empty one). `in_domain`: probability that the photo shows one of
    the model's species at all, which the confidences hold already.
    `classes`: how many species were possible: with a regional list (`masked`) those of it that the model knows, and
    `prior_mass` is their share of the training photos. `region` says which list that was.
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
    masked: bool = False
    prior_mass: float = 1.0
    region: str | None = None
    model_version: str | None = None


RESIDENT = Resident()


def get(model_dir: Path) -> Classifier:
    """The process's classifier, loaded from the model folder on the first call; later calls answer the same
    object until the folder changes or another one is asked for.

    Raises ModelUnavailable when the folder is missing, incomplete or was changed, and remembers that for a minute
    or until the folder changes, so that a repaired one works without a restart. Raises Busy when it must be loaded
    and the line is full. Whoever asks the model in one turn with this has the only model in memory.
    """
    return RESIDENT.get(model_dir)


def turn(
    abandoned: Callable[[], bool] | None = None, background: bool = False
) -> AbstractContextManager[None]:
    """The wait for one's turn at the model, and the turn: loading and asking go within.

    Raises Busy when too many wait, and Abandoned when `abandoned` says that nobody wants the answer any more. The
    background waits until nobody else does.
    """
    return RESIDENT.line.turn(abandoned, background)


def loaded() -> Classifier | None:
    """The classifier when a photo has asked for it already; never loads it."""
    return RESIDENT.loaded()


def trouble(model_dir: Path) -> str | None:
    """Why the model of this folder can name no photo, in a plain sentence; None when it seems to be in order."""
    return RESIDENT.trouble(model_dir)


def known_trouble(model_dir: Path) -> str | None:
    """As `trouble`, but only what has been found out before: quick however large the model is."""
    return RESIDENT.known_trouble(model_dir)


def unload() -> None:
    """Forget the classifier when the photo in hand is done."""
    RESIDENT.unload()


def unload_when_idle(seconds: float | None) -> None:
    """Have models that are loaded from now on go after so long without a photo, when memory is short; 0: never."""
    RESIDENT.idle_seconds = seconds or None


def use_threads(count: int) -> None:
    """Have models that are loaded from now on run on so many threads, where several processes share the CPUs."""
    RESIDENT.threads = count
