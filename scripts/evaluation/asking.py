"""A model folder asked about photos, one at a time as the server asks it; the raw answers are kept."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lib.answers import Answer, canonical
from lib.classifier import Taxon, preprocess
from lib.classifier.mask import Mask
from lib.classifier.model import TOP, Classifier
from lib.classifier.taxonomy import decide
from lib.photos.decode import decode
from lib.photos.duplicates import Item, cluster, fingerprint
from lib.photos.quality import assess
from lib.problems import Problem
from lib.regions import Region
from scripts.evaluation.cases import Case


class NothingPossible(ValueError):
    """A regional list leaves the model no species; the text says so."""


@dataclass(frozen=True)
class Said:
    """What a model said of one photo: its raw logits (K,) and the probability that it is in the domain at all.

    `answer` is what the server would have answered; `look` the photo's fingerprint and quality.
    """

    case: Case
    logits: np.ndarray
    in_domain: float
    answer: Answer
    seconds: float
    look: tuple[str, float]


@dataclass
class Run:
    """A model's answers to the photos that could be read, in their order.

    `interrupted` when somebody stopped it before all were asked; `asked` counts the unreadable ones, too.
    """

    model: dict[str, Any]
    labels: tuple[Taxon, ...]
    temperature: float
    mask: Mask | None
    load_seconds: float
    said: list[Said] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def asked(self) -> int:
        """How many photos were looked at."""
        return len(self.said) + len(self.unreadable)


def ask(
    folder: Path,
    cases: Sequence[Case],
    region: Region | None = None,
    progress: Callable[[int], object] = lambda done: None,
) -> Run:
    """Load the model folder and ask it about every photo; raises ModelUnavailable and NothingPossible.

    An interruption ends it, and what was answered until then is kept. The model is let go at the end.
    """
    started = time.perf_counter()
    model = Classifier(folder)
    mask = None if region is None else model.mask(region.species)
    if mask is not None and not mask.count:
        raise NothingPossible(f"the list names no species that {model.name} knows.")
    card = {
        name: model.card.get(name) for name in ("name", "version", "licence", "architecture", "quantisation")
    }
    run = Run(card, model.labels, model.temperature, mask, time.perf_counter() - started)
    known = {canonical(taxon.species) for taxon in model.labels}
    try:
        for case in cases:
            try:
                run.said.append(_ask(model, case, mask, known))
            except Problem as problem:
                run.unreadable.append((case.name, problem.detail))
            except OSError as error:
                run.unreadable.append((case.name, error.strerror or "it cannot be read"))
            progress(1)
    except KeyboardInterrupt:
        run.interrupted = True
    return run


def plants_of(said: Sequence[Said]) -> list[Said]:
    """One answer for each plant, in the order of the photos: of near-duplicates in a group that of the best one."""
    groups: dict[str, list[int]] = defaultdict(list)
    kept = {number for number, each in enumerate(said) if each.case.group is None}
    for number, each in enumerate(said):
        if each.case.group is not None:
            groups[each.case.group].append(number)
    for numbers in groups.values():
        found = cluster([Item(number, *said[number].look) for number in numbers])
        kept |= {each.id for each in found if each.is_representative}
    return [said[number] for number in sorted(kept)]


def _ask(model: Classifier, case: Case, mask: Mask | None, known: set[str]) -> Said:
    image = decode(case.read(), filename=case.name).image
    started = time.perf_counter()
    logits, embedding = model._run(preprocess.tensor(image, model._card), case.place)
    probabilities = model.probabilities(logits, embedding, mask)
    seconds = time.perf_counter() - started
    label = decide(probabilities.tolist(), model.labels)
    best = np.argsort(-probabilities, kind="stable")[:TOP].tolist()
    answer = Answer(
        truth=case.truth,
        level=case.level,
        named=[(model.labels[i].species, float(probabilities[i])) for i in best if probabilities[i] > 0],
        label=label.name,
        label_level=label.level,
        known=canonical(case.truth) in known,
        masked=mask is not None,
    )
    look = (fingerprint(image), assess(image).score)
    # The softmax sums to 1, so that what the probabilities sum to is the factor they all have.
    return Said(case, logits, min(float(probabilities.sum()), 1.0), answer, seconds, look)
