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
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import jacrev, vmap

from flatminima.geometry.curvature import roots
from flatminima.geometry.directions import filter_norms
from flatminima.geometry.sampled import Sampled, mean_of
from flatminima.geometry.temperature import temperature_at
from flatminima.models.evaluation import underlying
from flatminima.models.network import Network
from flatminima.seeding import generator

Ball = Literal["raw", "filter", "kl"]
BALLS: tuple[Ball, ...] = get_args(Ball)

# Singular values of the Jacobian below this share of the largest are rounding: dependencies of
# points on each other are exact, those that lie in one linear region of a ReLU network.
_RANK = 1e-13


@dataclass(frozen=True)
class Measures:
    """One minimum's measures, by one idea of length.

    Units are nats per unit of length for gradients (``regret``, ``gradient_norm``,
    ``empirical_fisher``) and per its square for ``fisher_trace`` and ``fisher_top``. By ``kl`` a
    length is the square root of a symmetrised divergence.

    Attributes:
        regret: mean of ‖g₂‖ (1 − cos(g₁, g₂)) over pairs of disjoint minibatches. It and the next
            two have intervals over the random partitions; without one if there was one partition.
        gradient_norm: E√tr(ggᵀ) over minibatches.
        contrast: mean top eigenvalue of single minibatches over that of all points.
        cosine: mean of cos(g₁, g₂) over the same pairs.
        empirical_fisher: √tr E[ggᵀ] over the same minibatches.
        fisher_trace: of the true Fisher information of the predictions. By ``kl`` it is the number
            of ways in which these predictions can move at all.
        fisher_top: its largest eigenvalue; 1 by ``kl``, for every network.
    """

    regret: Sampled
    gradient_norm: Sampled
    contrast: Sampled
    cosine: float
    empirical_fisher: float
    fisher_trace: float
    fisher_top: float


@dataclass(frozen=True, eq=False)
class Jacobian:
    """Derivatives of a network's logits on some points by its trainable parameters, float64.

    Of N points with C outputs by n parameters they take 8·N·C·n bytes.

    Attributes:
        values: the derivatives.
        scale: one filter-normalised unit for each parameter, 0 for those in no filter.
    """

    values: Float[Tensor, "points outputs parameters"]
    scale: Float[Tensor, " parameters"]

    @cached_property
    def products(self) -> dict[Ball, Float[Tensor, "points outputs points outputs"]]:
        """J M Jᵀ for the two balls in which M does not depend on the predictions."""
        every: dict[Ball, Tensor] = {"raw": self.values, "filter": self.values * self.scale}
        return {name: torch.tensordot(each, each, dims=([2], [2])) for name, each in every.items()}

    @cached_property
    def basis(self) -> Float[Tensor, "points outputs rank"]:
        """An orthonormal basis of the ways in which the predictions can move, to first order.

        Logits of a point that all rise by as much predict the same, so where there are several
        only their differences count.
        """
        points, outputs, parameters = self.values.shape
        differences = _sum_free(outputs).to(self.values)
        rows = torch.einsum("od,iop->idp", differences, self.values).reshape(-1, parameters)
        # Of no consequence for the column space, but columns of like size lose fewer digits.
        norms = rows.norm(dim=0)
        left, values, _ = torch.linalg.svd(
            rows / torch.where(norms > 0, norms, 1.0), full_matrices=False
        )
        rank = int((values > _RANK * values[0]).sum())
        return torch.einsum("od,idr->ior", differences, left[:, :rank].reshape(points, -1, rank))


