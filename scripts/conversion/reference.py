"""The checkpoint run by the implementation that its layout comes from, adapters unmerged: what must come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from scripts.conversion import Refused
from scripts.conversion.layouts import Layout
from scripts.conversion.lora import Pair
from scripts.conversion.network import Filled, Network
from scripts.conversion.place import PlaceRule

Predict = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(frozen=True)
class Reference:
    """`predict`: image (1,3,S,S) and place to logits (1,K). `title`: whose code computes them."""

    predict: Predict
    title: str


def of(filled: Filled, base: dict[str, torch.Tensor], pairs: list[Pair], rule: PlaceRule | None) -> Reference:
    """The reference of a checkpoint: `base` are its tensors without the adapters, which are added while it runs.

    A layout whose own implementation is not installed is run by timm's of today. The place of a checkpoint that
    takes one is the converter's own arithmetic: no published implementation is known.
    """
    whole, title = _own(filled, base)
    for pair in pairs if whole is not None else ():
        _adapt(whole, filled, pair)
    if whole is None:  # query, key and value apart: timm's network takes them merged only
        whole, title = _timm(filled, filled.canonical), title + (", adapters merged" if pairs else "")
    head = filled.head
    if not head.coordinates:
        return Reference(lambda image, _: _logits(whole(image)), title)
    network = Network(filled, rule)
    features: list[torch.Tensor] = []
    _head_of(whole).register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))

    def predict(image: torch.Tensor, place: torch.Tensor | None) -> torch.Tensor:
        features.clear()
        whole(image)
        parts = [features[0], network.place(place)]  # type: ignore[misc]
        joined = torch.cat(parts[::-1] if network.place.first else parts, 1)  # type: ignore[union-attr]
        return joined @ head.linear.weight.T + head.linear.bias

    return Reference(predict, f"{title}; place and head by the converter")


def _own(filled: Filled, base: dict[str, torch.Tensor]) -> tuple[nn.Module | None, str]:
    """The implementation with the unmerged weights; None where it is not installed."""
    layout, swin = filled.layout, filled.architecture.swin
    state = _plain_head(filled)
    if layout.kind == "torchvision":
        from torchvision.models.swin_transformer import SwinTransformer

        own = SwinTransformer(
            patch_size=[swin["patch_size"]] * 2,
            embed_dim=swin["embed_dim"],
            depths=list(swin["depths"]),
            num_heads=list(swin["num_heads"]),
            window_size=[swin["window_size"]] * 2,
            mlp_ratio=swin["mlp_ratio"],
            num_classes=filled.classes,
        ).eval()
        indices = {k: v for k, v in own.state_dict().items() if k.endswith("relative_position_index")}
        own.load_state_dict(
            _named(layout, filled, base) | indices | _head("head", state), strict=True, assign=True
        )
        return own, "torchvision's implementation"
    if layout.kind.startswith("hugging-face"):
        own = _hugging_face(filled, base, state)
        return own, "transformers' implementation" if own is not None else "timm's implementation"
    return _timm(filled, _named(layout, filled, base, own=True)), "timm's implementation"


def _timm(filled: Filled, backbone: dict[str, torch.Tensor]) -> nn.Module:
    """timm's whole network, with its own head, from a backbone's weights by its names."""
    own = filled.architecture.build(filled.classes)
    head = next(
        name.removesuffix(".weight")
        for name in own.state_dict()
        if name.endswith(".weight") and name not in filled.canonical
    )
    try:
        own.load_state_dict(backbone | _head(head, _plain_head(filled)), strict=True, assign=True)
    except RuntimeError:  # two heads that are averaged, for instance
        raise Refused(
            f"{filled.architecture.name} has more than one head in timm: it is not converted."
        ) from None
    return own


def _hugging_face(
    filled: Filled, base: dict[str, torch.Tensor], state: dict[str, torch.Tensor]
) -> nn.Module | None:
    """transformers' Swin with these weights; None when the package is not there or names them otherwise."""
    try:
        from transformers import SwinConfig, SwinForImageClassification
    except ImportError:
        return None
    swin = filled.architecture.swin
    own = SwinForImageClassification(
        SwinConfig(
            image_size=filled.architecture.size,
            patch_size=swin["patch_size"],
            embed_dim=swin["embed_dim"],
            depths=list(swin["depths"]),
            num_heads=list(swin["num_heads"]),
            window_size=swin["window_size"],
            mlp_ratio=swin["mlp_ratio"],
            num_labels=filled.classes,
        )
    ).eval()
    names = own.state_dict()
    for kind in ("hugging-face-5", "hugging-face"):
        target = Layout(kind, "swin.")
        renamed = {
            new: base[old]
            for name in filled.canonical
            for new, old in zip(target.names(name), filled.layout.names(name), strict=True)
        } | _head("classifier", state)
        computed = {k: v for k, v in names.items() if k.endswith("relative_position_index")}
        if set(renamed | computed) == set(names):
            own.load_state_dict(renamed | computed, strict=True, assign=True)
            own.named_as = target  # type: ignore[assignment]
            return own
    return None


