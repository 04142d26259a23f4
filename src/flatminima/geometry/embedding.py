"""Distances between networks relative to their layers, and pictures of distances by t-SNE."""

import numpy as np
from jaxtyping import Float, Int
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from flatminima.seeding import generator


def embed(
    points: Float[np.ndarray, "points features"], perplexity: float, *, seed: int, run: int
) -> Float[np.ndarray, "points 2"]:
    """Place points in the plane by t-SNE, from the random start at ``(seed, "t-SNE", run)``."""
    state = int(generator(seed, "t-SNE", run).integers(2**32))
    tsne = TSNE(perplexity=perplexity, init="random", random_state=state)
    with threadpool_limits(1):  # sums in another order would end in another picture
        placed: np.ndarray = tsne.fit_transform(points).astype(np.float64)
    return placed


def relative_distances(
    origins: Float[np.ndarray, "points parameters"],
    ends: Float[np.ndarray, "ends parameters"],
    layers: Int[np.ndarray, "layers 2"],
) -> Float[np.ndarray, " points"]:
    """Distance from each origin to its end, relative to the layers of the origin.

    √(mean over layers of ‖ΔW‖² / ‖W‖²), with W the weights of a layer at the origin and ΔW their
    difference: 1 means that a layer moves by as much as its own length. Layers and not filters are
    the units here, because weight decay brings whole filters to zero.

    Args:
        ends: one for each origin, or a single one for all.
    """
    squares = []
    for start, stop in layers:
        origin, end = (part[:, start:stop].astype(np.float64) for part in (origins, ends))
        moved = np.linalg.norm(end - origin, axis=1)
        squares.append(np.square(moved / np.linalg.norm(origin, axis=1)))
    return np.asarray(np.sqrt(np.mean(squares, axis=0)))
