"""The network that a checkpoint's weights belong to, built from their shapes and filled without exception."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from scripts.conversion import Refused, layouts, place, pooling
from scripts.conversion.backbones import timm
from scripts.conversion.layouts import Layout
from scripts.conversion.place import Head, PlaceRule

INPUT_SIZES = {7: 224, 8: 256, 12: 384}  # what Swin's windows are published for
SIZES = {
    (96, (2, 2, 6, 2)): "tiny",
    (96, (2, 2, 18, 2)): "small",
    (128, (2, 2, 18, 2)): "base",
    (192, (2, 2, 18, 2)): "large",
}
BUFFERS = (".attn_mask", ".relative_position_index")


@dataclass(frozen=True)
class Architecture:
    """`name`: as timm calls it. `swin`: the arguments of timm's SwinTransformer, empty for other architectures."""

    name: str
    size: int
    swin: dict[str, Any] = field(default_factory=dict)

    def build(self, classes: int = 0) -> nn.Module:
        """The network with random weights; without classes it gives the image's features."""
        if not self.swin:
            # Networks of convolutions take every size and no argument for it.
            sized = {} if self.size == _published_size(self.name) else {"img_size": self.size}
            try:
                return timm().create_model(self.name, num_classes=classes, **sized).eval()
            except TypeError:
                return timm().create_model(self.name, num_classes=classes).eval()
        timm()  # so that it can be imported
        from timm.models.swin_transformer import SwinTransformer

        return SwinTransformer(img_size=self.size, num_classes=classes, **self.swin).eval()


