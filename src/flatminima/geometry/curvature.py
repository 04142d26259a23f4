"""Second derivatives of the loss: products with vectors, the top eigenvalue, and along directions.

Everything is exact (two passes of automatic differentiation, no finite differences) and in float64,
whatever the dtype of the network. A ReLU network's loss has kinks, on which it has no second
derivative and to which differentiation gives none: what is computed is the Hessian of the smooth
piece on which the parameters lie, in which each unit stays on or off for each point. Bends that a
longer step would cross are not in it.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from torch.nn import functional

from flatminima.models.evaluation import underlying
from flatminima.models.network import Network
from flatminima.seeding import generator
from flatminima.training.losses import negative_log_likelihoods

# Of eigenvectors; eigenvalues are then right to about its square, which is to rounding.
_TOLERANCE = 1e-9
# Bytes that one batch of networks may take, approximately.
_MEMORY = 2**27

Product = Callable[[Float[Tensor, " parameters"]], Float[Tensor, " parameters"]]


def top_eigenpair(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    seed: int,
    scale: Float[Tensor, " parameters"] | None = None,
) -> tuple[float, Float[np.ndarray, " parameters"]]:
    """The largest (algebraic) eigenvalue of the Hessian of the mean loss, and its eigenvector.

    Lanczos iteration (ARPACK) on products of the Hessian H with vectors (Pearlmutter 1994); H is
    never formed.

    Args:
        network: the architecture.
        minimum: the parameters at which to differentiate; need not be a minimum.
        inputs: the points on which the loss is taken.
        labels: their classes.
        seed: root seed; the iteration starts at the address ``(seed, "lanczos")``.
        scale: with it, of S H S in place of H, where S = diag(scale). If S holds the norm of each
            weight's filter, this is the curvature of the loss in filter-normalised units, and
            ``scale * eigenvector`` is the direction in weight space.

    Returns:
        The eigenvalue, in nats per squared unit of distance, and the eigenvector, float64, of unit
        length, its entry of largest magnitude positive.

    Raises:
        ValueError: if the loss is not finite, or so flat that its Hessian is zero in float64.
    """
    found = _top(network, minimum, inputs, labels, seed=seed, scale=scale)
    if found is None:
        raise ValueError("the Hessian of the loss is zero here, so it has no top eigenvector")
    value, vector = found
    vector = vector / np.linalg.norm(vector)
    return value, vector * np.sign(vector[np.abs(vector).argmax()])


def top_eigenvalue(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    seed: int,
    scale: Float[Tensor, " parameters"] | None = None,
) -> float:
    """The largest eigenvalue alone; arguments and unit are those of ``top_eigenpair``.

    A network far from its minimum may be dead, its logits the same for all points and parameters
    around: its Hessian is zero, which has no top eigenvector, but the eigenvalue 0.

    Raises:
        ValueError: if the loss is not finite.
    """
    found = _top(network, minimum, inputs, labels, seed=seed, scale=scale)
    return 0.0 if found is None else found[0]


def _top(
    network: Network,
    minimum: Tensor,
    inputs: Tensor,
    labels: Tensor,
    *,
    seed: int,
    scale: Tensor | None,
) -> tuple[float, Float[np.ndarray, " parameters"]] | None:
    """The eigenpair; None if the operator is zero, from which the iteration cannot start."""
    product = hessian_product(network, minimum, inputs, labels)
    size = network.trainable
    diagonal = None if scale is None else scale[:size].to(minimum.device, torch.float64)

    def multiply(vector: np.ndarray) -> np.ndarray:
        right = torch.from_numpy(np.array(vector).reshape(-1)).to(minimum.device)
        image = product(right) if diagonal is None else diagonal * product(diagonal * right)
        values: np.ndarray = image.cpu().numpy()
        return values

    start = generator(seed, "lanczos").standard_normal(size)
    image = multiply(start)
    if not np.isfinite(image).all():
        raise ValueError("the Hessian of the loss is not finite here")
    if not image.any():
        return None
    operator = LinearOperator((size, size), matvec=multiply, dtype=np.float64)
    values, vectors = eigsh(operator, k=1, which="LA", v0=start, tol=_TOLERANCE)
    # Nothing is differentiated by running statistics.
    return float(values[0]), np.pad(vectors[:, 0], (0, len(minimum) - size))


def second_derivatives(
    network: Network,
    places: Float[Tensor, "places parameters"],
    directions: Float[Tensor, "places parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
) -> Float[np.ndarray, " places"]:
    """The second derivative of the mean loss at each place along its direction, v·Hv, float64.

    Directions count at their length: a vector twice as long bends the loss four times as much.
    """
    units = sum(shape[0] for _, shape in network.layout.shapes)
    # Vectors, their directions and displacements; units before and after ReLU and their gradients.
    numbers = 4 * (places.shape[1] + 2 * units * len(inputs))
    size = max(1, _MEMORY // (8 * numbers))
    points = inputs.double()
    curvatures = [
        _along(network, place.detach().double(), direction.detach().double(), points, labels)
        for place, direction in zip(
            torch.split(places, size), torch.split(directions, size), strict=True
        )
    ]
    return torch.cat(curvatures).cpu().numpy() if curvatures else np.empty(0)


def _along(
    network: Network, places: Tensor, directions: Tensor, inputs: Tensor, labels: Tensor
) -> Float[Tensor, " places"]:
    # Differentiating by the distance along each row is all that is needed, and networks in one
    # batch do not mix, so the derivative of the sum holds each network's own.
    distance = torch.zeros(len(places), dtype=torch.float64, device=places.device)
    distance.requires_grad_()
    displaced = torch.addcmul(places, distance[:, None], directions)
    losses = _losses(network, displaced, inputs, labels)
    (slope,) = torch.autograd.grad(losses.sum(), distance, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), distance)
    return curvature


def hessian_product(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
) -> Product:
    """The function v ↦ Hv, with H the Hessian of the mean loss (Pearlmutter 1994).

    Vectors are float64, on the device of the minimum, and as long as ``network.trainable``: nothing
    is differentiated by running statistics. The gradient is computed once and differentiated at
    every call.
    """
    parameters, vector = differentiable(network, minimum)
    loss = _losses(underlying(network), vector[None], inputs.double(), labels)[0]
    (gradient,) = torch.autograd.grad(loss, parameters, create_graph=True)

    def product(vector: Tensor) -> Tensor:
        (image,) = torch.autograd.grad(gradient, parameters, vector, retain_graph=True)
        return image

    return product


def gauss_newton_product(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
) -> Product:
    """The function v ↦ Gv, with G = Σ JᵀΛJ / points (Schraudolph 2002), which has no negative part.

    J are the derivatives of a point's logits by the parameters and Λ the second derivatives of its
    loss by its logits, diag p − ppᵀ. G is what is left of the Hessian if the logits are taken as
    linear; for cross-entropy it is the Fisher information of the predictions, and labels do not
    enter (they are taken to stand in for :func:`hessian_product`). Vectors as there.
    """
    parameters, vector = differentiable(network, minimum)
    logits = underlying(network).logits(vector[None], inputs.double())[0]
    # J v is the derivative of w ↦ Jᵀw, which is linear, in the direction v.
    weights = torch.zeros_like(logits, requires_grad=True)
    (pulled,) = torch.autograd.grad(logits, parameters, weights, create_graph=True)
    settled = logits.detach()

    def product(vector: Tensor) -> Tensor:
        (moved,) = torch.autograd.grad(pulled, weights, vector, retain_graph=True)
        bent = bend(settled, moved) / len(settled)
        (image,) = torch.autograd.grad(logits, parameters, bent, retain_graph=True)
        return image

    return product


def bend(
    logits: Float[Tensor, "points outputs"], moved: Float[Tensor, "points outputs"]
) -> Float[Tensor, "points outputs"]:
    """Λ times a vector for each point, Λ the second derivatives of its loss by its logits.

    One output means two classes, of which Λ is p (1 − p).
    """
    if logits.shape[-1] == 1:
        return torch.sigmoid(logits) * torch.sigmoid(-logits) * moved
    p = torch.softmax(logits, dim=-1)
    return p * (moved - (p * moved).sum(dim=-1, keepdim=True))


def roots(logits: Float[Tensor, "points outputs"]) -> Float[Tensor, "points outputs factors"]:
    """R with R Rᵀ = Λ for each point, Λ as for ``bend``; one factor for one output."""
    if logits.shape[-1] == 1:
        # By the logarithm, so that a network sure of a point keeps its digits.
        logs = functional.logsigmoid(logits) + functional.logsigmoid(-logits)
        return torch.exp(logs / 2)[..., None]
    p = torch.softmax(logits, dim=-1)
    return torch.diag_embed(p.sqrt()) - p[:, :, None] * p.sqrt()[:, None, :]


def differentiable(
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
