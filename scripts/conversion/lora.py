"""LoRA weights that were not merged: found by their structure, and merged into the weights they change.

A low-rank adapter adds scale x up(down(x)) to a linear layer (Hu et al. 2021, arXiv:2106.09685). Its two matrices
multiply to the shape of the layer's weight; rank and names come from the file, alpha from beside it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import torch

from scripts.conversion import Refused

# What the authors of iNatAg trained with (arXiv:2503.20068): rank 16, alpha 32.
DEFAULT_ALPHA = 32.0
# MODULE.lora_A.default.weight, MODULE.lora_A, MODULE.lora.A, MODULE.lora_down.weight, MODULE.lora.lora_up.weight …
PART = re.compile(
    r"(?P<module>.+?)\.(?:lora\w*\.(?:lora_)?|lora_)(?P<side>A|B|a|b|down|up)(?:\.(?P<adapter>(?!weight$)[^.]+))?(?:\.weight)?"
)
PEFT_PREFIX = "base_model.model."  # what PEFT puts before the names that its patterns are written for
DOWN = ("A", "a", "down")
SAVED = re.compile(r"(?P<module>.+)\.modules_to_save\.(?P<adapter>[^.]+)\.(?P<rest>[^.].*)")
ORIGINAL = ".original_module."


@dataclass(frozen=True)
class Pair:
    """An adapter of one layer: `down` (r, in), `up` (out, r), and the factor of their product.

    Of a convolution, `down` is (r, in, height, width), and `up` what a 1 x 1 convolution has.
    """

    module: str
    down: torch.Tensor
    up: torch.Tensor
    scale: float

    @property
    def rank(self) -> int:
        return len(self.down)

    def change(self) -> torch.Tensor:
        """What it adds to the weight, in its shape, computed in float64."""
        product = self.up.double() @ self.down.double().flatten(1)
        return self.scale * product.reshape(len(self.up), *self.down.shape[1:])


@dataclass(frozen=True)
class Merged:
    """`weights`: with every adapter merged. `base`: the same names without them. `pairs`: the adapters."""

    weights: dict[str, torch.Tensor]
    base: dict[str, torch.Tensor]
    pairs: list[Pair]
    said: list[str]


def merge(tensors: dict[str, torch.Tensor], adapter: dict[str, Any], alpha: float | None) -> Merged:
    """Merge every adapter in a state dict and take trained copies of whole layers in place of the originals.

    `adapter`: the adapter_config.json beside the file. `alpha`: what the person demands; otherwise what the file
    or the config says, otherwise 32. Raises Refused naming the keys that fit no known structure.
    """
    said: list[str] = []
    kept = _saved_modules(dict(tensors), said)
    sides: dict[str, dict[str, str]] = {}
    adapters: set[str] = set()
    for key in kept:
        matched = PART.fullmatch(key)
        if matched:
            side = "down" if matched["side"] in DOWN else "up"
            if side in sides.setdefault(matched["module"], {}):
                raise Refused(f"Two LoRA matrices for one place: {sides[matched['module']][side]} and {key}.")
            sides[matched["module"]][side] = key
            adapters.add(matched["adapter"] or "")
    if len(adapters) > 1:
        raise Refused(
            f"Adapters of several names in one file: {', '.join(sorted(adapters))}. Save one of them."
        )
    _refuse_other_kinds(adapter)
    base = {key: value for key, value in kept.items() if not PART.fullmatch(key)}
    pairs, sources = [], set()
    for module, keys in sides.items():
        if len(keys) < 2:
            raise Refused(f"A LoRA matrix without its counterpart: {next(iter(keys.values()))}.")
        weight = _take_base(base, module, kept[keys["down"]], kept[keys["up"]], keys)
        down, up = _orient(kept[keys["down"]], kept[keys["up"]], base[weight], keys)
        scale, where = _scale(base, module, len(down), adapter, alpha)
        sources.add(where)
        pairs.append(Pair(module, down, up, scale))
    merged = dict(base)
    for pair in pairs:
        name = f"{pair.module}.weight"
        merged[name] = (base[name].double() + pair.change()).float()
    if pairs:
        ranks = sorted({pair.rank for pair in pairs})
        scales = sorted({pair.scale for pair in pairs})
        said.append(
            f"LoRA merged in {len(pairs)} layers: rank {', '.join(map(str, ranks))}, factor "
            f"{', '.join(f'{scale:g}' for scale in scales)} ({'; '.join(sorted(sources))})"
        )
    return Merged(merged, base, pairs, said)


def _saved_modules(tensors: dict[str, torch.Tensor], said: list[str]) -> dict[str, torch.Tensor]:
    """PEFT keeps a layer that it trains whole beside the untouched original: the trained one counts."""
    trained: dict[str, torch.Tensor] = {}
    modules: dict[str, set[str]] = {}
    for key, value in tensors.items():
        matched = SAVED.fullmatch(key)
        if matched:
            trained[f"{matched['module']}.{matched['rest']}"] = value
            modules.setdefault(matched["module"], set()).add(matched["adapter"])
    several = {module: names for module, names in modules.items() if len(names) > 1}
    if several:
        module, names = next(iter(several.items()))
        raise Refused(
            f"{module} was trained under several names: {', '.join(sorted(names))}. Save one of them."
        )
    left = {key: value for key, value in tensors.items() if not SAVED.fullmatch(key)}
    for key in list(left):
        module, found, rest = key.partition(ORIGINAL)
        if found and module in modules:
            if f"{module}.{rest}" not in trained:
                raise Refused(f"{key} has no trained counterpart under {module}.modules_to_save.")
            shape = "x".join(map(str, left.pop(key).shape))
            said.append(f"left out: {key} ({shape}), replaced by {module}.modules_to_save")
    clash = sorted(set(left) & set(trained))
    if clash:
        raise Refused("Trained copies and originals under one name: " + ", ".join(clash))
    if modules:
        said.append(f"taken from modules_to_save: {', '.join(sorted(modules))}")
    return left | trained


def _take_base(
    base: dict[str, torch.Tensor], module: str, down: torch.Tensor, up: torch.Tensor, keys: dict[str, str]
) -> str:
    """Give the adapted layer of `module` its own name back (`qkv.base_layer.weight` → `qkv.weight`)."""
    weight = f"{module}.weight"
    if weight in base:
        return weight
    inner = [
        k for k in base if re.fullmatch(re.escape(module) + r"\.[^.]+\.weight", k) and base[k].ndim in (2, 4)
    ]
    if len(inner) != 1:
        raise Refused(
            f"{keys['down']} changes a layer whose own weight is "
            + (
                f"not clear: {', '.join(inner)}."
                if inner
                else "not in the file (an adapter alone is not enough)."
            )
        )
    stem = inner[0].removesuffix("weight")
    for key in [k for k in base if k.startswith(stem)]:
        base[f"{module}.{key.removeprefix(stem)}"] = base.pop(key)
    return weight


def _orient(
    down: torch.Tensor, up: torch.Tensor, weight: torch.Tensor, keys: dict[str, str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrices as (r, in, …) and (out, r): linear layers store them so, plain parameters often transposed."""
    if down.ndim == up.ndim == weight.ndim == 2:
        out, inner = weight.shape
        if down.shape[1] == inner and up.shape == (out, down.shape[0]):
            return down, up
        if down.shape[0] == inner and up.shape == (down.shape[1], out):
            return down.T, up.T
    # PEFT on a convolution: the name `proj` fits a Swin's patch embedding too.
    pointwise = (weight.shape[0], down.shape[0], 1, 1)
    if down.ndim == weight.ndim == 4 and down.shape[1:] == weight.shape[1:] and up.shape == pointwise:
        return down, up.flatten(1)
    shapes = ", ".join("x".join(map(str, t.shape)) for t in (down, up, weight))
    raise Refused(f"{keys['down']} and {keys['up']} do not multiply to their layer's weight ({shapes}).")


