"""The whole training: photos, split, the main run, the run with two species left out, then measuring and
writing.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from scripts.training import fit, negatives, photos


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    fit.keep_memory()
    arguments.work.mkdir(parents=True, exist_ok=True)
    data = photos.load(arguments.photos)
    groups = photos.duplicate_groups(photos.fingerprints(data.pixels))
    side = photos.split(data.labels, groups, arguments.seed)
    counts = {name: int((side == i).sum()) for i, name in enumerate(photos.SIDES)}
    print(f"{len(data.labels)} photos of {len(data.species)} species, {counts}", flush=True)
    unknown = [s for s in arguments.leave_out if s not in data.species]
    if unknown:
        raise ValueError(f"--leave-out: no photos of {', '.join(unknown)}")

    train = side == 0
    outliers, _ = negatives.make(data.pixels[train], data.labels[train], 3600, arguments.seed + 100)
    network, seconds = fit.train(
        "main",
        data.pixels[train],
        data.labels[train],
        outliers,
        len(data.species),
        fit.Recipe(arguments.epochs, arguments.seed),
        arguments.work,
    )
    left_out = np.array([data.species.index(s) for s in arguments.leave_out])
    kept = [i for i in range(len(data.species)) if i not in left_out]
    new_label = np.full(len(data.species), -1)
    new_label[kept] = np.arange(len(kept))
    seen = train & ~np.isin(data.labels, left_out)
    outliers, _ = negatives.make(data.pixels[seen], data.labels[seen], 3600, arguments.seed + 100)
    ten, ten_seconds = fit.train(
        "left_out",
        data.pixels[seen],
        new_label[data.labels[seen]],
        outliers,
        len(kept),
        fit.Recipe(arguments.left_out_epochs, arguments.seed),
        arguments.work,
    )
    print(f"training took {seconds:.0f} s and {ten_seconds:.0f} s", flush=True)
