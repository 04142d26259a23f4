"""Decision boundaries in the plane: of the minima that are shown, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64

from flatminima.formats.boundaries import Boundaries
from flatminima.geometry.planes import class_probability, plane_axis
from flatminima.models.network import Network
from flatminima.training.selection import described, shown_pair, shown_row


def boundaries(
    network: Network,
    selection: Mapping[str, Any],
    minima: Sequence[Float32[np.ndarray, "networks parameters"]],
    inputs: Float32[np.ndarray, "points 2"],
    labels: Int64[np.ndarray, " points"],
    *,
    points: int,
    device: str = "cpu",
) -> Boundaries:
    """Evaluate decision functions on a square that holds the inputs with a margin of a tenth.

    Args:
        selection: what ``training.selection.select`` picked.
        minima: all networks by rising poison factor.
        inputs, labels: the training points.
        points: along each side of the square.
    """
    axis = plane_axis(inputs, points)
    shown = np.concatenate([shown_pair(selection, minima), shown_row(selection, minima)])
    probability = class_probability(network, torch.from_numpy(shown).to(device), axis, axis)
    return Boundaries(
        axis_x=axis,
        axis_y=axis,
        good_probability=probability[0],
        bad_probability=probability[1],
        probability=probability[2:],
        **described(selection["row"]),
        train_inputs=inputs,
        train_labels=labels,
    )
