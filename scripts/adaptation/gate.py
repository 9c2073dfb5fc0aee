"""The in-domain probability of an adapted model: it must know the new species, and the field's light and soil.

Nobody can photograph what the model will meet and does not know. So each species in turn plays the stranger: its
validation photos, asked without its own logit, prototypes and examples, are what a photo of something else looks
like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lib.classifier import domain, figures
from lib.classifier.taxonomy import Taxon, decide
from scripts.adaptation.asking import Answers
from scripts.training import measure

# The mixture that the probability is for, as in the starter's training: known species, other plants, no plant.
KNOWN, PLANTS, OTHERS = 0.80, 0.16, 0.04
LEAST_PHOTOS, LEAST_SPECIES = 30, 3
# Examples are compared along the main directions of the old model's photos; so many are added for one's own.
MORE_DIRECTIONS = 16
FILES = ("prototypes", "examples", "directions")


@dataclass(frozen=True)
class Reference:
    """What a photo is compared with, where the model has it: `prototypes` (P, D), unit directions, and `examples`;
    their classes are `prototype_classes` (P,) and `example_classes` (E,), -1 where not known.
    """

    prototypes: np.ndarray | None = None
    prototype_classes: np.ndarray | None = None
    examples: domain.Examples | None = None
    example_classes: np.ndarray | None = None

    @property
    def clear(self) -> bool:
        """Whether the class of all that it holds is known, so that one can be left out."""
        classes = (self.prototype_classes, self.example_classes)
        return all((each >= 0).all() for each in classes if each is not None)

    def without(self, labels: np.ndarray) -> Reference:
        """Without what is of these classes."""
        changed = self
        if self.prototypes is not None and self.prototype_classes is not None:
            kept = ~np.isin(self.prototype_classes, labels)
            changed = replace(
                changed, prototypes=self.prototypes[kept], prototype_classes=self.prototype_classes[kept]
            )
        if self.examples is not None and self.example_classes is not None:
            kept = ~np.isin(self.example_classes, labels)
            changed = replace(
                changed,
                examples=replace(self.examples, photos=self.examples.photos[kept]),
                example_classes=self.example_classes[kept],
            )
        return changed

    def with_photos(self, embeddings: np.ndarray, labels: np.ndarray) -> Reference:
        """And the mean direction of each class of these photos, and each photo as an example."""
        changed = self
        if self.prototypes is not None and self.prototype_classes is not None:
            found = np.unique(labels)
            more = measure.prototypes(embeddings, np.searchsorted(found, labels), len(found))
            changed = replace(
                changed,
                prototypes=np.concatenate([self.prototypes, more]),
                prototype_classes=np.concatenate([self.prototype_classes, found]),
            )
        if self.examples is not None and self.example_classes is not None:
            old = self.examples
            unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
            across = unit - unit @ old.directions.T @ old.directions
            # What of one's own photos lies across the old directions; the old examples have nothing of it.
            _, sizes, rows = np.linalg.svd(across, full_matrices=False)
            rows = rows[:MORE_DIRECTIONS][sizes[:MORE_DIRECTIONS] > 1e-6]
            directions = np.concatenate([old.directions, rows]).astype(np.float32)
            padded = np.pad(old.photos, ((0, 0), (0, len(rows))))
            photos = np.concatenate([padded, unit @ directions.T]).astype(np.float32)
            changed = replace(
                changed,
                examples=domain.Examples(directions, photos, old.concentration),
                example_classes=np.concatenate([self.example_classes, labels]),
            )
        return changed

    def save(self, folder: Path, block: dict[str, Any]) -> None:
        """Write its files under the names that the `out_of_domain` block gives them, in half precision as the
        starter model's, and note the classes of the prototypes there.
        """
        if self.prototypes is not None and self.prototype_classes is not None and "prototypes" in block:
            np.save(folder / block["prototypes"], self.prototypes.astype(np.float16))
            block["prototype_classes"] = self.prototype_classes.tolist()
        if self.examples is not None and "examples" in block:
            np.save(folder / block["examples"], self.examples.photos.astype(np.float16))
            np.save(folder / block["directions"], self.examples.directions.astype(np.float16))


def reference(found: domain.Domain, classes: int, block: Mapping[str, Any]) -> Reference:
    """What a model folder of so many classes compares photos with.

    The classes of its prototypes are those that an earlier adaptation noted in the block, else their order where
    there is one for each class. An example is of the class of the nearest prototype.
    """
    prototypes, numbers = found.prototypes, None
    if prototypes is not None:
        noted = block.get("prototype_classes")
        if isinstance(noted, list) and len(noted) == len(prototypes):
            numbers = np.array(noted, int)
        else:
            numbers = np.arange(classes) if len(prototypes) == classes else np.full(len(prototypes), -1)
    examples, of_examples = found.examples, None
    if examples is not None:
        of_examples = np.full(len(examples.photos), -1)
        if prototypes is not None and numbers is not None:
            nearest = (examples.photos @ (prototypes @ examples.directions.T).T).argmax(1)
            of_examples = numbers[nearest]
    return Reference(prototypes, numbers, examples, of_examples)


def features(
    answers: Answers, names: tuple[str, ...], known: Reference, without: np.ndarray | None = None
) -> np.ndarray:
    """The features (N, F) of photos; `without` (N,) is a class that each photo's answer leaves out."""
    columns = []
    for name in names:
        if name == "energy":
            logits = answers.logits.astype(np.float64)
            if without is not None:
                has = without < logits.shape[1]
                logits[has, without[has]] = -np.inf
            columns.append(measure.energies(logits))
        elif name == "similarity":
            assert known.prototypes is not None
            lengths = np.maximum(np.linalg.norm(answers.embeddings, axis=1, keepdims=True), 1e-12)
            cosines = answers.embeddings / lengths @ known.prototypes.T
            if without is not None:
                assert known.prototype_classes is not None
                cosines = np.where(known.prototype_classes[None] == without[:, None], -1.0, cosines)
            columns.append(cosines.max(1))
        else:
            assert known.examples is not None
            allowed = None
            if without is not None:
                assert known.example_classes is not None
                allowed = known.example_classes[None] != without[:, None]
            columns.append(domain.densities(answers.embeddings, known.examples, allowed))
    return np.column_stack(columns)


