"""Second derivatives of the loss: products with vectors, the top eigenvalue, and along directions.

Everything is exact (two passes of automatic differentiation, no finite differences) and in float64,
whatever the dtype of the network. A ReLU network's loss has kinks, on which it has no second
derivative and to which differentiation gives none: what is computed is the Hessian of the smooth
piece on which the parameters lie, in which each unit stays on or off for each point. Bends that a
longer step would cross are not in it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn import functional

from flatminima.geometry.checked import check_points, checked
from flatminima.models.evaluation import underlying
from flatminima.models.network import Network
from flatminima.seeding import generator
from flatminima.training.losses import negative_log_likelihoods

# Of eigenvectors; eigenvalues are then right to about its square, which is to rounding.
_TOLERANCE = 1e-9
# Bytes that one batch of networks may take, approximately.
_MEMORY = 2**27


@dataclass(frozen=True, eq=False)
class Operator:
    """A symmetric matrix A that is known by its products: what curvlinops and scipy ask of one.

    Attributes:
        product: v ↦ Av, of a float64 vector, or of each row of several at once.
        size: how many rows.
        device: of the vectors.
        at_once: how many vectors may be multiplied at once for ``_MEMORY``.
    """

    product: Callable[[Tensor], Tensor]
    size: int
    device: torch.device
    at_once: int = 1
    dtype: torch.dtype = torch.float64

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.size, self.size

    def __matmul__(self, vector: Float[Tensor, " parameters"]) -> Float[Tensor, " parameters"]:
        """The product with one vector."""
        return self.product(vector)

    def of_array(self, vector: np.ndarray) -> np.ndarray:
        """The product with one vector, as arrays."""
        image = self.product(torch.from_numpy(np.array(vector).reshape(-1)).to(self.device))
        return np.asarray(image.cpu().numpy())

    def of_rows(
        self, vectors: Float[np.ndarray, "vectors parameters"]
    ) -> Float[np.ndarray, "vectors parameters"]:
        """The products with several vectors, some at a time.

        Of the Hessian of a network of 3,614 parameters on 200 points five at once take 0.6 of the
        time of one after another, and forty as much.
        """
        parts = torch.split(torch.from_numpy(vectors).to(self.device), self.at_once)
        return np.concatenate([self.product(part).cpu().numpy() for part in parts])

    def scaled(self, scale: Float[Tensor, " parameters"] | None) -> "Operator":
        """S A S with S = diag(scale), of which entries beyond A count for nothing; None: A."""
        if scale is None:
            return self
        entries = scale[: self.size].to(self.device, torch.float64)
        return replace(self, product=lambda vector: entries * self.product(entries * vector))


def top_eigenpair(matrix: Operator, *, seed: int) -> tuple[float, Float[np.ndarray, " parameters"]]:
    """The largest (algebraic) eigenvalue and its eigenvector, by Lanczos iteration (ARPACK).

    Of the Hessian H of a loss the eigenvalue is in nats per squared unit of distance. If S in S H S
    holds the norm of each weight's filter, that unit is filter-normalised, and S times the
    eigenvector is the direction in weight space.

    The iteration starts at the address ``(seed, "lanczos")``. The eigenvector is float64, of unit
    length, and its entry of largest magnitude is positive.

    Raises:
        ValueError: if products are not finite, or the loss is so flat that its Hessian is zero in
            float64.
    """
    values, vectors = largest_eigenpairs(matrix, seed=seed, tolerance=_TOLERANCE)
    if not vectors.any():
        raise ValueError("the Hessian of the loss is zero here, so it has no top eigenvector")
    vector = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    return float(values[0]), vector * np.sign(vector[np.abs(vector).argmax()])


def top_eigenvalue(matrix: Operator, *, seed: int) -> float:
    """The largest eigenvalue alone, or a ValueError if products are not finite.

    A network far from its minimum may be dead, its logits the same for all points and parameters
    around: its Hessian is zero, which has no top eigenvector, but the eigenvalue 0.
    """
    return float(largest_eigenpairs(matrix, seed=seed, tolerance=_TOLERANCE)[0][0])


def largest_eigenpairs(
    matrix: Operator, *, seed: int, count: int = 1, tolerance: float
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, "parameters count"]]:
    """The largest (algebraic) eigenvalues, falling, and their eigenvectors, by ARPACK.

    All are zero for a matrix that is zero, from which the iteration cannot start. ``tolerance`` is
    of eigenvectors; eigenvalues are then right to about its square. Else as ``top_eigenpair``.
    """
    start = generator(seed, "lanczos").standard_normal(matrix.size)
    image = matrix.of_array(start)
    if not np.isfinite(image).all():
        raise ValueError("the curvature of the loss is not finite here")
    if not image.any():
        return np.zeros(count), np.zeros((matrix.size, count))
    from scipy.sparse.linalg import LinearOperator, eigsh  # noqa: PLC0415 (half a second that most jobs spare)

    linear = LinearOperator(matrix.shape, matvec=matrix.of_array, dtype=np.float64)
    values, vectors = eigsh(linear, k=count, which="LA", v0=start, tol=tolerance)
    order = np.argsort(-values)
    return values[order], vectors[:, order]


def second_derivatives(
    network: Network,
    vectors: Float[Tensor, "networks parameters"],
    directions: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
) -> Float[np.ndarray, " networks"]:
    """The second derivative of the mean loss at each vector along its direction, v·Hv, float64.

    Directions count at their length: a vector twice as long bends the loss four times as much.
    """
    if not len(vectors):
        return np.empty(0)
    labels = checked(network, vectors, inputs, labels, dtype=torch.float64, twice=True)
    units = network.layout.units
    # Vectors, their directions and displacements; units before and after ReLU and their gradients.
    numbers = 4 * (vectors.shape[1] + 2 * units * len(inputs))
    size = max(1, _MEMORY // (8 * numbers))
    points = inputs.double()
    curvatures = [
        _along(network, some.detach().double(), direction.detach().double(), points, labels)
        for some, direction in zip(
            torch.split(vectors, size), torch.split(directions, size), strict=True
        )
    ]
    return torch.cat(curvatures).cpu().numpy()


def _along(
    network: Network, vectors: Tensor, directions: Tensor, inputs: Tensor, labels: Tensor
) -> Float[Tensor, " networks"]:
    # Differentiating by the distance along each row is all that is needed, and networks in one
    # batch do not mix, so the derivative of the sum holds each network's own.
    distance = torch.zeros(len(vectors), dtype=torch.float64, device=vectors.device)
    distance.requires_grad_()
    displaced = torch.addcmul(vectors, distance[:, None], directions)
    losses = _losses(network, displaced, inputs, labels)
    (slope,) = torch.autograd.grad(losses.sum(), distance, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), distance)
    return curvature


def hessian(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
) -> Operator:
    """The Hessian H of the mean loss by its products (Pearlmutter 1994).

    Of the network's trainable parameters: nothing is differentiated by running statistics. The
    gradient is computed once and differentiated at every product.

    Raises:
        ValueError: if what is given does not go together, see ``geometry.checked``.
    """
    labels = checked(underlying(network), minimum, inputs, labels, dtype=torch.float64, twice=True)
    parameters, vector = _differentiable(network, minimum)
    loss = _losses(underlying(network), vector[None], inputs.double(), labels)[0]
    (gradient,) = torch.autograd.grad(loss, parameters, create_graph=True)

    def product(vectors: Tensor) -> Tensor:
        return _pulled(gradient, parameters, vectors)

    return Operator(product, network.trainable, minimum.device, _at_once(network, inputs))


def gauss_newton(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
) -> Operator:
    """G = Σ JᵀΛJ / points (Schraudolph 2002) by its products; it has no negative part.

    J are the derivatives of a point's logits by the parameters and Λ the second derivatives of its
    loss by its logits, diag p − ppᵀ (p (1 − p) of one output, which means two classes). G is what
    is left of the Hessian if the logits are taken as linear; for cross-entropy it is the Fisher
    information of the predictions, and labels do not enter (they stand in for :func:`hessian`).

    Raises:
        ValueError: as of :func:`hessian`.
    """
    checked(underlying(network), minimum, inputs, labels, dtype=torch.float64)
    parameters, vector = _differentiable(network, minimum)
    logits = underlying(network).logits(vector[None], inputs.double())[0]
    # J v is the derivative of w ↦ Jᵀw, which is linear, in the direction v.
    weights = torch.zeros_like(logits, requires_grad=True)
    (pulled,) = torch.autograd.grad(logits, parameters, weights, create_graph=True)
    settled = logits.detach()
    p = torch.softmax(settled, dim=-1)

    def product(vectors: Tensor) -> Tensor:
        moved = _pulled(pulled, weights, vectors)
        if settled.shape[-1] == 1:
            bent = torch.sigmoid(settled) * torch.sigmoid(-settled) * moved
        else:
            bent = p * (moved - (p * moved).sum(dim=-1, keepdim=True))
        return _pulled(logits, parameters, bent / len(p))

    return Operator(product, network.trainable, minimum.device, _at_once(network, inputs))


def _pulled(outputs: Tensor, by: Tensor, weights: Tensor) -> Tensor:
    """Derivatives of the outputs' sum by these weights, or by each of several sets of them."""
    several = weights.ndim > outputs.ndim
    try:
        (derivatives,) = torch.autograd.grad(
            outputs, by, weights, retain_graph=True, is_grads_batched=several
        )
    except RuntimeError:
        if not several:
            raise
        # Not all functions can be differentiated for several, group norm twice among them.
        return torch.stack([_pulled(outputs, by, each) for each in weights])
    return derivatives


