"""Volumes of basins from their radii, in logarithms throughout: r^n is never formed.

With radii r_i along K directions uniform on the sphere of n dimensions,
V = π^(n/2)/Γ(n/2+1) · E[r^n] (Huang et al. 2020, section 4). Two estimates are given:

* log-mean-exp, the logarithm of the sample mean of r^n. It is ruled by the largest radius: the
  effective sample size says how many directions it really rests on, and below 10 its bootstrap
  interval means nothing;
* mean-log, n·E[ln r] in place of ln E[r^n]: stable, and a lower bound by Jensen's inequality.

``Directions.log_determinant`` brings the volume back to weight space.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaln, logsumexp

from flatminima.seeding import generator

ENOUGH_SAMPLES = 10
"""Effective sample size below which the interval of the log-mean-exp estimate means nothing."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values with a 95% interval over directions (percentile bootstrap), float64."""

    value: Float[np.ndarray, "*sets"]
    low: Float[np.ndarray, "*sets"]
    high: Float[np.ndarray, "*sets"]


@dataclass(frozen=True, eq=False)
class Volume:
    """Volumes of basins, one per set of radii; NaN where a minimum has no basin.

    Attributes:
        log10_mean_exp: log10 V, from the mean of r^n.
        log10_mean_log: log10 V, from the mean of ln r: a lower bound.
        mean_log_radius: mean of ln r.
        effective_sample_size: (Σ r^n)² / Σ r^2n, from 1 to the number of directions.
        censored_share: fraction of directions whose radius is only known to exceed the search
            limit. The limit stands in for it, so that every estimate is then a lower bound.
        dimension: n.
    """

    log10_mean_exp: Estimate
    log10_mean_log: Estimate
    mean_log_radius: Float[np.ndarray, "*sets"]
    effective_sample_size: Float[np.ndarray, "*sets"]
    censored_share: Float[np.ndarray, "*sets"]
    dimension: int

    @property
    def meaningful(self) -> Bool[np.ndarray, "*sets"]:
        """Whether the interval of the log-mean-exp estimate means anything."""
        return self.effective_sample_size >= ENOUGH_SAMPLES


def per_dimension(
    log10_volume: Float[np.ndarray, "*sets"], dimension: int
) -> Float[np.ndarray, "*sets"]:
    """The per-dimension radius V^(1/n), the side of the cube of equal volume.

    log10 V is mostly n: dividing by it leaves the length that sets basins of any n apart.
    """
    return 10.0 ** (np.asarray(log10_volume) / dimension)


def log_unit_ball(dimension: int) -> float:
    """Natural logarithm of the volume of the unit ball, (n/2) ln π − lnΓ(n/2 + 1)."""
    return dimension / 2 * math.log(math.pi) - float(gammaln(dimension / 2 + 1))


def estimate_volume(
    radii: Float[np.ndarray, "*sets directions"],
    *,
    dimension: int,
    limit: float,
    seed: int,
    log_determinant: float = 0.0,
    index: tuple[int, ...] = (),
    resamples: int = 1000,
) -> Volume:
    """Estimate the volume of each basin from its radii.

    Args:
        radii: from ``first_crossings``; all sets are resampled alike.
        dimension: n, ``Directions.dimension``.
        limit: what stands in for an infinite radius, ``Basin.limit``.
        seed: root seed; the bootstrap draws at the address ``(seed, "bootstrap", *index)``.
        log_determinant: ``Directions.log_determinant``.
        index: which bootstrap this is, such as the number of the network.
        resamples: number of bootstrap resamples.

    Raises:
        ValueError: if there are no radii, or one is zero or negative.
    """
    radii = np.asarray(radii, dtype=np.float64)
    if radii.ndim == 0 or radii.shape[-1] == 0 or (radii <= 0).any():
        raise ValueError(f"radii of shape {radii.shape} must be positive, at least one in each set")
    exists = ~np.isnan(radii).any(axis=-1)
    censored_share = np.where(exists, np.isinf(radii).mean(axis=-1), np.nan)
    logs = np.where(exists[..., None], np.log(np.minimum(radii, limit)), np.nan)
    powers = dimension * logs
    constant = log_unit_ball(dimension) + log_determinant

    def log10_both(powers: np.ndarray) -> np.ndarray:
        mean_exp = logsumexp(powers, axis=-1) - math.log(powers.shape[-1])
        return (np.stack([mean_exp, powers.mean(axis=-1)]) + constant) / math.log(10)

    directions = radii.shape[-1]
    drawn = generator(seed, "bootstrap", *index).integers(directions, size=(resamples, directions))
    low, high = np.empty((2, 2, *exists.shape))
    for row in np.ndindex(exists.shape):
        low[:, *row], high[:, *row] = np.quantile(
            log10_both(powers[row][drawn]), (0.025, 0.975), axis=1
        )
    mean_exp, mean_log = (
        Estimate(*bounds) for bounds in zip(log10_both(powers), low, high, strict=True)
    )
    weights = np.exp(powers - powers.max(axis=-1, keepdims=True))
    return Volume(
        log10_mean_exp=mean_exp,
        log10_mean_log=mean_log,
        mean_log_radius=logs.mean(axis=-1),
        effective_sample_size=weights.sum(axis=-1) ** 2 / np.square(weights).sum(axis=-1),
        censored_share=censored_share,
        dimension=dimension,
    )