def _named(
    layout: Layout, filled: Filled, base: dict[str, torch.Tensor], *, own: bool = False
) -> dict[str, torch.Tensor]:
    """The backbone's tensors by the file's names, the wrapper's prefix taken off; with `own` by timm's."""
    return {
        name if own else key.removeprefix(layout.prefix): base[key]
        for name in filled.canonical
        for key in layout.names(name)
    }


def _plain_head(filled: Filled) -> dict[str, torch.Tensor]:
    """A head on the image's features alone; of a wide head the result is not used."""
    linear = filled.head.linear
    if not filled.head.coordinates:
        return {"weight": linear.weight, "bias": linear.bias}
    width = linear.weight.shape[1] - (
        len(filled.head.chain[-1].weight) if filled.head.chain else filled.head.coordinates
    )
    return {"weight": linear.weight[:, :width], "bias": linear.bias}


def _head(name: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{name}.{last}": value for last, value in state.items()}


def _head_of(whole: nn.Module) -> nn.Module:
    if hasattr(whole, "get_classifier"):
        return whole.get_classifier()
    return whole.classifier if hasattr(whole, "classifier") else whole.head


def _adapt(whole: nn.Module, filled: Filled, pair: Pair) -> None:
    """Let one layer add its adapter's output to its own, as it did in training."""
    modules = dict(whole.named_modules())
    target = _module(whole, filled, pair.module, modules)
    if target is None:
        return  # the head's or the place's, which are merged already

    def add(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, nn.Conv2d):
            narrow = nn.functional.conv2d(
                inputs[0], pair.down, None, layer.stride, layer.padding, layer.dilation
            )
            return output + pair.scale * nn.functional.conv2d(narrow, pair.up[:, :, None, None])
        return output + pair.scale * (inputs[0] @ pair.down.T @ pair.up.T)

    layer = modules[target]
    layer.register_forward_hook(add)


def _module(whole: nn.Module, filled: Filled, module: str, modules: dict[str, Any]) -> str | None:
    """What the implementation calls a layer that the file calls `module`."""
    for name in filled.canonical:
        if not name.endswith(".weight"):
            continue
        keys = filled.layout.names(name)
        if f"{module}.weight" in keys:
            if filled.layout.kind == "torchvision":
                return module.removeprefix(filled.layout.prefix)
            named_as = getattr(whole, "named_as", None)
            if named_as is not None:
                return named_as.names(name)[keys.index(f"{module}.weight")].removesuffix(".weight")
            return name.removesuffix(".weight") if len(keys) == 1 else None
    return None


def _logits(output: Any) -> torch.Tensor:
    return output.logits if hasattr(output, "logits") else output
