"""Fine-tuning a transformer on one's own photos: adapters in its attention, a new head, then a graph as before."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lib.classifier import preprocess
from lib.classifier.folder import Card
from scripts.adaptation import head, lora, split
from scripts.adaptation.asking import Answers, Model
from scripts.adaptation.photos import OwnPhoto, picture
from scripts.conversion import Refused, export, network, offline, parity, pooling, quantise, source
from scripts.conversion import lora as unmerged
from scripts.conversion.place import PlaceRule
from scripts.training.augment import augment

if TYPE_CHECKING:
    from scripts.adaptation.run import Learned, Task, Wish

BATCH, RATE, DECAY = 8, 2e-4, 0.01
CALIBRATING_PHOTOS = 64


class Head(nn.Module):
    """A linear head (K + new outputs) that stays as it is, and changes of some classes, which are learned.

    `taxon_of`: the class of each of the K outputs, where several mean one; changes are those of classes.
    """

    def __init__(
        self, old: nn.Linear, start: head.Head, features: slice, taxon_of: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        wide = nn.Linear(old.in_features, old.out_features + start.added)
        change = nn.Linear(old.in_features, len(start.changed))
        with torch.no_grad():
            # A new class starts from the mean of the old ones, as in the head learned on embeddings.
            wide.weight.copy_(torch.cat([old.weight, old.weight.mean(0).expand(start.added, -1)]))
            wide.bias.copy_(torch.cat([old.bias, old.bias.mean().expand(start.added)]))
            change.weight.zero_()
            change.weight[:, features] = torch.from_numpy(start.weights).float()
            change.bias.copy_(torch.from_numpy(start.intercepts))
        self.wide, self.change = wide.requires_grad_(False), change
        self.pool: nn.Module = nn.Identity()
        if taxon_of:
            classes = max(taxon_of) + 1
            self.pool = pooling.Pool([*taxon_of, *range(classes, classes + start.added)])
        self.register_buffer("changed", torch.from_numpy(start.changed))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.wide(x)).index_add(1, self.changed, self.change(x))

    def merged(self) -> nn.Module:
        """One plain layer that answers the same; where outputs are pooled there is none, and this one stays."""
        if not isinstance(self.pool, nn.Identity):
            return self
        layer = copy.deepcopy(self.wide)
        with torch.no_grad():
            layer.weight.index_add_(0, self.changed, self.change.weight)
            layer.bias.index_add_(0, self.changed, self.change.bias)
        return layer


def learn(wish: Wish, old: Model, task: Task, made: Path) -> Learned:
    """Fine-tune the checkpoint that the old model was converted from and write its graph into `made`.

    Raises Refused, NoAttention or QuantisationError with words for the person who asked.
    """
    from scripts.adaptation.run import Learned

    torch.set_num_threads(wish.threads)
    torch.manual_seed(wish.seed)
    net = loaded(wish, old)
    lora.layers(net.backbone)  # refuses before the long work
    device = "cuda" if torch.cuda.is_available() else "cpu"
    reader = Reader(old.card, wish.place)
    trained, chosen = task.on(split.TRAIN), task.on(split.VALIDATE)
    labels, chosen_labels = task.labels[trained], task.labels[chosen]
    start = head.fit(
        answers(net, reader, task.of(trained)),
        labels,
        answers(net, reader, task.of(chosen)),
        chosen_labels,
        added=len(task.new),
        temperature=old.card.temperature,
    )
    adapters = lora.put_in(net.backbone)
    place_first = net.place is not None and net.place.first
    width = len(start.weights[0])
    taken = net.head.in_features
    features = slice(taken - width, taken) if place_first else slice(0, width)
    net.head = Head(net.head, start, features, old.card.raw.get("taxon_of"))
    net.pool = nn.Identity()  # the new head does it
    net.to(device)
    best, losses = train(
        net,
        reader,
        (task.of(trained), labels),
        (task.of(chosen), chosen_labels),
        epochs=wish.epochs,
        temperature=old.card.temperature,
        seed=wish.seed,
        say=wish.say,
    )
    net.load_state_dict(best, strict=True)
    net.cpu().eval()
    lora.merge(net.backbone)
    net.head = net.head.merged()
    with tempfile.TemporaryDirectory(dir=made.parent) as name:
        graph = Path(name) / "float32.onnx"
        export.write(net, old.card.input_height, graph)
        feeds = [reader.feed(photo) for photo in task.of(trained)[:CALIBRATING_PHOTOS]]
        exact = parity.difference(_asked(net, feeds[:8]), parity.by_graph(graph, feeds[:8]))
        if not exact.largest_logit <= parity.LARGEST:
            raise Refused(f"The graph differs from the network by {exact.largest_logit:.3g} in a logit.")
        try:
            shipped = quantise.quantise(graph, made, _method(old), feeds)
        except quantise.QuantisationError as impossible:
            raise Refused(f"The new weights cannot be stored as the old ones: {impossible}") from None
    return Learned(
        files=set(shipped.files),
        replaced={offline.GRAPH, offline.WEIGHTS},
        method=f"LoRA of rank {lora.RANK}, alpha {lora.ALPHA:g}, dropout {lora.DROPOUT:g} on qkv and proj, merged, "
        "and a new head",
        quantisation=shipped.text,
        document={"runtime": shipped.runtime or None},
        facts={
            "adapters": len(adapters),
            "epochs": wish.epochs,
            "validation_loss_by_epoch": losses,
            "device": device,
            "anchors": None,
        },
        moved=True,
    )


def loaded(wish: Wish, old: Model) -> network.Network:
    """The network of the checkpoint; raises Refused when the old model was not made of it."""
    found = source.locate(str(wish.checkpoint))
    described = old.card.raw.get("checkpoint", {})
    noted, asked = described.get("sha256"), described.get("asked", {})
    if noted is not None and noted != found.sha256:
        raise Refused(
            f"{found.origin} is not the checkpoint that {old.card.name} was converted from: its SHA-256 is "
            f"{found.sha256}, not {noted}."
        )
    tensors, _ = source.tensors(source.read(found.path), found.path.stat().st_size, asked.get("entry"))
    merged = unmerged.merge(tensors, found.adapter, asked.get("lora_alpha"))
    named = old.card.raw.get("architecture")
    try:
        filled = network.fill(merged.weights, None, old.card.input_height, asked.get("head"))
    except Refused:
        if not named:
            raise
        filled = network.fill(merged.weights, str(named), old.card.input_height, asked.get("head"))
    taxon_of = old.card.raw.get("taxon_of") or list(range(filled.classes))
    if len(taxon_of) != filled.classes or len(set(taxon_of)) != len(old.labels):
        raise Refused(
            f"{found.origin} has {filled.classes} outputs and {old.card.name} names {len(old.labels)} species: "
            "start from the model that was converted from it."
        )
    block = old.card.raw.get("place")
    rule = None
    if block is not None:
        rule = PlaceRule(
            block["scale"], block["activation"], block["activated_end"], block["order"] == "place-first"
        )
    return network.Network(filled, rule, taxon_of)


class Reader:
    """From photos to what the network takes: pixels as the server prepares them, and the place."""

    def __init__(self, card: Card, place: tuple[float, float] | None) -> None:
        self.card = card
        self.place = None if card.place is None else torch.tensor([place or card.place], dtype=torch.float32)
        self.mean = torch.tensor(card.mean)[:, None, None]
        self.std = torch.tensor(card.std)[:, None, None]

    def pixels(self, photo: OwnPhoto) -> np.ndarray:
        """uint8 (3, H, W), of the part of the photo that the model sees."""
        image = picture(photo)
        seen = image.resize(
            (self.card.input_width, self.card.input_height),
            preprocess.RESAMPLE[self.card.resample],
            box=preprocess.seen_box(image.width, image.height, self.card),
        )
        return np.ascontiguousarray(np.asarray(seen).transpose(2, 0, 1))

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """From 0 to 1 to the network's scale."""
        return (images - self.mean.to(images.device)) / self.std.to(images.device)

    def feed(self, photo: OwnPhoto) -> dict[str, np.ndarray]:
        """What the graph takes for one photo."""
        fed = {"image": preprocess.tensor(picture(photo), self.card)}
        return fed if self.place is None else fed | {"place": self.place.numpy()}

    def places(self, count: int, device: torch.device) -> torch.Tensor | None:
        return None if self.place is None else self.place.expand(count, -1).to(device)


