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
from sklearn.manifold import trustworthiness

from flatminima.formats.minefield import Embedding
from flatminima.geometry.embedding import embed, relative_distances
from flatminima.progress import Report, silent

NEIGHBOURS = 10
"""Neighbours in the embedding of which trustworthiness asks whether they are true ones."""


def embedding(
    iterates: Float[np.ndarray, "iterates parameters"],
    minima: Float[np.ndarray, "iterates parameters"],
    layers: Int[np.ndarray, "layers 2"],
    *,
    components: int,
    perplexities: Sequence[float],
    runs: int,
    seed: int,
    report: Report = silent,
) -> Embedding:
    """Measure the distances, embed all points together, and say how faithful each embedding is.

    Args:
        minima: the bad minimum found from each iterate, these in order.
        layers: half-open span of each layer's weights in a parameter vector.
        components: principal components that t-SNE is given.
        perplexities: each below the number of points, twice that of the iterates.
        runs: of t-SNE per perplexity, with the same starts for each.
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
            drawn = embed(reduced, perplexity, seed=seed, run=run)
            embedded.append(drawn)
            neighbours = min(NEIGHBOURS, (len(points) - 1) // 2)
            trusted.append(trustworthiness(points, drawn, n_neighbors=neighbours))
            ranked.append(spearmanr(true, pdist(drawn)).statistic)
            done, text = index * runs + run + 1, f"perplexity {perplexity:g}"
            report(done, len(perplexities) * runs, text)
    shape = (len(perplexities), runs)
    return Embedding(
        to_minimum=np.linalg.norm(bad - good, axis=1),
        to_final=np.linalg.norm(good[-1] - good, axis=1),
        relative_to_minimum=relative_distances(iterates, minima, layers),
        relative_to_final=relative_distances(iterates, iterates[-1:], layers),
        weight_norm=np.linalg.norm(good, axis=1),
        minimum_norm=np.linalg.norm(bad, axis=1),
        nearest_minimum=np.array([np.linalg.norm(bad - one, axis=1).min() for one in good]),
        step=np.linalg.norm(np.diff(good, axis=0), axis=1),
        explained_variance=principal.explained_variance_ratio_,
        perplexity=np.array(perplexities, dtype=np.float64),
        embedded=np.stack(embedded).reshape(*shape, len(points), 2),
        trustworthiness=np.array(trusted, dtype=np.float64).reshape(shape),
        rank_correlation=np.array(ranked, dtype=np.float64).reshape(shape),
    )
