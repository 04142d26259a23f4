"""The trace and the top eigenvalue of a Hessian."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

from flatminima.geometry.curvature import hessian, top_eigenvalue
from flatminima.geometry.spectrum import trace
from tests.bench import peers
from tests.bench.losses import OURS
from tests.bench.scene import SwissRoll
from tests.bench.work import Bench, Record, Way, Work, there

PRODUCTS = 40
"""Of the Hessian with vectors, for one estimate of ours."""
SEEDS = 8
"""Estimates of a trace whose errors are averaged."""
TIMED = 24
"""Vectors of PyHessian that are timed, out of the many it takes."""


def hessian_trace(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """All with as many vectors as bring them to the error of ours."""
    exact = exact_trace(roll)
    ours = relative_error(lambda seed: our_trace(roll, seed), exact)
    vectors = vectors_of_xtrace(roll, exact, ours)
    make = partial(traces, roll, ours, vectors, vectors_of_hutchinson(roll, exact, ours))
    yield from bench.measure("hessian-trace", make)


def traces(roll: SwissRoll, error: float, xtrace: int, hutchinson: int) -> Work:
    """Estimates of the trace at one error, the operator's making included."""
    some = min(hutchinson, TIMED)
    return Work(
        size=f"{roll.model.layout.size:,} parameters, {len(roll.labels):,} points, "
        f"to {100 * error:.2g}%",
        unit="s",
        ours=Way(OURS, lambda: our_trace(roll, 0)),
        peers=there(
            [
                # Six standard errors: a fault, and not bad luck.
                Way(
                    f"curvlinops, XTrace of {xtrace} vectors",
                    lambda: _xtrace(roll, xtrace),
                    tolerance=12 * error,
                ),
                Way(
                    f"PyHessian, {hutchinson:,} vectors",
                    lambda: _pyhessian_trace(roll, some),
                    amount=some / hutchinson,
                    tolerance=12 * error * math.sqrt(hutchinson / some),
                )
                if peers.installed("pyhessian")
                else None,
            ]
        ),
    )


def exact_trace(roll: SwissRoll) -> float:
    """The sum of the diagonal, entry by entry."""
    matrix = hessian(roll.model, roll.vector, roll.inputs, roll.labels)
    unit = torch.zeros(matrix.size, dtype=torch.float64)
    total = 0.0
    for entry in range(matrix.size):
        unit[entry] = 1.0
        total += float((matrix @ unit)[entry])
        unit[entry] = 0.0
    return total


def our_trace(roll: SwissRoll, seed: int) -> float:
    """The trace as the library estimates it alone."""
    matrix = hessian(roll.model, roll.vector, roll.inputs, roll.labels)
    return trace(matrix, products=PRODUCTS, seed=seed).value


def relative_error(estimate: Callable[[int], float], exact: float) -> float:
    """Root mean square over seeds."""
    found = np.array([estimate(seed) for seed in range(SEEDS)])
    return float(np.sqrt(np.mean((found / exact - 1) ** 2)))


def vectors_of_xtrace(roll: SwissRoll, exact: float, error: float) -> int:
    """The smallest number of vectors, in steps of a seventh, with no greater error."""

    def estimate(vectors: int, seed: int) -> float:
        torch.manual_seed(seed)
        return _xtrace(roll, vectors)

    vectors, most = 4, roll.model.layout.size
    while relative_error(partial(estimate, vectors), exact) > error:
        # It takes an even number.
        vectors = 2 * math.ceil(vectors * 8 / 7 / 2)
        if vectors > most:
            raise RuntimeError(f"XTrace does not reach an error of {error} with {most} vectors")
    return vectors


def vectors_of_hutchinson(roll: SwissRoll, exact: float, error: float) -> int:
    """How many vectors of random signs bring their mean to an error, from the scatter of some."""
    matrix = hessian(roll.model, roll.vector, roll.inputs, roll.labels)
    random = np.random.default_rng(0)
    draws = []
    for _ in range(200):
        signs = torch.from_numpy(random.choice([-1.0, 1.0], matrix.size))
        draws.append(float(signs @ (matrix @ signs)))
    return max(2, math.ceil((np.std(draws) / exact / error) ** 2))


def _xtrace(roll: SwissRoll, vectors: int) -> float:
    from curvlinops import xtrace  # noqa: PLC0415 (takes seconds)

    return float(xtrace(peers.curvlinops_of(*_plain(roll)), vectors))


def _pyhessian_trace(roll: SwissRoll, vectors: int) -> float:
    with peers.in_float64():
        torch.manual_seed(0)
        found = peers.pyhessian_of(*_plain(roll)).trace(maxIter=vectors, tol=0)
    return float(np.mean(found))


def _plain(roll: SwissRoll) -> tuple[nn.Module, Tensor, Tensor, peers.Loss]:
    """Module, points and loss in float64, in which all of us differentiate."""
    labels = roll.labels[:, None].double()
    return roll.plain(roll.vector.double()), roll.inputs.double(), labels, nn.BCEWithLogitsLoss()


def hessian_top(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """The largest eigenvalue to rounding, by those who get there."""
    yield from bench.measure("hessian-top", partial(top, roll))


def top(roll: SwissRoll) -> Work:
    """The eigenvalue, the operator's making included."""

    def ours() -> float:
        matrix = hessian(roll.model, roll.vector, roll.inputs, roll.labels)
        return top_eigenvalue(matrix, seed=0)

    def by_curvlinops() -> float:
        linear = peers.curvlinops_of(*_plain(roll)).to_scipy()
        start = np.random.default_rng(0).standard_normal(linear.shape[0])
        return float(eigsh(linear, k=1, which="LA", tol=1e-9, v0=start)[0][0])

    def by_pyhessian(**options: float) -> float:
        with peers.in_float64():
            torch.manual_seed(0)
            return float(peers.pyhessian_of(*_plain(roll)).eigenvalues(**options)[0][0])

    shipped = peers.installed("pyhessian")
    return Work(
        size=f"{roll.model.layout.size:,} parameters, {len(roll.labels):,} points",
        unit="s",
        ours=Way(OURS, ours),
        peers=there(
            [
                Way("curvlinops and SciPy’s eigsh", by_curvlinops, tolerance=1e-8),
                # As it ships, to a tenth of a percent between two steps.
                Way("PyHessian as it ships, a worse value", by_pyhessian, tolerance=0.1)
                if shipped
                else None,
                # It normalises with a millionth added, and comes no nearer.
                Way(
                    "PyHessian, as near as it comes",
                    partial(by_pyhessian, maxIter=10_000, tol=1e-10),
                    tolerance=1e-4,
                )
                if shipped
                else None,
            ]
        ),
    )