def train(
    net: network.Network,
    reader: Reader,
    training: tuple[list[OwnPhoto], np.ndarray],
    validation: tuple[list[OwnPhoto], np.ndarray],
    *,
    epochs: int,
    temperature: float,
    seed: int,
    say: Any,
) -> tuple[dict[str, torch.Tensor], list[float]]:
    """The weights of the epoch with the lowest validation log-loss, the start included; and that loss by epoch."""
    device = next(net.parameters()).device
    learned = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY)
    photos, labels = training
    steps = max(1, math.ceil(len(photos) / BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=max(2, epochs * steps), pct_start=0.1
    )
    losses = [_loss(net, reader, validation, temperature)]
    best = copy.deepcopy(net.state_dict())
    for epoch in range(epochs):
        torch.manual_seed(seed * 1000 + epoch)
        net.train()
        for batch in torch.randperm(len(photos)).split(BATCH):
            pixels = torch.from_numpy(np.stack([reader.pixels(photos[i]) for i in batch.tolist()]))
            images = reader.normalised(augment(pixels, pixels.shape[-1])).to(device)
            logits, _ = net(images, reader.places(len(batch), device))
            target = torch.from_numpy(labels[batch.numpy()]).to(device)
            loss = F.cross_entropy(logits / temperature, target)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned, 1.0)
            optimiser.step()
            schedule.step()
        losses.append(_loss(net, reader, validation, temperature))
        say(f"epoch {epoch + 1}/{epochs}: log-loss of the validation photos {losses[-1]:.4f}")
        if losses[-1] < min(losses[:-1]):
            best = copy.deepcopy(net.state_dict())
    return best, losses


