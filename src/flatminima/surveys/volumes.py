"""Volumes by every estimator at many minima, on a known basin, and beside splitting.

The loss is the clean training loss, without poison.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.formats.minima import Minima
from flatminima.formats.volumes import Estimates, KnownBasin, Masses, Regions, Volumes
from flatminima.geometry.directions import metric
from flatminima.geometry.estimators import (
    DAMPINGS,
    BasinVolume,
    GaussianMeasure,
    Region,
    basin_volume,
    candidates,
    crossings,
    greatest,
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
from flatminima.progress import Report, silent
from flatminima.storage import Arrays
from flatminima.surveys.stacking import in_table, stacked

# Standard deviation of ln λ in the known basin.
_SPREAD = 1.0


def volumes(
    network: Network,
    minima: Sequence[Minima],
    pair: Float[Tensor, "2 parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    factors: Sequence[float],
    networks: int,
    cutoff: float,
    divergence: float,
    directions: int,
    pilots: int,
    known_directions: int,
    mass_directions: int,
    widths: Sequence[float],
    splitting: Mapping[str, int],
    decades: float,
    seed: int,
    report: Callable[[str], Report],
) -> Volumes:
    """Measure the basins of some networks of every poison factor by every estimator.

    Beside them a known basin of as many dimensions, and Gaussian masses of a good and a bad minimum
    by rays and by splitting.

    Args:
        minima: at every poison factor.
        factors: the poison factors, rising.
        networks: how many at each factor, the first ones.
        cutoff, divergence, directions, pilots, decades, seed: as of ``basin_volume``.
        known_directions: along which the known basin is measured.
        mass_directions: along which masses are.
        widths, splitting: see ``beside_splitting``.
        report: makes what is told of the progress of a part from its name.
    """
    options: dict[str, Any] = {"cutoff": cutoff, "pilots": pilots, "decades": decades, "seed": seed}
    chosen = np.concatenate([ensemble.parameters[:networks] for ensemble in minima])
    vectors = torch.from_numpy(chosen).to(inputs.device)
    measured: list[BasinVolume] = []
    measuring = report("volumes")
    for number, minimum in enumerate(vectors):
        volume = basin_volume(
            network, minimum, inputs, labels,
            divergence=divergence, directions=directions, **options,
        )  # fmt: skip
        measured.append(volume)
        measuring(number + 1, len(vectors), f"loss {volume.minimum_loss:.3g}")
    shape = (len(minima), networks)
    accuracies = stacked(minima, ("train_accuracy", "test_accuracy", "converged"))
    return Volumes(
        below_loss=_regions([of.loss for of in measured], volume.divergence, shape),
        below_divergence=_regions([of.divergence for of in measured], volume.divergence, shape),
        known=known_basin(volume.dimension, cutoff=cutoff, directions=known_directions, seed=seed),
        mass=beside_splitting(
            network, pair, inputs, labels,
            widths=widths, directions=mass_directions, splitting=splitting,
            report=report("splitting"), **options,
        ),
        curve_samples=volume.divergence.uniform.curve_samples,
        minimum_loss=np.array([of.minimum_loss for of in measured]).reshape(shape),
        density=np.array([_density(network, minimum) for minimum in vectors]).reshape(shape),
        weights=volume.dimension,
        cutoff=cutoff,
        divergence=divergence,
        directions=directions,
        pilots=pilots,
        tried=np.array(DAMPINGS),
        poison_factor=np.asarray(factors, dtype=np.float64),
        **{name: values[:, :networks] for name, values in accuracies.items()},
    )  # fmt: skip


def known_basin(dimension: int, *, cutoff: float, directions: int, seed: int) -> KnownBasin:
    """Measure the basin of a quadratic whose volume is known, ln λ ~ N(0, 1), along its rays."""
    values = lognormal_spectrum(dimension, _SPREAD, seed)
    uniform, preconditioned = (
        log_mean(
            dimension * log_radii(values, cutoff, range(directions), seed, power=power),
            log_unit_ball(dimension),
            seed=seed,
        )
        for power in (0.0, 0.5)
    )
    return KnownBasin(
        volume=log_ellipsoid(values, cutoff) / math.log(10),
        shortfall=shortfall(values) / math.log(10),
        directions=directions,
        samples=uniform.curve_samples,
        uniform=_estimates(uniform, 1),
        preconditioned=_estimates(preconditioned, 1),
    )


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
    splitting: Mapping[str, int],
    decades: float,
    seed: int,
    report: Report = silent,
) -> Masses:
    """Measure the same Gaussian masses by rays and by splitting, of a good and a bad minimum.

    The Gaussian is centred at the minimum and as wide in every weight as its filter is long, times
    one number. A width of 1 puts its mass at the median radius along uniform directions; the wider
    it is, the rarer the region.

    Args:
        widths: of the Gaussian in units of that radius over √n.
        splitting: ``particles``, ``moves`` and ``runs``, see ``splitting.split``.
        decades: tolerance of log10 V along one direction.
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
        best = [greatest([weigh(rays, of).masses for rays in pilot]) for of in measures]
        along |= {which: list(cross(tried[which], indices=some)) for which in {*best} - {0}}
        for number, measure in enumerate(measures):
            report(role * len(widths) + number, 2 * len(widths), "masses beside splitting")
            split, seen = split_region(landscape, cutoff, measure, seed=seed, **splitting)
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
            for name, which in (("uniform", 0), ("preconditioned", best[number])):
                mean = weigh(along[which], measure).mass(seed)
                numbers = ("low", "high", "effective_sample_size")
                row |= {name: mean.value, **{f"{name}_{of}": getattr(mean, of) for of in numbers}}
            rows.append(row)
    held: dict[str, Any] = {**in_table(rows, (2, len(widths))), **splitting}
    return Masses(
        **held, widths=np.asarray(widths, dtype=np.float64), directions=directions, kept=KEPT
    )


def _density(network: Network, minimum: Float[Tensor, " parameters"]) -> float:
    moving = positions(network.layout).to(minimum.device)
    deviation = initial_measure(network.layout).deviation.to(minimum.device)
    squares = (minimum[moving].double() / deviation).square().sum()
    return -float(squares) / (2 * math.log(10))


def _regions(regions: Sequence[Region | None], like: Region, shape: tuple[int, int]) -> Regions:
    """The numbers of all regions, as many as ``like`` has, NaN of none."""
    none = {name: np.full_like(array, np.nan) for name, array in _numbers(like).items()}
    numbers = [none if region is None else _numbers(region) for region in regions]
    return Regions.of(in_table(numbers, shape), "volumes")


def _numbers(region: Region) -> Arrays:
    """What the file holds of one region."""
    return Regions(
        uniform=_estimates(region.uniform),
        preconditioned=_estimates(region.preconditioned),
        gaussian=_estimates(region.gaussian),
        gaussian_uniform=_estimates(region.gaussian_uniform),
        recrossing_shares=np.array(region.recrossing_shares),
        censored_shares=np.array(region.censored_shares),
        dampings=np.array([by.damping for by in region.preconditioners]),
    ).arrays()


def _estimates(mean: LogMean, dimensions: int = 0) -> Estimates:
    """What the file holds of one estimate, in arrays of at least so many dimensions."""
    numbers = {name: getattr(mean, name) for name in Estimates.__annotations__}
    return Estimates(
        **{name: np.array(of, np.float64, ndmin=dimensions) for name, of in numbers.items()}
    )
