"""The temperature of a converted model, fitted on labelled photos, and what its probabilities are worth then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.classifier import figures
from scripts.conversion import Refused, labels, photos
from scripts.training import measure

FEWEST = 20


@dataclass(frozen=True)
class Labelled:
    """Photos with the row of labels.csv that each shows; `skipped`: folders of no species that the model has."""

    paths: list[Path]
    targets: np.ndarray
    skipped: list[str]


def find(where: Path, places: Mapping[str, int]) -> Labelled:
    """The photos of folders named by species (`Genus_species/*.jpg`); `places`: the row that each name means."""
    index = {name.casefold(): place for name, place in places.items()}
    if not where.is_dir():
        raise Refused(f"{where}: there is no such folder.")
    paths: list[Path] = []
    targets: list[int] = []
    skipped = []
    for below in sorted(path for path in where.iterdir() if path.is_dir()):
        target = index.get(labels.normalised(below.name).casefold())
        if target is None:
            skipped.append(below.name)
            continue
        here = photos.found(below)
        paths += here
        targets += [target] * len(here)
    if len(paths) < FEWEST:
        raise Refused(
            f"{where}: {len(paths)} photos of the model's species; at least {FEWEST} are needed, in folders named "
            f"Genus_species.{' Not the model’s: ' + ', '.join(skipped[:10]) + '.' if skipped else ''}"
        )
    return Labelled(paths, np.array(targets), skipped)


def fit(logits: np.ndarray, targets: np.ndarray) -> tuple[float, dict[str, Any]]:
    """The temperature from every other photo, and the figures of the others, as model.json holds them."""
    fitted = np.arange(len(targets)) % 2 == 0
    temperature = measure.fit_temperature(logits[fitted], targets[fitted])
    rest, truth = logits[~fitted], targets[~fitted]
    after = figures.softmax(rest, temperature)
    curve = figures.risk_coverage(after.max(1), after.argmax(1) == truth)
    return temperature, {
        "photos_fitted": int(fitted.sum()),
        "photos_measured": len(truth),
        "top1": figures.share(figures.top_k(after, truth, 1), len(truth)),
        "top3": figures.share(figures.top_k(after, truth, 3), len(truth)),
        "calibration_error_before": figures.calibration_error(figures.softmax(rest), truth),
        "calibration_error": figures.calibration_error(after, truth),
        "risk_coverage_area": curve.area,
        "coverage_at_risk": {str(risk): curve.coverage_at(risk) for risk in (0.01, 0.05, 0.1)},
        "risk_at_coverage": {str(share): curve.risk_at(share) for share in (0.25, 0.5, 0.75, 1.0)},
    }
