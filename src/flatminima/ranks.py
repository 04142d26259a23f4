"""Correlation of ranks, for measurements and for figures that name it."""

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata


def rank_correlation(
    x: Float[np.ndarray, "... networks"], y: Float[np.ndarray, "... networks"]
) -> Float[np.ndarray, "..."]:
    """Spearman's ρ along the last axis: Pearson's correlation of the ranks, ties sharing a rank.

    Infinite entries rank as the largest. Constant or fewer than three entries give NaN.
    """
    if x.shape[-1] < 3:  # two points always correlate perfectly
        return np.full(x.shape[:-1], np.nan)
    a, b = (rankdata(array, axis=-1) for array in (x, y))
    a = a - a.mean(axis=-1, keepdims=True)
    b = b - b.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray(np.clip(rho, -1, 1))
