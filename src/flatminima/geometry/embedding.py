"""Where iterates and bad minima lie: true distances in weight space, and pictures of it by t-SNE.

The points are networks, their coordinates the weights without the biases, as in the released code
of Huang et al. 2020: principal components first, then t-SNE from a random start (Fig 1).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits

from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.storage import Arrays

NEIGHBOURS = 10
"""Neighbours in the embedding of which trustworthiness asks whether they are true ones."""


def survey(
    iterates: Float[np.ndarray, "iterates parameters"],
    minima: Float[np.ndarray, "iterates parameters"],
    layers: Int[np.ndarray, "layers 2"],
    *,
    components: int,
    perplexities: Sequence[float],
    runs: int,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """Measure the distances, embed all points together, and say how faithful each embedding is.

    Args:
        iterates: parameters along the way, in order.
        minima: the bad minimum found from each iterate.
        layers: half-open span of each layer's weights in a parameter vector.
        components: principal components that t-SNE is given.
        perplexities: each below the number of points, twice that of the iterates.
        runs: of t-SNE per perplexity. Run number k draws its start at the address
            ``(seed, "t-SNE", k)`` whatever the perplexity.
        report: called with (runs done, runs, text).

    Returns:
        Per iterate ``to_minimum`` and ``to_final``, Euclidean distances from its bad minimum and
        from the last iterate, ``relative_to_minimum`` and ``relative_to_final``, the same relative
        to the layers (:func:`relative_distances`), ``weight_norm``, and ``nearest_minimum``, the
        Euclidean distance from the nearest of all bad minima; ``step``, from each iterate to the
        next; ``explained_variance``, per component its share of the variance; ``perplexity``; and
        per perplexity and run ``embedded`` (points, 2), iterates first, ``trustworthiness``
        and ``rank_correlation`` of embedded with true distances between all pairs.
    """
    columns = np.concatenate([np.arange(start, stop) for start, stop in layers])
    good, bad = (vectors[:, columns].astype(np.float64) for vectors in (iterates, minima))
    points = np.concatenate([good, bad])
    principal = PCA(components, svd_solver="full").fit(points)
    reduced = principal.transform(points)
    true = pdist(points)
    embedded, trusted, ranked = [], [], []
    for index, perplexity in enumerate(perplexities):
        for run in range(runs):
            places = embed(reduced, perplexity, seed=seed, run=run)
            embedded.append(places)
            neighbours = min(NEIGHBOURS, (len(points) - 1) // 2)
            trusted.append(trustworthiness(points, places, n_neighbors=neighbours))
            ranked.append(spearmanr(true, pdist(places)).statistic)
            if report is not None:
                done, text = index * runs + run + 1, f"perplexity {perplexity:g}"
                report(done, len(perplexities) * runs, text)
    shape = (len(perplexities), runs)
    return {
        "to_minimum": np.linalg.norm(bad - good, axis=1),
        "to_final": np.linalg.norm(good[-1] - good, axis=1),
        "relative_to_minimum": relative_distances(iterates, minima, layers),
        "relative_to_final": relative_distances(iterates, iterates[-1:], layers),
        "weight_norm": np.linalg.norm(good, axis=1),
        "nearest_minimum": np.array([np.linalg.norm(bad - one, axis=1).min() for one in good]),
        "step": np.linalg.norm(np.diff(good, axis=0), axis=1),
        "explained_variance": principal.explained_variance_ratio_,
        "perplexity": np.array(perplexities, dtype=np.float64),
        "embedded": np.stack(embedded).reshape(*shape, len(points), 2),
        "trustworthiness": np.array(trusted, dtype=np.float64).reshape(shape),
        "rank_correlation": np.array(ranked, dtype=np.float64).reshape(shape),
    }


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
