"""Huszár's measures of a minimum: what minibatches say of how it generalizes.

F. Huszár, "The Generalization Mystery: Sharp vs Flat Minima" (2018), looks at the losses of single
minibatches around the parameters θ rather than at the mean loss alone. Of two minibatches with
gradients g₁ and g₂, let a step of length ε lower the loss of the first as far as it goes; by how
much more could such a step have lowered the loss of the second? To first order by ε times

    ‖g₂‖ (1 − cos(g₁, g₂)),

whose mean over pairs is the *regret*. Where gradients have nothing to do with each other, the
cosine is 0 and what is left is the mean *gradient norm* E√tr(ggᵀ), by Jensen's inequality at most
√tr E[ggᵀ] with the *empirical Fisher* matrix. The *contrast* is what he asks for of ratios of
flatnesses: the mean of the top eigenvalues of the Gauss-Newton matrices of single minibatches, over
that of all points together, 1 if all bend alike and up to the number of minibatches if each bends
elsewhere. (With traces in place of top eigenvalues that ratio is 1 by definition, always.)

All of it depends on what counts as a step of length ε. Three answers are offered as ``Ball``:

* ``raw``: Euclidean in the space of all parameters;
* ``filter``: Euclidean in filter-normalised units, parameters in no filter held where they are;
* ``kl``: by how far the predictions move: to second order, the symmetrised Kullback-Leibler
  divergence of the predictions before and after is vᵀFv, F the Fisher information on the points.
  Huszár left this one as homework. Gradients then have length ‖g‖ = √(gᵀF⁺g), as in natural
  gradient descent (Amari 1998), and depend on the function and on which functions are near it, not
  on the parametrisation.

Write F = AᵀA, with a row of A for each point (and output). Each point's gradient is a combination
of these rows, so everything is found from the kernel A M Aᵀ of points with points, M = I, S² and F⁺
in turn; for ``kl`` it is the projection onto the column space of A. No matrix of parameters with
parameters is formed, and none is damped. In a network whose parameters can move every point's
logits by themselves that projection is the identity: minibatches then have nothing to do with each
other, the regret is the gradient norm, and that rests on the predictions alone.

Cross-entropy's Fisher information is its Gauss-Newton matrix, so one number serves as *true Fisher
trace* and as flatness of the mean loss. In a network that is linear in each single parameter (a
ReLU network without normalisation) it is the trace of the Hessian, too.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.errors import one_of
from flatminima.flatness_measures import BALLS, Ball
from flatminima.geometry.checked import checked
from flatminima.geometry.curvature import (
    Counted,
    Operator,
    hessian,
    iteration,
    logit_jacobian,
    square_root_factors,
    top_eigenvalue,
)
from flatminima.geometry.directions import filter_norms
from flatminima.geometry.footprint import in_words, room
from flatminima.geometry.sampled import Sampled, mean_of
from flatminima.geometry.temperature import Tempered, at_loss, temperature_at
from flatminima.models.evaluation import underlying
from flatminima.models.network import Network
from flatminima.progress import Report, silent
from flatminima.seeding import generator

# Singular values of the Jacobian below this share of the largest are rounding: dependencies of
# points on each other are exact, those that lie in one linear region of a ReLU network.
_RANK = 1e-13

# How often what is as large as the Jacobian is held at once, and what is as large as the kernel;
# of a part of the Jacobian, the same.
_HELD, _KERNELS, _OF_PART = 6, 8, 8
# Of derivatives on their way.
_ON_THE_WAY = 2**27
# Products of an iteration for an eigenvalue, by and large.
_ITERATION = 20

Partition = list[Int[np.ndarray, " batch"]]
"""The numbers of the points in each of some disjoint minibatches."""


@dataclass(frozen=True, eq=False)
class Jacobian:
    """Derivatives of a network's logits on some points by its trainable parameters, float64.

    Attributes:
        values: the derivatives.
        scale: one filter-normalised unit for each parameter, 0 for those in no filter.
        notes: what was done in a cheaper way, in sentences.
    """

    values: Float[Tensor, "points outputs parameters"]
    scale: Float[Tensor, " parameters"]
    notes: tuple[str, ...] = ()

    @cached_property
    def products(self) -> dict[Ball, Float[Tensor, "points outputs points outputs"]]:
        """J M Jᵀ for the two balls in which M does not depend on the predictions."""
        scaled: dict[Ball, Tensor] = {"raw": self.values, "filter": self.values * self.scale}
        return {ball: torch.tensordot(rows, rows, dims=([2], [2])) for ball, rows in scaled.items()}

    @cached_property
    def basis(self) -> Float[Tensor, "points outputs rank"]:
        """An orthonormal basis of the ways in which the predictions can move, to first order.

        Logits of a point that all rise by as much predict the same, so where there are several
        only their differences count.
        """
        return _column_space(_differences(self.values), self.values.shape[1])

    def squares(
        self, factors: Float[Tensor, "points outputs factors"]
    ) -> Float[Tensor, " parameters"]:
        """Of each parameter, the squares of the rows RᵀJ of all points, summed; R the factors."""
        rows = torch.einsum("iof,iop->ifp", factors, self.values)
        return rows.square().sum(dim=(0, 1))


@dataclass(frozen=True, eq=False)
class JacobianInParts:
    """The same without holding all of it: of some parameters at a time, differentiated anew.

    Attributes:
        parts: the derivatives by some of the parameters after the other, and which these are.
        outputs: how many logits a point has.
        scale, notes: as of ``Jacobian``.
    """

    parts: Callable[[], Iterator[tuple[slice, Float[Tensor, "points outputs some"]]]]
    outputs: int
    scale: Float[Tensor, " parameters"]
    notes: tuple[str, ...]

    @cached_property
    def products(self) -> dict[Ball, Float[Tensor, "points outputs points outputs"]]:
        """As of ``Jacobian``: sums over parts."""
        sums: dict[Ball, Tensor] = {}
        for columns, values in self.parts():
            for ball, of in Jacobian(values, self.scale[columns]).products.items():
                sums[ball] = sums[ball].add_(of) if ball in sums else of
        return sums

    @cached_property
    def basis(self) -> Float[Tensor, "points outputs rank"]:
        """As of ``Jacobian``: rows of all parts have the column space of their triangular factor.

        By an orthogonal decomposition of each part beside what those before it have left, which
        keeps the digits that a product of rows with rows would lose.
        """
        left: Tensor | None = None
        for _, values in self.parts():
            rows = _differences(values)
            rows = rows if left is None else torch.cat([left, rows], dim=1)
            left = torch.linalg.qr(rows.T, mode="r")[1].T
        if left is None:
            raise ValueError("a network without parameters has no derivatives")
        return _column_space(left, self.outputs)

    def squares(
        self, factors: Float[Tensor, "points outputs factors"]
    ) -> Float[Tensor, " parameters"]:
        """As of ``Jacobian``."""
        parts = (Jacobian(values, self.scale[at]).squares(factors) for at, values in self.parts())
        return torch.cat([*parts])


def _differences(
    values: Float[Tensor, "points outputs parameters"],
) -> Float[Tensor, "rows parameters"]:
    """The rows of what differs between a point's logits, columns of like size.

    Of no consequence for the column space, but so fewer digits are lost.
    """
    differences = _sum_free(values.shape[1]).to(values)
    rows = torch.einsum("od,iop->idp", differences, values).reshape(-1, values.shape[2])
    norms = rows.norm(dim=0)
    return rows / torch.where(norms > 0, norms, 1.0)


def _column_space(
    rows: Float[Tensor, "rows columns"], outputs: int
) -> Float[Tensor, "points outputs rank"]:
    """An orthonormal basis of the column space of such rows, as logits move."""
    differences = _sum_free(outputs).to(rows)
    left, values, _ = torch.linalg.svd(rows, full_matrices=False)
    rank = int((values > _RANK * values[0]).sum())
    split = left[:, :rank].reshape(-1, differences.shape[1], rank)
    return torch.einsum("od,idr->ior", differences, split)


@dataclass(frozen=True, eq=False)
class Linearisation:
    """A network on some points, to first order in its parameters around a minimum.

    Attributes:
        network: as it is, before its logits are divided by the temperature.
        jacobian: of the logits before they are divided likewise.
        untempered: the logits at the minimum, before that. float64.
        temperature: by which logits are divided.
    """

    network: Network
    minimum: Float[Tensor, " parameters"]
    inputs: Float[Tensor, "points ..."]
    labels: Int[Tensor, " points"]
    jacobian: Jacobian | JacobianInParts
    untempered: Float[Tensor, "points outputs"]
    temperature: float = 1.0

    def at_loss(self, level: float) -> "Linearisation":
        """The same at the temperature that gives this loss in nats; NaN where none does."""
        temperature = temperature_at(self.network, self.minimum, self.inputs, self.labels, level)
        return replace(self, temperature=temperature)

    @property
    def logits(self) -> Float[Tensor, "points outputs"]:
        """The logits at the minimum."""
        return self.untempered / self.temperature

    @cached_property
    def factors(self) -> Float[Tensor, "points outputs factors"]:
        """R with RRᵀ = Λ, the second derivatives of each point's loss by its logits."""
        return square_root_factors(self.logits)

    @cached_property
    def residuals(self) -> Float[Tensor, "points factors"]:
        """Vectors u with R u = p − y, the derivatives of each point's loss by its logits.

        So a point's gradient is Jᵀ R u. Stable however certain a network is.
        """
        if self.logits.shape[1] == 1:
            sign = (2 * self.labels - 1)[:, None].to(self.logits)
            return -sign * torch.exp(-sign * self.logits / 2)
        p = torch.softmax(self.logits, dim=1)
        label = torch.nn.functional.one_hot(self.labels.long(), p.shape[1]).bool()
        missing = torch.where(label, 0.0, p).sum(dim=1, keepdim=True)
        return torch.where(label, -missing / p.sqrt(), p.sqrt())

    def kernel(self, ball: Ball) -> Float[Tensor, "rows rows"]:
        """A M Aᵀ, with F = AᵀA; rows are points, times outputs where there are several."""
        if ball == "kl":
            moved = torch.einsum("iof,ior->ifr", self.factors, self.jacobian.basis).flatten(0, 1)
            orthonormal: Tensor = torch.linalg.qr(moved)[0]
            return orthonormal @ orthonormal.T
        products = self.jacobian.products[ball] / (self.temperature**2 * len(self.logits))
        rows = torch.einsum("iof,iojp,jpg->ifjg", self.factors, products, self.factors)
        return rows.flatten(2, 3).flatten(0, 1)

    def diagonal(self) -> Float[Tensor, " parameters"]:
        """The Gauss-Newton matrix's diagonal, parameter by parameter."""
        squares = self.jacobian.squares(self.factors)
        return squares / (self.temperature**2 * len(self.logits))