def _at_once(network: Network, inputs: Float[Tensor, "points ..."]) -> int:
    """How many vectors the matrices of a network are multiplied with in ``_MEMORY`` bytes."""
    units = network.layout.units
    places = math.prod(inputs.shape[2:])
    return max(1, _MEMORY // (8 * (network.layout.size + 2 * units * len(inputs) * places)))


def square_root_factors(
    logits: Float[Tensor, "points outputs"],
) -> Float[Tensor, "points outputs factors"]:
    """R with R Rᵀ = Λ for each point, Λ as of ``gauss_newton``; one factor for one output."""
    if logits.shape[-1] == 1:
        # By the logarithm, so that a network sure of a point keeps its digits.
        logs = functional.logsigmoid(logits) + functional.logsigmoid(-logits)
        return torch.exp(logs / 2)[..., None]
    p = torch.softmax(logits, dim=-1)
    return torch.diag_embed(p.sqrt()) - p[:, :, None] * p.sqrt()[:, None, :]


def logit_jacobian(
    network: Network, minimum: Float[Tensor, " parameters"], inputs: Float[Tensor, "points ..."]
) -> tuple[Float[Tensor, "points outputs trainable"], Float[Tensor, "points outputs"]]:
    """Derivatives of each point's logits by the trainable parameters, and the logits, in float64.

    Of N points with C outputs and n parameters they take 8·N·C·n bytes, and to compute them little
    more, since points are taken some at a time. Running statistics of batch norm are held where
    they are: each point is evaluated by itself.

    Raises:
        ValueError: if what is given does not go together, see ``geometry.checked``.
    """
    network = underlying(network)
    check_points(network, minimum, inputs, dtype=torch.float64)
    values = minimum.detach().double()
    parameters, statistics = values[: network.trainable], values[network.trainable :]

    def of_point(parameters: Tensor, point: Tensor) -> Tensor:
        vector = torch.cat([parameters, statistics])
        return network.logits(vector[None], point[None])[0, 0]

    points = inputs.double()
    with torch.no_grad():
        logits = network.logits(values[None], points)[0]
    at_once = max(1, _MEMORY // (8 * logits.shape[1] * network.layout.size))
    at_once_of = vmap(jacrev(of_point), in_dims=(None, 0))

    def derivatives(some: Tensor) -> Tensor:
        try:
            together: Tensor = at_once_of(parameters, some)
            return together
        except RuntimeError:
            # Recurrent layers are not followed for several at once.
            leaf = parameters.clone().requires_grad_()
            each = [of_point(leaf, point).unbind() for point in some]
            rows = [[torch.autograd.grad(z, leaf, retain_graph=True)[0] for z in of] for of in each]
            return torch.stack([torch.stack(row) for row in rows])

    jacobian = logits.new_empty(*logits.shape, network.trainable)
    for some, part in zip(
        torch.split(points, at_once), torch.split(jacobian, at_once), strict=True
    ):
        part.copy_(derivatives(some).detach())
    return jacobian, logits


def _differentiable(
    network: Network, minimum: Float[Tensor, " parameters"]
) -> tuple[Float[Tensor, " trainable"], Float[Tensor, " parameters"]]:
    """The trainable part of a vector, to differentiate by, and the vector on it, both float64."""
    values = minimum.detach().double()
    parameters = values[: network.trainable].clone().requires_grad_()
    return parameters, torch.cat([parameters, values[network.trainable :]])


def _losses(
    network: Network, parameters: Tensor, inputs: Tensor, labels: Tensor
) -> Float[Tensor, " networks"]:
    return negative_log_likelihoods(network.logits(parameters, inputs), labels).mean(dim=1)
