"""How large the basin of a minimum is, by four estimators, with what is needed to judge each.

Each is of either of two regions around the minimum, as far as it can be seen from there in a
straight line: where the mean loss is below a cutoff, and where the mean KL divergence from the
minimum's own predictions is below a bound. Only the weights in filters move; biases stay.

* paper: log-mean-exp of r^n along uniform directions (Huang et al. 2020, section 4);
* mean-log of the same radii, a lower bound;
* preconditioned: log-mean-exp along directions shaped to the basin, of the same volume (Scherlis
  and Belrose 2025, section 3);
* Gaussian: along the same directions, the mass that a Gaussian measure gives the region, by default
  that of the weights a network of this architecture starts from.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import logsumexp
from torch import Tensor

from flatminima.geometry.directions import Held, filters, held
from flatminima.geometry.preconditioning import (
    Preconditioner,
    draw_preconditioned,
    from_jacobian,
    identity,
    jacobian,
    positions,
)
from flatminima.geometry.radii import (
    SCOUTS,
    START,
    basin_along,
    radius_tolerance,
    scouted_start,
)
from flatminima.geometry.splitting import Splitting, split
from flatminima.geometry.surface import DivergenceLandscape, Landscape
from flatminima.geometry.volume import (
    Bounds,
    LogMean,
    joint_bounds,
    log_gaussian_integrals,
    log_mean,
    log_unit_ball,
)
from flatminima.models.evaluation import with_statistics
from flatminima.models.layout import Layout
from flatminima.models.network import Network

# Of the search, in units of the distance at which a displacement is as long as the weights.
_LIMIT = 1e3
# Bytes that directions may take at once, each in float32 and float64 while it is made.
_MEMORY = 2**30
_PER_NUMBER = 24
# Rays for which it pays to look first how long they are.
_SCOUTED = 64
# Places on the way to a particle at which it is looked whether it is seen.
_LOOKS = 33

DAMPINGS = (1.0, 0.1, 0.01, 0.001, 0.0001)
"""Of the diagonal of a preconditioner: those that are tried."""


@dataclass(frozen=True, eq=False)
class Region:
    """The size of one region around a minimum, by every estimator.

    Volumes are in weight space, of the n weights in filters; Gaussian masses are probabilities; all
    in log10.

    Attributes:
        level: the cutoff of the loss or the bound of the divergence, in nats.
        uniform: the volume along directions without preconditioning. Its ``value`` is the
            estimate of the paper, its ``bound`` the mean-log lower bound.
        preconditioned: the same volume along directions preconditioned for it; what shapes them was
            chosen along others.
        gaussian: the Gaussian mass along directions preconditioned for that.
        gaussian_uniform: the same mass along directions without preconditioning.
        preconditioners: what shaped the directions of ``preconditioned`` and of ``gaussian``.
        recrossing_shares: fraction of the rays that come back after they have left the region,
            where it has parts that no estimator counts: of ``uniform``, ``preconditioned`` and
            ``gaussian``.
        censored_shares: fraction of the rays that do not leave within the limit of the search,
            which then stands in for their radius; of the same.
    """

    level: float
    uniform: LogMean
    preconditioned: LogMean
    gaussian: LogMean
    gaussian_uniform: LogMean
    preconditioners: tuple[Preconditioner, Preconditioner]
    recrossing_shares: tuple[float, ...]
    censored_shares: tuple[float, ...]

    @property
    def volume(self) -> Bounds:
        """The 95% interval of log10 of the volume by both estimates, or a lower bound."""
        return joint_bounds(self.preconditioned, self.uniform)

    @property
    def mass(self) -> Bounds:
        """The 95% interval of log10 of the Gaussian mass by both estimates, or a lower bound."""
        return joint_bounds(self.gaussian, self.gaussian_uniform)

    def __str__(self) -> str:
        return (
            f"  log10 volume, the paper's estimate     {self.uniform}\n"
            f"  log10 volume, preconditioned           {self.preconditioned}\n"
            f"  log10 volume by both                   {self.volume}\n"
            f"  log10 Gaussian mass, plain             {self.gaussian_uniform}\n"
            f"  log10 Gaussian mass, preconditioned    {self.gaussian}\n"
            f"  log10 Gaussian mass by both            {self.mass}\n"
            f"  rays that come back                    {self.recrossing_shares[0]:.0%}"
        )


@dataclass(frozen=True, eq=False)
class BasinVolume:
    """What ``basin_volume`` finds.

    Attributes:
        loss: where the mean loss is below the cutoff; None if the minimum itself is not.
        divergence: where the mean divergence from the minimum's predictions is below its bound.
        minimum_loss: mean loss at the minimum, nats.
        dimension: n, the number of weights that move.
        held: what does not move with them.
    """

    loss: Region | None
    divergence: Region
    minimum_loss: float
    dimension: int
    held: Held

    def __str__(self) -> str:
        below = "no basin: the loss at the minimum is not below the cutoff"
        if self.loss is not None:
            below = f"loss below {self.loss.level:g} nats\n{self.loss}"
        beside = "" if str(self.held) == "none" else f"held beside them: {self.held}\n"
        return (
            f"{self.dimension:,} weights, loss {self.minimum_loss:.3g} nats at the minimum\n"
            f"{beside}"
            f"{below}\n"
            f"divergence below {self.divergence.level:g} nats\n{self.divergence}"
        )


@dataclass(frozen=True, eq=False)
class GaussianMeasure:
    """A Gaussian measure under which the weights in filters are independent, filter after filter.

    Float64 deviations, and means, which are zero without a centre.
    """

    deviation: Float[Tensor, " weights"]
    centre: Float[Tensor, " weights"] | None = None


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays of one region and what each adds to its volume and to its Gaussian mass.

    Attributes:
        volumes: n ln r of each ray, float64. Their log-mean-exp plus ``volume_constant`` is ln V.
        masses: ln ∫₀^r s^(n−1) exp(−…) ds of each ray, likewise for the Gaussian mass.
        volume_tolerances, mass_tolerances: by how much each may be off, since radii are found to a
            tolerance.
        volume_constant: ln V_n + ln |det S P|.
        mass_constant: the same, with n and the peak of the Gaussian.
        recrossing_share, censored_share: as of ``Region``.
    """

    volumes: Float[np.ndarray, " rays"]
    masses: Float[np.ndarray, " rays"]
    volume_tolerances: Float[np.ndarray, " rays"]
    mass_tolerances: Float[np.ndarray, " rays"]
    volume_constant: float
    mass_constant: float
    recrossing_share: float
    censored_share: float

    def volume(self, seed: int) -> LogMean:
        """log10 of the volume, with the seed of its bootstrap."""
        off = self.volume_tolerances
        return log_mean(self.volumes, self.volume_constant, seed=seed, tolerances=off)

    def mass(self, seed: int) -> LogMean:
        """log10 of the Gaussian mass, with the seed of its bootstrap."""
        off = self.mass_tolerances
        return log_mean(self.masses, self.mass_constant, seed=seed, tolerances=off)


