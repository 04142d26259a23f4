"""Two networks or more at one loss, by measures that depend on scale and by some that do not.

A network that was trained for longer has a lower loss, and so less curvature and another basin,
whatever its minimum is like. So logits are divided by a temperature that gives every network the
same loss (``geometry.temperature``), and all is taken there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from torch import Tensor

from flatminima.geometry.directions import filters
from flatminima.geometry.estimators import BasinVolume, Region, basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.measures import measures
from flatminima.geometry.sampled import Sampled
from flatminima.geometry.spectrum import curvature
from flatminima.geometry.temperature import at_loss
from flatminima.geometry.volume import LogMean
from flatminima.library.about import About
from flatminima.library.comparison import Comparison, Group
from flatminima.models.network import Network
from flatminima.progress import Report, silent

LEAST = 0.1
"""The least loss in nats at which networks are compared unless another is asked for: one that is
certain of every point has next to no curvature at its own."""

_MEASURED = {"regret": "{} / √KL", "gradient_norm": "{} / √KL", "contrast": ""}


class Studied(Protocol):
    """What is asked of a problem: a network at its minimum, its points, and what it is about."""

    @property
    def network(self) -> Network:
        """The network."""

    @property
    def minimum(self) -> Float[Tensor, " parameters"]:
        """Its parameters."""

    @property
    def inputs(self) -> Tensor:
        """The points."""

    @property
    def labels(self) -> Tensor:
        """Their classes."""

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
    report: Report = silent,
) -> Comparison:
    """Compare networks at one loss.

    Args:
        problems: by the names that the networks are to have.
        level: the loss in nats at which all are taken; None for the highest of their own, but at
            least ``LEAST``.
        excess: by how much the loss may rise above the level in the region whose radius is
            measured.
        divergence: the bound of the region of functions, nats.
        directions, pilots: rays of every region, see ``basin_volume``.
        grid_points: along either side of the surfaces; odd.
        probes: behind the interval of a trace.
        batch, partitions: minibatches, see ``geometry.measures``; a batch is at most half the
            points.
        seed: root seed; the same random numbers serve all networks.
        report: is told which network is at hand.

    Raises:
        ValueError: if there are less than two networks, or one of them has the level at no
            temperature.
    """
    if len(problems) < 2:
        raise ValueError(f"{len(problems)} networks cannot be compared; hand over two or more")
    abouts = [problem.about for problem in problems.values()]
    if level is None:
        level = max(LEAST, *(about.minimum_loss for about in abouts))
    same_n = len({about.n for about in abouts}) == 1
    temperatures, surfaces, numbers = [], [], []
    for done, (name, problem) in enumerate(problems.items()):
        report(done, len(problems), name)
        of = (problem.minimum, problem.inputs, problem.labels)
        try:
            tempered = at_loss(problem.network, *of, level)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        temperatures.append(tempered.temperature)
        surface = loss_surface(tempered, *of, grid_points=grid_points, seed=seed)
        surfaces.append(surface.loss)
        volume = basin_volume(
            tempered, *of, cutoff=level + excess, divergence=divergence,
            directions=directions, pilots=pilots, seed=seed,
        )  # fmt: skip
        small = max(1, min(batch, len(problem.inputs) // 2))
        options: dict[str, Any] = {"level": level, "seed": seed}
        bends = curvature(
            problem.network, *of, units="filter", top=1, probes=probes, steps=1, **options
        )
        found = measures(
            problem.network, *of, ball="kl", batch=small, partitions=partitions, **options
        )
        numbers.append(
            [
                *_radii(volume, log10_scale(tempered, problem.minimum)),
                *_bends(bends),
                *_functions(volume, 1 if same_n else volume.dimension),
                *_in_ball(found),
            ]
        )
    report(len(problems), len(problems), "")
    ends = np.array([[_ends(number.of) for number in of] for of in numbers]).transpose(2, 1, 0)
    first = numbers[0]
    return Comparison(
        names=tuple(problems),
        networks=tuple(abouts),
        level=float(level),
        excess=float(excess),
        divergence=float(divergence),
        temperatures=np.array(temperatures, np.float64),
        groups=tuple(number.group for number in first),
        titles=tuple(number.title for number in first),
        units=tuple(number.unit for number in first),
        values=ends[0],
        low=ends[1],
        high=ends[2],
        axis=surface.axis,
        surfaces=np.stack(surfaces),
    )


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
        radius = [10 ** ((end - scale) / volume.dimension) for end in _ends(log10)]
        yield _Number("filter-normalised", title, "filter norms", Sampled(*radius))


def _decades(of: LogMean, *, mean_log: bool = False) -> Sampled:
    if mean_log:
        return Sampled(of.bound, of.bound_low, of.bound_high)
    return Sampled(of.value, of.low, of.high)


def _bends(bends: Any) -> Iterator[_Number]:
    unit = "nats / filter norm²"
    yield _Number("filter-normalised", "trace of the Hessian", unit, bends.trace)
    top, error = float(bends.eigenvalues[0]), float(bends.residuals[0])
    bounded = Sampled(top, top - error, top + error)
    yield _Number("filter-normalised", "top eigenvalue", unit, bounded)


def _functions(volume: BasinVolume, per: int) -> Iterator[_Number]:
    """The size of the region in which predictions stay near, as it is or per dimension."""
    region: Region = volume.divergence
    unit = "decades" if per == 1 else "decades / n"
    for title, of in (
        ("log10 volume, log-mean-exp", _decades(region.preconditioned)),
        ("log10 volume, mean-log", _decades(region.uniform, mean_log=True)),
        ("log10 Gaussian mass", _decades(region.gaussian)),
    ):
        yield _Number("region of functions", title, unit, Sampled(*(e / per for e in _ends(of))))


def _in_ball(found: Mapping[str, Sampled | float]) -> Iterator[_Number]:
    for name, unit in _MEASURED.items():
        one = found[name]
        assert isinstance(one, Sampled)  # noqa: S101 (these have intervals)
        yield _Number("KL ball", name.replace("_", " "), unit.format("nats"), one)
    ways = found["fisher_trace"]
    assert isinstance(ways, float)  # noqa: S101 (and this has none)
    yield _Number("KL ball", "Fisher trace", "ways to move", Sampled(ways, ways, ways))


def _ends(of: Sampled) -> tuple[float, float, float]:
    return of.value, of.low, of.high
