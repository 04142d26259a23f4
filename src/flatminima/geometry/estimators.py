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
from functools import partial
from typing import Any, overload
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import logsumexp
from torch import Tensor

from flatminima.geometry.directions import Held, filters, held
from flatminima.geometry.footprint import in_words, room
from flatminima.geometry.preconditioning import (
    Preconditioner,
    draw_preconditioned,
    from_jacobian,
    identity,
    jacobian,
    positions,
    signed_jacobian,
)
from flatminima.geometry.radii import (
    SCOUTS,
    START,
    basin_along,
    radius_tolerance,
    scouted_start,
)
from flatminima.geometry.splitting import Splitting, split
from flatminima.geometry.surface import IN_DOUBLE, DivergenceLandscape, Landscape
from flatminima.geometry.volume import (
    Bounds,
    LogMean,
    joint_bounds,
    log_gaussian_integrals,
    log_mean,
    log_unit_ball,
)
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.layout import Layout
from flatminima.models.network import Network
from flatminima.progress import Report, silent
from flatminima.seeding import generator

# Of the search, in units of the distance at which a displacement is as long as the weights.
_LIMIT = 1e3
# Bytes that directions may take at once, each in float32 and float64 while it is made.
_MEMORY = 2**30
_PER_NUMBER = 24
# Times the memory of a Jacobian that it takes with all preconditioners of it.
_PRECONDITIONERS = 9
# Fewer random rows than these shape no directions.
_FEWEST_ROWS = 8
# Bytes for every number of a vector: of what is known of filters, and of one direction on its way.
_OF_FILTERS, _OF_DIRECTION = 40, 48
# Bytes for every logit: itself, that of the minimum, and what divergences of some take in float64.
_OF_LOGIT, _OF_DIVERGENCE = 8, 48
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
        notes: what was done in a cheaper way than usual, since it did not fit into memory, in
            sentences.
    """

    loss: Region | None
    divergence: Region
    minimum_loss: float
    dimension: int
    held: Held
    notes: tuple[str, ...] = ()

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
    memory: int | None = None,
    report: Report = silent,
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
        memory: bytes that this may take, see ``geometry.footprint``. Directions are drawn in as
            many parts as that takes, which changes results by rounding at most. Preconditioners
            that do not fit are of fewer points or there are none, of which ``BasinVolume.notes``
            tell: estimates have the same expectation, and their intervals may be wider.
        report: told how many rays are done, of as many as there may be.

    Raises:
        ValueError: if a filter of the minimum has norm zero and such are not held, there is no
            direction, memory does not suffice for one, or what is given does not go together, see
            ``geometry.checked``.
    """
    network, memory = _within(with_statistics(network), minimum, inputs, memory)
    loss = Landscape(network, minimum, minimum[None], inputs, labels)
    function = DivergenceLandscape(network, minimum, minimum[None], inputs, labels)
    # A quarter for directions as they are counted, with as much again on their way, and one for
    # what shapes them.
    tried = candidates(network, minimum, inputs, memory=memory // 4)
    minimum_loss = loss.at_minimum()
    several = len(tried) > 1
    of_region = (3 * directions + pilots * len(tried)) if several else directions
    told = _Told(report, of_region * (2 if minimum_loss < cutoff else 1))
    options: dict[str, Any] = {"seed": seed, "decades": decades, "memory": memory // 4}
    options["report"] = told

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
        notes=tried.notes,
    )


class _Told:
    """Sums up what several calls say of their own rays."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total = report, total
        self._before = self._done = 0

    def __call__(self, done: int, total: int, text: str) -> None:
        self._report(min(self._before + done, self._total), self._total, text)
        if done == total:
            self._before += total


def _within(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    memory: int | None,
) -> tuple[Network, int]:
    """The network, with feature maps that fit into the bytes that a volume may take, and these.

    Raises:
        ValueError: if they do not suffice for one direction at a time.
    """
    memory = room(memory, minimum.device)
    size, logits = network.layout.size, network.activations(len(inputs))
    # Vectors of displaced networks, and copies of a module to put values into.
    least = size * (_OF_FILTERS + _OF_DIRECTION + 5 * minimum.element_size())
    least += _OF_LOGIT * logits + _OF_DIVERGENCE * min(logits, IN_DOUBLE)
    if isinstance(network, Evaluator):
        network = network.within(max(1, memory // 8), minimum.device)
        least += network.room(minimum.device)
    if memory < least:
        raise ValueError(
            f"memory is {in_words(memory)}, and a direction of {size:,} parameters takes "
            f"{in_words(least)} with all that is computed along it on {len(inputs):,} points; "
            "raise memory, take fewer points, or freeze parameters"
        )
    return network, memory


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
) -> "Candidates":
    """None, and those of the Jacobian of the logits with all ``DAMPINGS``; see ``from_jacobian``.

    It has a row for each point and logit. Of more points than fit into ``memory``, some four times
    over, as many are taken at even distances, which leaves the estimates what they are. If not even
    one fits, for there are many logits or weights, each point has one row, in which its logits are
    summed with random signs, drawn at ``(0, "logit signs", point)``; and if no eight of these fit,
    there is no preconditioner but none.

    That of the logits and not of the loss: where a network is sure of its points, the loss is flat
    to every order at the minimum, and not at the edge of the region.
    """
    weights = len(positions(network.layout, minimum))
    with torch.no_grad():
        outputs = network.logits(minimum[None], inputs[:2]).shape[-1]
    given, fitting = len(inputs), memory // (32 * weights * outputs)
    signed = not fitting
    if signed:
        fitting = memory // (32 * weights)
        if fitting < min(_FEWEST_ROWS, given):
            return Candidates(
                None,
                memory,
                f"Directions have no preconditioner: {_FEWEST_ROWS} rows of the Jacobian that "
                "shapes them do not fit into memory.",
            )
    chosen = torch.arange(given)
    if fitting < given:
        chosen = torch.arange(fitting) * given // fitting
        inputs = inputs[chosen]
    note = f"Preconditioners are of {fitting:,} points out of {given:,}" if fitting < given else ""
    if signed:
        draws = [
            generator(0, "logit signs", point).integers(2, size=outputs)
            for point in chosen.tolist()
        ]
        signs = 2.0 * torch.from_numpy(np.stack(draws)) - 1
        rows = signed_jacobian(network, minimum, inputs, signs.to(minimum.device))
        note = note or "Preconditioners are of all points"
        note += f", whose {outputs:,} logits are summed with random signs"
    else:
        rows = jacobian(network, minimum, inputs)
    note += note and ", since the whole Jacobian does not fit into memory."
    return Candidates(rows if float(rows.abs().max()) > 0 else None, memory, note)


class Candidates(Sequence[Preconditioner]):
    """No preconditioner first, then those of one Jacobian with all ``DAMPINGS``.

    They are kept where all fit into memory beside the Jacobian. Else each is made when it is asked
    for, and only the Jacobian is kept; what is still in use somewhere is not made again.

    Attributes:
        notes: what was left out for want of memory, in sentences.
    """

    def __init__(
        self, rows: Float[Tensor, "rows weights"] | None, memory: int, note: str = ""
    ) -> None:
        """Of the rows of a Jacobian, or of none."""
        self.notes = (note,) if note else ()
        self._rows, self._none = rows, identity()
        self._used: WeakValueDictionary[int, Preconditioner] = WeakValueDictionary()
        fit = rows is None or _PRECONDITIONERS * rows.nbytes <= memory
        self._kept = [*self] if fit else []

    def __len__(self) -> int:
        return 1 if self._rows is None else 1 + len(DAMPINGS)

    @overload
    def __getitem__(self, number: int) -> Preconditioner: ...

    @overload
    def __getitem__(self, number: slice) -> list[Preconditioner]: ...

    def __getitem__(self, number: int | slice) -> Preconditioner | list[Preconditioner]:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        which = range(len(self))[number]
        if self._rows is None or not which:
            return self._none
        made = self._used.get(which)
        if made is None:
            made = from_jacobian(self._rows, damping=DAMPINGS[which - 1])
            self._used[which] = made
        return made


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
    report: Report = silent,
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
        report: told how many rays are done, and how many losses of those at hand.

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
        # Together where that fits: the nearest radius of all says where to begin.
        alone = 1 if size < SCOUTS else SCOUTS
        start = min(
            scouted_start(
                landscape,
                draw_preconditioned(
                    layout, minimum, preconditioner, seed=seed, indices=range(k, k + alone)
                ),
                [level],
            )
            for k in range(0, SCOUTS, alone)
        )
    for first in range(0, len(indices), size):
        some = indices[first : first + size]
        drawn = draw_preconditioned(layout, minimum, preconditioner, seed=seed, indices=some)
        along = landscape.toward(drawn.vectors)
        basin = basin_along(
            along, drawn, [level], decades, limit=_LIMIT, start=start,
            report=partial(_of_part, report, first, len(indices)),
        )  # fmt: skip
        report(first + len(some), len(indices), "")
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


def _of_part(report: Report, first: int, rays: int, _done: int, _total: int, text: str) -> None:
    """Tells how far all rays are while some are followed together, which end together."""
    report(first, rays, text)


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