def basin_volume(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    cutoff: float = 0.5,
    divergence: float = 0.1,
    directions: int = 256,
    pilots: int = 16,
    decades: float = 0.1,
    seed: int = 0,
    memory: int = _MEMORY,
) -> BasinVolume:
    """Measure the basin around a minimum by every estimator.

    Args:
        network: any, such as ``ModuleNetwork(module)``; batch norm keeps the statistics of the
            minimum.
        minimum: its parameters, such as ``network.vector(module)``, float32 or float64.
        inputs, labels: the points on which loss and divergence are taken.
        cutoff: of the mean loss, nats.
        divergence: bound of the mean of KL(p of the minimum ‖ p there) over points, nats.
        directions: K, for each estimator. The same random numbers serve all minima.
        pilots: along how many directions beyond the K it is found out which of the ``candidates``
            is the ``fittest`` to shape them, for each region and measure.
        decades: tolerance of log10 V along one direction, by which intervals are widened.
        seed: root seed of directions and bootstraps.
        memory: bytes that directions may take at once, approximately: they are drawn in as many
            parts as that takes, which changes results by rounding at most.

    Raises:
        ValueError: if a filter of the minimum has norm zero and such are not held, there is no
            direction, or what is given does not go together, see ``geometry.checked``.
    """
    network = with_statistics(network)
    loss = Landscape(network, minimum, minimum[None], inputs, labels)
    function = DivergenceLandscape(network, minimum, minimum[None], inputs, labels)
    options: dict[str, Any] = {"seed": seed, "decades": decades, "memory": memory}
    tried = candidates(network, minimum, inputs, memory=memory)
    minimum_loss = loss.at_minimum()

    def region(landscape: Landscape, level: float) -> Region:
        apart = range(directions, directions + pilots)
        volume, mass = fittest(tried, landscape, level, indices=apart, **options)
        # Where one of them is none, or one serves for both, its rays are followed once.
        of_all = {
            by: follow(landscape, level, by, indices=range(directions), **options)
            for by in dict.fromkeys((tried[0], volume, mass))
        }
        uniform, shaped, gaussian = rays = [of_all[by] for by in (tried[0], volume, mass)]
        return Region(
            level=level,
            uniform=uniform.volume(seed),
            preconditioned=shaped.volume(seed),
            gaussian=gaussian.mass(seed),
            gaussian_uniform=uniform.mass(seed),
            preconditioners=(volume, mass),
            recrossing_shares=tuple(of.recrossing_share for of in rays),
            censored_shares=tuple(of.censored_share for of in rays),
        )

    return BasinVolume(
        loss=region(loss, cutoff) if minimum_loss < cutoff else None,
        divergence=region(function, divergence),
        minimum_loss=minimum_loss,
        dimension=len(positions(network.layout, minimum)),
        held=held(network.layout, minimum),
    )


