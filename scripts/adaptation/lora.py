"""Low-rank adapters of a transformer's attention, put in for training and merged afterwards (Hu et al. 2021)."""

from __future__ import annotations

import math

import torch
from torch import nn

# As iNatAg's authors trained theirs (arXiv:2503.20068).
RANK, ALPHA, DROPOUT = 16, 32.0, 0.1
LAYERS = ("qkv", "proj")


class NoAttention(ValueError):
    """The network has no layers that adapters are made for; the text says what to do instead."""


class Adapted(nn.Module):
    """A linear layer that stays as it is, and beside it alpha / rank x up(down(dropout(x))), zero at first."""

    def __init__(
        self, layer: nn.Linear, rank: int = RANK, alpha: float = ALPHA, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.drop = nn.Dropout(dropout)
        self.down = nn.Parameter(torch.empty(rank, layer.in_features))
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.drop(x) @ self.down.T @ self.up.T
        return self.layer(x) + self.scale * change

    def merged(self) -> nn.Linear:
        """One plain layer that answers the same, without dropout."""
        layer = nn.Linear(self.layer.in_features, self.layer.out_features, bias=self.layer.bias is not None)
        change = self.scale * (self.up.double() @ self.down.double())
        with torch.no_grad():
            layer.weight.copy_((self.layer.weight.double() + change).float())
            if self.layer.bias is not None:
                layer.bias.copy_(self.layer.bias)
        return layer


def layers(network: nn.Module) -> dict[str, nn.Linear]:
    """`qkv` and `proj` of every attention, by name; raises NoAttention when there are none."""
    found = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
        and name.split(".")[-2:-1] == ["attn"]
        and name.split(".")[-1] in LAYERS
    }
    if not found:
        raise NoAttention(
            "--method lora: the network has no attention layers qkv and proj, which adapters are put at. "
            "Use --method head, which works with any network."
        )
    return found


def put_in(network: nn.Module) -> list[Adapted]:
    """Freeze the network and put an adapter at `qkv` and `proj` of every attention; raises NoAttention."""
    adapters = []
    for name, layer in layers(network.requires_grad_(False)).items():
        adapters.append(Adapted(layer).train(network.training))
        _set(network, name, adapters[-1])
    return adapters


def merge(network: nn.Module) -> None:
    """Replace every adapter by the one layer that it comes to."""
    for name, module in list(network.named_modules()):
        if isinstance(module, Adapted):
            _set(network, name, module.merged())


def _set(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