@dataclass(frozen=True, eq=False)
class Gradients:
    """Lengths of the gradients of disjoint minibatches, nats per length; of pairs, the second's."""

    lengths: Float[Tensor, " batches"]
    second: Float[Tensor, " pairs"]
    cosines: Float[Tensor, " pairs"]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What every measure of one minimum by one idea of length is computed from.

    Partitions are of the points into minibatches, the seed is of eigenvalue iterations, memory of
    the Hessian, and products with it are told.
    """

    linear: Linearisation
    ball: Ball
    partitions: Sequence[Partition]
    seed: int = 0
    memory: int | None = None
    report: Report = silent

    @cached_property
    def bends(self) -> Operator:
        """The Hessian by this idea of length."""
        linear = self.linear
        network = Tempered(linear.network, linear.temperature)
        matrix = hessian(network, linear.minimum, linear.inputs, linear.labels, memory=self.memory)
        return matrix.scaled(linear.jacobian.scale if self.ball == "filter" else None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done in a cheaper way than usual for want of memory, in sentences."""
        notes = self.linear.jacobian.notes
        if hessian_top in QUANTITIES[self.ball]:
            notes += self.bends.notes + tuple(filter(None, [iteration(self.bends, 1)[2]]))
        return notes

    @cached_property
    def kernel(self) -> Float[Tensor, "rows rows"]:
        """As :meth:`Linearisation.kernel`."""
        return self.linear.kernel(self.ball)

    @cached_property
    def gradients(self) -> list[Gradients]:
        """Those of the minibatches of each partition."""
        return [self._gradients(batches) for batches in self.partitions]

    def _gradients(self, batches: Partition) -> Gradients:
        points, factors = self.linear.residuals.shape
        residuals = math.sqrt(points) * self.linear.residuals
        parts = torch.zeros(len(batches), points, factors).to(self.kernel)
        for part, batch in zip(parts, batches, strict=True):
            rows = torch.from_numpy(batch).to(parts.device)
            part[rows] = residuals[rows] / len(batch)
        combined = parts.flatten(1)
        products = combined @ self.kernel @ combined.T
        length = products.diagonal().clamp(min=0).sqrt()
        pairs = ~torch.eye(len(batches), dtype=torch.bool, device=length.device)
        # Of a gradient that is zero nothing can be lost, whatever the angle.
        lengths = torch.outer(length, length)
        cosines = torch.where(lengths > 0, products / lengths, 0.0)
        return Gradients(length, length.expand(len(length), -1)[pairs], cosines[pairs])


