"""The head of a checkpoint, and the extra latitude/longitude input that some heads have, found by structure.

A head is the one linear layer on the image's features. A wider one takes the place too: either the two (or four)
coordinates themselves, or what a chain of linear layers makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from scripts.conversion import Refused

COORDINATES = {"degrees": 2, "unit": 2, "sincos": 4}
ACTIVATIONS = ("relu", "gelu", "none")


@dataclass(frozen=True)
class Linear:
    """A linear layer of the file: `weight` (out, in), `bias` (out,), and what the file calls it."""

    name: str
    weight: torch.Tensor
    bias: torch.Tensor


@dataclass(frozen=True)
class PlaceRule:
    """What the weights do not tell of a place input; `activated_end`: the last layer is followed by one too."""

    scale: str
    activation: str = "relu"
    activated_end: bool = True
    place_first: bool = False


@dataclass(frozen=True)
class Head:
    """`linear` makes the logits of the image's features and, where `coordinates` is not 0, of the place, which
    `chain` has widened before (empty: the coordinates themselves)."""

    linear: Linear
    coordinates: int = 0
    chain: tuple[Linear, ...] = ()


def find(
    outside: dict[str, torch.Tensor], features: int, chosen: str | None = None
) -> tuple[Head, set[str], set[str]]:
    """The head among the tensors that are not the backbone's, the keys it uses, and those of heads left out.

    `features`: how many numbers the backbone gives. `chosen`: the name of the head where a person decided among
    several. Raises Refused with what was found when there is no head, or more than one.
    """
    layers = _linears(outside)
    heads = {name: layer for name, layer in layers.items() if layer.weight.shape[1] == features}
    wide = {name: layer for name, layer in layers.items() if layer.weight.shape[1] > features}
    found = heads | wide
    if chosen is not None:
        if chosen not in found:
            raise Refused(
                f"--head {chosen}: the file's linear layers that could be are: {_names(found) or 'none'}."
            )
        left = {key for name in found if name != chosen for key in (f"{name}.weight", f"{name}.bias")}
        found = {chosen: found[chosen]}
    else:
        left = set()
    if len(found) > 1:
        raise Refused(
            "More than one layer could be the head, and nothing in the file says which is used: "
            f"{_names(found)}. Name the right one with --head."
        )
    if not found:
        raise Refused(
            f"No head was found: no linear layer takes the {features} features of the image. Outside the backbone: "
            f"{', '.join(f'{key} ({_shape(value)})' for key, value in outside.items()) or 'nothing'}."
        )
    ((name, linear),) = found.items()
    used = {f"{name}.weight", f"{name}.bias"}
    if name in heads:
        return Head(linear), used, left
    width = linear.weight.shape[1] - features
    others = [layer for other, layer in layers.items() if other != name and f"{other}.weight" not in left]
    chain = _chain(others, width)
    if chain:
        used |= {key for layer in chain for key in (f"{layer.name}.weight", f"{layer.name}.bias")}
        return Head(linear, chain[0].weight.shape[1], chain), used, left
    if width in (2, 4) and not others:
        return Head(linear, width), used, left
    raise Refused(
        f"{name} takes {linear.weight.shape[1]} numbers, {width} more than the image's {features}, and no chain of "
        f"linear layers from 2 or 4 coordinates gives them. Linear layers found: {_names(layers)}."
    )


def _linears(tensors: dict[str, torch.Tensor]) -> dict[str, Linear]:
    """Weights of two dimensions with their bias. A layer without bias stays out: whether it is meant so, or the
    bias is missing, the file does not tell."""
    found = {}
    for key, weight in tensors.items():
        name = key.removesuffix(".weight")
        bias = tensors.get(f"{name}.bias")
        if name == key or weight.ndim != 2 or bias is None or bias.shape != weight.shape[:1]:
            continue
        if weight.is_floating_point() and bias.is_floating_point():
            found[name] = Linear(name, weight, bias)
    return found


def _chain(layers: list[Linear], width: int) -> tuple[Linear, ...]:
    """The layers one after the other as the file has them, if they lead from 2 or 4 numbers to `width`."""
    inputs = [2, *(len(layer.weight) for layer in layers)] if layers else []
    if not layers or layers[0].weight.shape[1] not in (2, 4) or len(layers[-1].weight) != width:
        return ()
    linked = all(layer.weight.shape[1] == n for layer, n in zip(layers[1:], inputs[1:], strict=False))
    return tuple(layers) if linked else ()


def check(head: Head, scale: str | None, default: tuple[float, float] | None) -> None:
    """Raises Refused when the head takes a place and the person has not said how, or the other way round."""
    if not head.coordinates:
        if scale is not None or default is not None:
            raise Refused(
                "This checkpoint takes no latitude and longitude: leave --place-… and --default-place out."
            )
        return
    what = f"{head.linear.name} takes a place: {head.coordinates} coordinates" + (
        " through " + ", ".join(f"{layer.name} ({_shape(layer.weight)})" for layer in head.chain)
        if head.chain
        else ", beside the image's features"
    )
    fitting = [name for name, count in COORDINATES.items() if count == head.coordinates]
    if scale is None:
        raise Refused(
            f"{what}. The file does not tell how degrees go in, and a wrong guess would give wrong species: say "
            "--place-scale degrees (as they are), unit (latitude / 90, longitude / 180) or sincos (sine and cosine "
            f"of the latitude, then of the longitude); with {head.coordinates} coordinates: {', '.join(fitting)}."
        )
    if scale not in fitting:
        raise Refused(
            f"{what}; --place-scale {scale} gives {COORDINATES[scale]}. Fitting: {', '.join(fitting)}."
        )
    if default is None:
        raise Refused(f"{what}. Say with --default-place LAT,LON which place to take when none is known.")


def _names(layers: dict[str, Linear]) -> str:
    return ", ".join(f"{name} ({_shape(layer.weight)})" for name, layer in layers.items())


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