def _scale(
    base: dict[str, torch.Tensor], module: str, rank: int, adapter: dict[str, Any], demanded: float | None
) -> tuple[float, str]:
    """The factor of an adapter, and where it is from."""
    stored = {}
    for name in ("scaling", "scale", "alpha", "lora_alpha", "lora.scaling", "lora.alpha"):
        value = base.get(f"{module}.{name}")
        if value is not None and value.numel() == 1:
            stored[name.rpartition(".")[2]] = float(base.pop(f"{module}.{name}"))
    divisor = math.sqrt(rank) if adapter.get("use_rslora") else rank
    if demanded is not None:
        return demanded / divisor, f"alpha {demanded:g} as demanded"
    for name in ("scaling", "scale"):
        if name in stored:
            return stored[name], f"the file's own {name}"
    for name in ("alpha", "lora_alpha"):
        if name in stored:
            return stored[name] / divisor, f"the file's own {name}"
    if "lora_alpha" in adapter:
        alpha = _configured(adapter, module.removeprefix(PEFT_PREFIX))
        return alpha / divisor, f"alpha {alpha:g} from adapter_config.json"
    return (
        DEFAULT_ALPHA / divisor,
        f"alpha {DEFAULT_ALPHA:g} assumed; the file does not tell, --lora-alpha does",
    )


def _configured(adapter: dict[str, Any], module: str) -> float:
    """The alpha that adapter_config.json gives a layer: as PEFT does, the first pattern that fits counts."""
    try:
        found = adapter["lora_alpha"]
        for pattern, special in (adapter.get("alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                found = special
                break
        alpha = float(found)
    except (AttributeError, TypeError, ValueError, re.error):
        raise Refused("adapter_config.json: lora_alpha or alpha_pattern cannot be read.") from None
    if not math.isfinite(alpha):
        raise Refused("adapter_config.json: lora_alpha or alpha_pattern is no finite number.")
    return alpha


def _refuse_other_kinds(adapter: dict[str, Any]) -> None:
    """Adapters that add something else than alpha / r x up x down."""
    kind = adapter.get("peft_type", "LORA")
    if kind != "LORA":
        raise Refused(f"adapter_config.json: peft_type is {kind}; only LORA is merged.")
    for option in ("use_dora", "fan_in_fan_out", "lora_bias"):
        if adapter.get(option):
            raise Refused(
                f"adapter_config.json: {option} is on; such adapters are not merged. Merge them before."
            )
