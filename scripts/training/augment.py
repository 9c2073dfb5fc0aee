"""Cheap augmentation of photos on tensors: geometry in one resampling, then colour, blur, noise, JPEG."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


def _uniform(n: int, low: float, high: float) -> torch.Tensor:
    return torch.rand(n) * (high - low) + low


def geometry(x: torch.Tensor, size: int) -> torch.Tensor:
    """Any rotation (plants seen from above have no up), mirror, zoom, stretch and shift; (N,3,S,S) ->
    (N,3,size,size).
    """
    n = len(x)
    angle = _uniform(n, 0, 2 * math.pi)
    zoom = _uniform(n, 0.6, 1.1)  # the share of the photo's side that is seen
    stretch = torch.exp(_uniform(n, -0.15, 0.15))
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    room = (1.05 - zoom).clamp(min=0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos * zoom * stretch * mirror, -sin * zoom / stretch, _uniform(n, -1, 1) * room], 1),
            torch.stack([sin * zoom * stretch * mirror, cos * zoom / stretch, _uniform(n, -1, 1) * room], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [n, 3, size, size], align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def colour(x: torch.Tensor) -> torch.Tensor:
    """Light and camera, each photo its own: brightness, white balance, contrast and saturation, then gamma.

    The first four are linear in the colours, so they are one 3 x 3 matrix and one offset for each photo.
    """
    n, channels = len(x), 3
    gain = torch.exp(_uniform(n, -0.3, 0.3))[:, None] * torch.exp(torch.randn(n, 3) * 0.06)
    contrast = torch.exp(_uniform(n, -0.3, 0.3))[:, None, None]
    saturation = _uniform(n, 0.6, 1.4)[:, None, None]
    grey = torch.full((channels, channels), 1 / channels)
    matrix = contrast * (saturation * torch.eye(channels) + (1 - saturation) * grey) @ torch.diag_embed(gain)
    mean = (x.mean((2, 3)) * gain).mean(1)[:, None, None]
    flat = torch.baddbmm(mean * (1 - contrast), matrix, x.flatten(2)).clamp_(1e-3, 1)
    return flat.pow_(torch.exp(_uniform(n, -0.25, 0.25))[:, None, None]).view_as(x)


def _blur(x: torch.Tensor) -> torch.Tensor:
    """Out of focus, or taken at fewer pixels and enlarged."""
    if torch.rand(()) < 0.5:
        return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = int(x.shape[-1] * float(_uniform(1, 0.35, 0.8)))
    return F.interpolate(
        F.interpolate(x, small, mode="bilinear", antialias=True), x.shape[-1], mode="bilinear"
    )


def _jpeg(photo: torch.Tensor) -> torch.Tensor:
    """Compress one photo (3,S,S) in 0..1 as JPEG of a random quality and read it back."""
    array = (photo.clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    held = io.BytesIO()
    Image.fromarray(array).save(held, "JPEG", quality=int(torch.randint(30, 90, ())))
    return torch.from_numpy(np.array(Image.open(held))).permute(2, 0, 1).float() / 255


def augment(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """uint8 (N,3,S,S) -> float (N,3,size,size) in 0..1, drawn from torch's global generator."""
    x = colour(geometry(pixels.float() / 255, size))
    n = len(x)
    for i in torch.nonzero(torch.rand(n) < 0.15).flatten().tolist():
        x[i : i + 1] = _blur(x[i : i + 1])
    for i in torch.nonzero(torch.rand(n) < 0.25).flatten().tolist():
        x[i] += torch.randn_like(x[i]) * torch.rand(()) * 0.06
    x.clamp_(0, 1)
    for i in torch.nonzero(torch.rand(n) < 0.15).flatten().tolist():
        x[i] = _jpeg(x[i])
    return x
