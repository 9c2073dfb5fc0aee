"""What one Swin Transformer's weights are called by timm (today, before), Microsoft, Hugging Face and torchvision.

Every name is derived from timm's of today, in one direction only: the keys a layout must have follow from the
architecture, so that what is missing or too much is told in the file's own names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch

from scripts.conversion import Refused

TITLES = {
    "timm": "timm of today",
    "original": "Microsoft's original, as timm 0.4 to 0.8",
    "hugging-face": "Hugging Face SwinForImageClassification",
    "hugging-face-5": "Hugging Face SwinForImageClassification, as transformers 5 names it",
    "torchvision": "torchvision",
    "named": "timm",
}
# The first table of relative positions, which every Swin has: what stands before it is a wrapper's prefix.
ANCHORS = {
    "hugging-face": r"encoder\.layers\.0\.blocks\.0\.attention\.self\.relative_position_bias_table",
    "hugging-face-5": (
        r"encoder\.layers\.0\.blocks\.0\.attention\.relative_position_bias\.relative_position_bias_table"
    ),
    "torchvision": r"features\.1\.0\.attn\.relative_position_bias_table",
    "timm": r"layers\.0\.blocks\.0\.attn\.relative_position_bias_table",
}
BLOCK = re.compile(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)")
MERGING = re.compile(r"layers\.(\d+)\.downsample\.(.+)")
HUGGING_FACE = {
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "patch_embed.norm": "embeddings.norm",
    "norm": "layernorm",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "attn": "attention.self",
}
QKV = ("attention.self.query", "attention.self.key", "attention.self.value")
HUGGING_FACE_5 = HUGGING_FACE | {
    "attn.proj": "attention.o_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "attn": "attention.relative_position_bias",
}
QKV_5 = ("attention.q_proj", "attention.k_proj", "attention.v_proj")
TORCHVISION = {
    "patch_embed.proj": "features.0.0",
    "patch_embed.norm": "features.0.2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
}


@dataclass(frozen=True)
class Layout:
    """How a file calls the weights; `prefix` is what a wrapper put before every name of the backbone."""

    kind: str
    prefix: str

    @property
    def title(self) -> str:
        return TITLES[self.kind]

    def names(self, name: str) -> tuple[str, ...]:
        """The file's key of timm's `name`; three keys where query, key and value are stored apart."""
        return tuple(self.prefix + found for found in self._names(name))

    def _names(self, name: str) -> tuple[str, ...]:
        module, _, last = name.rpartition(".")
        block, merging = BLOCK.fullmatch(module), MERGING.fullmatch(module)
        if self.kind in ("timm", "named"):
            return (name,)
        if self.kind == "original":
            return (f"layers.{int(merging[1]) - 1}.downsample.{merging[2]}.{last}",) if merging else (name,)
        if self.kind == "torchvision":
            if merging:
                return (f"features.{2 * int(merging[1])}.{merging[2]}.{last}",)
            if block:
                inner = TORCHVISION.get(block[3], block[3])
                return (f"features.{2 * int(block[1]) + 1}.{block[2]}.{inner}.{last}",)
            return (f"{TORCHVISION.get(module, module)}.{last}",)
        new = self.kind == "hugging-face-5"
        table = HUGGING_FACE_5 if new else HUGGING_FACE
        if merging:
            return (f"encoder.layers.{int(merging[1]) - 1}.downsample.{merging[2]}.{last}",)
        if block:
            start = f"encoder.layers.{block[1]}.blocks.{block[2]}"
            inner = (QKV_5 if new else QKV) if block[3] == "attn.qkv" else (table[block[3]],)
            return tuple(f"{start}.{part}.{last}" for part in inner)
        return (f"{table[module]}.{last}",)

    def block(self, stage: int, block: int) -> str:
        """What all keys of a block begin with."""
        return self.names(f"layers.{stage}.blocks.{block}.norm1.weight")[0].removesuffix(
            {"hugging-face": "layernorm_before.weight", "hugging-face-5": "layernorm_before.weight"}.get(
                self.kind, "norm1.weight"
            )
        )

    def buffers(self, stage: int, block: int) -> dict[str, str]:
        """The keys of what some files store and the architecture computes: timm's buffer name by the file's key."""
        start = f"layers.{stage}.blocks.{block}"
        index = f"{start}.attn.relative_position_index"
        if self.kind in ("hugging-face", "hugging-face-5", "torchvision"):
            return {self.names(index)[0]: index}
        return {
            self.prefix + index: index,
            f"{self.prefix}{start}.attn_mask": f"{start}.attn_mask",
        }


def swin(keys: Collection[str]) -> Layout | None:
    """The layout of a Swin's keys, LoRA merged; None when they are of another architecture.

    Raises Refused when there are several in one file.
    """
    found = []
    for kind, anchor in ANCHORS.items():
        pattern = re.compile(rf"(?P<prefix>(?:.+\.)?){anchor}")
        for key in keys:
            matched = pattern.fullmatch(key)
            if matched:
                found.append(Layout(kind, matched["prefix"]))
    if len(found) > 1:
        raise Refused(
            "Several Swin Transformers in one file: "
            + ", ".join(f"{f.title} under {f.prefix!r}" for f in found)
        )
    if not found:
        return None
    layout = found[0]
    # A stage ended with the merging of patches at first; timm 0.9 moved it to where the next stage begins.
    if layout.kind == "timm" and any(key.startswith(f"{layout.prefix}layers.0.downsample.") for key in keys):
        layout = Layout("original", layout.prefix)
    return layout


def named(keys: Collection[str], expected: Collection[str]) -> Layout:
    """The layout of any timm model by its own names, whatever prefix they have; Refused when none fits."""
    first = next(iter(expected))
    prefixes = sorted({key.removesuffix(first) for key in keys if key.endswith(first)}, key=len)
    prefixes = [prefix for prefix in prefixes if not prefix or prefix.endswith(".")]
    if not prefixes:
        raise Refused(f"No key of the file is called {first}, or ends so.")
    # Where several fit (a stage's norm and the whole network's), the one under which most names are found.
    return Layout("named", max(prefixes, key=lambda prefix: sum(prefix + name in keys for name in expected)))


def translate(
    layout: Layout, tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Size]
) -> tuple[dict[str, torch.Tensor], dict[str, list[str]], set[str]]:
    """The tensors by timm's names, what is wrong, and the keys that were used.

    What is wrong: lines under `missing` and `misshapen`, in the file's names.
    """
    translated: dict[str, torch.Tensor] = {}
    wrong: dict[str, list[str]] = {"missing": [], "misshapen": []}
    used: set[str] = set()
    for name, shape in expected.items():
        keys = layout.names(name)
        used.update(keys)
        absent = [key for key in keys if key not in tensors]
        wrong["missing"] += absent
        if absent:
            continue
        # Query, key and value stored apart have a third of the rows each.
        part = torch.Size([shape[0] // len(keys), *shape[1:]]) if len(keys) > 1 else shape
        bad = [key for key in keys if tensors[key].shape != part]
        wrong["misshapen"] += [
            f"{key}: {_shape(tensors[key].shape)} instead of {_shape(part)}" for key in bad
        ]
        if not bad:
            parts = [tensors[key] for key in keys]
            translated[name] = torch.cat(parts) if len(parts) > 1 else parts[0]
    return translated, wrong, used


def outside(layout: Layout, key: str) -> str:
    """A key that is not the backbone's, without the part of the prefix that it shares."""
    shared = ""
    for part in layout.prefix.split(".")[:-1]:
        if not key.startswith(f"{shared}{part}."):
            break
        shared += f"{part}."
    return key.removeprefix(shared)


def first_keys(tensors: Mapping[str, torch.Tensor], count: int = 20) -> str:
    """The first keys and their shapes, for a person to recognise."""
    lines = [f"  {key}: {_shape(value.shape)}" for key, value in list(tensors.items())[:count]]
    rest = len(tensors) - len(lines)
    return "\n".join(lines + ([f"  … and {rest} more"] if rest > 0 else []))


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "scalar"
