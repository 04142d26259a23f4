"""Basins of different minima at one and the same training loss.

A network that was trained for longer has steeper logits and so a lower loss and another basin,
though it may classify as before. Scaling all logits to one loss takes that out.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.survey import basins
from flatminima.models.mlp import MLP
from flatminima.models.polygon import with_loss
from flatminima.storage import Arrays

MEASURED = ("median_radius", "mean_log_radius", "log10_volume_mean_log", "log_determinant")


def basins_at_loss(
    model: MLP,
    minima: Float[Tensor, "networks parameters"],
    inputs: Float[Tensor, "points features"],
    labels: Int[Tensor, " points"],
    *,
    loss: float,
    excess: float,
    **measure: Any,
) -> Arrays:
    """Measure the basin of every minimum after its logits were scaled to a training loss.

    The factor is shared out evenly over the layers, which leaves the decision boundary as it is.

    Args:
        loss: mean training loss that every network is brought to, nats.
        excess: of the one cutoff over that loss, nats.
        measure: other arguments of ``survey.basins`` except cutoffs.

    Returns:
        float64 arrays (networks,), ``median_radius``, ``mean_log_radius``,
        ``log10_volume_mean_log`` and ``log_determinant`` as from ``survey.basins`` at that one
        cutoff; NaN for a network that misses a point, which no scaling can bring to any loss.
    """
    scaled = [with_loss(model, minimum.cpu().numpy(), inputs, labels, loss) for minimum in minima]
    there = np.array([vector is not None for vector in scaled])
    found = {name: np.full(len(scaled), np.nan) for name in MEASURED}
    if there.any():
        vectors = np.stack([vector for vector in scaled if vector is not None])
        measured = basins(
            model,
            torch.from_numpy(vectors).to(minima),
            inputs,
            labels,
            cutoffs=(),
            excess=excess,
            **measure,
        )
        for name in MEASURED:
            found[name][there] = measured[name].reshape(len(vectors))
    return found