Quantity = Callable[[Surroundings], Sampled | float]
"""One measure: with an interval over partitions, or a number."""


def regret(around: Surroundings) -> Sampled:
    """Mean of ‖g₂‖ (1 − cos(g₁, g₂)) over pairs of disjoint minibatches, nats per length."""
    return mean_of([float((of.second * (1 - of.cosines)).mean()) for of in around.gradients])


def gradient_norm(around: Surroundings) -> Sampled:
    """E√tr(ggᵀ) over minibatches, nats per length."""
    return mean_of([float(of.lengths.mean()) for of in around.gradients])


def empirical_fisher(around: Surroundings) -> float:
    """√tr E[ggᵀ] over the same minibatches, nats per length."""
    squares = [float(of.lengths.square().mean()) for of in around.gradients]
    return math.sqrt(float(np.mean(squares)))


def cosine(around: Surroundings) -> float:
    """Mean of cos(g₁, g₂) over pairs of disjoint minibatches."""
    return float(np.mean([float(of.cosines.mean()) for of in around.gradients]))


def contrast(around: Surroundings) -> Sampled:
    """Mean top Gauss-Newton eigenvalue of single minibatches over that of all points."""
    points, factors = around.linear.residuals.shape
    whole = fisher_top(around)

    def top_of(batch: Int[np.ndarray, " batch"]) -> float:
        rows = torch.from_numpy(batch).to(around.kernel.device)
        chosen = (factors * rows[:, None] + torch.arange(factors).to(rows)).flatten()
        block = around.kernel[chosen[:, None], chosen]
        return points / len(batch) * float(torch.linalg.eigvalsh(block)[-1])

    tops = [float(np.mean([top_of(batch) for batch in of])) for of in around.partitions]
    return mean_of([top / whole if whole > 0 else math.nan for top in tops])