def initial_measure(
    layout: Layout, minimum: Float[Tensor, " parameters"] | None = None
) -> GaussianMeasure:
    """The Gaussian with the variance of the weights that torch's layers start from by default.

    These are uniform within ±1/√fan_in, where fan_in is the number of weights in a filter, and so
    have the standard deviation 1/√(3 fan_in). It is of the weights that move around a minimum, or
    of those in all filters.
    """
    some = filters(layout, minimum)
    deviation = 1 / torch.sqrt(3.0 * torch.from_numpy(some.fan_in).double())
    return GaussianMeasure(torch.repeat_interleave(deviation, torch.from_numpy(some.sizes)))


def candidates(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    *,
    memory: int = _MEMORY,
) -> list[Preconditioner]:
    """None, and those of the Jacobian of the logits with all ``DAMPINGS``; see ``from_jacobian``.

    It has a row for each point and logit. Of more points than fit into ``memory``, some four times
    over, as many are taken at even distances, which leaves the estimates what they are.

    That of the logits and not of the loss: where a network is sure of its points, the loss is flat
    to every order at the minimum, and not at the edge of the region.
    """
    weights = len(positions(network.layout, minimum))
    with torch.no_grad():
        outputs = network.logits(minimum[None], inputs[:2]).shape[-1]
    fitting = max(1, memory // (32 * weights * outputs))
    if fitting < len(inputs):
        inputs = inputs[torch.arange(fitting) * len(inputs) // fitting]
    rows = jacobian(network, minimum, inputs)
    if not float(rows.abs().max()) > 0:
        return [identity()]
    return [identity(), *(from_jacobian(rows, damping=damping) for damping in DAMPINGS)]


def fittest(
    tried: Sequence[Preconditioner], landscape: Landscape, level: float, **options: Any
) -> tuple[Preconditioner, Preconditioner]:
    """The preconditioners with the greatest estimates of the volume and of the mass.

    With determinant 1 every one estimates the same quantity and rather too little than too much, so
    the best is that of the greatest, by log-mean-exp: the greatest mean-log may belong to rays that
    all miss the little that a mass lies in. It is chosen along directions of its own: along those
    that measure, a lucky choice would pass for a large region. Other arguments are those of
    ``follow``.
    """
    if len(tried) == 1:
        return tried[0], tried[0]
    rays = [follow(landscape, level, candidate, **options) for candidate in tried]
    volume, mass = (greatest([getattr(of, name) for of in rays]) for name in ("volumes", "masses"))
    return tried[volume], tried[mass]


def greatest(logs: Sequence[Float[np.ndarray, " rays"]]) -> int:
    """Which of some sets of as many rays has the greatest log-mean-exp."""
    return int(np.argmax([logsumexp(of) for of in logs]))


def follow(
    landscape: Landscape,
    level: float,
    preconditioner: Preconditioner,
    measure: GaussianMeasure | None = None,
    **options: Any,
) -> Rays:
    """Follow rays as ``crossings`` does, errors too, and weigh them by a measure.

    Without one it is ``initial_measure``.
    """
    crossed = crossings(landscape, level, preconditioner, **options)
    return weigh(crossed, measure or initial_measure(landscape.network.layout, landscape.minimum))


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where some rays leave a region, before they are weighed by a measure.

    Attributes:
        place: of the weights that move at the minimum, float64.
        steps: the directions, of the same weights.
        dimension: n.
        radii: along each direction; the limit of the search where a ray does not leave.
        tolerance: of ln r.
        constant: ln V_n + ln |det S P|.
        recrossing_share, censored_share: as of ``Region``.
    """

    place: Float[Tensor, " weights"]
    steps: Float[Tensor, "rays weights"]
    dimension: int
    radii: Float[np.ndarray, " rays"]
    tolerance: float
    constant: float
    recrossing_share: float
    censored_share: float


def crossings(
    landscape: Landscape,
    level: float,
    preconditioner: Preconditioner,
    *,
    indices: range,
    seed: int,
    decades: float = 0.1,
    memory: int = _MEMORY,
) -> Iterator[Crossings]:
    """Follow the rays of these numbers to where the landscape first reaches a level, in parts.

    Args:
        landscape: the loss or the divergence around a minimum; its directions are not looked at.
        level: above the value at the minimum.
        preconditioner: what shapes the directions.
        indices: numbers of the directions.
        seed: their root seed.
        decades: tolerance of log10 V along one direction.
        memory: bytes that directions may take at once, approximately; a part takes no more.

    Raises:
        ValueError: if the minimum itself lies above the level, a filter of it has norm zero, or
            there are no directions.
    """
    layout, minimum = landscape.network.layout, landscape.minimum
    if not len(indices):
        raise ValueError("a region is measured along at least one direction")
    if not landscape.at_minimum() < level:
        raise ValueError(f"the minimum itself lies above {level}, so it has no such region")
    moving = positions(layout, minimum).to(minimum.device)
    size = max(1, memory // (_PER_NUMBER * layout.size))
    start = START
    if len(indices) >= _SCOUTED:
        scouts = draw_preconditioned(
            layout, minimum, preconditioner, seed=seed, indices=range(SCOUTS)
        )
        start = scouted_start(landscape, scouts, [level])
    for first in range(0, len(indices), size):
        some = indices[first : first + size]
        drawn = draw_preconditioned(layout, minimum, preconditioner, seed=seed, indices=some)
        along = landscape.toward(drawn.vectors)
        basin = basin_along(along, drawn, [level], decades, limit=_LIMIT, start=start)
        n = drawn.dimension
        yield Crossings(
            place=minimum[moving].double(),
            steps=drawn.vectors[:, moving],
            dimension=n,
            radii=np.minimum(basin.radii[0], basin.limit),
            tolerance=radius_tolerance(minimum, n, decades),
            constant=log_unit_ball(n) + drawn.log_determinant,
            recrossing_share=float(basin.recrossing_share[0]),
            censored_share=float(np.isinf(basin.radii[0]).mean()),
        )


def weigh(crossed: Iterable[Crossings], measure: GaussianMeasure) -> Rays:
    """What rays add to the volume of their region and to its mass by a Gaussian measure."""
    parts = [_weighed(part, measure) for part in crossed]
    counts = [len(part.volumes) for part in parts]
    names = ("volumes", "masses", "volume_tolerances", "mass_tolerances")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    return replace(
        parts[0],
        **arrays,
        recrossing_share=float(np.average([p.recrossing_share for p in parts], weights=counts)),
        censored_share=float(np.average([p.censored_share for p in parts], weights=counts)),
    )


def _weighed(part: Crossings, measure: GaussianMeasure) -> Rays:
    place, n = part.place, part.dimension
    deviation = measure.deviation.to(place.device)
    if measure.centre is not None:
        place = place - measure.centre.to(place.device)
    place, steps = place / deviation, part.steps.double() / deviation
    linear, quadratic = (steps @ place).cpu().numpy(), steps.square().sum(dim=1).cpu().numpy()
    peak = -float(deviation.log().sum()) - n / 2 * math.log(2 * math.pi)
    radii = part.radii
    volumes = n * np.log(radii)
    masses = log_gaussian_integrals(radii, linear, quadratic, n)
    # d ln ∫₀^r / d ln r, which is n for a volume.
    slopes = np.exp(volumes - linear * radii - quadratic * radii**2 / 2 - masses)
    return Rays(
        volumes=volumes,
        masses=masses,
        volume_tolerances=np.full(len(radii), n * part.tolerance),
        mass_tolerances=slopes * part.tolerance,
        volume_constant=part.constant,
        mass_constant=part.constant + math.log(n) + peak - float(place.square().sum()) / 2,
        recrossing_share=part.recrossing_share,
        censored_share=part.censored_share,
    )


def split_region(
    landscape: Landscape, level: float, measure: GaussianMeasure, **options: Any
) -> tuple[Splitting, float]:
    """The Gaussian mass of a region by multilevel splitting, without rays.

    Args:
        landscape, level: as of ``crossings``.
        measure: the Gaussian; it need not be centred at the minimum.
        options: of ``splitting.split``.

    Returns:
        The mass, and of the particles that ended in the region the share that is seen from the
        minimum: the straight line to them stays below the level, at 32 places on it. Times that
        share it is the mass of what rays measure.
    """
    minimum = landscape.minimum
    moving = positions(landscape.network.layout, minimum).to(minimum.device)
    deviation = measure.deviation.to(minimum.device)
    place = minimum[moving].double()
    centre = torch.zeros_like(place) if measure.centre is None else measure.centre.to(place)
    shift = centre - place

    def displaced(coordinates: Float[np.ndarray, "particles weights"]) -> Landscape:
        steps = shift + deviation * torch.from_numpy(coordinates).to(deviation)
        vectors = torch.zeros(len(steps), len(minimum), dtype=minimum.dtype, device=minimum.device)
        vectors[:, moving] = steps.to(minimum.dtype)
        return landscape.toward(vectors)

    def height(coordinates: Float[np.ndarray, "particles weights"]) -> np.ndarray:
        count = len(coordinates)
        return displaced(coordinates).along(np.ones(count), np.arange(count))

    mass = split(height, len(moving), level, **options)
    on_the_way = np.arange(1, _LOOKS) / _LOOKS
    seen = (displaced(mass.particles).line(on_the_way) < level).all(axis=1)
    return mass, float(seen.mean())
