"""One loaded model: its session, its labels, and the way from a photo to a classification."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.classifier import Classification, Prediction, domain, folder, preprocess, session, taxonomy
from lib.classifier.mask import Mask, Masks
from lib.classifier.refusals import ModelUnavailable
from lib.classifier.waiting import WaitingLine

if TYPE_CHECKING:
    from PIL import Image

TOP = 5


class Classifier:
    """A verified model folder in memory.

    `card`: the whole `model.json`. `labels`: the taxa in the order of the outputs. `prior`: share of each
    class among the training photos, float64 (K,), sum 1: divide the probabilities by it to take the
    training set's abundances out. `temperature`: what logits are divided by before the softmax.
    """

    def __init__(self, path: Path, line: WaitingLine | None = None, threads: int | None = None) -> None:
        """Read, verify and load, to run on `threads` (as many as there are CPUs); raises ModelUnavailable with a
        plain reason.
        """
        self.folder = Path(path).resolve()
        self._card = folder.read(self.folder)
        self.card = self._card.raw
        self.name = self._card.name
        self.version = self._card.version
        self.temperature = self._card.temperature
        self.labels = taxonomy.read_labels(self.folder / "labels.csv")
        self.prior = np.array(self._card.prior)
        self._masks = Masks(self.labels, self.prior)
        self._domain = domain.read(self._card, self.folder)
        self._line = line or WaitingLine()
        self._session = session.load(self.folder / "model.onnx", self._card.runtime, threads)
        self._outputs = self._check_shapes()

    def classify(
        self,
        image: Image.Image,
        species: Collection[str] | None = None,
        place: tuple[float, float] | None = None,
        abandoned: Callable[[], bool] | None = None,
    ) -> Classification:
        """Name the plant in an oriented photo; `species` limits the answer to a regional list.

        `place` is the latitude and longitude where it was taken, in degrees, for models that ask for it.
        Photos take turns; raises Busy when too many wait. `abandoned` is asked meanwhile: true when nobody
        waits for the answer any more, which raises Abandoned. `image` is not changed.
        """
        with self._line.turn(abandoned):
            started = time.perf_counter()
            logits, embedding = self._run(preprocess.tensor(image, self._card), place)
            mask = None if species is None else self._masks.of(species)
            probabilities = self.probabilities(logits, embedding, mask)
            seconds = time.perf_counter() - started
            self._line.took(seconds)
        label = taxonomy.decide(probabilities.tolist(), self.labels)
        # A stable sort of the negated figures: equal ones stay in the order of the labels, the impossible last.
        order = np.argsort(
            np.where(mask.possible, -probabilities, np.inf) if mask else -probabilities, kind="stable"
        )
        classes = mask.count if mask else len(self.labels)
        best = order[: min(TOP, classes)]
        return Classification(
            predictions=[
                Prediction(
                    self.labels[i].species,
                    self.labels[i].common_name_en,
                    float(probabilities[i]),
                    genus=self.labels[i].genus,
                    family=self.labels[i].family,
                    prior=float(self.prior[i]),
                )
                for i in best.tolist()
            ],
            label=label.name,
            label_level=label.level,
            label_confidence=label.confidence,
            model_name=self.name,
            entropy=entropy(probabilities),
            mean_confidence=float(probabilities[best].mean()) if classes else 0.0,
            embedding=embedding,
            seconds=seconds,
            # The softmax sums to 1, so that what the probabilities sum to is the factor they all have.
            in_domain=min(float(probabilities.sum()), 1.0),
            classes=classes,
            masked=mask is not None,
            prior_mass=mask.prior_mass if mask else 1.0,
            model_version=self.version or None,
        )

    def mask(self, species: Collection[str]) -> Mask:
        """Which classes a regional list leaves possible: accepted names, or names as the labels have them."""
        return self._masks.of(species)

    def probabilities(
        self, logits: np.ndarray, embedding: np.ndarray | None = None, mask: Mask | None = None
    ) -> np.ndarray:
        """Probability of every species, float64 (K,), from raw logits (K,): softmax at the card's
        temperature x P(in domain).

        With a regional list's mask, the other species' logits are masked before the softmax; whether the photo
        is in the domain is judged on all of them. A list that names none of the model's species leaves no
        probability.
        """
        scaled = logits.astype(np.float64) / self.temperature
        if mask is not None:
            if not mask.count:
                return np.zeros(len(self.labels))
            scaled = np.where(mask.possible, scaled, -np.inf)
        shares = np.exp(scaled - scaled.max())
        return np.asarray(shares / shares.sum() * self._domain.probability(logits, embedding))

    def _run(
        self, tensor: np.ndarray, place: tuple[float, float] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Logits (K,) and embedding (D,) or None of one prepared photo, taken at `place` (degrees)."""
        try:
            outputs = self._session.run(self._outputs, self._feed(tensor, place))
        except Exception as error:
            # The runtime has no error of its own for it.
            if "Failed to allocate memory" in str(error) or "bad_alloc" in str(error):
                raise MemoryError from None
            raise
        if not all(np.isfinite(output).all() for output in outputs):
            raise ArithmeticError("the model's answer is not finite")
        return outputs[0][0], outputs[1][0] if len(outputs) > 1 else None

    def _feed(self, tensor: np.ndarray, place: tuple[float, float] | None = None) -> dict[str, np.ndarray]:
        """What the graph takes in: the image, and the place where the card says so."""
        if self._card.place is None:
            return {"image": tensor}
        return {"image": tensor, "place": np.array([place or self._card.place], np.float32)}

    def _check_shapes(self) -> list[str]:
        """The outputs to ask for; refuses a graph that does not fit its card and labels, by running it
        once.
        """
        inputs = {node.name: node for node in self._session.get_inputs()}
        names = [node.name for node in self._session.get_outputs()]
        expected = {"image"} if self._card.place is None else {"image", "place"}
        floats = all(node.type == "tensor(float)" for node in inputs.values())
        if set(inputs) != expected or not floats or "logits" not in names:
            wanted = "`image`" if self._card.place is None else "`image` and `place`"
            raise ModelUnavailable(f"model.onnx must take {wanted} (float32) and give `logits`.")
        asked = [name for name in ("logits", "embedding") if name in names]
        # Prepared as a photo is, so that a mean or deviation that no graph can take shows now, not with each photo.
        with np.errstate(over="ignore", invalid="ignore"):
            blank = preprocess.tensor(_grey(self._card.input_width, self._card.input_height), self._card)
        try:
            found = self._session.run(asked, self._feed(blank))
        except Exception:
            raise ModelUnavailable(
                "model.onnx does not run on an image of model.json's input_size."
            ) from None
        classes = len(self.labels)
        if found[0].shape != (1, classes):
            raise ModelUnavailable(
                f"model.onnx does not give 1 x {classes} logits, one for each row of labels.csv."
            )
        if not all(np.isfinite(output).all() for output in found):
            raise ModelUnavailable("model.onnx gives an answer that is not finite.")
        if len(self.prior) != classes:
            raise ModelUnavailable(
                f"model.json: prior must hold {classes} numbers, one for each row of labels.csv."
            )
        if len(found) > 1 and (found[1].ndim != 2 or len(found[1]) != 1):
            raise ModelUnavailable("model.onnx must give one embedding for an image.")
        if self._domain.lengths and (len(found) < 2 or self._domain.lengths != {found[1].shape[1]}):
            raise ModelUnavailable(
                "the vectors of out_of_domain do not have the length of model.onnx's embedding."
            )
        return asked


def _grey(width: int, height: int) -> Image.Image:
    from PIL import Image

    return Image.new("RGB", (width, height), (128, 128, 128))


def entropy(probabilities: np.ndarray) -> float:
    """Shannon entropy (natural logarithm) over the species and, as one more outcome, the mass they leave."""
    rest = max(0.0, 1.0 - float(probabilities.sum()))
    outcomes = np.append(probabilities, rest)
    outcomes = outcomes[outcomes > 0]
    return max(0.0, float(-(outcomes * np.log(outcomes)).sum()))
