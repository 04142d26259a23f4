"""Whole surveys of volume: every estimator at many minima, on a known basin, and beside splitting.

Tensors in, named arrays out; the loss is the clean training loss, without poison.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.directions import metric
from flatminima.geometry.estimators import (
    DAMPINGS,
    GaussianMeasure,
    Region,
    basin_volume,
    candidates,
    crossings,
    initial_measure,
    split_region,
    weigh,
)
from flatminima.geometry.preconditioning import positions
from flatminima.geometry.quadratic import log_ellipsoid, log_radii, lognormal_spectrum, shortfall
from flatminima.geometry.splitting import KEPT
from flatminima.geometry.surface import Landscape
from flatminima.geometry.volume import LogMean, log_mean, log_unit_ball
from flatminima.models.evaluation import with_statistics
from flatminima.models.network import Network
from flatminima.progress import Report
from flatminima.storage import Arrays

ESTIMATES = ("uniform", "preconditioned", "gaussian", "gaussian_uniform")
"""The estimates of a region, as ``Region`` names them."""

NUMBERS = (
    *("value", "low", "high", "bound", "bound_low", "bound_high"),
    *("effective_sample_size", "curve"),
)
"""What is kept of each, as ``LogMean`` names it."""

# Standard deviation of ln λ in the known basin.
_SPREAD = 1.0


@dataclass(frozen=True)
class Particles:
    """How splitting is done: see ``splitting.split``."""

    particles: int
    moves: int
    runs: int


def volumes(
    network: Network,
    minima: Float[Tensor, "factors networks parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    cutoff: float,
    divergence: float,
    directions: int,
    pilots: int,
    decades: float,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """Measure the basin of every minimum by every estimator; arguments as of ``basin_volume``.

    Args:
        minima: at every poison factor, equally many.
        report: called with (minima done, minima, text).

    Returns:
        float64, factors and networks first. Of each region, ``loss`` and ``divergence``, and each
        of ``ESTIMATES`` what ``NUMBERS`` says, such as ``loss_preconditioned_value``, NaN where
        there is no basin; ``curve`` with the numbers of directions of ``curve_samples`` last. Of
        each region ``recrossing_shares`` and ``censored_shares``, with uniform, preconditioned and
        Gaussian rays last, and ``dampings`` of the preconditioners for volume and mass.
        ``minimum_loss``; ``density``, the log10 of the Gaussian density at the minimum relative to
        that at zero, by which the length of the weights counts in a mass; and, of shape (1,),
        ``weights``, the dimension n, ``cutoff``, ``divergence``, ``directions`` and ``pilots``;
        ``tried``, the dampings among which the preconditioners were chosen.
    """
    factors, networks = minima.shape[:2]
    lots = 2 ** np.arange(int(math.log2(directions)) + 1)
    rows: list[Arrays] = []
    for number, minimum in enumerate(minima.reshape(factors * networks, -1)):
        found = basin_volume(
            network, minimum, inputs, labels,
            cutoff=cutoff, divergence=divergence, directions=directions, pilots=pilots,
            decades=decades, seed=seed,
        )  # fmt: skip
        rows.append(
            _of_region("loss", found.loss, len(lots))
            | _of_region("divergence", found.divergence, len(lots))
            | {"minimum_loss": np.array(found.minimum_loss), "density": _density(network, minimum)}
        )
        if report is not None:
            report(number + 1, factors * networks, f"loss {found.minimum_loss:.3g}")
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {
        **{
            name: array.reshape(factors, networks, *array.shape[1:])
            for name, array in stacked.items()
        },
        "curve_samples": lots,
        "weights": np.array([found.dimension]),
        "cutoff": np.array([cutoff]),
        "divergence": np.array([divergence]),
        "directions": np.array([directions]),
        "pilots": np.array([pilots]),
        "tried": np.array(DAMPINGS),
    }


def known_basin(dimension: int, *, cutoff: float, directions: int, seed: int) -> Arrays:
    """Measure the basin of a quadratic whose volume is known, ln λ ~ N(0, 1), along its rays.

    Returns:
        ``known_volume``, ``known_shortfall``, (n/2) log10(AM/GM), and ``known_directions``, all
        (1,); ``known_samples`` (lots,); and of ``uniform`` directions and those ``preconditioned``
        by λ^(−1/2) what ``NUMBERS`` says, (1,) or, of ``known_uniform_curve``, (lots,).
    """
    values = lognormal_spectrum(dimension, _SPREAD, seed)
    found: Arrays = {
        "known_volume": np.array([log_ellipsoid(values, cutoff) / math.log(10)]),
        "known_shortfall": np.array([shortfall(values) / math.log(10)]),
        "known_directions": np.array([directions]),
    }
    for name, power in (("uniform", 0.0), ("preconditioned", 0.5)):
        logs = log_radii(values, cutoff, range(directions), seed, power=power)
        mean = log_mean(dimension * logs, log_unit_ball(dimension), seed=seed)
        found |= {
            f"known_{name}_{key}": np.atleast_1d(array) for key, array in _of_mean(mean).items()
        }
        found["known_samples"] = mean.curve_samples
    return found


def beside_splitting(
    network: Network,
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    cutoff: float,
    widths: Sequence[float],
    directions: int,
    pilots: int,
    particles: Particles,
    decades: float,
    seed: int,
    report: Report | None = None,
) -> Arrays:
    """Measure the same Gaussian masses by rays and by splitting, of a good and a bad minimum.

    The Gaussian is centred at the minimum and as wide in every weight as its filter is long, times
    one number. A width of 1 puts its mass at the median radius along uniform directions; the wider
    it is, the rarer the region.

    Args:
        widths: of the Gaussian in units of that radius over √n.
        particles: of splitting.
        decades: tolerance of log10 V along one direction.
        report: called with (masses done, masses, text).

    Returns:
        float64, minima first (good, bad), widths second: ``mass_splitting`` with ``_low`` and
        ``_high`` over the runs, ``mass_seen``, the share of it that rays could see,
        ``mass_levels`` and ``mass_accepted``; ``mass_uniform`` and ``mass_preconditioned``, each
        with ``_low``, ``_high`` and ``_effective_sample_size``; ``mass_volume``, the log10 of a
        lower bound of the volume, since the density of a Gaussian is highest at its centre;
        ``mass_widths`` (widths,); and, of shape (1,), ``mass_directions``, ``mass_particles``,
        ``mass_moves``, ``mass_runs`` and ``mass_kept``, the share of particles below a level.
    """
    network = with_statistics(network)
    rows = []
    for role, minimum in enumerate(pair):
        landscape = Landscape(network, minimum, minimum[None], inputs, labels)
        moving = positions(network.layout).to(minimum.device)
        filters = metric(network.layout, minimum, "exact")[moving].double()
        tried = candidates(network, minimum, inputs)
        n = len(moving)
        some, apart = range(directions), range(directions, directions + pilots)
        cross = partial(crossings, landscape, cutoff, decades=decades, seed=seed)
        # The first is none.
        along = {0: list(cross(tried[0], indices=some))}
        unit = float(np.median(np.concatenate([part.radii for part in along[0]]))) / math.sqrt(n)
        measures = [
            GaussianMeasure(width * unit * filters, minimum[moving].double()) for width in widths
        ]
        # As ``fittest`` chooses, but with every ray followed once for all widths.
        pilot = [list(cross(by, indices=apart)) for by in tried]
        best = np.argmax(
            [[weigh(rays, measure).masses.mean() for measure in measures] for rays in pilot], axis=0
        )
        along |= {
            which: list(cross(tried[which], indices=some)) for which in {*best.tolist()} - {0}
        }
        for number, measure in enumerate(measures):
            if report is not None:
                report(role * len(widths) + number, 2 * len(widths), "masses beside splitting")
            split, seen = split_region(landscape, cutoff, measure, seed=seed, **vars(particles))
            peak = n / 2 * math.log10(2 * math.pi) + float(measure.deviation.log10().sum())
            row = {
                "splitting": split.log10_probability,
                "splitting_low": split.low,
                "splitting_high": split.high,
                "seen": seen,
                "levels": split.levels,
                "accepted": split.accepted,
                "volume": split.log10_probability + peak,
            }
            for name, which in (("uniform", 0), ("preconditioned", int(best[number]))):
                rays = weigh(along[which], measure)
                mean = log_mean(rays.masses, rays.mass_constant, seed=seed)
                row[name] = mean.value
                for key in ("low", "high", "effective_sample_size"):
                    row[f"{name}_{key}"] = getattr(mean, key)
            rows.append(row)
    return {
        **{
            f"mass_{name}": np.array([row[name] for row in rows]).reshape(2, len(widths))
            for name in rows[0]
        },
        "mass_widths": np.asarray(widths, dtype=np.float64),
        "mass_directions": np.array([directions]),
        "mass_kept": np.array([KEPT]),
        **{f"mass_{name}": np.array([value]) for name, value in vars(particles).items()},
    }


def _density(network: Network, minimum: Tensor) -> Float[np.ndarray, ""]:
    moving = positions(network.layout).to(minimum.device)
    deviation = initial_measure(network.layout).deviation.to(minimum.device)
    squares = (minimum[moving].double() / deviation).square().sum()
    return np.asarray(-float(squares) / (2 * math.log(10)))


def _of_region(name: str, region: Region | None, lots: int) -> Arrays:
    if region is None:
        none = {key: np.full(lots if key == "curve" else (), np.nan) for key in NUMBERS}
        found = {f"{kind}_{key}": array for kind in ESTIMATES for key, array in none.items()}
        shares = {"recrossing_shares": 3, "censored_shares": 3, "dampings": 2}
        found |= {key: np.full(size, np.nan) for key, size in shares.items()}
    else:
        found = {
            f"{kind}_{key}": array
            for kind in ESTIMATES
            for key, array in _of_mean(getattr(region, kind)).items()
        } | {
            "recrossing_shares": np.array(region.recrossing_shares),
            "censored_shares": np.array(region.censored_shares),
            "dampings": np.array([by.damping for by in region.preconditioners]),
        }
    return {f"{name}_{key}": array for key, array in found.items()}


def _of_mean(mean: LogMean) -> Arrays:
    return {name: np.asarray(getattr(mean, name), dtype=np.float64) for name in NUMBERS}
