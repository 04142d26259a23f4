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
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn import functional

from flatminima.geometry.checked import check_points, checked
from flatminima.geometry.footprint import Footprint, footprint, in_words, room
from flatminima.models.evaluation import underlying
from flatminima.models.module import ModuleNetwork
from flatminima.models.network import Network
from flatminima.models.points import Inputs, Points, split
from flatminima.progress import Report, silent
from flatminima.seeding import generator
from flatminima.training.batches import Batches, chosen, rows
from flatminima.training.losses import CROSS_ENTROPY, Loss

# Of eigenvectors; eigenvalues are then right to about its square, which is to rounding.
_TOLERANCE = 1e-9
# By what share entries of an eigenvector may differ that are taken for equally large.
_TIE = 1e-6
# Of eigenvectors where anything is in float32; eigenvalues are right to about its square.
_SINGLE_TOLERANCE = 1e-4
# Bytes that one batch of networks may take, approximately.
_MEMORY = 2**27
# Vectors beside a product: as many as its memory is left for before its points are taken in parts,
# and as few as can be done with.
_VECTORS, _FEWEST = 40, 6
# Vectors that a product of a module holds at the least, and what it holds of a network of fully
# connected layers: vectors, and numbers for each point and unit.
_LEAST, _HELD, _NUMBERS = 6, 9, 4


@dataclass(frozen=True, eq=False)
class Operator:
    """A symmetric matrix A that is known by its products: what curvlinops and scipy ask of one.

    Attributes:
        product: v ↦ Av, of a float64 vector, or of each row of several at once.
        size: how many rows.
        device: of the vectors.
        at_once: how many vectors may be multiplied at once for ``_MEMORY``.
        precision: in which products are computed, whatever the vectors are.
        room: bytes that vectors may take beside a product.
        notes: what of its way was cheaper than usual for want of memory, in sentences.
    """

    product: Callable[[Tensor], Tensor]
    size: int
    device: torch.device
    at_once: int = 1
    dtype: torch.dtype = torch.float64
    precision: torch.dtype = torch.float64
    room: int = 2**32
    notes: tuple[str, ...] = ()

    @property
    def vectors(self) -> int:
        """How many vectors fit into ``room``."""
        return self.room // (8 * self.size)

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
        return replace(
            self,
            product=lambda vector: entries * self.product(entries * vector),
            room=max(0, self.room - 3 * entries.nbytes),
        )


