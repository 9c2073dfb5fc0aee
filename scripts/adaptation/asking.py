"""What a model folder says of photos: raw logits and embeddings, as the server would compute them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.classifier import preprocess
from lib.classifier.model import Classifier
from lib.classifier.refusals import ModelUnavailable
from scripts.adaptation.photos import OwnPhoto, picture, turned


@dataclass(frozen=True)
class Answers:
    """Raw logits (N, K) and embeddings (N, D) of photos; `photo` (N,) tells which photo each row is a view of."""

    logits: np.ndarray
    embeddings: np.ndarray
    photo: np.ndarray

    def of(self, chosen: np.ndarray) -> Answers:
        """The rows of a mask or of numbers."""
        return Answers(self.logits[chosen], self.embeddings[chosen], self.photo[chosen])


class Model:
    """A verified model folder that gives an embedding; raises ModelUnavailable for any other."""

    def __init__(self, folder: Path, place: tuple[float, float] | None = None) -> None:
        self.classifier = Classifier(folder)
        self.card = self.classifier._card
        self.labels = self.classifier.labels
        self.place = place
        blank = np.zeros((1, 3, self.card.input_height, self.card.input_width), np.float32)
        if self.ask(blank)[1] is None:
            raise ModelUnavailable("its model.onnx gives no `embedding`, which a new head would learn from.")

    def ask(self, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits (K,) and embedding (D,) of one prepared photo: one at a time, as in the server, because graphs
        that quantise while they run answer a photo differently among others.
        """
        return self.classifier._run(tensor, self.place)

    def answers(
        self,
        photos: Sequence[OwnPhoto],
        views: int = 1,
        progress: Callable[[int], object] = lambda done: None,
    ) -> Answers:
        """The answers to the first `views` of a photo's turns and mirrors (1: the photo as it is)."""
        logits, embeddings, origin = [], [], []
        for number, photo in enumerate(photos):
            prepared = preprocess.tensor(picture(photo), self.card)
            for view, tensor in enumerate(turned(prepared)):
                if view == views:
                    break
                z, e = self.ask(tensor)
                logits.append(z)
                embeddings.append(e)
                origin.append(number)
            progress(1)
        if not logits:
            return Answers(np.zeros((0, len(self.labels))), np.zeros((0, 0)), np.zeros(0, int))
        return Answers(np.stack(logits), np.stack(embeddings), np.array(origin))
