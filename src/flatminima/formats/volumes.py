"""The file of volumes by every estimator, of a known basin, and of masses beside splitting."""

from dataclasses import field

import numpy as np
from jaxtyping import Float64, Int64

from flatminima.formats.minima import AtFactors
from flatminima.records import Record


class Estimates(Record):
    """What is kept of each estimate, in log10; see ``geometry.volume.LogMean``.

    The upper end ``high`` is infinite where the value is a lower bound.
    """

    value: Float64[np.ndarray, "..."]
    low: Float64[np.ndarray, "..."]
    high: Float64[np.ndarray, "..."]
    bound: Float64[np.ndarray, "..."]
    bound_low: Float64[np.ndarray, "..."]
    bound_high: Float64[np.ndarray, "..."]
    effective_sample_size: Float64[np.ndarray, "..."]
    curve: Float64[np.ndarray, "... samples"]


class Regions(Record):
    """One region around every network by every estimator; see ``geometry.estimators.Region``.

    NaN where there is no such region.

    Attributes:
        recrossing_shares, censored_shares: of uniform, preconditioned and Gaussian rays.
        dampings: of the preconditioners for volume and for mass.
    """

    uniform: Estimates
    preconditioned: Estimates
    gaussian: Estimates
    gaussian_uniform: Estimates
    recrossing_shares: Float64[np.ndarray, "factors networks 3"]
    censored_shares: Float64[np.ndarray, "factors networks 3"]
    dampings: Float64[np.ndarray, "factors networks 2"]


class KnownBasin(Record):
    """The basin of a quadratic whose volume is known, along some of its rays.

    Attributes:
        volume: log10 of it.
        shortfall: (n/2) log10(AM/GM), by which the bound along uniform directions falls short.
        directions: how many rays.
        samples: numbers of directions of the curves.
        uniform, preconditioned: along directions as they are, and shaped by λ^(−1/2).
    """

    volume: float
    shortfall: float
    directions: int
    samples: Int64[np.ndarray, " samples"]
    uniform: Estimates
    preconditioned: Estimates


class Masses(Record):
    """Gaussian masses of the region of a good and a bad minimum, in log10.

    The Gaussian is centred at the minimum and as wide in every weight as its filter is long, times
    one number.

    Attributes:
        widths: of the Gaussians, in units of the median radius over √n.
        splitting: by splitting, with the least and the greatest run.
        seen: share of that mass that rays could see.
        levels, accepted: of splitting.
        uniform, preconditioned: by rays, with intervals and effective sample sizes.
        volume: log10 of a lower bound of the volume, since the density of a Gaussian is highest at
            its centre.
        directions: along which rays are followed.
        particles, moves, runs: of splitting.
        kept: share of the particles below the next level.
    """

    widths: Float64[np.ndarray, " widths"]
    splitting: Float64[np.ndarray, "2 widths"]
    splitting_low: Float64[np.ndarray, "2 widths"]
    splitting_high: Float64[np.ndarray, "2 widths"]
    seen: Float64[np.ndarray, "2 widths"]
    levels: Float64[np.ndarray, "2 widths"]
    accepted: Float64[np.ndarray, "2 widths"]
    volume: Float64[np.ndarray, "2 widths"]
    uniform: Float64[np.ndarray, "2 widths"]
    uniform_low: Float64[np.ndarray, "2 widths"]
    uniform_high: Float64[np.ndarray, "2 widths"]
    uniform_effective_sample_size: Float64[np.ndarray, "2 widths"]
    preconditioned: Float64[np.ndarray, "2 widths"]
    preconditioned_low: Float64[np.ndarray, "2 widths"]
    preconditioned_high: Float64[np.ndarray, "2 widths"]
    preconditioned_effective_sample_size: Float64[np.ndarray, "2 widths"]
    directions: int
    particles: int
    moves: int
    runs: int
    kept: float


class Volumes(AtFactors):
    """The basins of some networks of every poison factor, by every estimator.

    Attributes:
        below_loss, below_divergence: where the loss is below ``cutoff``, and the divergence from
            the predictions of the minimum below ``divergence``; stored as ``loss_…`` and
            ``divergence_…``.
        curve_samples: numbers of directions of the curves.
        minimum_loss: nats.
        density: log10 of the Gaussian density at the minimum relative to that at zero, by which
            the length of the weights counts in a mass.
        weights: the dimension n.
        cutoff, divergence: in nats.
        directions, pilots: for each estimator, and to choose its preconditioner along.
        tried: dampings among which it was chosen.
    """

    below_loss: Regions = field(metadata={"prefix": "loss_"})
    below_divergence: Regions = field(metadata={"prefix": "divergence_"})
    known: KnownBasin
    mass: Masses
    curve_samples: Int64[np.ndarray, " samples"]
    minimum_loss: Float64[np.ndarray, "factors networks"]
    density: Float64[np.ndarray, "factors networks"]
    weights: int
    cutoff: float
    divergence: float
    directions: int
    pilots: int
    tried: Float64[np.ndarray, " dampings"]
