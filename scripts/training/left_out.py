"""The run that never saw two of the species: the in-domain probability is fitted there, and held against others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lib.classifier import figures
from lib.classifier.taxonomy import Taxon
from scripts.training import calibration, domain_fit, fit, measure, negatives, photos, scores
from scripts.training.domain_fit import Gate, Outputs

SHIPPED_SCORE = "density of the training photos"
MADE = 450


@dataclass(frozen=True)
class StrangerRun:
    """What the run without two species gives the main run: the gate, the scale it was fitted on, and the
    figures.
    """

    gate: Gate
    val: Outputs
    metrics: dict[str, Any]


def measured(
    network: fit.Network,
    data: photos.Photos,
    side: np.ndarray,
    kept: np.ndarray,
    absent: np.ndarray,
    taxa: list[Taxon],
    seed: int,
) -> StrangerRun:
    """Fit the gate and measure it on the two species that this network never saw.

    Each left-out species is judged by a gate that was fitted with the other one, so no figure is of photos
    that a fit saw.
    """
    size = fit.Recipe(1).size
    new_label = np.full(len(data.species), -1)
    new_label[kept] = np.arange(len(kept))
    known = np.isin(data.labels, kept)
    trained = (side == 0) & known
    z, embeddings = fit.outputs(network, data.pixels[trained], size)
    trained_labels = new_label[data.labels[trained]]
    reference = domain_fit.reference(embeddings, trained_labels, len(kept))
    compared = scores.fit(embeddings, z, trained_labels, seed)

    def answers(pixels: np.ndarray) -> tuple[Outputs, dict[str, np.ndarray]]:
        logits, seen = fit.outputs(network, pixels, size)
        out = domain_fit.outputs(logits, seen, reference)
        return out, {name: score(seen, logits) for name, score in compared.items()} | {
            SHIPPED_SCORE: out.density
        }

    def made(where: np.ndarray, its_seed: int) -> Outputs:
        pixels, _ = negatives.make(data.pixels[where], data.labels[where], MADE, its_seed)
        return domain_fit.outputs(*fit.outputs(network, pixels, size), reference)

    of_val, of_test = (side == 1) & known, (side == 2) & known
    val, _ = answers(data.pixels[of_val])
    test, test_scores = answers(data.pixels[of_test])
    asked = [answers(data.pixels[data.labels == s]) for s in absent]
    strangers_ = [out for out, _ in asked]
    far, far_test = made(of_val, seed + 200), made(of_test, seed + 500)
    temperature = measure.fit_temperature(val.logits, new_label[data.labels[of_val]])
    kept_taxa = [taxa[i] for i in kept]
    truth = [taxa[i] for i in data.labels[of_test]]

    def judged(whole: Gate, for_first: Gate, for_second: Gate) -> dict[str, Any]:
        found = [
            domain_fit.labels(photos_, gate, temperature, kept_taxa)
            for photos_, gate in zip(strangers_, (for_first, for_second), strict=True)
        ]
        return {
            "known": domain_fit.known_photos(domain_fit.labels(test, whole, temperature, kept_taxa), truth),
            "strangers": {
                taxa[s].species: domain_fit.levels(labels)
                | {"true_of_named": domain_fit.right(labels, [taxa[s]] * len(labels))}
                for s, labels in zip(absent, found, strict=True)
            },
        }

    variants = {
        "softmax alone": judged(Gate(), Gate(), Gate()),
        "refusal learned in training": judged(*[domain_fit.OWN_REFUSAL] * 3),
    }

    def fitted(names: tuple[str, ...], shares: domain_fit.Shares) -> tuple[Gate, Gate, Gate]:
        """The gate of both strangers, and the two that judge the first and the second."""
        return (
            domain_fit.fit(names, val, strangers_, far, shares),
            domain_fit.fit(names, val, strangers_[1:], far, shares),
            domain_fit.fit(names, val, strangers_[:1], far, shares),
        )

    variants["similarity, as in version 1.0.0"] = judged(*fitted(("similarity",), domain_fit.FORMER))
    for names in (("energy",), ("similarity",), domain_fit.SHIPPED):
        gates = fitted(names, domain_fit.SHARES)
        title = " and ".join(names)
        variants[title] = judged(*gates)

    def mixture(for_first: Gate, for_second: Gate) -> dict[str, Any]:
        """Known test photos and the stranger that the gate was fitted without, half and half for both gates."""
        shares, parts = domain_fit.SHARES, []
        for gate, photos_, species in zip((for_first, for_second), strangers_, absent, strict=True):
            nothing = [None] * len(far_test.logits)
            for share, of, true in (
                (shares.known, test, truth),
                (shares.plants, photos_, [taxa[species]] * len(photos_.logits)),
                (shares.made, far_test, nothing),
            ):
                parts.append(domain_fit.part(share / 2, of, gate, temperature, kept_taxa, true))
        return calibration.summary(parts, seed)

    def separation(name: str) -> dict[str, Any]:
        high = test_scores[name]
        limit = np.quantile(high, 1 - domain_fit.KEPT)
        return {
            taxa[s].species: {
                "auroc": measure.auroc(high, found[name]),
                "above": figures.share(int((found[name] > limit).sum()), len(found[name])),
            }
            for s, (_, found) in zip(absent, asked, strict=True)
        }

    metrics = {
        "variants": variants,
        "shipped": title,
        "scores": {name: separation(name) for name in test_scores},
        "shipped_score": SHIPPED_SCORE,
        "directions": domain_fit.DIRECTIONS,
        "concentration": domain_fit.CONCENTRATION,
        "shares": asdict(domain_fit.SHARES),
        "mixture": {"softmax alone": mixture(Gate(), Gate()), "shipped": mixture(*gates[1:])},
        "temperature": temperature,
    }
    return StrangerRun(gates[0], val, metrics)
