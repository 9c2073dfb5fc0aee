"""The whole adaptation: photos split, a new model learned, judged beside the old one, written if it is better."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lib.classifier import figures
from lib.classifier.taxonomy import Taxon
from lib.outputs.atomic import document_bytes, write_atomically
from scripts.adaptation import card, classes, fitting, folder, gate, graph, head, judge, photos, split
from scripts.adaptation.asking import Answers, Model
from scripts.adaptation.photos import OwnPhoto

HEAD, LORA = "head", "lora"
VIEWS, MOST_VIEWS = 8, 8000


@dataclass(frozen=True)
class Wish:
    """What a person asked for; see the command's help."""

    training_set: Path
    model: Path
    output: Path
    method: str = HEAD
    checkpoint: Path | None = None
    place: tuple[float, float] | None = None
    epochs: int = 8
    seed: int = 1
    name: str | None = None
    threads: int = 2
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Task:
    """What is to be learned: the photos with their classes among the new model's, and the side of each.

    `names` are all classes, the old model's first; `single` (N,) marks the first photo of every plant.
    """

    photos: list[OwnPhoto]
    labels: np.ndarray
    side: np.ndarray
    single: np.ndarray
    names: list[str]
    new: list[Taxon]
    left_out: dict[str, int]
    others: list[OwnPhoto]

    def on(self, side: int) -> np.ndarray:
        """The numbers of a side's photos; but for training, each plant once."""
        chosen = self.side == side
        return np.flatnonzero(chosen if side == split.TRAIN else chosen & self.single)

    def of(self, numbers: np.ndarray) -> list[OwnPhoto]:
        return [self.photos[i] for i in numbers]


@dataclass(frozen=True)
class Learned:
    """A method's result in the folder being made: the files that it wrote, those of the old model that they stand
    for, and what the card tells of it. `document` changes model.json (None: takes away); `moved`: embeddings of a
    photo are others than before.
    """

    files: set[str]
    replaced: set[str]
    method: str
    quantisation: str
    document: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    moved: bool = False


def adapt(wish: Wish) -> tuple[judge.Verdict, dict[str, Any]]:
    """Learn, judge, and write `wish.output` if the new model is better; the verdict and the report.

    Raises training_set.NotATrainingSet, split.TooLittle, ModelUnavailable, graph.Unsuitable or another ValueError
    with words for the person who asked; nothing is written then.
    """
    output = wish.output.resolve()
    old = Model(wish.model, wish.place)
    task = task_of(wish, old)
    counts = Counter(task.names[label] for label in task.labels[task.on(split.TRAIN)])
    wish.say(
        f"{len(task.on(split.TRAIN))} photos of {len(counts)} species to learn from, "
        f"{len(task.on(split.VALIDATE))} to choose by, {len(task.on(split.TEST))} to judge by; "
        f"{len(task.new)} species are new to the model"
    )
    tested = task.on(split.TEST)
    old_test = old.answers(task.of(tested), progress=_bar(len(tested), "old model"))
    before = old.card.raw
    old_gate = gate.probability(before.get("out_of_domain", {}), old_test, _reference(old))
    with folder.made_beside(output) as made:
        if wish.method == HEAD:
            learned = _head(old, task, made)
        else:
            from scripts.adaptation import finetune

            learned = finetune.learn(wish, old, task, made)
        document, report = _finished(wish, old, task, made, learned)
        new = Model(made, wish.place)
        new_test = new.answers(task.of(tested), progress=_bar(len(tested), "new model"))
        new_gate = gate.probability(document["out_of_domain"], new_test, _reference(new))
        verdict = judge.verdict(
            judge.Said(figures.softmax(old_test.logits, old.card.temperature), old_gate, old.labels),
            judge.Said(figures.softmax(new_test.logits, new.card.temperature), new_gate, new.labels),
            task.labels[tested],
        )
        report["test"] = verdict.report
        falsely = {
            "old": gate.falsely_named(
                before.get("out_of_domain", {}), old_test, task.labels[tested], _reference(old),
                old.card.temperature, old.labels,
            ),
            "new": gate.falsely_named(
                document["out_of_domain"], new_test, task.labels[tested], _reference(new),
                new.card.temperature, new.labels,
            ),
        }  # fmt: skip
        report["strangers"] = {
            name: None if count is None else figures.share(count, len(tested))
            for name, count in falsely.items()
        }
        if verdict.better:
            write_atomically(made / "metrics.json", document_bytes(report))
            write_atomically(made / "MODEL_CARD.md", card.text(document, report).encode())
            folder.install(made, output)
    return verdict, report


