"""Correlation of ranks and its bootstrap, for measurements and for figures that name it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from flatminima.seeding import generator


@dataclass(frozen=True)
class Bootstrap:
    """Addressed resampling, the same for a number whatever else is measured."""

    seed: int
    resamples: int = 2000

    def rows(self, address: str, *sizes: int) -> list[Int[np.ndarray, "resamples size"]]:
        """Indices drawn with replacement from each of several groups, (resamples, size)."""
        draw = generator(self.seed, f"bootstrap {address}")
        return [draw.integers(size, size=(self.resamples, size)) for size in sizes]


def rank_correlation(
    x: Float[np.ndarray, "... networks"], y: Float[np.ndarray, "... networks"]
) -> Float[np.ndarray, "..."]:
    """Spearman's ρ along the last axis: Pearson's correlation of the ranks, ties sharing a rank.

    Infinite entries rank as the largest. Constant or fewer than three entries give NaN.
    """
    if x.shape[-1] < 3:  # two points always correlate perfectly
        return np.full(x.shape[:-1], np.nan)
    from scipy.stats import rankdata  # noqa: PLC0415 (half a second that planning can spare)

    a, b = (rankdata(array, axis=-1) for array in (x, y))
    a = a - a.mean(axis=-1, keepdims=True)
    b = b - b.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray(np.clip(rho, -1, 1))


def bounded_correlation(
    x: Float[np.ndarray, " networks"],
    y: Float[np.ndarray, " networks"],
    bootstrap: Bootstrap,
    address: str,
) -> tuple[float, float | None, float | None]:
    """Spearman's ρ and the ends of its percentile bootstrap over networks, drawn at ``address``.

    Where ρ is NaN there is no interval.
    """
    rho = float(rank_correlation(x, y))
    if np.isnan(rho):
        return rho, None, None
    (rows,) = bootstrap.rows(address, len(x))
    return rho, *percentiles(rank_correlation(x[rows], y[rows]), rho)


def percentiles(resampled: np.ndarray, value: float) -> tuple[float | None, float | None]:
    """The middle 95% of the resamples that gave a number, widened to hold the value itself.

    Resampled ranks are tied, which moves the correlations a little.
    """
    known = resampled[np.isfinite(resampled)]
    if not known.size:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return min(float(low), value), max(float(high), value)