@dataclass(frozen=True, eq=False)
class Linearisation:
    """A network on some points, to first order in its parameters. All float64.

    Attributes:
        jacobian: of the logits before they are divided by the temperature.
        untempered: the logits at the minimum, before they are divided likewise.
        labels: of the points.
        temperature: by which logits are divided.
    """

    jacobian: Jacobian
    untempered: Float[Tensor, "points outputs"]
    labels: Int[Tensor, " points"]
    temperature: float = 1.0

    @property
    def logits(self) -> Float[Tensor, "points outputs"]:
        """The logits at the minimum."""
        return self.untempered / self.temperature

    @cached_property
    def roots(self) -> Float[Tensor, "points outputs factors"]:
        """R with RRᵀ = Λ, the second derivatives of each point's loss by its logits."""
        return roots(self.logits)

    @cached_property
    def pulls(self) -> Float[Tensor, "points factors"]:
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
        """A M Aᵀ, with F = AᵀA; rows are points, times outputs where there are several.

        Raises:
            ValueError: if there is no such ball.
        """
        if ball not in BALLS:
            raise ValueError(f"ball is {ball!r}; it is one of {', '.join(BALLS)}")
        if ball == "kl":
            moved = torch.einsum("iof,ior->ifr", self.roots, self.jacobian.basis).flatten(0, 1)
            orthonormal: Tensor = torch.linalg.qr(moved)[0]
            return orthonormal @ orthonormal.T
        products = self.jacobian.products[ball] / (self.temperature**2 * len(self.logits))
        rows = torch.einsum("iof,iojp,jpg->ifjg", self.roots, products, self.roots)
        return rows.flatten(2, 3).flatten(0, 1)

    def diagonal(self) -> Float[Tensor, " parameters"]:
        """The Gauss-Newton matrix's diagonal, parameter by parameter."""
        rows = torch.einsum("iof,iop->ifp", self.roots, self.jacobian.values)
        return rows.square().sum(dim=(0, 1)) / (self.temperature**2 * len(self.logits))

    def measures(self, ball: Ball, partitions: list[list[Int[np.ndarray, " batch"]]]) -> Measures:
        """All measures by one idea of length, over these partitions into minibatches."""
        kernel = self.kernel(ball)
        points, factors = self.pulls.shape
        pulls = math.sqrt(points) * self.pulls
        top = float(torch.linalg.eigvalsh(kernel)[-1])
        regrets, norms, contrasts, cosines, squares = [], [], [], [], []
        for batches in partitions:
            parts = torch.zeros(len(batches), points, factors, dtype=torch.float64)
            parts = parts.to(kernel)
            tops = []
            for part, batch in zip(parts, batches, strict=True):
                rows = torch.from_numpy(batch).to(kernel.device)
                part[rows] = pulls[rows] / len(batch)
                every = (factors * rows[:, None] + torch.arange(factors).to(rows)).flatten()
                block = kernel[every[:, None], every]
                tops.append(points / len(batch) * float(torch.linalg.eigvalsh(block)[-1]))
            combined = parts.flatten(1)
            products = combined @ kernel @ combined.T
            length = products.diagonal().clamp(min=0).sqrt()
            pairs = ~torch.eye(len(batches), dtype=torch.bool, device=kernel.device)
            # Of a gradient that is zero nothing can be lost, whatever the angle.
            lengths = torch.outer(length, length)
            cosine = torch.where(lengths > 0, products / lengths, 0.0)[pairs]
            regrets.append(float((length.expand(len(length), -1)[pairs] * (1 - cosine)).mean()))
            norms.append(float(length.mean()))
            squares.append(float(length.square().mean()))
            contrasts.append(float(np.mean(tops)) / top if top > 0 else math.nan)
            cosines.append(float(cosine.mean()))
        return Measures(
            regret=mean_of(np.array(regrets)),
            gradient_norm=mean_of(np.array(norms)),
            contrast=mean_of(np.array(contrasts)),
            cosine=float(np.mean(cosines)),
            empirical_fisher=math.sqrt(float(np.mean(squares))),
            fisher_trace=float(kernel.trace()),
            fisher_top=top,
        )


def linearise(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
) -> Linearisation:
    """Differentiate each point's logits by the trainable parameters, in float64.

    Running statistics of batch norm are held where they are: each point is evaluated by itself.
    """
    network = underlying(network)
    values = minimum.detach().double()
    parameters, statistics = values[: network.trainable], values[network.trainable :]

    def of_point(parameters: Tensor, point: Tensor) -> Tensor:
        vector = torch.cat([parameters, statistics])
        return network.logits(vector[None], point[None])[0, 0]

    points = inputs.double()
    jacobian = vmap(jacrev(of_point), in_dims=(None, 0))(parameters, points)
    with torch.no_grad():
        logits = network.logits(values[None], points)[0]
    scale = filter_norms(network.layout, values)[: network.trainable]
    return Linearisation(Jacobian(jacobian.detach(), scale), logits, labels)


def partition(
    points: int, *, batch: int, count: int, seed: int
) -> list[list[Int[np.ndarray, " batch"]]]:
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
) -> Measures:
    """Huszár's measures of one minimum, see the head of this module.

    Args:
        network: the architecture.
        minimum: the parameters at which to measure.
        inputs, labels: the points from which minibatches are taken.
        ball: what counts as a length.
        level: a loss in nats at which to measure, see ``geometry.temperature``; None: as it is.
        batch: points in a minibatch.
        partitions: random partitions of the points into minibatches. In each, all pairs count.
        seed: root seed of the partitions.

    Raises:
        ValueError: if an argument is out of range, or no temperature gives that loss.
    """
    linear = linearise(network, minimum, inputs, labels)
    if level is not None:
        temperature = temperature_at(network, minimum, inputs, labels, level)
        if math.isnan(temperature):
            raise ValueError(f"at no temperature is the loss of this network {level} nats")
        linear = replace(linear, temperature=temperature)
    drawn = partition(len(labels), batch=batch, count=partitions, seed=seed)
    return linear.measures(ball, drawn)


def _sum_free(outputs: int) -> Float[Tensor, "outputs differences"]:
    """An orthonormal basis of the vectors whose entries sum to zero; 1 for a single logit."""
    if outputs == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    full = torch.eye(outputs, dtype=torch.float64)
    full[:, 0] = 1
    orthonormal: Tensor = torch.linalg.qr(full)[0]
    return orthonormal[:, 1:]
