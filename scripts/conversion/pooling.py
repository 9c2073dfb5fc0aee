"""Several outputs of a checkpoint that mean one species, made one: its logit is the log-sum-exp of theirs.

A list of thousands of names holds synonyms (`polygonum_persicaria` beside `persicaria_maculosa`). Left apart, they
would share one plant's probability among two names, and a day's richness would count it twice. With log-sum-exp,
the probability of the species is the sum of its outputs' probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

# Stands where a species has fewer outputs than another: exp of it is 0, without the infinities that some runtimes
# turn into NaN.
NOTHING = -1e30


def members(taxon_of: Sequence[int]) -> np.ndarray:
    """Outputs of every species, int64 (G, M), filled up with K; `taxon_of` (K,) is the species of each output."""
    count = max(taxon_of, default=-1) + 1
    found: list[list[int]] = [[] for _ in range(count)]
    for output, taxon in enumerate(taxon_of):
        found[taxon].append(output)
    width = max(map(len, found), default=1)
    return np.array([row + [len(taxon_of)] * (width - len(row)) for row in found], np.int64)


def is_needed(taxon_of: Sequence[int]) -> bool:
    """Whether any species has more than one output."""
    return list(taxon_of) != list(range(len(taxon_of)))


def pooled(logits: np.ndarray, taxon_of: Sequence[int]) -> np.ndarray:
    """Logits (N, G) of the species from those of the outputs (N, K)."""
    padded = np.concatenate([logits, np.full((len(logits), 1), NOTHING, logits.dtype)], 1)
    parts = padded[:, members(taxon_of)]
    highest = parts.max(2)
    return np.asarray(highest + np.log(np.exp(parts - highest[..., None]).sum(2)))


def summed(shares: Sequence[float], taxon_of: Sequence[int]) -> list[float]:
    """Shares (G,) of the species from those of the outputs (K,)."""
    return np.bincount(taxon_of, weights=shares).tolist()


class Pool(nn.Module):
    """The same within a network."""

    def __init__(self, taxon_of: Sequence[int]) -> None:
        super().__init__()
        self.columns = [torch.from_numpy(column.copy()) for column in members(taxon_of).T]

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        nothing = torch.full_like(logits[:, :1], NOTHING)
        padded = torch.cat([logits, nothing], 1)
        return torch.logsumexp(torch.stack([padded[:, column] for column in self.columns], 2), 2)