def task_of(wish: Wish, old: Model) -> Task:
    """The photos of the training set, split, with their classes; raises split.TooLittle."""
    found = photos.read(wish.training_set)
    total = len(found.plants) + len(found.others)
    found, prints = photos.looked_at(found, _bar(total, "reading"))
    for reason in found.unreadable:
        wish.say(f"left out: {reason}")
    known = classes.Classes(old.labels)
    called = [known.name(photo.species) for photo in found.plants]
    names = sorted(set(called))
    numbers = np.array([names.index(name) for name in called], int)
    days = [photo.day for photo in found.plants]
    copies = photos.near_copies(found.plants, prints)
    unit = split.units(days, copies)
    taught = _taught(wish.model)
    learned = np.array([photo.sha256 in taught for photo in found.plants], bool)
    side = split.deal(numbers, unit, wish.seed, learned)
    split.check(numbers, side, unit, days, names, learned)
    enough = split.tried(numbers, side, len(names))
    new = [name for i, name in enumerate(names) if known.place(name) is None and enough[i]]
    left_out = {
        name: int((numbers == i).sum())
        for i, name in enumerate(names)
        if known.place(name) is None and not enough[i]
    }
    for name, count in left_out.items():
        wish.say(
            f"left out: {name}, new to the model: its {count} photos are not {split.EACH} or more in each of "
            "three parts with days of their own"
        )
    places = {name: place for place, name in enumerate(new, start=len(old.labels))}
    kept = [i for i, name in enumerate(called) if name not in left_out]
    labels = np.array([places.get(called[i], known.place(called[i])) for i in kept], int)
    first = {(int(copies[i]), called[i]): i for i in reversed(kept)}
    return Task(
        photos=[found.plants[i] for i in kept],
        labels=labels,
        side=side[kept],
        single=np.array([first[int(copies[i]), called[i]] == i for i in kept]),
        names=[taxon.species for taxon in old.labels] + new,
        new=[classes.taxon(name) for name in new],
        left_out=left_out,
        # Photos of no plant judge nothing, so those of the test days are only kept out of the fit.
        others=_not_of_the_test(found.others, days, side),
    )


def _taught(model: Path) -> set[str]:
    """The digests of the photos that a model was adapted with before: learned from or chosen by."""
    try:
        report = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
        return set(report.get("taught", ()))
    except (OSError, ValueError, AttributeError, TypeError):
        return set()


def _not_of_the_test(others: Sequence[OwnPhoto], days: Sequence[Any], side: np.ndarray) -> list[OwnPhoto]:
    tested = {day for day, part in zip(days, side, strict=True) if part == split.TEST}
    return [photo for photo in others if photo.day not in tested]


