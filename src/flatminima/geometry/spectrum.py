"""How a loss bends around a minimum: top eigenvalues, trace and the whole spectrum, with intervals.

Nothing is formed: all rests on products of the Hessian or the Gauss-Newton matrix with vectors
(``geometry.curvature``), in float64. Intervals are over random probe vectors; eigenvalues, which
are iterated until they are found, have bounds of their residuals instead.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.errors import one_of
from flatminima.geometry.curvature import Operator, gauss_newton, hessian, largest_eigenpairs
from flatminima.geometry.directions import metric
from flatminima.geometry.sampled import Sampled, mean_of
from flatminima.geometry.temperature import at_loss
from flatminima.models.network import Network
from flatminima.seeding import generator

Matrix = Literal["hessian", "gauss_newton"]
Units = Literal["raw", "filter"]

_MATRICES = {"hessian": hessian, "gauss_newton": gauss_newton}

_TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Curvature:
    """The spectrum of a Hessian or Gauss-Newton matrix. Values in nats per squared distance.

    Attributes:
        eigenvalues: the largest (algebraic) ones, falling.
        residuals: for each a bound of its error: some eigenvalue is no further away than ‖Av − λv‖.
        trace: the sum of all eigenvalues, with an interval over probes. The eigenvalues above are
            summed exactly, the rest is estimated (Hutchinson 1989; after Meyer et al. 2021).
        nodes, weights: of each probe's quadrature of the spectrum (Ubaru et al. 2017): the share of
            eigenvalues at each node. Weights sum to 1.
        dimension: how many eigenvalues there are in all. In filter units those of parameters in no
            filter, or in one of norm zero, are zero.
        temperature: by which logits were divided to match a loss; 1 where none was asked for.
    """

    eigenvalues: Float[np.ndarray, " top"]
    residuals: Float[np.ndarray, " top"]
    trace: Sampled
    nodes: Float[np.ndarray, "probes steps"]
    weights: Float[np.ndarray, "probes steps"]
    dimension: int
    temperature: float

    def count_above(self, threshold: float) -> Sampled:
        """How many eigenvalues exceed a threshold, with an interval over probes.

        Right to about the spacing of nodes: an eigenvalue among others so near it that no node
        tells them apart counts with them.
        """
        return mean_of(self.dimension * (self.weights * (self.nodes > threshold)).sum(axis=1))

    def count_below(self, threshold: float) -> Sampled:
        """How many eigenvalues lie below a threshold, likewise."""
        return mean_of(self.dimension * (self.weights * (self.nodes < threshold)).sum(axis=1))


def operator(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    matrix: Matrix = "hessian",
    units: Units = "raw",
) -> Operator:
    """The Hessian or Gauss-Newton matrix of the mean loss by the network's trainable parameters.

    Args:
        matrix: which of the two.
        units: ``raw``, or ``filter`` for S A S, with S what a filter-normalised unit of distance is
            for each weight (``directions.metric``), zero for parameters in no filter.
    """
    one_of("matrix", matrix, get_args(Matrix))
    one_of("units", units, get_args(Units))
    scale = None if units == "raw" else metric(network.layout, minimum.double(), "exact")
    return _MATRICES[matrix](network, minimum, inputs, labels).scaled(scale)


def curvature(
    network: Network,
    minimum: Float[Tensor, " parameters"],
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    matrix: Matrix = "hessian",
    units: Units = "raw",
    level: float | None = None,
    top: int = 5,
    probes: int = 10,
    steps: int = 80,
    seed: int = 0,
) -> Curvature:
    """Top eigenvalues, trace and spectrum of the loss around a minimum.

    Args:
        minimum: the parameters at which to differentiate; need not be a minimum.
        matrix, units: as of :func:`operator`.
        level: a loss in nats at which to take it all, see ``geometry.temperature``; None: as it is.
        top: number of eigenvalues to find.
        probes: random vectors behind each interval.
        steps: Lanczos steps from each probe, the nodes of its quadrature.
        seed: root seed; the draws have the addresses ``(seed, "lanczos")``,
            ``(seed, "probe", i)`` and ``(seed, "quadrature", i)``.

    Raises:
        ValueError: if the loss is not finite, or no temperature gives it the level.
    """
    temperature = 1.0
    if level is not None:
        tempered = at_loss(network, minimum, inputs, labels, level)
        network, temperature = tempered, tempered.temperature
    bends = operator(network, minimum, inputs, labels, matrix=matrix, units=units)
    size = bends.size
    top = min(top, size - 1)
    values, vectors = largest_eigenpairs(bends, seed=seed, count=top, tolerance=_TOLERANCE)
    # Of a matrix that is zero all is known.
    trace, nodes, weights = Sampled(0, 0, 0), np.zeros((probes, 1)), np.ones((probes, 1))
    if vectors.any():
        trace = _trace(bends, float(values.sum()), vectors, probes, seed)
        nodes, weights = _quadratures(bends, probes, min(steps, size), seed)
    residuals = [
        np.linalg.norm(bends.of_array(vector) - value * vector)
        for value, vector in zip(values, vectors.T, strict=True)
    ]
    return Curvature(values, np.array(residuals), trace, nodes, weights, size, temperature)


def trace(bends: Operator, *, products: int = 48, seed: int = 0) -> Sampled:
    """The trace alone, in so many products, with an interval over probes (Meyer et al. 2021).

    A quarter of the products sketches what is large, a quarter sums that, and half of them probe
    the rest. Probes and sketch are independent, so the interval is one of independent draws. The
    leave-one-out estimates of XTrace (Epperly et al. 2024) are not: on the Hessian of a network of
    3,614 parameters at a minimum their 95% interval held the trace in 85% of 60 cases, this one in
    92% of 100. XTrace itself errs by 2.0% there after 40 products and this by 2.6%.

    Args:
        bends: such as :func:`operator` gives.
        products: of the matrix with vectors, at least 4; fewer than it has rows.
        seed: root seed; the draws have the addresses ``(seed, "sketch", i)`` and
            ``(seed, "probe", i)``.

    Raises:
        ValueError: if there are too few products or too many.
    """
    if not 4 <= products < bends.size:
        raise ValueError(f"products is {products}; need at least 4 and fewer than {bends.size}")
    sketches = products // 4
    images = bends.of_rows(_signs(bends, "sketch", sketches, seed))
    basis = np.linalg.qr(images.T)[0]
    inside = float((bends.of_rows(np.ascontiguousarray(basis.T)) * basis.T).sum())
    return _trace(bends, inside, basis, products - 2 * sketches, seed)


def _trace(bends: Operator, inside: float, basis: np.ndarray, probes: int, seed: int) -> Sampled:
    """What is known in an orthonormal basis, and what Hutchinson's probes see beside it."""
    signs = _signs(bends, "probe", probes, seed)
    rest = signs - (signs @ basis) @ basis.T
    return mean_of(inside + (rest * bends.of_rows(rest)).sum(axis=1))


def _signs(
    bends: Operator, purpose: str, count: int, seed: int
) -> Float[np.ndarray, "vectors parameters"]:
    draws = (generator(seed, purpose, number) for number in range(count))
    return np.stack([draw.choice([-1.0, 1.0], size=bends.size) for draw in draws])


def _quadratures(
    bends: Operator, probes: int, steps: int, seed: int
) -> tuple[Float[np.ndarray, "probes steps"], Float[np.ndarray, "probes steps"]]:
    """Gauss quadratures of the spectrum, one from each random vector."""
    from curvlinops.papyan2020traces.spectrum import fast_lanczos  # noqa: PLC0415 (half a second that most jobs spare)

    nodes, weights = np.empty((2, probes, steps))
    for probe in range(probes):
        address = int(generator(seed, "quadrature", probe).integers(2**63))
        on_gpu = [bends.device] if bends.device.type == "cuda" else []
        # The library draws its starting vector from torch's own stream.
        with torch.random.fork_rng(devices=on_gpu):
            torch.manual_seed(address)
            eigenvalues, vectors = fast_lanczos(bends, steps)
        nodes[probe] = eigenvalues.cpu().numpy()
        weights[probe] = vectors[0].square().cpu().numpy()
    return nodes, weights
