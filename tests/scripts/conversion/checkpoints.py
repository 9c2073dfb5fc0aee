"""Checkpoints for the tests: true architectures by their own implementations, with weights that tell."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn

from scripts.conversion import lora, network, source
from scripts.conversion.backbones import timm

timm()  # before torchvision and transformers, which it helps to import
CLASSES = 11
SMALL = {"embed_dim": 32, "depths": (2, 2), "num_heads": (1, 2), "window_size": 4}
SMALL_SIZE = 64


def random_weights(net: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter of a size at which an error in it shows in the logits: fresh networks have biases, tables and
    adapters of zeros, and norms of ones.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in net.named_parameters():
            noise = torch.randn(value.shape, generator=generator)
            if "table" in name:
                value.copy_(noise)
            elif value.ndim >= 2:
                # An adapter changes its layer about as much as the layer itself is.
                scale = 0.08 if "lora" in name else (value[0].numel()) ** -0.5
                value.copy_(noise * scale)
            else:
                norm = re.search(r"norm|bn|\.0\.2\.", name) and name.endswith("weight")
                value.copy_(1 + 0.2 * noise if norm else 0.3 * noise)
        for name, value in net.named_buffers():
            if name.endswith("running_mean"):
                value.copy_(0.2 * torch.randn(value.shape, generator=generator))
            elif name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return net.eval()


def swin(**changed: object) -> nn.Module:
    """timm's Swin-Tiny with random weights, or another of its class."""
    from timm.models.swin_transformer import SwinTransformer

    return random_weights(SwinTransformer(**{"num_classes": CLASSES, **changed}))  # type: ignore[arg-type]


def small_swin(**changed: object) -> nn.Module:
    """A Swin of two stages for 64 pixels, where the architecture is not what is tested."""
    return swin(**{**SMALL, "img_size": SMALL_SIZE, **changed})


def hugging_face(**changed: object) -> nn.Module:
    from transformers import SwinConfig, SwinForImageClassification

    return random_weights(SwinForImageClassification(SwinConfig(num_labels=CLASSES, **changed)))


def torchvision_swin() -> nn.Module:
    from torchvision.models import swin_t

    return random_weights(swin_t(num_classes=CLASSES))


def as_first_published(net: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of timm's Swin as Microsoft and timm 0.4 to 0.8 wrote it, with their masks and indices."""
    state = {}
    for key, value in [*net.state_dict().items(), *net.named_buffers()]:
        old = re.sub(r"layers\.(\d+)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", key)
        state[old.replace("head.fc.", "head.")] = value.clone()
    return state


def save(state: object, path: Path) -> Path:
    path.unlink(missing_ok=True)  # what was read of it is mapped, and must not change
    torch.save(state, path)
    return path


def pixels(count: int = 2, size: int = 224, seed: int = 5) -> torch.Tensor:
    return torch.randn((count, 3, size, size), generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def logits(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    answered = net(images)
    return answered.logits if hasattr(answered, "logits") else answered


def filled(
    state: object, folder: Path, alpha: float | None = None, **options: object
) -> tuple[network.Filled, lora.Merged, list[str]]:
    """A checkpoint through a file, as far as the network."""
    path = save(state, folder / "checkpoint.pth")
    found = source.locate(str(path))
    tensors, said = source.tensors(source.read(path), path.stat().st_size)
    merged = lora.merge(tensors, found.adapter, alpha)
    made = network.fill(merged.weights, **options)  # type: ignore[arg-type]
    return made, merged, [*said, *merged.said, *made.said]


@torch.inference_mode()
def converted(made: network.Filled, images: torch.Tensor) -> torch.Tensor:
    return network.Network(made)(images)[0]