def answers(net: network.Network, reader: Reader, photos: list[OwnPhoto]) -> Answers:
    """The network's answers to photos as they are."""
    logits, embeddings = [], []
    for z, e in _outputs(net, reader, photos):
        logits.append(z.numpy())
        embeddings.append(e.numpy())
    return Answers(np.concatenate(logits), np.concatenate(embeddings), np.arange(len(photos)))


def _outputs(
    net: network.Network, reader: Reader, photos: list[OwnPhoto]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    device = next(net.parameters()).device
    net.eval()
    with torch.inference_mode():
        for start in range(0, len(photos), BATCH):
            some = photos[start : start + BATCH]
            pixels = torch.from_numpy(np.stack([reader.pixels(photo) for photo in some]))
            images = reader.normalised(pixels.float() / 255).to(device)
            logits, embedding = net(images, reader.places(len(some), device))
            yield logits.float().cpu(), embedding.float().cpu()


def _loss(
    net: network.Network, reader: Reader, given: tuple[list[OwnPhoto], np.ndarray], temperature: float
) -> float:
    photos, labels = given
    logits = torch.cat([z for z, _ in _outputs(net, reader, photos)])
    return float(F.cross_entropy(logits / temperature, torch.from_numpy(labels)))


def _asked(net: network.Network, feeds: list[dict[str, np.ndarray]]) -> np.ndarray:
    with torch.inference_mode():
        rows = [net(*(torch.from_numpy(value) for value in feed.values()))[0] for feed in feeds]
    return torch.cat(rows).numpy()


def _method(old: Model) -> str:
    """The variant that the old model's weights are stored in, where it is one of ours; else the usual choice."""
    text = old.card.raw.get("quantisation")
    return next((name for name, variant in quantise.VARIANTS.items() if variant.text == text), "auto")
