"""Published scores of how strange a photo is, to be held against the one that is shipped; in NumPy alone.

Every score is higher for a photo that is more like the training photos. `fit` takes the training photos' embeddings
(N, D), logits (N, K) and labels (N,); a score takes embeddings and logits of any photos.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scripts.training import measure

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
# From each source: the neighbour, the share of activations that stays, the directions that count as known.
NEIGHBOUR, CLIPPED_AT, KNOWN_DIRECTIONS = 50, 0.9, 128
# How far a covariance is drawn towards a multiple of the identity: there are fewer photos than it has numbers.
SHRINKAGE = 0.3
SUB_CENTRES = 8


def fit(embeddings: np.ndarray, logits: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, Score]:
    """All scores by the name that the model card gives them."""
    units = unit(embeddings)
    means = measure.prototypes(embeddings, labels, int(labels.max()) + 1)
    centres = np.concatenate(
        [sub_centres(units[labels == c], SUB_CENTRES, seed) for c in np.unique(labels).tolist()]
    )
    mahalanobis, relative = _mahalanobis(units, labels)
    return {
        "largest logit (Hendrycks et al. 2022)": lambda e, z: z.max(1),
        "energy (Liu et al. 2020)": lambda e, z: measure.energies(z),
        "energy of clipped activations (Sun et al. 2021)": _react(embeddings, logits),
        "energy and residual (Wang et al. 2022)": _vim(embeddings, logits),
        "Mahalanobis distance (Lee et al. 2018)": mahalanobis,
        "relative Mahalanobis distance (Ren et al. 2021)": relative,
        "cosine to the nearest class mean": lambda e, z: measure.similarities(e, means),
        f"cosine to the nearest of {SUB_CENTRES} centres a class": lambda e, z: measure.similarities(
            e, centres
        ),
        f"cosine to the {NEIGHBOUR}th nearest photo (Sun et al. 2022)": lambda e, z: np.partition(
            unit(e) @ units.T, -NEIGHBOUR, axis=1
        )[:, -NEIGHBOUR],
    }


def unit(rows: np.ndarray) -> np.ndarray:
    """Every row at length 1."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def sub_centres(units: np.ndarray, count: int, seed: int, rounds: int = 20) -> np.ndarray:
    """Unit centres (count, D) of unit rows by spherical k-means; as many as there are rows, if they are fewer."""
    g = np.random.default_rng(seed)
    centres = units[g.permutation(len(units))[:count]]
    for _ in range(rounds):
        nearest = (units @ centres.T).argmax(1)
        kept = [
            units[nearest == c].sum(0) if (nearest == c).any() else centres[c] for c in range(len(centres))
        ]
        centres = unit(np.stack(kept))
    return centres


def _mahalanobis(units: np.ndarray, labels: np.ndarray) -> tuple[Score, Score]:
    """The smallest distance to a class mean under the classes' common covariance, and the same less the distance
    to the mean of all under the covariance of all.
    """
    means = np.stack([units[labels == c].mean(0) for c in np.unique(labels)])
    middle = units.mean(0)
    within, whole = _precision(units - means[labels]), _precision(units - middle)

    def nearest(e: np.ndarray) -> np.ndarray:
        return np.stack([_squares(unit(e) - mean, within) for mean in means], axis=1).min(1)

    def distance(e: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -nearest(e)

    def relative(e: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.asarray(_squares(unit(e) - middle, whole) - nearest(e))

    return distance, relative


def _precision(rows: np.ndarray) -> np.ndarray:
    covariance = rows.T @ rows / len(rows)
    level = np.trace(covariance) / len(covariance)
    return np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance)))


def _squares(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.asarray(((rows @ matrix) * rows).sum(1))


def _head(embeddings: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (D, K) and bias (K,) of the last layer, from what it made of the training photos."""
    x = np.column_stack([embeddings, np.ones(len(embeddings))]).astype(np.float64)
    found = np.linalg.lstsq(x, logits.astype(np.float64), rcond=1e-6)[0]
    return found[:-1], found[-1]


def _react(embeddings: np.ndarray, logits: np.ndarray) -> Score:
    weights, bias = _head(embeddings, logits)
    most = np.quantile(embeddings, CLIPPED_AT)
    return lambda e, z: measure.energies(np.minimum(e, most) @ weights + bias)


def _vim(embeddings: np.ndarray, logits: np.ndarray) -> Score:
    weights, bias = _head(embeddings, logits)
    origin = -np.linalg.pinv(weights.T) @ bias
    x = embeddings - origin
    _, vectors = np.linalg.eigh(x.T @ x / len(x))
    across = vectors[:, : max(1, x.shape[1] - KNOWN_DIRECTIONS)]
    scale = logits.max(1).mean() / max(float(np.linalg.norm(x @ across, axis=1).mean()), 1e-12)
    return lambda e, z: measure.energies(z) - scale * np.linalg.norm((e - origin) @ across, axis=1)