def falsely_named(
    block: Mapping[str, Any],
    answers: Answers,
    labels: np.ndarray,
    known: Reference,
    temperature: float,
    taxa: Sequence[Taxon],
) -> int | None:
    """How many photos would be named as a species if the model had never heard of theirs.

    Each photo is asked without its own class, where the model has it. None where the classes of what the model
    compares with are not known.
    """
    if not known.clear:
        return None
    count = answers.logits.shape[1]
    has = labels < count
    logits = answers.logits.astype(np.float64)
    logits[has, labels[has]] = -np.inf
    # Beyond the classes, so that nothing is left out.
    inside = probability(block, answers, known, np.where(has, labels, count))
    shares = figures.softmax(logits, temperature) * inside[:, None]
    return sum(decide(row, taxa).level == "species" for row in shares.tolist())


def refitted(
    block: dict[str, Any], seen: Answers, labels: np.ndarray, others: Answers, known: Reference
) -> tuple[dict[str, Any], str]:
    """The `out_of_domain` block for the adapted model, and a sentence for its card.

    `seen`: validation photos, with `labels` (N,); `others`: photos that show no plant, none needed. A block that
    there are too few photos to fit stays as it is.
    """
    if block.get("kind", "none") == "none":
        return block, "The model has no in-domain probability, before as after."
    names = tuple(block["weights"])
    if len(labels) < LEAST_PHOTOS or len(set(labels.tolist())) < LEAST_SPECIES or not known.clear:
        return block, (
            "The in-domain probability is weighed as in the old model, because the validation photos are too few "
            "to weigh it anew; the photos learned from were added to what it compares with."
        )
    near = features(seen, names, known, labels)
    parts = [(features(seen, names, known), 1.0, KNOWN), (near, 0.0, PLANTS)]
    if len(others.photo):
        parts.append((features(others, names, known), 0.0, OTHERS))
    x = np.concatenate([part for part, _, _ in parts])
    targets = np.concatenate([np.full(len(part), target) for part, target, _ in parts])
    weights = np.concatenate([np.full(len(part), weight / len(part)) for part, _, weight in parts])
    intercept, coefficients = measure.fit_logistic(x, targets, weights)
    if (coefficients < 0).any():  # a photo that resembles the known ones more must not be trusted less
        return (
            block,
            "The in-domain probability is weighed as in the old model: the photos gave no usable weights.",
        )
    fitted = block | {"intercept": intercept, "weights": dict(zip(names, coefficients.tolist(), strict=True))}
    return fitted, (
        f"The in-domain probability was fitted anew on {len(labels)} validation photos, each species once in the "
        f"part of the stranger, and {len(others.photo)} photos that show no plant."
    )


def probability(
    block: Mapping[str, Any], answers: Answers, known: Reference, without: np.ndarray | None = None
) -> np.ndarray:
    """P(in domain) of photos (N,), as lib.classifier.domain computes it for one; `without` as in `features`."""
    weights = block.get("weights")
    if block.get("kind", "none") == "none" or not weights:
        return np.ones(len(answers.photo))
    return measure.logistic(
        float(block["intercept"]),
        np.array(list(weights.values())),
        features(answers, tuple(weights), known, without),
    )
