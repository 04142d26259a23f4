"""Margins: the distance from every training point to every network's decision boundary."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from flatminima.formats.margins import Margins
from flatminima.formats.minima import Minima
from flatminima.geometry.margins import margins as distances
from flatminima.geometry.margins import resolved
from flatminima.geometry.planes import class_probability, plane_axis
from flatminima.models.network import Network
from flatminima.progress import Report, silent
from flatminima.surveys.stacking import stacked


def margins(
    network: Network,
    minima: Sequence[Minima],
    inputs: Float32[np.ndarray, "points 2"],
    labels: Int64[np.ndarray, " points"],
    *,
    factors: Sequence[float],
    points: int,
    device: str = "cpu",
    report: Report = silent,
) -> Margins:
    """Measure margins on a grid over a square that holds the inputs with a margin of a tenth.

    Args:
        minima: the ensembles of all poison factors.
        inputs, labels: the training points.
        factors: poison factors, rising.
        points: along each side of the square.
    """
    axis = plane_axis(inputs, points)
    rows = []
    for number, ensemble in enumerate(minima):
        networks = torch.from_numpy(ensemble.parameters).to(device)
        rows.append([_margins(network, one, axis, inputs, labels) for one in networks[:, None]])
        report(number + 1, len(minima), "poison factors")
    return Margins(
        margin=np.array([[margin for margin, _ in row] for row in rows]),
        unresolved=np.array([[unresolved for _, unresolved in row] for row in rows]),
        spacing=float(np.diff(axis)[0]),
        poison_factor=np.asarray(factors, dtype=np.float64),
        **stacked(minima, ("train_accuracy", "test_accuracy", "converged")),
    )


def _margins(
    network: Network,
    one: Float[Tensor, "1 parameters"],
    axis: Float32[np.ndarray, " grid"],
    inputs: Float32[np.ndarray, "points 2"],
    labels: Int64[np.ndarray, " points"],
) -> tuple[Float[np.ndarray, " points"], int]:
    """The margins of one network, and how many points it is right about, but not the grid."""
    probability = class_probability(network, one, axis, axis)[0]
    logits = network.logits(one, torch.from_numpy(inputs).to(one))
    right = (logits[0, :, 0] > 0).cpu().numpy() == (labels == 1)
    seen = resolved(axis, axis, probability, inputs, labels)
    return distances(axis, axis, probability, inputs, right & seen), int((right & ~seen).sum())