class Counted:
    """Tells of an operator how many products are done, of a number that is known by and large."""

    def __init__(self, bends: Operator, total: int, report: Report) -> None:
        """Of products with ``operator`` from now on."""
        self._total, self._report = total, report
        self._before = self._done = self._most = 0
        self._text = ""
        self.operator = replace(bends, product=self._counted(bends.product))

    def of(self, text: str, *, most: int) -> None:
        """What products are for from now on, and how many of them are in the total."""
        self._before, self._done = self._before + self._most, 0
        self._text, self._most = text, most

    def _counted(self, product: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def counted(vectors: Tensor) -> Tensor:
            images = product(vectors)
            self._done += 1 if vectors.ndim == 1 else len(vectors)
            done = min(self._before + min(self._done, self._most), self._total)
            self._report(done, self._total, f"{self._done} products {self._text}")
            return images

        return counted


def top_eigenpair(matrix: Operator, *, seed: int) -> tuple[float, Float[np.ndarray, " parameters"]]:
    """The largest (algebraic) eigenvalue and its eigenvector, by Lanczos iteration (ARPACK).

    Of the Hessian H of a loss the eigenvalue is in nats per squared unit of distance. If S in S H S
    holds the norm of each weight's filter, that unit is filter-normalised, and S times the
    eigenvector is the direction in weight space.

    The iteration starts at the address ``(seed, "lanczos")``. The eigenvector is float64, of unit
    length, and the first of its entries of largest magnitude is positive.

    Raises:
        ValueError: if products are not finite, or the loss is so flat that its Hessian is zero in
            float64.
    """
    values, vectors = largest_eigenpairs(matrix, seed=seed, tolerance=_TOLERANCE)
    if not vectors.any():
        raise ValueError("the Hessian of the loss is zero here, so it has no top eigenvector")
    vector = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    # Of weights of two logits, which move against each other, rounding would say which is larger.
    sizes = np.abs(vector)
    first = int(np.argmax(sizes > (1 - _TIE) * sizes.max()))
    return float(values[0]), vector * np.sign(vector[first])


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

    The iteration is as :func:`iteration` says. If it or products are in float32, its tolerance is
    1e-4 at least. Where the iteration is, eigenvalues and eigenvectors are the best of the space
    that it ends with, by products and sums in float64 (Rayleigh and Ritz).
    """
    held, dtype, _ = iteration(matrix, count)
    if dtype != np.float64 or matrix.precision != torch.float64:
        tolerance = max(tolerance, _SINGLE_TOLERANCE)
    start = generator(seed, "lanczos").standard_normal(matrix.size)
    image = matrix.of_array(start)
    if not np.isfinite(image).all():
        raise ValueError("the curvature of the loss is not finite here")
    if not image.any():
        return np.zeros(count), np.zeros((matrix.size, count))
    del image
    from scipy.sparse.linalg import LinearOperator, eigsh  # noqa: PLC0415 (half a second that most jobs spare)

    if dtype == np.float64:
        linear = LinearOperator(matrix.shape, matvec=matrix.of_array, dtype=np.float64)
        values, vectors = eigsh(linear, k=count, which="LA", v0=start, ncv=held, tol=tolerance)
        order = np.argsort(-values)
        return values[order], vectors[:, order]
    linear = LinearOperator(
        matrix.shape, matvec=lambda of: matrix.of_array(of).astype(dtype), dtype=dtype
    )
    start = start.astype(dtype)
    _, vectors = eigsh(linear, k=count, which="LA", v0=start, ncv=held, tol=tolerance)
    basis = np.linalg.qr(vectors.astype(np.float64))[0]
    del vectors, start
    inside = np.empty((count, count))
    for row, vector in zip(inside, basis.T, strict=True):
        row[:] = matrix.of_array(vector) @ basis
    values, turned = np.linalg.eigh((inside + inside.T) / 2)
    return values[::-1], basis @ turned[:, ::-1]


def iteration(matrix: Operator, count: int) -> tuple[int | None, type[np.floating], str]:
    """How to look for so many eigenvalues in the room that a matrix leaves.

    As ARPACK does by itself, with twenty vectors or more in float64, or in float32, with as few of
    them as fit: it starts anew the more often.

    Returns:
        The number of vectors, None for ARPACK's own; their dtype; and what to say of it, if it is
        not the usual way.

    Raises:
        ValueError: if that takes too much memory.
    """
    size = matrix.size
    usual = min(size, max(2 * count + 1, 20))
    # Beside its vectors ARPACK holds three, and ours are the start, what goes in and comes out;
    # eigenvectors are there twice.
    if 8 * size * (usual + 2 * count + 8) <= matrix.room:
        return None, np.float64, ""
    beside = 8 * size * (3 * count + 2) + 4 * size * 5
    held = min(usual, (matrix.room - beside) // (4 * size))
    if held < min(size, count + 2):
        least = beside + 4 * size * (count + 2)
        cure = "raise memory" if count == 1 else "lower top, or raise memory"
        raise ValueError(
            f"{in_words(matrix.room)} of memory are left beside a product, and an iteration for "
            f"{count} eigenvalues of {size:,} parameters takes {in_words(least)}; {cure}"
        )
    return (
        held,
        np.float32,
        (
            f"The iteration for eigenvalues holds {held} vectors in float32 in place of {usual} in "
            "float64, which do not fit into memory, and ends at a tolerance of "
            f"{_SINGLE_TOLERANCE:g}."
        ),
    )


def second_derivatives(
    network: Network,
    vectors: Float[Tensor, "networks parameters"],
    directions: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    loss: Loss = CROSS_ENTROPY,
) -> Float[np.ndarray, " networks"]:
    """The second derivative of the mean loss at each vector along its direction, v·Hv, float64.

    Directions count at their length: a vector twice as long bends the loss four times as much.
    """
    if not len(vectors):
        return np.empty(0)
    data = checked(network, vectors, inputs, labels, loss=loss, dtype=torch.float64, twice=True)
    _, labels = data.first
    units = network.layout.units
    # Vectors, their directions and displacements; units before and after ReLU and their gradients.
    numbers = 4 * (vectors.shape[1] + 2 * units * len(inputs))
    size = max(1, _MEMORY // (8 * numbers))
    points = inputs.double()

    def mean(vectors: Tensor) -> Tensor:
        return loss.mean(network.logits(vectors, points), labels)

    curvatures = [
        _along(mean, some.detach().double(), direction.detach().double())
        for some, direction in zip(
            torch.split(vectors, size), torch.split(directions, size), strict=True
        )
    ]
    return torch.cat(curvatures).cpu().numpy()


@torch.enable_grad()
def _along(
    mean: Callable[[Tensor], Tensor], vectors: Tensor, directions: Tensor
) -> Float[Tensor, " networks"]:
    # Differentiating by the distance along each row is all that is needed, and networks in one
    # batch do not mix, so the derivative of the sum holds each network's own.
    distance = torch.zeros(len(vectors), dtype=torch.float64, device=vectors.device)
    distance.requires_grad_()
    displaced = torch.addcmul(vectors, distance[:, None], directions)
    losses = mean(displaced)
    (slope,) = torch.autograd.grad(losses.sum(), distance, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), distance)
    return curvature


@torch.enable_grad()
def hessian(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Inputs | Batches,
    labels: Int[Tensor, " points"] | None,
    *,
    loss: Loss = CROSS_ENTROPY,
    memory: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> Operator:
    """The Hessian H of the mean loss by its products (Pearlmutter 1994).

    Of the network's trainable parameters: nothing is differentiated by running statistics. The
    gradient is computed once and differentiated at every product, or, where what that holds does
    not fit into ``memory``, computed anew at every product of some points at a time.

    Args:
        memory: bytes that a product and vectors beside it may take, see ``geometry.footprint``.
        dtype: of the two passes of a product. Vectors and sums over parts are in float64.

    Raises:
        ValueError: if a product does not fit into memory on a single point, or what is given does
            not go together, see ``geometry.checked``.
    """
    data = checked(
        underlying(network), minimum, inputs, labels, loss=loss, dtype=torch.float64, twice=True
    )
    loss = data.loss

    def of_dtype(dtype: torch.dtype) -> _Bent:
        parameters, vector = _differentiable(network, minimum, dtype)

        def bent(inputs: Inputs, labels: Any) -> Callable[[Tensor], Tensor]:
            outputs = underlying(network).logits(vector[None], inputs.to(dtype))
            mean = loss.mean(outputs, labels)[0]
            (gradient,) = torch.autograd.grad(mean, parameters, create_graph=True)
            return lambda vectors: _pulled(gradient, parameters, vectors)

        return bent

    return _in_parts(
        network, minimum, data, name="hessian", of_dtype=of_dtype, memory=memory, dtype=dtype
    )


@torch.enable_grad()
def gauss_newton(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Inputs | Batches,
    labels: Int[Tensor, " points"] | None,
    *,
    loss: Loss = CROSS_ENTROPY,
    memory: int | None = None,
    dtype: torch.dtype = torch.float64,
) -> Operator:
    """G = Σ JᵀΛJ / points (Schraudolph 2002) by its products; it has no negative part.

    J are the derivatives of a point's logits by the parameters and Λ the second derivatives of its
    loss by its logits, diag p − ppᵀ (p (1 − p) of one output, which means two classes). G is what
    is left of the Hessian if the logits are taken as linear; for cross-entropy it is the Fisher
    information of the predictions, and labels do not enter (they stand in for :func:`hessian`).

    Args:
        memory, dtype: as of :func:`hessian`.

    Raises:
        ValueError: as of :func:`hessian`.
    """
    data = checked(underlying(network), minimum, inputs, labels, loss=loss, dtype=torch.float64)
    loss = data.loss

    def of_dtype(dtype: torch.dtype) -> _Bent:
        parameters, vector = _differentiable(network, minimum, dtype)

        def bent(inputs: Inputs, labels: Any) -> Callable[[Tensor], Tensor]:
            logits = underlying(network).logits(vector[None], inputs.to(dtype))[0]
            # J v is the derivative of w ↦ Jᵀw, which is linear, in the direction v.
            weights = torch.zeros_like(logits, requires_grad=True)
            (pulled,) = torch.autograd.grad(logits, parameters, weights, create_graph=True)
            settled = logits.detach()
            total = loss.total(labels, len(settled))

            def product(vectors: Tensor) -> Tensor:
                moved = _pulled(pulled, weights, vectors)
                return _pulled(logits, parameters, loss.bent(settled, labels, moved) / total)

            return product

        return bent

    return _in_parts(
        network, minimum, data, name="gauss_newton", of_dtype=of_dtype, memory=memory, dtype=dtype
    )


# Of some points and their labels, the product with the matrix of their mean loss.
_Bent = Callable[[Inputs, Any], Callable[[Tensor], Tensor]]


def _in_parts(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    data: Batches,
    *,
    name: str,
    of_dtype: Callable[[torch.dtype], _Bent],
    memory: int | None,
    dtype: torch.dtype,
) -> Operator:
    """The operator of a mean over points: of all at once where they fit, else of parts of them."""
    memory, count, size = room(memory, minimum.device), len(data), network.trainable
    inputs, labels = data.first
    fewest, wanted = (8 * size * vectors for vectors in (_FEWEST, _VECTORS))
    notes: list[str] = []
    for tried in dict.fromkeys((dtype, torch.float32)):
        dtype, bent = tried, of_dtype(tried)
        least = fewest + _LEAST * dtype.itemsize * size
        if least <= memory:
            needs = _needs(network, inputs, labels, name=name, bent=bent, dtype=dtype)
            least = fewest + needs.of(1)
        if least <= memory:
            break
        notes = ["Products are in float32, since those in float64 do not fit into memory."]
    else:
        raise ValueError(
            f"memory is {in_words(memory)}, and a product of second derivatives of {size:,} "
            f"parameters takes {in_words(least)} with the vectors beside it, on one point at a "
            "time; raise memory, or freeze parameters"
        )
    fitting = needs.fitting(memory - min(memory // 2, wanted)) or 1
    if fitting >= count and data.whole is not None:
        whole = bent(inputs, labels)
        left = memory - needs.of(count)
        at_once = min(_at_once(network, inputs), max(1, left // needs.of(count)))
        product = whole
        if dtype != torch.float64:
            product = lambda vectors: whole(vectors.to(dtype)).double()  # noqa: E731
        return Operator(
            product, size, minimum.device, at_once,
            precision=dtype, room=left, notes=tuple(notes),
        )  # fmt: skip
    if fitting < count:
        fitting = -(-count // -(-count // fitting))
    left = memory - needs.of(min(fitting, len(inputs)))
    notes.append(
        "Every product reads all batches and differentiates them anew."
        if data.whole is None
        else f"Every product takes the points {fitting:,} at a time and differentiates them anew, "
        f"since what all {count:,} hold, {in_words(needs.of(count))}, does not fit into memory."
    )

    @torch.enable_grad()
    def in_parts(vectors: Tensor) -> Tensor:
        total = torch.zeros_like(vectors)
        for some, their in data.parts(fitting):
            weight = data.loss.total(their, rows(some, their)) / data.weight
            if not weight:
                continue
            product = bent(some, their)
            for row, vector in zip(total.view(-1, size), vectors.reshape(-1, size), strict=True):
                row.add_(product(vector.to(dtype)), alpha=weight)
            # Not while the next part is differentiated.
            del product
        return total

    # Of each a row of the sum and what an operator is made of, such as scaled vectors.
    at_once = max(1, left // (8 * 8 * size))
    return Operator(
        in_parts, size, minimum.device, at_once,
        precision=dtype, room=left, notes=tuple(notes),
    )  # fmt: skip


def _needs(
    network: Network,
    inputs: Inputs,
    labels: Any,
    *,
    name: str,
    bent: _Bent,
    dtype: torch.dtype,
) -> Footprint:
    """What a product takes: measured of a module, once, and a bound of fully connected layers."""
    module = _module(network)
    if module is None:
        numbers = _NUMBERS * network.layout.units * math.prod(inputs.shape[2:])
        return Footprint(_HELD * dtype.itemsize * network.layout.size, dtype.itemsize * numbers)
    keys = [(inputs.device, f"bytes {of} {name}", dtype, inputs.shape) for of in ("fixed", "each")]
    if keys[0] not in module.probed:
        vector = torch.ones(network.trainable, dtype=dtype, device=inputs.device)

        def work(points: int) -> None:
            bent(*chosen((inputs, labels), slice(points)))(vector)

        found = footprint(work, len(inputs))
        module.probed.update(zip(keys, (found.fixed, found.each), strict=True))
    return Footprint(*(module.probed[key] for key in keys))


def _module(network: Network) -> ModuleNetwork | None:
    """The module network behind a network, if there is one."""
    while not isinstance(network, ModuleNetwork) and hasattr(network, "network"):
        network = network.network
    return network if isinstance(network, ModuleNetwork) else None


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


def _at_once(network: Network, inputs: Inputs) -> int:
    """How many vectors the matrices of a network are multiplied with in ``_MEMORY`` bytes."""
    units = network.layout.units
    places = math.prod(inputs.shape[2:]) if isinstance(inputs, Tensor) else 1
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


@torch.enable_grad()
def logit_jacobian(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Inputs,
    *,
    columns: slice = slice(None),
    memory: int | None = None,
    report: Report = silent,
) -> tuple[Float[Tensor, "rows outputs columns"], Float[Tensor, "rows outputs"]]:
    """Derivatives of each point's logits by the trainable parameters, and the logits, in float64.

    Of N points with C outputs and n parameters they take 8·N·C·n bytes, and to compute them little
    more, since points are taken some at a time. Running statistics of batch norm are held where
    they are: each point is evaluated by itself.

    Args:
        columns: of which of the trainable parameters they are kept.
        memory: bytes that derivatives on their way may take; None: 128 MiB.
        report: told how many points are done.

    Raises:
        ValueError: if what is given does not go together, see ``geometry.checked``.
    """
    network = underlying(network)
    check_points(network, minimum, inputs, dtype=torch.float64)
    values = minimum.detach().double()
    parameters, statistics = values[: network.trainable], values[network.trainable :]

    points = inputs.double()

    def of_point(parameters: Tensor, point: list[Tensor]) -> Tensor:
        vector = torch.cat([parameters, statistics])
        return network.logits(vector[None], _one(points, point))[0].flatten()

    with torch.no_grad():
        logits = network.logits(values[None], points)[0]
        logits = logits.reshape(len(logits), -1)
    row, each, memory = 8 * network.layout.size, logits.numel() // len(points), memory or _MEMORY
    at_once = max(1, memory // (row * each))
    # Of one point too, some logits at a time, where there are many.
    many = row * each > 2 * memory
    at_once_of = vmap(jacrev(of_point), in_dims=(None, 0))

    def derivatives(some: Inputs) -> Tensor:
        tensors = some.tensors if isinstance(some, Points) else [some]
        try:
            together: Tensor = at_once_of(parameters, tensors)
            return together
        except RuntimeError:
            # Recurrent layers are not followed for several at once.
            leaf = parameters.clone().requires_grad_()
            each_point = (of_point(leaf, list(of)) for of in zip(*tensors, strict=True))
            found = [
                torch.stack([torch.autograd.grad(z, leaf, retain_graph=True)[0] for z in logits])
                for logits in each_point
            ]
            return torch.stack(found)

    kept = len(range(network.trainable)[columns])
    jacobian, done = logits.new_empty(len(points), each, kept), 0
    for some, part in zip(split(points, at_once), torch.split(jacobian, at_once), strict=True):
        if many:
            leaf = parameters.clone().requires_grad_()
            tensors = some.tensors if isinstance(some, Points) else [some]
            outputs = of_point(leaf, [tensor[0] for tensor in tensors])
            ways = torch.split(torch.eye(len(outputs)).to(outputs), max(1, memory // row))
            for of, which in zip(torch.split(part[0], len(ways[0])), ways, strict=True):
                of.copy_(_pulled(outputs, leaf, which)[:, columns])
        else:
            part.copy_(derivatives(some).detach()[..., columns])
        done += len(some)
        report(done, len(points), "points whose logits are differentiated")
    return jacobian.view(*logits.shape, kept), logits


def _one(like: Inputs, tensors: list[Tensor]) -> Inputs:
    """A point of the same kind as others, of its tensors."""
    if not isinstance(like, Points):
        return tensors[0][None]
    left = iter(tensors)
    return like.map(lambda _: next(left)[None])


@torch.enable_grad()
def signed_gradients(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Inputs,
    signs: Float[Tensor, "points outputs"],
) -> Float[Tensor, "points trainable"]:
    """Derivatives of sums of each point's logits, with these signs, by the trainable parameters.

    In float64, one point after the other; else as :func:`logit_jacobian`.
    """
    network = underlying(network)
    check_points(network, minimum, inputs, dtype=torch.float64)
    parameters, vector = _differentiable(network, minimum, torch.float64)
    found = torch.empty(len(inputs), network.trainable, dtype=torch.float64, device=minimum.device)
    for row, point, sign in zip(found, split(inputs, 1), signs.to(found), strict=True):
        logits = network.logits(vector[None], point.double())[0].flatten()
        row.copy_(torch.autograd.grad(logits @ sign, parameters, retain_graph=True)[0])
    return found


def _differentiable(
    network: Network, minimum: Float[Tensor, " parameters"], dtype: torch.dtype
) -> tuple[Float[Tensor, " trainable"], Float[Tensor, " parameters"]]:
    """The trainable part of a vector, to differentiate by, and the vector on it."""
    values = minimum.detach().to(dtype)
    parameters = values[: network.trainable].clone().requires_grad_()
    return parameters, torch.cat([parameters, values[network.trainable :]])
