"""Curves between minima along which the loss stays low (Garipov et al. 2018, arXiv 1802.10026).

A path joins two parameter vectors by way of bends, which are trained so that the mean loss along it
is as low as can be; the straight line is the path without bends. Nothing is asked of a network but
its logits at many parameter vectors, so that any module can be one.

The units of either end can be exchanged without changing what it computes, and a barrier on the
straight line may be one of their order alone: ``geometry.alignment`` puts them in order first.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from flatminima.errors import DivergedError, one_of
from flatminima.geometry.checked import checked
from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import Evaluator
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.running import with_running_statistics
from flatminima.models.statistics import Statistics
from flatminima.progress import Report, silent
from flatminima.seeding import generator
from flatminima.training.ensemble import Adam, Optimizer, Schedule
from flatminima.training.losses import correct, negative_log_likelihoods

Kind = Literal["bezier", "polychain"]

# Numbers that the logits of the networks evaluated together may hold, times a few for activations.
_NUMBERS = 2**20
# How a peak is sought: around so many local maxima at most, in so many rounds of so many places.
_PEAKS, _ROUNDS, _BETWEEN = 3, 3, 9
# How far the square of a plane reaches beyond what is on it, as a share of its larger extent.
_MARGIN = 0.25


@dataclass(frozen=True, eq=False)
class Path:
    """A curve φ from one parameter vector to another.

    Attributes:
        kind: ``bezier``, of degree bends + 1: φ(t) = Σ C(m, i) tⁱ (1 − t)^(m−i) θᵢ, m = bends + 1
            (Garipov et al. 2018, section 3, for one bend); or ``polychain``, straight pieces of
            equal share in t (there, too).
        points: θ₀ … θₘ, first end, bends and second end.
        trainable: how many numbers of a vector are parameters. The rest, running statistics, only
            have to be there: at every point of a path they are taken anew.
    """

    kind: Kind
    points: Float[Tensor, "points parameters"]
    trainable: int

    @property
    def bends(self) -> Float[Tensor, "bends parameters"]:
        """The points between the ends, through which a polychain leads and a Bezier curve not."""
        return self.points[1:-1]

    @property
    def straight(self) -> "Path":
        """The straight line between the same ends."""
        return replace(self, points=self.points[[0, -1]])

    def at(self, t: Float[np.ndarray, " places"]) -> Float[Tensor, "places parameters"]:
        """Parameters at each place, t from 0 at the first end to 1 at the second."""
        weights = torch.from_numpy(point_weights(self.kind, len(self.points), t))
        return weights.to(self.points) @ self.points

    def length(self, until: float = 1.0) -> float:
        """Arc length in weight space from the first end up to a place; statistics do not count."""
        steps = torch.diff(self.points[:, : self.trainable].double(), dim=0)
        gram = (steps @ steps.T).cpu().numpy()
        pieces = len(gram)
        if self.kind == "polychain":
            share = np.clip(until * pieces - np.arange(pieces), 0, 1)
            return float(share @ np.sqrt(np.diag(gram)))

        def speed(t: float) -> float:
            # The derivative of a Bezier curve is one of the steps between its points.
            weights = point_weights("bezier", pieces, np.array([t]))[0]
            return pieces * math.sqrt(max(0.0, float(weights @ gram @ weights)))

        from scipy.integrate import quad  # noqa: PLC0415 (half a second that most jobs spare)

        return float(quad(speed, 0, until, epsrel=1e-10, limit=500)[0])


@dataclass(frozen=True, eq=False)
class Profile:
    """What networks are like at places t of a path: mean losses in nats, shares that are right."""

    t: Float64[np.ndarray, " places"]
    loss: Float64[np.ndarray, " places"]
    accuracy: Float64[np.ndarray, " places"]
    test_loss: Float64[np.ndarray, " places"]
    test_accuracy: Float64[np.ndarray, " places"]


@dataclass(frozen=True)
class Peak:
    """The highest place of a path, found between the places of a profile.

    Attributes:
        t: where.
        loss: the mean training loss there, in nats.
        lowest_accuracy: the smallest share of training points that are right at any place seen.
    """

    t: float
    loss: float
    lowest_accuracy: float


@dataclass(frozen=True, eq=False)
class Plane:
    """The loss on the plane through two ends and a bend (Garipov et al. 2018, footnote 1).

    Attributes:
        axes: the unit vectors û and v̂, orthogonal; of running statistics they move nothing.
        x, y: places along the axes, distances in weight space: x along the line from the first end,
            which is the origin, to the second; y across it, towards the bend.
        loss: at each place, in nats.
        ends: of the first and the second end.
        bend: of the bend.
        curve: of the path; for one bend the path lies in the plane, else this is its projection.
    """

    axes: Float[Tensor, "2 parameters"]
    x: Float64[np.ndarray, " columns"]
    y: Float64[np.ndarray, " rows"]
    loss: Float64[np.ndarray, "rows columns"]
    ends: Float64[np.ndarray, "2 2"]
    bend: Float64[np.ndarray, " 2"]
    curve: Float64[np.ndarray, "places 2"]


def point_weights(
    kind: Kind, points: int, t: Float[np.ndarray, " places"]
) -> Float64[np.ndarray, "places points"]:
    """What each point of a path counts for at each place: φ(t) = weights · points.

    Raises:
        ValueError: if there is no such kind of path, or it has less than one point.
    """
    one_of("kind", kind, get_args(Kind))
    if points < 1:
        raise ValueError(f"a path of {points} points has no ends")
    t, numbers, degree = np.asarray(t, np.float64)[:, None], np.arange(points), points - 1
    if kind == "polychain":
        return np.asarray(np.clip(1 - np.abs(degree * t - numbers), 0, 1))
    choose = np.array([math.comb(degree, int(i)) for i in numbers])
    return np.asarray(choose * t**numbers * (1 - t) ** (degree - numbers))


def connect(
    network: Network,
    first: Float[Tensor, " parameters"],
    second: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    **options: Any,
) -> Path:
    """Train a path between two minima; ``options`` are those of ``connect_all``.

    Of two networks that were trained apart, hand over the second with its units in the order of the
    first, ``align(network, first, second, inputs).vector``: else a part of the way only exchanges
    units, and the barrier on the straight line says little.
    """
    return connect_all(network, first[None], second[None], inputs, labels, **options)[0]


def connect_all(
    network: Network,
    first: Float[Tensor, "curves parameters"],
    second: Float[Tensor, "curves parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    kind: Kind = "bezier",
    bends: int = 1,
    schedule: Schedule = Schedule(steps=2000, learning_rate=0.01, hold=0.5),  # noqa: B008 (frozen)
    samples: int = 4,
    batch: int | None = None,
    optimizer: Optimizer = Adam,
    seed: int = 0,
    curves: Sequence[int] | None = None,
    report: Report = silent,
) -> list[Path]:
    """Train a path between each pair of minima, all in one batch where the network allows it.

    Minimises E L(φ(t)) over uniform t (Garipov et al. 2018, section 3) by a few places a step, one
    at random in each of as many equal parts of the path; the mean over them is unbiased. Paths
    begin as the straight line. Batch norm normalises by the points of a step, as in training.

    Args:
        network: the architecture; of a module, an evaluator around it is left aside.
        first, second: the ends of each path.
        inputs, labels: the points on which the loss is taken.
        bends: how many points between the ends are trained.
        schedule: how long and how fast; gradients are clipped path by path.
        samples: places on a path in each step.
        batch: points in each step; None for all of them. Otherwise they are shuffled in every
            epoch, alike for all paths.
        optimizer: what turns gradients into steps; it must keep the rows of a matrix apart.
        seed: root seed. Places are drawn at ``(seed, "path places", curve)``, the order of points
            at ``(seed, "path order", epoch)``.
        curves: numbers of the paths, by which their places are drawn; None for 0, 1, …

    Raises:
        DivergedError: if a loss leaves the finite numbers.
        ValueError: if there is no bend to train or nothing to train it on, or what is given does
            not go together, see ``geometry.checked``.
    """
    if bends < 1 or samples < 1:
        raise ValueError(f"there are {bends} bends and {samples} places a step; take one or more")
    if batch is not None and not 1 <= batch <= len(labels):
        raise ValueError(f"a batch of {batch} among {len(labels)} points; None takes all of them")
    # Batch norm is by the points of a step, in the one way that is always there.
    evaluated = _evaluated(network, "batch", batch or max(1, len(labels)))
    labels = checked(evaluated, torch.stack([first, second]), inputs, labels)
    inputs = inputs.to(first.dtype)
    numbers = range(len(first)) if curves is None else curves
    draws = [generator(seed, "path places", number) for number in numbers]
    moving = network.trainable
    ends = torch.stack([first, second], dim=1).detach()
    start = point_weights("polychain", 2, np.arange(bends + 2) / (bends + 1))
    line = torch.from_numpy(start).to(ends) @ ends
    # The optimizer's rows are paths, as those of an ensemble are networks.
    leaf = line[:, 1:-1, :moving].flatten(1).clone().requires_grad_()

    def points() -> Float[Tensor, "curves points parameters"]:
        trained = leaf.view(len(ends), bends, moving)
        bent = torch.cat([trained, line[:, 1:-1, moving:]], dim=-1)
        return torch.cat([ends[:, :1], bent, ends[:, 1:]], dim=1)

    stepper = optimizer(leaf)
    every = max(1, schedule.steps // 20)
    parts = _batches(len(labels), batch, seed, labels.device)
    for step in range(schedule.steps):
        part = next(parts)
        t = (np.arange(samples) + np.stack([draw.random(samples) for draw in draws])) / samples
        weights = point_weights(kind, bends + 2, t.ravel()).reshape(*t.shape, -1)
        places = torch.from_numpy(weights).to(ends) @ points()
        logits = evaluated.logits(places.flatten(0, 1), inputs[part])
        losses = negative_log_likelihoods(logits, labels[part]).mean(dim=1).view(t.shape)
        (gradient,) = torch.autograd.grad(losses.mean(dim=1).sum(), leaf)
        stepper.step(gradient.renorm_(2, 0, schedule.gradient_clip), schedule.rate(step))
        if (step + 1) % every == 0 or step + 1 == schedule.steps:
            bad = (~losses.isfinite()).any(dim=1).nonzero().flatten().tolist()
            if bad:
                raise DivergedError(
                    f"the loss of path {bad[0]} is not finite at step {step + 1} ({len(bad)} of "
                    f"{len(losses)} paths); lower the learning rate or the gradient clip"
                )
            mean = float(losses.detach().mean())
            report(step + 1, schedule.steps, f"mean loss on the paths {mean:.3g}")
    return [Path(kind, path, moving) for path in points().detach()]


@torch.inference_mode()
def along(
    network: Network,
    path: Path,
    t: Float[np.ndarray, " places"],
    train: tuple[Float[Tensor, "points ..."], Int[Tensor, " points"]],
    test: tuple[Float[Tensor, "others ..."], Int[Tensor, " others"]],
) -> Profile:
    """Loss and accuracy at places of a path, such as ``path`` and ``path.straight``.

    Running statistics of batch norm are taken anew at each place, over the training points, and
    serve the test points too: those of the ends mean nothing between them.

    Args:
        network: the architecture; of a module, an evaluator around it is left aside.
        t: places on the path, from 0 to 1.
        train, test: points and their classes.

    Raises:
        ValueError: if what is given does not go together, see ``geometry.checked``.
    """
    module = _module(network)
    evaluated = _evaluated(network, "frozen")
    (train, test) = (
        (inputs.to(path.points.dtype), checked(evaluated, path.points, inputs, labels))
        for inputs, labels in (train, test)
    )
    columns: list[list[Tensor]] = [[], [], [], []]
    most = max(len(train[1]), len(test[1]))
    size = max(1, _NUMBERS // max(1, evaluated.activations(most)))
    for places in np.array_split(t, math.ceil(len(t) / size)):
        vectors = path.at(places)
        if module is not None:
            vectors = with_running_statistics(module, vectors, train[0])
        for column, (inputs, labels) in zip((0, 2), (train, test), strict=True):
            logits = evaluated.logits(vectors, inputs)
            losses = negative_log_likelihoods(logits, labels)
            columns[column].append(losses.mean(dim=1, dtype=torch.float64))
            columns[column + 1].append(correct(logits, labels).double().mean(dim=1))
    numbers = (torch.cat(column).cpu().numpy() for column in columns)
    return Profile(np.asarray(t, np.float64), *numbers)


def peak(
    network: Network,
    path: Path,
    profile: Profile,
    train: tuple[Float[Tensor, "points ..."], Int[Tensor, " points"]],
) -> Peak:
    """Where the loss on a path is highest, sought between the places of its profile.

    Around the highest few local maxima the places between both neighbours are looked at more and
    more closely, to a hundredth of their distance. A barrier taken from the profile alone is too
    low where a peak is narrow.

    Args:
        network: the architecture; as of ``along``.
        profile: of the same path, both ends included.
        train: the points and classes on which the profile was taken.
    """
    t, loss, lowest = profile.t, profile.loss, float(profile.accuracy.min())
    best, where = float(loss.max()), float(t[loss.argmax()])
    local = 1 + np.flatnonzero((loss[1:-1] >= loss[:-2]) & (loss[1:-1] >= loss[2:]))
    highest = local[np.argsort(-loss[local], kind="stable")[:_PEAKS]]
    low, high = t[highest - 1], t[highest + 1]
    for _ in range(_ROUNDS if len(highest) else 0):
        places = np.linspace(low, high, _BETWEEN + 2, axis=1)[:, 1:-1]
        found = along(network, path, places.ravel(), train, train)
        heights = found.loss.reshape(places.shape)
        lowest = min(lowest, float(found.accuracy.min()))
        if heights.max() > best:
            best, where = float(heights.max()), float(places.ravel()[heights.argmax()])
        step = (high - low) / (_BETWEEN + 1)
        centre = np.take_along_axis(places, heights.argmax(axis=1)[:, None], axis=1)[:, 0]
        low, high = centre - step, centre + step
    return Peak(where, best, lowest)


def plane(
    network: Network,
    path: Path,
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    points: int = 41,
    curve_points: int = 101,
) -> Plane:
    """The loss on a square of the plane through the ends of a path and its first bend.

    The axes are û = u/‖u‖ with u = θ₁ − θ₀, and v̂ = v/‖v‖ with v = (θ − θ₀) − ⟨θ − θ₀, û⟩ û
    (Garipov et al. 2018, footnote 1). Running statistics are refreshed at each place.

    Args:
        inputs, labels: the points on which the loss is taken.
        points: along each axis.
        curve_points: how many points of the path ``curve`` holds.

    Raises:
        ValueError: if the three points lie on a line, or what is given does not go together, see
            ``geometry.checked``.
    """
    evaluated = _evaluated(network, "refreshed")
    labels = checked(evaluated, path.points, inputs, labels)
    origin, moved = path.points[0], path.points[:, : path.trainable].double()
    to_second, to_bend = moved[-1] - moved[0], moved[1] - moved[0]
    across = to_bend - (to_bend @ to_second) / (to_second @ to_second) * to_second
    if not float(across.norm()) > 1e-6 * float(to_second.norm()):
        raise ValueError("the bend lies on the straight line between the ends: there is no plane")
    axes = torch.stack([to_second / to_second.norm(), across / across.norm()])
    corners = ((moved - moved[0]) @ axes.T).cpu().numpy()
    t = np.linspace(0, 1, curve_points)
    curve = point_weights(path.kind, len(corners), t) @ corners
    shown = np.concatenate([corners[[0, 1, -1]], curve])
    low, high = shown.min(axis=0), shown.max(axis=0)
    middle, reach = (low + high) / 2, (0.5 + _MARGIN) * float((high - low).max())
    x, y = np.linspace(middle - reach, middle + reach, points).T
    directions = torch.zeros((2, len(origin)), dtype=origin.dtype, device=origin.device)
    directions[:, : path.trainable] = axes.to(origin)
    loss = Landscape(evaluated, origin, directions, inputs, labels).plane(x, y)
    return Plane(directions, x, y, loss, corners[[0, -1]], corners[1], curve)


def _module(network: Network) -> ModuleNetwork | None:
    """The module behind a network, if there is one."""
    if isinstance(network, Evaluator):
        return network.network
    return network if isinstance(network, ModuleNetwork) else None


def _evaluated(network: Network, statistics: Statistics, batch: int | None = None) -> Network:
    """The network with batch norm by these statistics; any that is no module as it is."""
    module = _module(network)
    return network if module is None else Evaluator(module, statistics, batch, strategy="loop")


def _batches(
    points: int, batch: int | None, seed: int, device: torch.device
) -> Iterator[Tensor | slice]:
    """The points of each step, without end."""
    if batch is None:
        yield from itertools.repeat(slice(None))
    for epoch in itertools.count():
        order = torch.from_numpy(generator(seed, "path order", epoch).permutation(points))
        # Of that many points or a few more, but never so many that an evaluator would cut them.
        yield from torch.tensor_split(order.to(device), points // (batch or points))
