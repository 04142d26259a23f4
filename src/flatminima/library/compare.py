"""Two networks or more at one loss, by measures that depend on scale and by some that do not.

A network that was trained for longer has a lower loss, and so less curvature and another basin,
whatever its minimum is like. So logits are divided by a temperature that gives every network the
same loss (``geometry.temperature``), and all is taken there.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float
from torch import Tensor

from flatminima.geometry.directions import filters
from flatminima.geometry.estimators import BasinVolume, basin_volume
from flatminima.geometry.loss_surface import LossSurface, loss_surface
from flatminima.geometry.measures import measures
from flatminima.geometry.sampled import Sampled
from flatminima.geometry.spectrum import Curvature, curvature
from flatminima.geometry.temperature import at_loss
from flatminima.geometry.volume import LogMean
from flatminima.library.about import About
from flatminima.library.comparison import Comparison, Group
from flatminima.models.network import Network
from flatminima.progress import Progress, Report
from flatminima.training.batches import Batches

LEAST = 0.1
"""The least loss in nats at which networks are compared unless another is asked for: one that is
certain of every point has next to no curvature at its own."""

_MEASURED = ("regret", "gradient_norm")


class Studied(Protocol):
    """What is asked of a problem: a network at its minimum, its points, and what it is about."""

    @property
    def network(self) -> Network:
        """The network."""

    @property
    def minimum(self) -> Float[Tensor, " parameters"]:
        """Its parameters."""

    @property
    def inputs(self) -> Tensor | Batches:
        """The points, or batches of them with their targets."""

    @property
    def labels(self) -> Tensor | None:
        """Their classes, where they are not among the batches."""

    @property
    def about(self) -> About:
        """What it is about."""


@dataclass(frozen=True)
class _Number:
    """A quantity of one network."""

    group: Group
    title: str
    unit: str
    of: Sampled


def compare(
    problems: Mapping[str, Studied],
    level: float | None = None,
    *,
    excess: float = 0.4,
    divergence: float = 0.1,
    directions: int = 128,
    pilots: int = 16,
    grid_points: int = 25,
    probes: int = 10,
    batch: int = 20,
    partitions: int = 8,
    seed: int = 0,
    report: Report | None = None,
) -> Comparison:
    """Compare networks at one loss; those of a loss without probabilities each at its own.

    Args:
        problems: by the names that the networks are to have.
        level: the loss in nats at which all are taken; None for the highest of their own, but at
            least ``LEAST``.
        excess: by how much the loss may rise in the region whose radius is measured.
        divergence: the bound of the region of functions, nats.
        directions, pilots: rays of every region, see ``basin_volume``.
        grid_points: along either side of the surfaces; odd.
        probes: behind the interval of a trace.
        batch, partitions: minibatches, see ``geometry.measures``; a batch is at most half the
            points.
        seed: root seed; the same random numbers serve all networks.
        report: is told which network is at hand; None: lines on standard error.

    Raises:
        ValueError: if there are less than two networks, they have losses of several kinds or one
            without probabilities and a level, or one of them has the level at no temperature.
    """
    if len(problems) < 2:
        raise ValueError(f"{len(problems)} networks cannot be compared; hand over two or more")
    abouts = [problem.about for problem in problems.values()]
    units = {about.unit for about in abouts}
    if len(units) > 1:
        raise ValueError("some losses are in nats and some are not; compare networks of one loss")
    tempered = units == {"nats"}
    if level is not None and not tempered:
        raise ValueError(
            "a loss without probabilities has no temperature that would give it a level; "
            "leave the level out, and each network is taken at its own loss"
        )
    if level is None:
        level = max(LEAST, *(about.minimum_loss for about in abouts)) if tempered else math.nan
    how = _How(
        excess, divergence, directions, pilots, grid_points, probes, batch, partitions, seed,
        per_dimension=len({about.n for about in abouts}) > 1,
    )  # fmt: skip
    report = report or Progress("compare", stream=sys.stderr)
    taken = []
    for done, (name, problem) in enumerate(problems.items()):
        report(done, len(problems), name)
        try:
            taken.append(_taken(problem, level, how))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    ends = np.array([[_ends(of.of) for of in one.numbers] for one in taken]).transpose(2, 1, 0)
    numbers = taken[0].numbers
    return Comparison(
        names=tuple(problems),
        networks=tuple(abouts),
        level=float(level),
        excess=float(excess),
        divergence=float(divergence),
        temperatures=np.array([one.temperature for one in taken]),
        groups=tuple(of.group for of in numbers),
        titles=tuple(of.title for of in numbers),
        units=tuple(of.unit for of in numbers),
        values=ends[0],
        low=ends[1],
        high=ends[2],
        axis=taken[0].surface.axis,
        surfaces=np.stack([one.surface.loss for one in taken]),
    )


@dataclass(frozen=True)
class _How:
    """Settings of ``compare``, and whether volumes are per dimension."""

    excess: float
    divergence: float
    directions: int
    pilots: int
    grid_points: int
    probes: int
    batch: int
    partitions: int
    seed: int
    per_dimension: bool


@dataclass(frozen=True, eq=False)
class _Taken:
    """What was found of one network."""

    temperature: float
    surface: LossSurface
    numbers: list[_Number]


def _taken(problem: Studied, level: float, how: _How) -> _Taken:
    """All of one network at a level, or at its own loss where that is NaN."""
    of = (problem.minimum, problem.inputs, problem.labels)
    network, temperature, unit = problem.network, 1.0, problem.about.unit
    own = math.isnan(level)
    if not own:
        tempered = at_loss(network, *of, level)
        network, temperature = tempered, tempered.temperature
    surface = loss_surface(network, *of, grid_points=how.grid_points, seed=how.seed)
    middle = how.grid_points // 2
    volume = basin_volume(
        network, *of, cutoff=how.excess + (float(surface.loss[middle, middle]) if own else level),
        divergence=how.divergence, directions=how.directions, pilots=how.pilots, seed=how.seed,
    )  # fmt: skip
    bends = curvature(
        problem.network, *of, units="filter", level=None if own else level, top=1,
        probes=how.probes, steps=1, seed=how.seed,
    )  # fmt: skip
    numbers = [*_radii(volume, log10_scale(network, problem.minimum)), *_bends(bends, unit)]
    if not own:
        found = measures(
            problem.network, *of, ball="kl", level=level,
            batch=max(1, min(how.batch, len(problem.inputs) // 2)), partitions=how.partitions,
            seed=how.seed,
        )  # fmt: skip
        per = volume.dimension if how.per_dimension else 1
        numbers += [*_functions(volume, per), *_in_ball(found)]
    return _Taken(temperature, surface, numbers)


def log10_scale(network: Network, minimum: Float[Tensor, " parameters"]) -> float:
    """log10 of det S: by how much a volume in weight space is larger than in filter norms."""
    moving = filters(network.layout, minimum)
    return float(moving.sizes @ np.log10(moving.norms(minimum)))


def _radii(volume: BasinVolume, scale: float) -> Iterator[_Number]:
    """Radii of the region of low loss: of the cube of equal volume, in filter norms."""
    if volume.loss is None:
        raise ValueError("the loss at the minimum is not below the cutoff; raise the excess")
    for title, mean_log in (("radius, log-mean-exp", False), ("radius, mean-log", True)):
        log10 = _decades(volume.loss.uniform, mean_log=mean_log)
        value, low, high = (10 ** ((end - scale) / volume.dimension) for end in _ends(log10))
        yield _Number("filter-normalised", title, "filter norms", Sampled(value, low, high))


def _decades(of: LogMean, *, mean_log: bool = False) -> Sampled:
    if mean_log:
        return Sampled(of.bound, of.bound_low, of.bound_high)
    return Sampled(of.value, of.low, of.high)


def _bends(bends: Curvature, unit: str) -> Iterator[_Number]:
    unit = f"{unit} / filter norm²"
    yield _Number("filter-normalised", "trace of the Hessian", unit, bends.trace)
    top, error = float(bends.eigenvalues[0]), float(bends.residuals[0])
    bounded = Sampled(top, top - error, top + error)
    yield _Number("filter-normalised", "top eigenvalue", unit, bounded)


def _functions(volume: BasinVolume, per: int) -> Iterator[_Number]:
    """The size of the region in which predictions stay near, as it is or per dimension."""
    region = volume.divergence
    assert region is not None  # noqa: S101 (these losses have probabilities)
    unit = "decades" if per == 1 else "decades / n"
    for title, of in (
        ("log10 volume, log-mean-exp", _decades(region.preconditioned)),
        ("log10 volume, mean-log", _decades(region.uniform, mean_log=True)),
        ("log10 Gaussian mass", _decades(region.gaussian)),
    ):
        value, low, high = (end / per for end in _ends(of))
        yield _Number("region of functions", title, unit, Sampled(value, low, high))


def _in_ball(found: Mapping[str, Sampled | float]) -> Iterator[_Number]:
    for name in _MEASURED:
        one = found[name]
        assert isinstance(one, Sampled)  # noqa: S101 (these have intervals)
        yield _Number("KL ball", name.replace("_", " "), "nats / √KL", one)
    ways = found["fisher_trace"]
    assert isinstance(ways, float)  # noqa: S101 (and this has none)
    yield _Number("KL ball", "Fisher trace", "ways to move", Sampled(ways, ways, ways))


def _ends(of: Sampled) -> tuple[float, float, float]:
    return of.value, of.low, of.high
