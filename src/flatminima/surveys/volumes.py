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
from flatminima.surveys.stacking import stacked

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
    shape, curve_samples = (len(minima), networks), volume.divergence.uniform.curve_samples
    accuracies = stacked(minima, ("train_accuracy", "test_accuracy", "converged"))
    return Volumes(
        below_loss=_regions([of.loss for of in measured], shape, len(curve_samples)),
        below_divergence=_regions([of.divergence for of in measured], shape, len(curve_samples)),
        known=known_basin(volume.dimension, cutoff=cutoff, directions=known_directions, seed=seed),
        mass=beside_splitting(
            network, pair, inputs, labels,
            widths=widths, directions=mass_directions, splitting=splitting,
            report=report("splitting"), **options,
        ),
        curve_samples=curve_samples,
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
        uniform=_of_one(uniform),
        preconditioned=_of_one(preconditioned),
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
        best = np.argmax(
            [[weigh(rays, measure).masses.mean() for measure in measures] for rays in pilot], axis=0
        )
        along |= {
            which: list(cross(tried[which], indices=some)) for which in {*best.tolist()} - {0}
        }
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
            for name, which in (("uniform", 0), ("preconditioned", int(best[number]))):
                rays = weigh(along[which], measure)
                mean = log_mean(rays.masses, rays.mass_constant, seed=seed)
                numbers = ("low", "high", "effective_sample_size")
                row |= {name: mean.value, **{f"{name}_{of}": getattr(mean, of) for of in numbers}}
            rows.append(row)
    table = {name: values.reshape(2, -1) for name, values in stacked(rows).items()}
    held: dict[str, Any] = {**table, **splitting}
    return Masses(
        **held, widths=np.asarray(widths, dtype=np.float64), directions=directions, kept=KEPT
    )


def _density(network: Network, minimum: Float[Tensor, " parameters"]) -> float:
    moving = positions(network.layout).to(minimum.device)
    deviation = initial_measure(network.layout).deviation.to(minimum.device)
    squares = (minimum[moving].double() / deviation).square().sum()
    return -float(squares) / (2 * math.log(10))


def _regions(regions: Sequence[Region | None], shape: tuple[int, int], lots: int) -> Regions:
    estimates: dict[str, Any] = {
        name: _estimates(
            [None if region is None else getattr(region, name) for region in regions], shape, lots
        )
        for name in ("uniform", "preconditioned", "gaussian", "gaussian_uniform")
    }

    def table(value: Callable[[Region], Sequence[float]], size: int) -> np.ndarray:
        rows = [np.full(size, np.nan) if region is None else value(region) for region in regions]
        return np.array(rows, dtype=np.float64).reshape(*shape, size)

    return Regions(
        **estimates,
        recrossing_shares=table(lambda region: region.recrossing_shares, 3),
        censored_shares=table(lambda region: region.censored_shares, 3),
        dampings=table(lambda region: [by.damping for by in region.preconditioners], 2),
    )


def _of_one(mean: LogMean) -> Estimates:
    names = Estimates.__annotations__
    return Estimates(**{name: np.atleast_1d(np.float64(getattr(mean, name))) for name in names})


def _estimates(means: Sequence[LogMean | None], shape: tuple[int, int], lots: int) -> Estimates:
    """Each number of all means, NaN of none; the curve has ``lots`` numbers of directions."""

    def table(name: str) -> np.ndarray:
        none = np.full(lots if name == "curve" else (), np.nan)
        rows = [none if mean is None else getattr(mean, name) for mean in means]
        stacked = np.array(rows, dtype=np.float64)
        return stacked.reshape(*shape, *stacked.shape[1:])

    return Estimates(**{name: table(name) for name in Estimates.__annotations__})