def fisher_trace(around: Surroundings) -> float:
    """Trace of the true Fisher information of the predictions, nats per squared length.

    By ``kl`` it is the number of ways in which these predictions can move at all.
    """
    return float(around.kernel.trace())


def fisher_top(around: Surroundings) -> float:
    """Largest eigenvalue of the true Fisher information; 1 by ``kl``, for every network."""
    return float(torch.linalg.eigvalsh(around.kernel)[-1])


def hessian_top(around: Surroundings) -> float:
    """Largest eigenvalue of the Hessian of the mean loss, nats per squared length."""
    told = Counted(around.bends, _ITERATION, around.report)
    told.of("for the top eigenvalue of the Hessian", most=_ITERATION)
    return top_eigenvalue(told.operator, seed=around.seed)


_IN_ANY_BALL: tuple[Quantity, ...] = (
    regret, gradient_norm, empirical_fisher, cosine, contrast, fisher_trace, fisher_top,
)  # fmt: skip

QUANTITIES: dict[Ball, tuple[Quantity, ...]] = {
    "raw": (*_IN_ANY_BALL, hessian_top),
    "filter": (*_IN_ANY_BALL, hessian_top),
    "kl": _IN_ANY_BALL,
}
"""What is computed by each idea of length. Names of functions are names of arrays."""


def measure(around: Surroundings) -> dict[str, Sampled | float]:
    """Every measure of one minimum by one idea of length, by name."""
    return {quantity.__name__: quantity(around) for quantity in QUANTITIES[around.ball]}


