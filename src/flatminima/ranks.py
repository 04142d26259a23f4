"""Correlation of ranks and its bootstrap, for measurements and for figures that name it."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from flatminima.seeding import generator

FEWEST_CLUSTERS = 4
"""Rows or columns of a table of networks below which a bootstrap over them says nothing."""


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

    Infinite entries rank as the largest, those of which either is NaN are left out. Constant or
    fewer than three entries give NaN.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 (half a second that planning can spare)

    left_out = np.isnan(x) | np.isnan(y)
    # Two points always correlate perfectly.
    enough = (~left_out).sum(-1) >= 3
    some = bool(left_out.any())
    policy, mean = ("omit", np.nanmean) if some else ("propagate", np.mean)
    if some:
        x, y = (np.where(left_out | ~enough[..., None], np.nan, array) for array in (x, y))
    elif not enough.all():
        return np.full(x.shape[:-1], np.nan)
    a, b = (rankdata(array, axis=-1, nan_policy=policy) for array in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of rows of which nothing is left
        a = a - mean(a, axis=-1, keepdims=True)
        b = b - mean(b, axis=-1, keepdims=True)
        rho = np.nansum(a * b, -1) / np.sqrt(np.nansum(a * a, -1) * np.nansum(b * b, -1))
    return np.asarray(np.clip(rho, -1, 1))


def bounded_correlation(
    x: Float[np.ndarray, "..."],
    y: Float[np.ndarray, "..."],
    bootstrap: Bootstrap,
    address: str,
    kept: Bool[np.ndarray, "..."] | bool = True,
) -> tuple[float, float | None, float | None]:
    """Spearman's ρ and the ends of its percentile bootstrap, drawn at ``address``.

    Of x and y (networks,) it is over networks. Those in a table (rows, columns) are not
    independent: of one row they share what they were trained with, such as a poison factor or a
    gap, of one column what they began from. So rows as a whole are drawn too, and columns as a
    whole, and the interval reaches from the lowest end to the highest. None where ρ is NaN.

    Args:
        kept: the networks that count.
    """
    kept = np.broadcast_to(kept, x.shape)
    networks = x[kept], y[kept]
    rho = float(rank_correlation(*networks))
    if np.isnan(rho):
        return rho, None, None
    (drawn,) = bootstrap.rows(address, len(networks[0]))
    ends = [percentiles(rank_correlation(*(values[drawn] for values in networks)), rho)]
    tables = [np.where(kept, values, np.nan) for values in (x, y)]
    for axis in range(x.ndim if x.ndim > 1 else 0):
        # One at a time would be no resample, and fewer give hardly any others.
        whole = kept.any(axis=1 - axis)
        if whole.sum() >= FEWEST_CLUSTERS:
            clusters = [np.compress(whole, table, axis) for table in tables]
            (drawn,) = replace(bootstrap, resamples=bootstrap.resamples // 4).rows(
                f"{address}, axis {axis}", int(whole.sum())
            )
            resampled = (
                np.moveaxis(np.take(table, drawn, axis), axis, 0).reshape(len(drawn), -1)
                for table in clusters
            )
            ends.append(percentiles(rank_correlation(*resampled), rho))
    lows, highs = zip(*ends, strict=True)
    return rho, _extreme(min, lows), _extreme(max, highs)


def _extreme(which: Callable[[list[float]], float], ends: Sequence[float | None]) -> float | None:
    known = [end for end in ends if end is not None]
    return which(known) if known else None


def percentiles(resampled: np.ndarray, value: float) -> tuple[float | None, float | None]:
    """The middle 95% of the resamples that gave a number, widened to hold the value itself.

    Resampled ranks are tied, which moves the correlations a little.
    """
    known = resampled[np.isfinite(resampled)]
    if not known.size:
        return None, None
    low, high = np.percentile(known, [2.5, 97.5])
    return min(float(low), value), max(float(high), value)