def _head(old: Model, task: Task, made: Path) -> Learned:
    """A new layer on the old model's embeddings; everything before it stays as it is."""
    numbers = task.on(split.TRAIN)
    views = max(1, min(VIEWS, MOST_VIEWS // len(numbers)))
    training = old.answers(task.of(numbers), views, _bar(len(numbers), "learning"))
    chosen = task.on(split.VALIDATE)
    validation = old.answers(task.of(chosen), progress=_bar(len(chosen), "choosing"))
    labels = task.labels[numbers][training.photo]
    anchors = _anchors(old, training, np.unique(labels))
    found = head.fit(
        training,
        labels,
        validation,
        task.labels[chosen],
        added=len(task.new),
        temperature=old.card.temperature,
        anchors=anchors,
    )
    model = graph.extended(
        old.classifier.folder / "model.onnx",
        len(old.labels),
        found.added,
        found.changed,
        found.weights,
        found.intercepts,
    )
    write_atomically(made / "model.onnx", model.SerializeToString())
    facts: dict[str, Any] = {
        "ridge": found.ridge,
        "ridge_of_old": found.ridge_of_old,
        "views": views,
        "anchors": None,
    }
    if anchors is not None:
        same = found.logits(anchors).argmax(1) == anchors.logits.argmax(1)
        facts["anchors"] = {"n": len(same), "same": int(same.sum())}
    layer = f"a float32 layer for {len(found.changed)} species"
    quantisation = str(old.card.raw.get("quantisation", "none"))
    return Learned(
        files={"model.onnx"},
        replaced={"model.onnx"},
        method="a new head on the old model's embedding",
        quantisation=quantisation if layer in quantisation else f"{quantisation}; {layer}",
        facts=facts,
    )


def _anchors(old: Model, training: Answers, changed: np.ndarray) -> Answers | None:
    """The mean photos (prototypes) of the classes without photos, where the folder has them, as embeddings."""
    known = _reference(old)
    if known.prototypes is None or known.prototype_classes is None:
        return None
    length = float(np.linalg.norm(training.embeddings, axis=1).mean())
    absent = (known.prototype_classes >= 0) & ~np.isin(known.prototype_classes, changed)
    wanted = known.prototypes[absent] * length
    logits = graph.head_answers(old.classifier.folder / "model.onnx", wanted) if len(wanted) else None
    return None if logits is None else Answers(logits, wanted, np.arange(len(wanted)))


def _finished(
    wish: Wish, old: Model, task: Task, made: Path, learned: Learned
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Complete the folder but for its card: labels, prototypes, model.json with all that is fitted last."""
    raw = old.card.raw
    source = old.classifier.folder
    write_atomically(made / "labels.csv", classes.extended_labels(source / "labels.csv", task.new))
    block = dict(raw.get("out_of_domain", {"kind": "none"}))
    compared = {str(block[name]) for name in gate.FILES if name in block}
    changed = learned.files | {"labels.csv"} | compared
    folder.carried_over(source, made, changed | learned.replaced)
    trained, chosen = task.on(split.TRAIN), task.on(split.VALIDATE)
    document = {name: value for name, value in (raw | learned.document).items() if value is not None}
    # Figures of the old model, told by its own card.
    for name in ("parity", "calibration"):
        document.pop(name, None)
    if "classes" in document:
        document["classes"] = len(task.names)
    document |= {
        "name": wish.name or f"{raw['name'].removesuffix('-adapted')}-adapted",
        "version": _next_version(raw),
        "quantisation": learned.quantisation,
        "prior": fitting.prior(np.array(old.card.prior), task.labels[trained], len(task.names)),
        "adapted_from": {
            "name": old.card.name,
            "version": old.card.version,
            "temperature": old.card.temperature,
            "sha256": {name: folder.digest(source / name) for name in ("model.json", "model.onnx")},
        },
    }
    listed = {name for name in old.card.digests if (made / name).exists()} | changed
    # Everything is asked of the very file that will be served, so it must be loadable already.
    for name in compared:
        shutil.copyfile(source / name, made / name)
    folder.write_card(made, document, listed)
    model = Model(made, wish.place)
    validation = model.answers(task.of(chosen), progress=_bar(len(chosen), "fitting"))
    document["temperature"] = fitting.temperature(
        validation.logits, task.labels[chosen], old.card.temperature
    )
    known = _reference(old)
    if compared:
        seen = model.answers(task.of(trained), progress=_bar(len(trained), "fitting"))
        if learned.moved:
            known = known.without(task.labels[trained])
        known = known.with_photos(seen.embeddings, task.labels[trained])
        known.save(made, block)
    others = model.answers(task.others, progress=_bar(len(task.others), "other photos"))
    document["out_of_domain"], said = gate.refitted(block, validation, task.labels[chosen], others, known)
    folder.write_card(made, document, listed)
    return document, _report(wish, old, task, learned, said)


def _report(wish: Wish, old: Model, task: Task, learned: Learned, in_domain: str) -> dict[str, Any]:
    trained = task.labels[task.on(split.TRAIN)]
    photos_of = {task.names[label]: int((trained == label).sum()) for label in np.unique(trained).tolist()}
    days = [photo.day for photo in task.photos]
    return {
        "method": learned.method,
        "seed": wish.seed,
        "photos": {name: len(task.on(i)) for i, name in enumerate(split.SIDES)},
        "days": {
            name: len({day for day, side in zip(days, task.side, strict=True) if side == i})
            for i, name in enumerate(split.SIDES)
        },
        "first_day": min(days).isoformat(),
        "last_day": max(days).isoformat(),
        "learned": {
            "photos": photos_of,
            "new_species": [taxon.species for taxon in task.new],
            "left_out": task.left_out,
            "untouched": sum(taxon.species not in photos_of for taxon in old.labels),
            **learned.facts,
        },
        "in_domain": in_domain,
        # Of all adaptations of this model, so that the next one judges by none of them.
        "taught": sorted(
            _taught(wish.model)
            | {photo.sha256 for photo, side in zip(task.photos, task.side, strict=True) if side != split.TEST}
        ),
    }


def _reference(model: Model) -> gate.Reference:
    return gate.reference(model.classifier._domain, len(model.labels), model.card.out_of_domain)


def _next_version(raw: dict[str, Any]) -> str:
    """1 for a first adaptation, then 2, 3, …"""
    version = str(raw.get("version", ""))
    return str(int(version) + 1) if "adapted_from" in raw and version.isdecimal() else "1"


def _bar(total: int, what: str) -> Callable[[int], object]:
    """A progress bar on a terminal, closed when it is full."""
    from tqdm import tqdm

    if not total:
        return lambda done: None
    bar = tqdm(total=total, desc=what, unit="photo", disable=not sys.stderr.isatty())

    def step(done: int) -> None:
        bar.update(done)
        if bar.n >= total:
            bar.close()

    return step