def linearise(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    memory: int | None = None,
    report: Report = silent,
) -> Linearisation:
    """Differentiate each point's logits by the trainable parameters, in float64.

    Args:
        memory: bytes that all that is found from the derivatives may take; what does not fit is
            differentiated anew, some parameters at a time, whenever it is needed. None: they are
            held, whatever they take.
        report: told how many points are done.

    Raises:
        ValueError: if memory does not suffice for the kernel of all points with all points, or what
            is given does not go together, see ``geometry.checked``.
    """
    own = underlying(network)
    labels = checked(own, minimum, inputs, labels, dtype=torch.float64)
    scale = filter_norms(network.layout, minimum.detach().double())[: network.trainable]
    with torch.no_grad():
        first = own.logits(minimum[None].double(), inputs[:1].double())
    rows, size = len(inputs) * first.shape[-1], network.trainable
    kernels = 8 * _KERNELS * rows**2
    if memory is None or 8 * _HELD * rows * size + kernels <= memory:
        jacobian, logits = logit_jacobian(network, minimum, inputs, report=report)
        return Linearisation(own, minimum, inputs, labels, Jacobian(jacobian, scale), logits)
    # A few rows of all parameters are on their way to some parameters of all rows.
    way = min(_ON_THE_WAY, memory // 16)
    left = memory - kernels - 4 * max(way, 8 * network.layout.size)
    width = left // (8 * _OF_PART * rows)
    if width < 1:
        least = memory - left + 8 * _OF_PART * rows
        raise ValueError(
            f"memory is {in_words(memory)}, and measures of {len(inputs):,} points of "
            f"{first.shape[-1]:,} logits take {in_words(least)}; take fewer points, or raise memory"
        )
    times = -(-size // width)
    note = (
        f"Logits are differentiated {times:,} times over, each time by {width:,} of the "
        f"{size:,} parameters, since all derivatives, {in_words(8 * rows * size)}, do not fit into "
        "memory."
    )

    def parts() -> Iterator[tuple[slice, Tensor]]:
        for number in range(times):
            columns = slice(number * width, min((number + 1) * width, size))

            def told(done: int, total: int, text: str, before: int = number) -> None:
                report(before * total + done, times * total, text)

            yield (
                columns,
                logit_jacobian(network, minimum, inputs, columns=columns, memory=way, report=told)[
                    0
                ],
            )

    in_parts = JacobianInParts(parts, first.shape[-1], scale, (note,))
    with torch.no_grad():
        logits = own.logits(minimum[None].double(), inputs.double())[0]
    return Linearisation(own, minimum, inputs, labels, in_parts, logits)


def partition(points: int, *, batch: int, count: int, seed: int) -> list[Partition]:
    """Random partitions of the points into minibatches, as equal as can be.

    Partition i is drawn at the address ``(seed, "minibatches", i)``. With ``batch`` 1 a single
    partition holds all pairs there are, and what is measured on it is exact.

    Raises:
        ValueError: if there are not two minibatches of at least that many points.
    """
    if not 1 <= batch <= points // 2:
        raise ValueError(
            f"batch is {batch}; two disjoint minibatches of {points} points hold 1 to {points // 2}"
        )
    return [
        np.array_split(generator(seed, "minibatches", number).permutation(points), points // batch)
        for number in range(count)
    ]


def measures(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    ball: Ball = "raw",
    level: float | None = None,
    batch: int = 20,
    partitions: int = 8,
    seed: int = 0,
    memory: int | None = None,
    report: Report = silent,
) -> "Measures":
    """Huszár's measures of one minimum by name, see the head of this module.

    Args:
        inputs, labels: the points from which minibatches are taken.
        ball: what counts as a length.
        level: a loss in nats at which to measure, see ``geometry.temperature``; None: as it is.
        batch: points in a minibatch.
        partitions: random partitions of the points into minibatches. In each, all pairs count.
        seed: root seed of the partitions and of eigenvalue iterations.
        memory: bytes that this may take, see ``geometry.footprint``. What does not fit is
            differentiated anew, of which ``Measures.notes`` tell; measures change by rounding.
        report: told how far the derivatives of the logits are, and the products of the Hessian.

    Raises:
        ValueError: if an argument is out of range, no temperature gives that loss, or memory does
            not suffice for so many points.
    """
    one_of("ball", ball, BALLS)
    memory = room(memory, minimum.device)
    linear = linearise(network, minimum, inputs, labels, memory=memory, report=report)
    if level is not None:
        temperature = at_loss(network, minimum, inputs, labels, level).temperature
        linear = replace(linear, temperature=temperature)
    drawn = partition(len(labels), batch=batch, count=partitions, seed=seed)
    around = Surroundings(linear, ball, drawn, seed, memory, report)
    return Measures(measure(around), around.notes)


class Measures(dict[str, Sampled | float]):
    """Measures by their names.

    Attributes:
        notes: what was done in a cheaper way than usual, since it did not fit into memory, in
            sentences.
    """

    def __init__(self, values: Mapping[str, Sampled | float], notes: tuple[str, ...] = ()) -> None:
        """Of what ``measure`` gives."""
        super().__init__(values)
        self.notes = notes


def _sum_free(outputs: int) -> Float[Tensor, "outputs differences"]:
    """An orthonormal basis of the vectors whose entries sum to zero; 1 for a single logit."""
    if outputs == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    full = torch.eye(outputs, dtype=torch.float64)
    full[:, 0] = 1
    orthonormal: Tensor = torch.linalg.qr(full)[0]
    return orthonormal[:, 1:]