def infer(layout: Layout, tensors: dict[str, torch.Tensor], size: int | None = None) -> Architecture:
    """The Swin Transformer that weights of these shapes belong to; nothing but shapes is looked at.

    `size`: of the input in pixels, where the person says so; else from stored attention masks, else what the
    window is published for. Raises Refused naming what does not tell.
    """
    (patch_key,) = layout.names("patch_embed.proj.weight")
    patch = tensors.get(patch_key)
    if patch is None or patch.ndim != 4 or patch.shape[2] != patch.shape[3]:
        raise Refused(f"missing or misshapen: {patch_key}, which tells the width of the network.")
    depths, heads, windows = [], [], []
    keys = list(tensors)
    for stage in range(8):
        depth = 0
        while any(key.startswith(layout.block(stage, depth)) for key in keys):
            depth += 1
        # A gap in the middle is a missing block, not the end of a stage.
        pattern = re.compile(re.escape(layout.block(stage, 987654)).replace("987654", r"(\d+)"))
        found = [int(matched[1]) for key in keys if (matched := pattern.match(key))]
        depth = max([depth, *(number + 1 for number in found if number < 100)])
        if not depth:
            break
        depths.append(depth)
        tables = [
            tensors[key]
            for block in range(depth)
            for key in layout.names(f"layers.{stage}.blocks.{block}.attn.relative_position_bias_table")
            if key in tensors and tensors[key].ndim == 2
        ]
        if not tables:
            raise Refused(
                f"Stage {stage} has no table of relative positions, which tells its heads and window."
            )
        # Most of them decide, so that a misshapen one is named and not all the others.
        rows, columns = max((tuple(t.shape) for t in tables), key=[tuple(t.shape) for t in tables].count)
        heads.append(columns)
        windows.append((math.isqrt(rows) + 1) // 2)
        if (2 * windows[-1] - 1) ** 2 != rows:
            raise Refused(f"Stage {stage}: tables of {rows} rows belong to no square window.")
    patch_size, window = patch.shape[2], windows[0]
    stored = _stored_size(layout, tensors, depths, window, patch_size)
    side = size or stored or INPUT_SIZES.get(window)
    if side is None:
        raise Refused(
            f"Nothing tells the input size of a network with windows of {window}: say --input-size."
        )
    (fc1,) = layout.names("layers.0.blocks.0.mlp.fc1.weight")
    ratio = len(tensors[fc1]) / patch.shape[0] if fc1 in tensors else 4.0
    return Architecture(
        f"swin_{SIZES.get((patch.shape[0], tuple(depths)), 'custom')}_patch{patch_size}_window{window}_{side}",
        side,
        {
            "patch_size": patch_size,
            "in_chans": patch.shape[1],
            "embed_dim": patch.shape[0],
            "depths": tuple(depths),
            "num_heads": tuple(heads),
            "window_size": window,
            "mlp_ratio": ratio,
        },
    )


def _stored_size(
    layout: Layout, tensors: dict[str, torch.Tensor], depths: list[int], window: int, patch: int
) -> int | None:
    """The input size that a stored attention mask was made for: it has one layer for each window of the image."""
    if depths and depths[0] > 1:
        for key, name in layout.buffers(0, 1).items():
            if name.endswith("attn_mask") and key in tensors and tensors[key].ndim == 3:
                across = math.isqrt(len(tensors[key]))
                if across * across == len(tensors[key]):
                    return across * window * patch
    return None


@dataclass(frozen=True)
class Filled:
    """A checkpoint that fits without exception: `canonical` are the backbone's weights by timm's names."""

    architecture: Architecture
    layout: Layout
    canonical: dict[str, torch.Tensor]
    head: Head
    backbone: nn.Module
    said: list[str]

    @property
    def classes(self) -> int:
        return len(self.head.linear.weight)


def fill(
    tensors: dict[str, torch.Tensor],
    architecture: str | None = None,
    size: int | None = None,
    head: str | None = None,
) -> Filled:
    """Recognise the layout, build the network and give it every weight of the file.

    `architecture`: timm's name of it, needed for all but Swin. Raises Refused listing, in the file's own names,
    every key that is missing, unexpected or misshapen, and every stored buffer that is not what the architecture
    computes.
    """
    layout = layouts.swin(tensors) if architecture is None or architecture.startswith("swin_") else None
    if layout is not None:
        shape = infer(layout, tensors, size)
        if architecture is not None and architecture.partition(".")[0] != shape.name:
            raise Refused(f"The shapes are those of {shape.name}, not of {architecture}.")
        said = [f"layout: {layout.title}", f"architecture: {shape.name}, from the shapes"]
    elif architecture is None:
        raise Refused(
            "The keys are those of no Swin Transformer that is known here; for another architecture, name it with "
            f"--architecture. The first keys:\n{layouts.first_keys(tensors)}"
        )
    else:
        shape = Architecture(architecture, size or _published_size(architecture))
        said = [f"architecture: {architecture}, as demanded"]
    try:
        backbone = shape.build()
    except (AssertionError, RuntimeError, ValueError, TypeError) as impossible:
        raise Refused(f"{shape.name} cannot be built: {impossible}") from None
    state = backbone.state_dict()
    expected = {name: value.shape for name, value in state.items()}
    if layout is None:
        layout = layouts.named(tensors, expected)
        said.insert(0, f"layout: {layout.title}")
    if layout.prefix:
        said.append(f"prefix {layout.prefix!r} taken off the backbone's keys")
    canonical, wrong, used = layouts.translate(layout, tensors, expected)
    # Whole numbers in the place of weights were quantised by a rule that the file does not tell.
    wrong["misshapen"] += [
        f"{' '.join(layout.names(name))}: {str(value.dtype).removeprefix('torch.')} instead of float32"
        for name, value in canonical.items()
        if state[name].is_floating_point() and not value.is_floating_point()
    ]
    compared, bad = _compare_buffers(layout, tensors, backbone, shape) if shape.swin else (set(), [])
    if compared:
        said.append(f"{len(compared)} stored masks and indices are those that the architecture computes")
    rest = {layouts.outside(layout, key): key for key in tensors if key not in used | compared}
    found, by_head, left, no_head = None, set(), set(), ""
    try:
        found, by_head, left = place.find(
            {short: tensors[key] for short, key in rest.items()}, _width(backbone), head
        )
    except Refused as refused:
        no_head = str(refused)
    unexpected = [key for short, key in rest.items() if short not in by_head | left]
    if no_head or any(wrong.values()) or bad or (found and unexpected):
        _refuse(shape, wrong, [] if no_head else unexpected, bad, no_head, tensors)
    assert found is not None
    said += [f"left out, because --head names another: {rest[short]}" for short in sorted(left)]
    backbone.load_state_dict(canonical, strict=True, assign=True)
    return Filled(shape, layout, canonical, found, backbone, said)


def _refuse(
    shape: Architecture,
    wrong: dict[str, list[str]],
    unexpected: list[str],
    bad: list[str],
    no_head: str,
    tensors: dict[str, torch.Tensor],
) -> None:
    blocks = {
        "Missing": wrong["missing"],
        "Unexpected": [f"{key}: {'x'.join(map(str, tensors[key].shape)) or 'scalar'}" for key in unexpected],
        "Misshapen": wrong["misshapen"],
        "Stored, but not what the architecture computes": bad,
    }
    lines = [f"The file does not fit {shape.name}."]
    for title, entries in blocks.items():
        if entries:
            lines += [f"{title} ({len(entries)}):", *(f"  {entry}" for entry in entries)]
    if no_head:
        lines.append(no_head)
    lines.append(f"The file's first keys:\n{layouts.first_keys(tensors)}")
    raise Refused("\n".join(lines))


def _compare_buffers(
    layout: Layout, tensors: dict[str, torch.Tensor], backbone: nn.Module, shape: Architecture
) -> tuple[set[str], list[str]]:
    """The stored buffers that were compared with the computed ones, and those that differ."""
    computed = dict(backbone.named_buffers())
    compared, bad = set(), []
    for stage, depth in enumerate(shape.swin["depths"]):
        for block in range(depth):
            for key, name in layout.buffers(stage, block).items():
                if key not in tensors:
                    continue
                compared.add(key)
                stored, own = tensors[key], computed.get(name)
                if own is None:
                    bad.append(f"{key}: the architecture has none here")
                # torchvision stores the index as one row.
                elif stored.numel() != own.numel() or not torch.equal(
                    stored.flatten(), own.flatten().to(stored.dtype)
                ):
                    bad.append(key)
    return compared, bad


def _width(backbone: nn.Module) -> int:
    """How many features the backbone gives for an image."""
    return int(getattr(backbone, "head_hidden_size", None) or backbone.num_features)


def _published_size(architecture: str) -> int:
    config = timm().get_pretrained_cfg(architecture)
    if config is None:
        raise Refused(f"timm knows no {architecture}; its names are listed by timm.list_models().")
    return int(config.input_size[-1])


class Network(nn.Module):
    """What is exported: `image` (and `place`, degrees) to `logits` and `embedding`, the image's features.

    `taxon_of`: the species of each output; where several mean one, the logits are those of the species.
    """

    def __init__(
        self, filled: Filled, rule: PlaceRule | None = None, taxon_of: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.backbone = filled.backbone
        self.head = _linear(filled.head.linear)
        self.place = Place(filled.head, rule or PlaceRule("degrees")) if filled.head.coordinates else None
        self.pool = pooling.Pool(taxon_of) if taxon_of and pooling.is_needed(taxon_of) else nn.Identity()
        self.eval()

    def forward(
        self, image: torch.Tensor, place: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.backbone(image)
        if self.place is None:
            return self.pool(self.head(embedding)), embedding
        assert place is not None
        parts = [embedding, self.place(place)]
        features = torch.cat(parts[::-1] if self.place.first else parts, 1)
        return self.pool(self.head(features)), embedding


class Place(nn.Module):
    """Latitude and longitude in degrees (N, 2) to what the head takes beside the image's features."""

    def __init__(self, head: Head, rule: PlaceRule) -> None:
        super().__init__()
        self.rule, self.first = rule, rule.place_first
        self.chain = nn.ModuleList([_linear(layer) for layer in head.chain])
        self.register_buffer("unit", torch.tensor([1 / 90, 1 / 180]))

    def forward(self, place: torch.Tensor) -> torch.Tensor:
        x = place
        if self.rule.scale == "unit":
            x = place * self.unit
        elif self.rule.scale == "sincos":
            radians = place * (math.pi / 180)
            both = torch.stack(
                [radians.sin(), radians.cos()], 2
            )  # N x (latitude, longitude) x (sine, cosine)
            x = both.flatten(1)
        for number, layer in enumerate(self.chain, 1):
            x = layer(x)
            if number < len(self.chain) or self.rule.activated_end:
                x = self._activate(x)
        return x

    def _activate(self, x: torch.Tensor) -> torch.Tensor:
        if self.rule.activation == "relu":
            return nn.functional.relu(x)
        return nn.functional.gelu(x) if self.rule.activation == "gelu" else x


def _linear(layer: place.Linear) -> nn.Linear:
    made = nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
    made.load_state_dict({"weight": layer.weight, "bias": layer.bias}, strict=True)
    return made
